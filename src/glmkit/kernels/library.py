"""The compiled kernels: a shared library beside this file, built when the package is installed and a C++ compiler
is there. Without it everything works through torch.

The library holds one level for each set of instructions and picks the best this processor runs;
GLMKIT_KERNELS names another, or `torch` for none.
"""

import ctypes
import functools
import os
from pathlib import Path

from glmkit.core.errors import UserError
from glmkit.kernels.signatures import Functions, bind

VARIABLE = "GLMKIT_KERNELS"


class Library:
    """The functions of the loaded library, and the level it is set to."""

    def __init__(self, functions: Functions, level: str) -> None:
        self.functions = functions
        self.choose(level)

    def choose(self, level: str) -> None:
        """Sets the level for the whole process."""
        assert self.functions.choose(name=level.encode()), level
        self.level = level


@functools.cache
def _functions() -> Functions | None:
    for path in sorted(Path(__file__).parent.glob("_native*")):
        if path.suffix in (".so", ".dylib", ".pyd"):
            try:
                functions = bind(ctypes.CDLL(str(path)))
            except (OSError, AttributeError):  # built for another machine, or half written
                continue
            _share_threads(functions)
            return functions
    return None


def _share_threads(functions: Functions) -> None:
    """Gives the library the OpenMP runtime that torch has loaded; where there is none it runs on one thread."""
    import torch  # noqa: F401  (loads the runtime)

    try:
        parallel = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return
    functions.threads(parallel=ctypes.cast(parallel, ctypes.c_void_p).value)


def levels() -> list[str]:
    """What can be chosen here, best first; the last is always `torch`."""
    functions = _functions()
    found = functions.levels().decode().split(",") if functions is not None else []
    return [name for name in found if name] + ["torch"]


@functools.cache
def library() -> Library | None:
    """The compiled kernels at the level that is best here or that $GLMKIT_KERNELS names; None to go through torch.

    Raises UserError when the variable names a level that cannot run here.
    """
    known = levels()
    wanted = os.environ.get(VARIABLE) or known[0]
    if wanted not in known:
        raise UserError(f"{VARIABLE} is {wanted!r}, but this installation and processor offer {', '.join(known)}")
    functions = _functions()
    if wanted == "torch" or functions is None:
        return None
    return Library(functions, wanted)


def level() -> str:
    """The level in use: a set of instructions, or `torch`."""
    found = library()
    return "torch" if found is None else found.level
