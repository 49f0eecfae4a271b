"""Pickled tensors (.bin, .pt), read without running anything a file asks for.

torch's restricted reader builds tensors and plain containers only. The original's files also hold the state of random
number generators, its arguments and its loss scaler beside the weights: those few types are allowed, the last ones
as empty shells. A file that asks for anything else is refused, with its name.
"""

import argparse
import pickle
import re
import warnings
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


def load_pickle(path: Path) -> tuple[Any, bool]:
    """What `torch.save` wrote, and whether its tensors are views of the mapped file. Raises CorruptFile."""
    try:
        with torch.serialization.safe_globals(_ALLOWED), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the old storage classes of the original's files
            try:
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True), True
            except RuntimeError as error:
                if "mmap can only be used" not in str(error):
                    raise
                return torch.load(path, map_location="cpu", weights_only=True), False  # torch before 1.6
    except pickle.UnpicklingError as error:
        if asked := re.search(r"GLOBAL (\S+)", str(error)):
            raise CorruptFile(
                f"{path} asks for {asked[1]}: it is a pickle that holds more than tensors, which could run code; "
                "it was not read; save its tensors alone (torch.save(model.state_dict(), ...)) where you trust it"
            ) from None
        raise CorruptFile(f"{path} is no file of tensors ({_first_line(error)}); copy it again") from None
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, OSError) as error:
        raise CorruptFile(f"{path} is cut short or no file of tensors ({_first_line(error)}); copy it again") from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
