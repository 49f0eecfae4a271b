"""Other people's programs, run as processes that end when we do."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from glmkit.bench.http_load import Server
from glmkit.core.errors import UserError

_START = 900.0  # seconds that a server may take; vLLM takes minutes
_END = 10.0  # seconds that a program may take to end once it is asked to
_ERROR = re.compile(r"\w*Error: |\berror\b|\bfailed\b", re.IGNORECASE)


@dataclass(frozen=True)
class Program:
    """A program that is installed: its name for messages, its file, and how it is installed. Raises UserError for a
    file that is not there or not executable."""

    name: str
    file: str
    remedy: str

    def __post_init__(self) -> None:
        if shutil.which(self.file) is None:
            raise UserError(
                f"{self.name} is not installed ({self.file} is no program); {self.remedy}, or give its file with "
                "--program FILE"
            )

    def fails(self, what: str) -> UserError:
        return UserError(f"{self.name} {what}; {self.remedy}")


class Process:
    """A program at work, while it is used as a context; whatever it started ends with it."""

    def __init__(
        self, program: Program, arguments: Sequence[str], environment: Mapping[str, str], stdout: int | None = None
    ) -> None:
        self.program = program
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        self.popen = subprocess.Popen(
            [program.file, *arguments],
            stdin=subprocess.PIPE,
            stdout=self._log if stdout is None else stdout,
            stderr=self._log,
            env={**os.environ, **environment},
            start_new_session=True,  # a group of its own: Ctrl-C reaches us alone, and we end all of it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(_END)
        finally:
            self._signal(signal.SIGKILL)
            self.popen.wait()
            self._log.close()

    def failure(self) -> UserError:
        """What became of a process that has ended: its code, and the line of its output that says why."""
        code = self.popen.wait()
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        why = next(filter(_ERROR.search, lines), lines[-1] if lines else "it said nothing")
        return self.program.fails(f"ended with code {code}: {' '.join(why.split())[:300]}")

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


@contextmanager
def serving(program: Program, arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[Server]:
    """The server that `program` is, at a port that is free and ready to answer. Raises UserError with the line that
    says why where it ends first, or does not answer in 15 minutes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    end = time.monotonic() + _START
    with Process(program, [*arguments, "--host", "127.0.0.1", "--port", str(port)], environment) as process:
        while not _healthy(port):
            if process.popen.poll() is not None:
                raise process.failure()
            if time.monotonic() > end:
                raise program.fails(f"does not answer after {_START:.0f} seconds")
            time.sleep(0.1)
        yield Server(f"http://127.0.0.1:{port}")


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
