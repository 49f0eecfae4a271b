"""Pickled tensors (.bin, .pt), read without running anything a file asks for.

torch's restricted reader builds tensors and plain containers only. The original's files also hold the state of random
number generators, its arguments and its loss scaler beside the weights: those few types are allowed, the last ones
as empty shells. A file that asks for anything else is refused, with its name; so is one that is compressed, which
torch never writes and which could be far larger in memory than on disk.
"""

import argparse
import pickle
import re
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glmkit.core.errors import CorruptFile


class Shell:
    """Stands for an object of somebody's training code, which is not needed."""


_ALLOWED: list[Any] = [
    argparse.Namespace,
    np.ndarray,
    np.dtype,
    type(np.dtype(np.uint32)),  # the state of numpy's generator
    (np.ndarray.__reduce__(np.zeros(1))[0], "numpy.core.multiarray._reconstruct"),
    (np.ndarray.__reduce__(np.zeros(1))[0], "numpy._core.multiarray._reconstruct"),
    *(
        (Shell, f"{module}.{scaler}")
        for module in ("fp16.loss_scaler", "deepspeed.runtime.fp16.loss_scaler")
        for scaler in ("LossScaler", "DynamicLossScaler")
    ),
]


# What torch's reader raises for bytes that mean nothing: it does what they say, step by step, with no care of its own.
_DAMAGE = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    OverflowError,
    OSError,
    struct.error,
    zipfile.BadZipFile,
)


def load_pickle(path: Path) -> tuple[object, bool]:
    """What `torch.save` wrote, and whether its tensors are views of the mapped file. Raises CorruptFile."""
    try:
        if _compressed(path):
            raise CorruptFile(f"{path} is compressed, as torch.save never writes it; unpack it, or save it again")
        with torch.serialization.safe_globals(_ALLOWED), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the old storage classes of the original's files
            try:
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True), True
            except RuntimeError as error:
                if "mmap can only be used" not in str(error):
                    raise
                return torch.load(path, map_location="cpu", weights_only=True), False  # torch before 1.6
    except pickle.UnpicklingError as error:
        if refused := re.search(r"GLOBAL (\S+)", str(error)):
            raise CorruptFile(
                f"{path} asks for {refused[1]}: it is a pickle that holds more than tensors, which could run code; "
                "it was not read; save its tensors alone (torch.save(model.state_dict(), ...)) where you trust it"
            ) from None
        raise CorruptFile(f"{path} is no file of tensors ({_first_line(error)}); copy it again") from None
    except CorruptFile:
        raise
    except _DAMAGE as error:
        raise CorruptFile(f"{path} is cut short or no file of tensors ({_first_line(error)}); copy it again") from None


def _compressed(path: Path) -> bool:
    """Whether any part of a zip archive, which newer files of torch are, takes more room than it has in the file."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    with zipfile.ZipFile(path) as archive:
        return any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist())


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
