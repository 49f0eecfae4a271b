"""Writes GGUF files, which llama.cpp runs: facts by name, then tensors, each read, quantized and written in turn.

Matrices are written in the type they come in (F32, F16, BF16), or in blocks of 32 numbers with a scale: Q8_0, Q4_0.
Vectors are always F32, which llama.cpp asks for.
"""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.conversion.weights import Weights, borrowed
from glmkit.conversion.write import finite
from glmkit.core.errors import MissingExtra, UserError, nearest
from glmkit.core.files import new_file

Fact = str | bool | int | float | list[str] | list[int] | list[float]

BLOCKS = ("q8_0", "q4_0")
_TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
_FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "BF16": 32}  # what llama.cpp calls a file mostly of that type
_CHUNK = 1 << 20  # numbers that are turned into float32 at a time
_BLOCK = 32  # columns that share a scale


def write_gguf(
    path: Path,
    architecture: str,
    facts: Mapping[str, Fact],
    weights: Weights,
    *,
    blocks: str | None = None,
    tables: Collection[str] = (),
) -> None:
    """Writes the GGUF file `path`. `facts`: its metadata, in which {arch} in a name is the architecture.

    `blocks` None keeps types, otherwise it is one of BLOCKS; the `tables`, which take a row an id, are in q8_0 even
    where the rest is in q4_0. A matrix whose rows are not of whole blocks is in F16. Raises MissingExtra without the
    package `gguf`, UserError for unknown blocks.
    """
    gguf = library()
    if blocks is not None and blocks not in BLOCKS:
        raise UserError(f"gguf is not written in {blocks!r}{nearest(blocks, BLOCKS)}")
    main = _TYPES[weights.main_dtype] if blocks is None else blocks.upper()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_file_type(_FILE_TYPES[main])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, value in facts.items():
        kind = gguf.GGUFValueType
        written = kind.UINT32 if type(value) is int else kind.get_type(value)
        writer.add_key_value(name.format(arch=architecture), value, written)
    types = {key: _type(weights, key, blocks, tables) for key in weights.keys()}  # noqa: SIM118 (not a mapping)
    for key, name in types.items():
        kind = gguf.GGMLQuantizationType[name]
        shape = weights.shape(key)
        held = gguf.quant_shape_to_byte_shape(shape, kind)
        writer.add_tensor_info(key, held, np.dtype(np.uint8), math.prod(held), raw_dtype=kind)
    with new_file(path) as file:
        writer.open_output_file()
        writer.close()
        writer.fout = [file]  # its own would lose the reason why a disk takes no more
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for key, name in types.items():
            with borrowed(weights, [key]) as (tensor,):
                writer.write_padding(file, file.tell())
                file.write(_bytes(finite(key, tensor), name).data)
        writer.write_padding(file, file.tell())


def library() -> ModuleType:
    """The package `gguf`. Raises MissingExtra."""
    try:
        import gguf
    except ImportError:
        raise MissingExtra("gguf", "gguf") from None
    return gguf


def _type(weights: Weights, key: str, blocks: str | None, tables: Collection[str]) -> str:
    shape = weights.shape(key)
    if len(shape) == 1:
        return "F32"
    if blocks is None:
        return _TYPES[weights.dtype(key)]
    if shape[-1] % _BLOCK:
        return "F16"
    return "Q8_0" if key in tables else blocks.upper()


def _bytes(tensor: Tensor, name: str) -> NDArray[np.uint8]:
    """The tensor in the type `name` as bytes, worked out some rows at a time."""
    gguf = library()
    kind = gguf.GGMLQuantizationType[name]
    rows = tensor.detach().cpu().reshape(-1, tensor.shape[-1])
    if _TYPES.get(rows.dtype) == name:
        return rows.contiguous().view(torch.uint8).numpy()
    out = np.empty(gguf.quant_shape_to_byte_shape(tuple(rows.shape), kind), dtype=np.uint8)
    step = max(1, _CHUNK // rows.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step].float().numpy()
        out[start : start + step] = gguf.quantize(part, kind).view(np.uint8)
    return out
