"""Other programs at work during a measurement, as a browser is on a laptop."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from glmkit.core.errors import UserError

_BUSY = "import os\nwhile os.getppid() == {parent}:\n    sum(range(100_000))"  # ends with us, however we end


@contextmanager
def busy(count: int) -> Iterator[None]:
    """A block during which `count` processes are busy without a pause. Raises UserError for more than there are
    cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count > cores:
        raise UserError(f"--beside {count} is more than the {cores} cores of this machine")
    programs: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            programs.append(subprocess.Popen([sys.executable, "-c", _BUSY.format(parent=os.getpid())]))
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()
