"""Quantized matrices as our directories hold them: in tile blocks, which the compiled kernels read in the mapped file.

    X.weight  uint8 [rows / 16, groups, bytes]    the tile blocks of kernels/packed.py
    X.weight  uint8 [rows / 16, bytes]            where a scale serves a whole row

Their shape and the layer's tell the format. Without the kernels the same integers are read in row-major order.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

from glmkit.conversion.weights import Entry, Weights, in_memory
from glmkit.core.errors import CorruptFile
from glmkit.kernels.library import library
from glmkit.kernels.packed import Packed, pack, tile_block_shape, unpack
from glmkit.kernels.quantized import BITS, GROUPS, QuantFormat, QuantizedTensor
from glmkit.nn.quantized import QuantizedLinear

Packs = Mapping[str, Callable[[], Packed]]  # by the names of layers


def stored_shape(format: QuantFormat, rows: int, columns: int) -> tuple[int, ...]:
    """The shape of a matrix [rows, columns] as it is stored."""
    tiles, groups, size = tile_block_shape(rows, columns, format.bits, format.group or 0, format.asymmetric)
    return (tiles, size) if format.group is None else (tiles, groups, size)


def format_of(shape: tuple[int, ...], rows: int, columns: int) -> QuantFormat | None:
    """The only format in which a matrix [rows, columns] is stored in that shape, if there is one."""
    for bits, group, asymmetric in product(BITS, (None, *GROUPS), (False, True)):
        format = QuantFormat(bits=bits, group=group, asymmetric=asymmetric)
        if columns % (group or 1) == 0 and shape == stored_shape(format, rows, columns):
            return format
    return None


def stored_state(model: nn.Module, where: Path) -> Weights:
    """The state of a model in memory as it is stored; the tile blocks of a layer are made when they are read.

    Without the compiled library quantized matrices stay in row-major order.
    """
    entries: dict[str, Entry] = {}
    for path, part in model.named_modules(remove_duplicate=False):
        prefix, own = f"{path}." if path else "", dict[str, Tensor]()
        if isinstance(part, QuantizedLinear) and library() is not None:
            shape = stored_shape(part.format, part.out_features, part.in_features)
            entries[f"{prefix}weight"] = Entry(shape, torch.uint8, partial(_layer_tile_blocks, part, shape))
            own = {} if part.bias is None else {f"{prefix}bias": part.bias.detach()}
        else:
            part._save_to_state_dict(own, prefix, keep_vars=False)
        entries |= in_memory(own, where).entries
    return Weights(where, entries)


def to_tiled(weights: Weights, model: nn.Module) -> Weights:
    """The weights as they are stored, from those with the quantized matrices of `model`, which needs no memory, in
    row-major order."""
    if library() is None:
        return weights
    entries = dict(weights.entries)
    for path, part in model.named_modules():
        if isinstance(part, QuantizedLinear):
            parts = [entries.pop(f"{path}.{leaf}") for leaf in _leaves(part.format)]
            shape = stored_shape(part.format, part.out_features, part.in_features)
            read = partial(_tile_blocks, parts, part.format.bits, shape)
            entries[f"{path}.weight"] = Entry(shape, torch.uint8, read, partial(_release, parts))
    return Weights(weights.where, entries)


def to_row_major(weights: Weights, model: nn.Module) -> tuple[Weights, Packs]:
    """The weights with quantized matrices in row-major order, as `QuantizedLinear` names them, and what the kernels
    take instead.

    Raises CorruptFile for tile blocks that are not those of the layer of that name in `model`, which needs no memory.
    """
    packs: dict[str, Callable[[], Packed]] = {}

    @lru_cache(maxsize=1)  # of the three tensors of a layer, which are read in turn
    def row_major(path: str) -> QuantizedTensor:
        return unpack(packs[path]())

    entries = dict(weights.entries)
    for path, part in model.named_modules():
        key = f"{path}.weight"
        if not isinstance(part, nn.Linear | QuantizedLinear) or key not in entries or entries[key].dtype != torch.uint8:
            continue
        entry, rows, columns = entries.pop(key), part.out_features, part.in_features
        format = format_of(entry.shape, rows, columns)
        if format is None:
            raise CorruptFile(
                f"{weights.where}: {key} is {list(entry.shape)} in uint8, which is no format of a quantized layer of "
                f"{rows} rows and {columns} columns; copy the model again"
            )
        packs[path] = partial(_packed, entry, format, rows, columns)
        layer = QuantizedLinear(columns, rows, format, bias=False, device="meta")
        for number, leaf in enumerate(_leaves(format)):
            blank = layer.get_buffer(leaf)
            read = partial(_part, row_major, path, number)
            entries[f"{path}.{leaf}"] = Entry(tuple(blank.shape), blank.dtype, read, entry.release)
    return Weights(weights.where, entries), packs


def use_packed(model: nn.Module, packs: Packs, weights: Weights) -> Weights:
    """Gives the layers of a blank model their tile blocks in the mapped file, without a copy; returns the other
    weights."""
    entries = dict(weights.entries)
    for path, packed in packs.items():
        layer = model.get_submodule(path)
        assert isinstance(layer, QuantizedLinear)
        for leaf in _leaves(layer.format):
            del entries[f"{path}.{leaf}"]
        layer.use_packed(packed())
    return Weights(weights.where, entries)


def _leaves(format: QuantFormat) -> tuple[str, ...]:
    return ("weight", "weight_scale", "weight_zero") if format.asymmetric else ("weight", "weight_scale")


def _layer_tile_blocks(layer: QuantizedLinear, shape: tuple[int, ...]) -> Tensor:
    packed = layer.packed
    if packed is None:
        weight, scale, zero = layer.quantized_weight
        on_cpu = QuantizedTensor(weight.cpu(), scale.cpu(), None if zero is None else zero.cpu())
        packed = pack(on_cpu, layer.format.bits)
    return packed.tile_blocks.view(shape)


def _tile_blocks(parts: list[Entry], bits: int, shape: tuple[int, ...]) -> Tensor:
    weight, scale, *zero = (part.read() for part in parts)
    return pack(QuantizedTensor(weight, scale, zero[0] if zero else None), bits).tile_blocks.view(shape)


def _release(parts: list[Entry]) -> None:
    for part in parts:
        part.release()


def _packed(entry: Entry, format: QuantFormat, rows: int, columns: int) -> Packed:
    shape = tile_block_shape(rows, columns, format.bits, format.group or 0, format.asymmetric)
    return Packed(entry.read().view(shape), format.asymmetric, format.bits, format.group or 0, rows, columns)


def _part(row_major: Callable[[str], QuantizedTensor], path: str, number: int) -> Tensor:
    part = row_major(path)[number]
    assert part is not None
    return part
