"""Writes weights tensor by tensor: safetensors, or .bin for programs that know nothing else; sharded when large.

NAME.safetensors                          all of it, up to SHARD_BYTES
NAME-00001-of-00003.safetensors ...       more than that, with NAME.safetensors.index.json
"""

import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from glmkit.conversion.weights import DTYPES, Weights, borrowed, in_memory
from glmkit.core.errors import NotFinite
from glmkit.core.files import new_file, sha256, write_text

SHARD_BYTES = 2 << 30
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_weights(directory: Path, name: str, weights: Weights, shard_bytes: int = SHARD_BYTES) -> dict[str, str]:
    """Writes `weights` as `name` (model.safetensors, pytorch_model.bin), in several files if need be.

    Returns the SHA-256 of each file of tensors. A shard of .bin is in memory whole, of safetensors never is.
    """
    base, _, suffix = name.partition(".")
    groups = shards(weights, shard_bytes)
    if len(groups) == 1:
        names = [name]
    else:
        names = [f"{base}-{number:05}-of-{len(groups):05}.{suffix}" for number in range(1, len(groups) + 1)]
        _write_index(directory / f"{name}.index.json", weights, dict(zip(names, groups, strict=True)))
    write = write_safetensors if suffix == "safetensors" else write_bin
    return {file: write(directory / file, weights, keys) for file, keys in zip(names, groups, strict=True)}


def shards(weights: Weights, shard_bytes: int) -> list[list[str]]:
    """The keys, in order, in groups of at most `shard_bytes` (or one tensor that is larger)."""
    groups: list[list[str]] = [[]]
    size = 0
    for key in weights.keys():  # noqa: SIM118 (not a mapping)
        if groups[-1] and size + weights.bytes(key) > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(key)
        size += weights.bytes(key)
    return groups


def write_safetensors(path: Path, weights: Weights, keys: Sequence[str]) -> str:
    """Writes one safetensors file, holding one tensor at a time; returns its SHA-256.

    | header length: 8 bytes, little-endian | header: JSON, padded with spaces to 8 bytes | tensors, one after another |
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for key in keys:
        end = start + weights.bytes(key)
        header[key] = {
            "dtype": _NAMES[weights.dtype(key)],
            "shape": weights.shape(key),
            "data_offsets": (start, end),
        }
        start = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with new_file(path) as file:
        for line in (struct.pack("<Q", len(text)), text):
            digest.update(line)
            file.write(line)
        for key in keys:
            with borrowed(weights, [key]) as (tensor,):
                part = _bytes(finite(key, tensor))
                digest.update(part)
                file.write(part)
    return digest.hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Writes tensors that are in memory as one safetensors file; returns its SHA-256."""
    return write_safetensors(path, in_memory(tensors, path), list(tensors))


def write_bin(path: Path, weights: Weights, keys: Sequence[str]) -> str:
    """Writes one file as `torch.save` does; returns its SHA-256."""
    save_pickle(path, {key: own(finite(key, weights.get(key))) for key in keys})
    for key in keys:
        weights.entries[key].release()
    return sha256(path)


def save_pickle(path: Path, table: Mapping[str, object]) -> None:
    """`torch.save`, which has words of its own for a full disk. Raises Unwritable."""
    with new_file(path) as file:
        torch.save(table, file)


def finite(key: str, tensor: Tensor) -> Tensor:
    """The tensor. Raises NotFinite when it holds NaN or infinity."""
    if tensor.is_floating_point() and tensor.numel():
        low, high = tensor.detach().aminmax()
        if not math.isfinite(low.item()) or not math.isfinite(high.item()):
            what = "NaN" if math.isnan(low.item()) else "infinity"
            raise NotFinite(f"the weight {key} holds {what}: the model would answer nonsense and was not written")
    return tensor


def own(tensor: Tensor) -> Tensor:
    """The tensor with no more storage than it needs: torch.save writes all of a storage, and for each tensor once."""
    whole = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor.detach().cpu() if whole else tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor, without a copy where it lies in memory in one piece."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _write_index(path: Path, weights: Weights, files: Mapping[str, Sequence[str]]) -> None:
    table = {
        "metadata": {"total_size": sum(entry.bytes for entry in weights.entries.values())},
        "weight_map": {key: file for file, keys in files.items() for key in keys},
    }
    write_text(path, json.dumps(table, indent=1) + "\n")
