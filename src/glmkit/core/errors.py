"""What glmkit raises: the user's mistakes apart from our own, so that each can be answered as it deserves.

Every `UserError` is one line that names what is wrong, where, and what to do; the command line prints that line
and exits with 2. Anything else is a fault of the program and exits with 1.
"""

import difflib
import errno
import os
from collections.abc import Callable, Iterable
from contextvars import ContextVar


class UserError(ValueError):
    """A mistake the user can mend: the message says what, where and how."""


class CorruptFile(UserError):
    """A file that is truncated, altered or not what its name promises."""


class NotFinite(UserError, ArithmeticError):
    """A model whose scores are NaN or infinite: nothing it writes or ranks means anything."""


class MissingExtra(UserError, ImportError):
    """An optional dependency that this call needs and that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f'{package} is not installed; run: pip install "glmkit[{extra}]"')


class Unwritable(UserError):
    """What the system would not write. `path`: the file or directory; `reason`: in the system's words."""

    def __init__(self, path: object, error: OSError) -> None:
        self.path, self.error = path, error
        self.reason = os.strerror(error.errno) if error.errno else str(error)
        super().__init__(f"could not write {path}: {self.reason}; {_REMEDIES.get(error.errno, 'write elsewhere')}")


_REMEDIES: dict[int | None, str] = {
    errno.ENOSPC: "make room or write elsewhere",
    errno.EDQUOT: "make room or write elsewhere",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f) or write elsewhere",
}


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite: the message names step, examples and the last good checkpoint."""

    exit_code = 1


class PeerLost(RuntimeError):
    """Another process of the run is gone: the message says what is lost with it."""

    exit_code = 1


class FailedElsewhere(RuntimeError):
    """Another process of the run failed and says so itself; this one ends with the same exit code, silently."""

    def __init__(self, rank: int, exit_code: int) -> None:
        super().__init__(f"process {rank} failed")
        self.exit_code = exit_code


class ExportDiffers(RuntimeError):
    """An export that does not compute what the model it was made of computes: the message says by how much."""

    exit_code = 1


def in_python(name: str, value: object) -> str:
    """An argument of a Python call, as `argument` spells it there."""
    return name if value is None else f"{name}={value!r}"


spelling: ContextVar[Callable[[str, object], str]] = ContextVar("spelling", default=in_python)
"""How `argument` spells: as Python does, unless the command line has said how its flags do."""


def argument(name: str, value: object = None) -> str:
    """An argument of a call, with the `value` to give if there is one, as a message spells it to its user:
    overflow='truncate' in Python, --overflow truncate at the command line."""
    return spelling.get()(name, value)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known name, capitals or not, or the list of what is known."""
    names = sorted(known)
    lower = {item.lower(): item for item in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return f"; did you mean {lower[close[0]]!r}?" if close else f"; known: {', '.join(names)}"


def counted(count: int, what: str) -> str:
    """`1 token`, `2 tokens`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def short(value: object) -> str:
    """`value` as a message can show it: at most 60 characters, on one line."""
    if isinstance(value, str | bytes):
        value = value[:64]
    elif isinstance(value, list | tuple | dict | set) and len(value) > 20:
        return f"a {type(value).__name__} of {len(value):,}"
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep; a whole number of more than 4300 digits
        return f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."
