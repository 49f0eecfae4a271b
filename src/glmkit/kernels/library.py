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

VARIABLE = "GLMKIT_KERNELS"
_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64


class Library:
    """The loaded library, set to a level."""

    def __init__(self, handle: ctypes.CDLL, level: str) -> None:
        self._handle = handle
        self.choose(level)
        handle.glmkit_linear.argtypes = [
            *(_POINTER, _INT, _INT, _LONG, _LONG, _LONG, _LONG),
            *(_POINTER, _INT, _LONG, _POINTER, _POINTER, _INT),
        ]
        handle.glmkit_linear.restype = None
        handle.glmkit_half_vector.argtypes = [_POINTER, _INT, _LONG, _LONG, _POINTER, _POINTER, _POINTER, _INT]
        handle.glmkit_half_vector.restype = None
        handle.glmkit_read.argtypes = [_POINTER, _LONG, _INT]
        handle.glmkit_read.restype = ctypes.c_uint64
        handle.glmkit_pack.argtypes = [*(_POINTER, _POINTER, _POINTER, _INT), _LONG, _LONG, _LONG, _POINTER, _INT]
        handle.glmkit_pack.restype = None
        self.pack = handle.glmkit_pack
        handle.glmkit_rms_norm.argtypes = [_POINTER, _POINTER, ctypes.c_float, _LONG, _LONG, _POINTER, _INT]
        handle.glmkit_swiglu.argtypes = [_POINTER, _LONG, _LONG, _POINTER, _INT]
        handle.glmkit_turn.argtypes = [
            *(_POINTER, _LONG, _POINTER, _POINTER),
            *(_LONG, _LONG, _LONG, _LONG),
            *(_POINTER, _INT),
        ]
        handle.glmkit_step.argtypes = [
            *(_POINTER, _LONG, _POINTER, _LONG, _POINTER, _POINTER),
            *(_LONG, _LONG, _LONG, _LONG, _LONG, ctypes.c_float, _INT),
        ]
        handle.glmkit_step.restype = None
        self.step = handle.glmkit_step
        self.rms_norm, self.swiglu, self.turn = handle.glmkit_rms_norm, handle.glmkit_swiglu, handle.glmkit_turn
        for function in (self.rms_norm, self.swiglu, self.turn):
            function.restype = None
        self.linear, self.half_vector, self.read = handle.glmkit_linear, handle.glmkit_half_vector, handle.glmkit_read

    def choose(self, level: str) -> None:
        """Sets the level for the whole process."""
        assert self._handle.glmkit_choose(level.encode()), level
        self.level = level


@functools.cache
def _handle() -> ctypes.CDLL | None:
    for path in sorted(Path(__file__).parent.glob("_native*")):
        if path.suffix in (".so", ".dylib", ".pyd"):
            try:
                handle = ctypes.CDLL(str(path))
                handle.glmkit_levels.restype = ctypes.c_char_p
                _share_threads(handle)
                return handle
            except (OSError, AttributeError):  # built for another machine, or half written
                continue
    return None


def _share_threads(handle: ctypes.CDLL) -> None:
    """Gives the library the OpenMP runtime that torch has loaded; where there is none it runs on one thread."""
    import torch  # noqa: F401  (loads the runtime)

    handle.glmkit_threads.argtypes = [_POINTER]
    try:
        parallel = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return
    handle.glmkit_threads(ctypes.cast(parallel, _POINTER))


def levels() -> list[str]:
    """What can be chosen here, best first; the last is always `torch`."""
    handle = _handle()
    found = handle.glmkit_levels().decode().split(",") if handle is not None else []
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
    handle = _handle()
    if wanted == "torch" or handle is None:
        return None
    return Library(handle, wanted)


def level() -> str:
    """The level in use: a set of instructions, or `torch`."""
    found = library()
    return "torch" if found is None else found.level
