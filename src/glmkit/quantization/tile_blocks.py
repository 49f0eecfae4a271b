"""Codes as our directories hold them: in the order of the compiled kernels, which read them where they lie.

    X.weight  uint8 [rows / 16, groups, bytes]    the records of kernels/packed.py
    X.weight  uint8 [rows / 16, bytes]            where a scale serves a whole row

Their shape and the layer's tell the form. Whoever does not compute with the kernels reads the same codes in rows.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

from glmkit.conversion.weights import Entry, Weights, held
from glmkit.core.errors import CorruptFile
from glmkit.kernels.codes import BITS, GROUPS, Codes, Form
from glmkit.kernels.library import library
from glmkit.kernels.packed import Packed, pack, record_shape, unpack
from glmkit.nn.quantised import QuantisedLinear

Packs = Mapping[str, Callable[[], Packed]]  # by the names of layers


def stored_shape(form: Form, rows: int, columns: int) -> tuple[int, ...]:
    """The shape of a matrix [rows, columns] as it is stored."""
    tiles, groups, size = record_shape(rows, columns, form.bits, form.group or 0, form.asymmetric)
    return (tiles, size) if form.group is None else (tiles, groups, size)


def form_of(shape: tuple[int, ...], rows: int, columns: int) -> Form | None:
    """The only form in which a matrix [rows, columns] is stored in that shape, if there is one."""
    for bits, group, asymmetric in product(BITS, (None, *GROUPS), (False, True)):
        form = Form(bits=bits, group=group, asymmetric=asymmetric)
        if columns % (group or 1) == 0 and shape == stored_shape(form, rows, columns):
            return form
    return None


def of(model: nn.Module, where: Path) -> Weights:
    """The state of a model in memory as it is stored; the records of a layer are made when they are read.

    Without the compiled library codes stay in rows.
    """
    entries: dict[str, Entry] = {}
    for path, part in model.named_modules(remove_duplicate=False):
        prefix, own = f"{path}." if path else "", dict[str, Tensor]()
        if isinstance(part, QuantisedLinear) and library() is not None:
            shape = stored_shape(part.form, part.out_features, part.in_features)
            entries[f"{prefix}weight"] = Entry(shape, torch.uint8, partial(_records, part, shape))
            own = {} if part.bias is None else {f"{prefix}bias": part.bias.detach()}
        else:
            part._save_to_state_dict(own, prefix, keep_vars=False)
        entries |= held(own, where).entries
    return Weights(where, entries)


def tiled(weights: Weights, model: nn.Module) -> Weights:
    """The weights as they are stored, from those with codes in rows of `model`, which needs no memory."""
    if library() is None:
        return weights
    entries = dict(weights.entries)
    for path, part in model.named_modules():
        if isinstance(part, QuantisedLinear):
            rows = [entries.pop(f"{path}.{leaf}") for leaf in _leaves(part.form)]
            shape = stored_shape(part.form, part.out_features, part.in_features)
            read = partial(_tiled, rows, part.form.bits, shape)
            entries[f"{path}.weight"] = Entry(shape, torch.uint8, read, partial(_released, rows))
    return Weights(weights.where, entries)


def by_rows(weights: Weights, model: nn.Module) -> tuple[Weights, Packs]:
    """The weights with codes in rows, as `QuantisedLinear` names them, and what the kernels take instead.

    Raises CorruptFile for records that are not those of the layer of that name in `model`, which needs no memory.
    """
    packs: dict[str, Callable[[], Packed]] = {}

    @lru_cache(maxsize=1)  # of the three tensors of a layer, which are read in turn
    def codes(path: str) -> Codes:
        return unpack(packs[path]())

    entries = dict(weights.entries)
    for path, part in model.named_modules():
        key = f"{path}.weight"
        if not isinstance(part, nn.Linear | QuantisedLinear) or key not in entries or entries[key].dtype != torch.uint8:
            continue
        entry, rows, columns = entries.pop(key), part.out_features, part.in_features
        form = form_of(entry.shape, rows, columns)
        if form is None:
            raise CorruptFile(
                f"{weights.where}: {key} is {list(entry.shape)} in uint8, which is no form of codes of a layer of "
                f"{rows} rows and {columns} columns; copy the model again"
            )
        packs[path] = partial(_packed, entry, form, rows, columns)
        layer = QuantisedLinear(columns, rows, form, bias=False, device="meta")
        for number, leaf in enumerate(_leaves(form)):
            blank = layer.get_buffer(leaf)
            read = partial(_row_part, codes, path, number)
            entries[f"{path}.{leaf}"] = Entry(tuple(blank.shape), blank.dtype, read, entry.release)
    return Weights(weights.where, entries), packs


def take(model: nn.Module, packs: Packs, weights: Weights) -> Weights:
    """Gives the layers of a blank model their records where they lie, without a copy; returns the other weights."""
    entries = dict(weights.entries)
    for path, packed in packs.items():
        layer = model.get_submodule(path)
        assert isinstance(layer, QuantisedLinear)
        for leaf in _leaves(layer.form):
            del entries[f"{path}.{leaf}"]
        layer.hold(packed())
    return Weights(weights.where, entries)


def _leaves(form: Form) -> tuple[str, ...]:
    return ("weight", "weight_scale", "weight_zero") if form.asymmetric else ("weight", "weight_scale")


def _records(layer: QuantisedLinear, shape: tuple[int, ...]) -> Tensor:
    packed = layer.packed
    if packed is None:
        weight, scale, zero = layer.codes
        packed = pack(Codes(weight.cpu(), scale.cpu(), None if zero is None else zero.cpu()), layer.form.bits)
    return packed.records.view(shape)


def _tiled(rows: list[Entry], bits: int, shape: tuple[int, ...]) -> Tensor:
    weight, scale, *zero = (part.read() for part in rows)
    return pack(Codes(weight, scale, zero[0] if zero else None), bits).records.view(shape)


def _released(rows: list[Entry]) -> None:
    for part in rows:
        part.release()


def _packed(entry: Entry, form: Form, rows: int, columns: int) -> Packed:
    shape = record_shape(rows, columns, form.bits, form.group or 0, form.asymmetric)
    return Packed(entry.read().view(shape), form.asymmetric, form.bits, form.group or 0, rows, columns)


def _row_part(codes: Callable[[str], Codes], path: str, number: int) -> Tensor:
    part = codes(path)[number]
    assert part is not None
    return part
