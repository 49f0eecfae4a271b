"""The compiled kernels: a shared library beside this file, built when the package is installed and a C++ compiler
is there. Without it everything works through torch.

The library holds the kernels once for each instruction set (ISA) and picks the best this processor runs;
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
    """The functions of the loaded library, and the instruction set it is set to."""

    def __init__(self, functions: Functions, isa: str) -> None:
        self.functions = functions
        self.choose(isa)

    def choose(self, isa: str) -> None:
        """Sets the instruction set for the whole process."""
        assert self.functions.choose(name=isa.encode()), isa
        self.isa = isa


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


def isas() -> list[str]:
    """What can be chosen here, best first; the last is always `torch`."""
    functions = _functions()
    names = functions.isas().decode().split(",") if functions is not None else []
    return [name for name in names if name] + ["torch"]


@functools.cache
def library() -> Library | None:
    """The compiled kernels of the best instruction set here, or of the one that $GLMKIT_KERNELS names; None to go
    through torch.

    Raises UserError when the variable names one that cannot run here.
    """
    known = isas()
    wanted = os.environ.get(VARIABLE) or known[0]
    if wanted not in known:
        raise UserError(f"{VARIABLE} is {wanted!r}, but this installation and processor offer {', '.join(known)}")
    functions = _functions()
    if wanted == "torch" or functions is None:
        return None
    return Library(functions, wanted)


def isa() -> str:
    """The instruction set in use, or `torch`."""
    kernels = library()
    return "torch" if kernels is None else kernels.isa
