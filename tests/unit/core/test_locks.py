"""One program writes a place at a time; what a dead one left is found, what a living one writes is let be."""

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glmkit.core import files, locks
from glmkit.core.errors import UserError
from glmkit.core.files import atomic_directory, atomic_file, hold, hold_directory, restore


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


@contextmanager
def writer_of(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the midst of writing the directory `path`."""
    script = """
        import sys
        from pathlib import Path
        from glmkit.core.files import atomic_directory

        with atomic_directory(Path(sys.argv[1]), replace=True) as partial:
            (partial / "half").write_text("half")
            print("writing", flush=True)
            sys.stdin.read()
    """
    with child(script, path) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "writing\n"
        try:
            yield process
        finally:
            if process.poll() is None:
                process.stdin.close()
            process.wait()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("manager", [atomic_directory, atomic_file, hold], ids=lambda manager: manager.__name__)
def test_the_second_says_who_holds_it_and_takes_nothing_from_the_first(tmp_path: Path, manager: object) -> None:
    out = tmp_path / "out"
    with writer_of(out) as process:
        with pytest.raises(UserError) as raised, manager(out):  # type: ignore[operator]
            pass
        said = f"{out} is being written by process {process.pid} on "
        assert str(raised.value).startswith(said)
        assert (tmp_path / f".out.partial-{process.pid}" / "half").read_text() == "half"
    assert names(tmp_path) == ["out"]
    assert names(out) == ["half"]


def test_what_a_killed_writer_left_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with writer_of(out) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert f".out.partial-{process.pid}" in names(tmp_path)
        with atomic_directory(out) as partial:
            (partial / "new").write_text("new")
    assert names(tmp_path) == ["out"]
    assert names(out) == ["new"]


def test_what_a_living_process_writes_without_a_lock_is_let_be(tmp_path: Path) -> None:
    living = tmp_path / f".out.partial-{os.getppid()}"
    dead = tmp_path / ".out.partial-999999999999"
    for left in (living, dead):
        left.mkdir()
    with atomic_directory(tmp_path / "out"):
        pass
    assert names(tmp_path) == [living.name, "out"]


def test_two_threads_do_not_write_one_place(tmp_path: Path) -> None:
    said: list[str] = []

    def second() -> None:
        with pytest.raises(UserError) as raised, atomic_file(tmp_path / "file"):
            pass
        said.append(str(raised.value))

    with atomic_file(tmp_path / "file") as partial:
        partial.write_text("first")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "is being written by this program already" in said[0]
    assert (tmp_path / "file").read_text() == "first"
    assert names(tmp_path) == ["file"]


def test_the_thread_that_holds_a_place_may_hold_it_again(tmp_path: Path) -> None:
    with hold_directory(tmp_path / "run"):
        with hold_directory(tmp_path / "run"):
            pass
        assert names(tmp_path / "run") == [".lock"], "inside: what the directory is in may not be writable"
    assert names(tmp_path / "run") == []


def test_without_locks_of_the_file_system_nothing_of_others_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(descriptor: int, operation: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", none)
    (tmp_path / ".out.partial-999999999999").mkdir()
    with atomic_directory(tmp_path / "out"):
        pass
    assert names(tmp_path) == [".out.partial-999999999999", "out"]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from glmkit.core import files

    at, exchanges, path = int(sys.argv[1]), sys.argv[2] == "True", Path(sys.argv[3])
    if not exchanges:
        files._exchange = lambda one, other: False
    renames, rename, exchange = 0, os.replace, files._exchange

    def counted(what):
        def call(*arguments):
            global renames
            if renames == at:
                os.kill(os.getpid(), signal.SIGKILL)
            renames += 1
            return what(*arguments)
        return call

    os.replace = counted(rename)
    if exchanges:
        files._exchange = counted(exchange)
    files._remove = counted(files._remove)
    with files.atomic_directory(path, replace=True) as partial:
        (partial / "file").write_text("new")
    print("done")
"""


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("at", range(4))
def test_a_kill_at_any_rename_leaves_the_old_or_the_new_whole(tmp_path: Path, at: int, exchanges: bool) -> None:
    path = tmp_path / "run" / "model"
    path.mkdir(parents=True)
    (path / "file").write_text("old")
    with child(KILLED, at, exchanges, path) as process:
        process.wait()
    restore(path.parent)
    assert (path / "file").read_text() in ("old", "new")
    with atomic_directory(path, replace=True) as partial:
        assert (path / "file").read_text() in ("old", "new")
        (partial / "file").write_text("next")
    assert names(path.parent) == ["model"]
    assert (path / "file").read_text() == "next"


def test_between_two_renames_the_old_is_aside_and_is_put_back_by_whoever_writes_next(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "file").write_text("old")
    with child(KILLED, 1, False, path) as process:
        process.wait()
    assert not path.exists(), "killed between the two"
    with atomic_directory(path, replace=True):
        assert (path / "file").read_text() == "old"
    assert names(tmp_path) == ["model"]
    assert names(path) == []


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "renameat2"), reason="the C library has no renameat2")
def test_an_exchange_is_one_step(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    if not files._exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system cannot exchange two names")
    assert (tmp_path / "one" / "file").read_text() == "other"
    assert (tmp_path / "other" / "file").read_text() == "one"
    assert not files._exchange(tmp_path / "one", tmp_path / "none")
