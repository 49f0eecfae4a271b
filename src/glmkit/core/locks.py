"""One writer of a place at a time, by a lock file that says who it is.

The file is locked by flock, which the system takes back when the holder dies: one that a killed process left behind
holds nobody back. Where a file system has no such locks, only threads of one process keep out of each other's way.
"""

import errno
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from glmkit.core.errors import UserError


class BeingWritten(UserError):
    """What somebody else is writing."""


_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)

_guard = threading.Lock()
_held: dict[str, int] = {}  # what this process writes, and the thread that does


@contextmanager
def locked(path: Path, lock: Path, *, again: bool = False) -> Iterator[bool]:
    """Holds `path` for writing by the file `lock`; yields whether other processes are kept out too, which not every
    file system can.

    `again`: the thread that holds it already may. Raises BeingWritten saying who holds it, OSError where the file
    cannot be made.
    """
    key = os.path.join(os.path.realpath(path.parent), path.name)
    with _guard:
        if again and _held.get(key) == threading.get_ident():
            mine = True
        elif key in _held:
            raise BeingWritten(f"{path} is being written by this program already; wait until it is done")
        else:
            mine = False
            _held[key] = threading.get_ident()
    if mine:
        yield True
        return
    try:
        descriptor = _lock(lock, path)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                with suppress(FileNotFoundError):  # removed by hand, or with the directory it was in
                    lock.unlink()
                os.close(descriptor)
    finally:
        with _guard:
            del _held[key]


def _lock(lock: Path, path: Path) -> int | None:
    """An open and locked file, or None where the file system has no locks."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(lock, descriptor):  # and was not removed by its holder before we had it
                with suppress(OSError):  # a full disk: the lock holds without a word in it
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return descriptor
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise BeingWritten(
                f"{path} is being written by {holder}; wait until it is done, or write elsewhere"
            ) from None
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _NO_LOCKS:
                raise
            lock.unlink(missing_ok=True)
            return None
        os.close(descriptor)


def _is_still(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
