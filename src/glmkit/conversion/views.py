"""Weights under other names, packed otherwise, in another type: computed one tensor at a time, when it is read.
"Their" files are those of a layout that others publish models in.

    their files --as_native--> our names --as_foreign--> their files

A conversion is a chain of these and a writer, and holds one tensor at a time.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from glmkit.conversion.statemap import SAME, Bound, StateMap
from glmkit.conversion.weights import Entry, Weights
from glmkit.core.errors import CorruptFile

ResizeWeights = Mapping[str, Callable[[Tensor], Tensor]]


def as_native(
    weights: Weights, statemap: StateMap, wanted: Mapping[str, tuple[int, ...]], resize_weights: ResizeWeights
) -> Weights:
    """The weights under our names, `wanted` with their shapes; those named in `resize_weights` are made larger by it.

    Raises CorruptFile for keys that are missing or left over and for wrong shapes, before anything is read.
    """
    entries = {}
    for name, bound in statemap.bind(wanted, weights.keys(), weights.where).items():
        resize = resize_weights.get(name, _unchanged)
        parts = [_without_contents(weights, key) for key in bound.keys]
        try:
            shape = tuple(resize(bound.packing.to_native(parts)).shape)
        except (RuntimeError, ValueError, IndexError) as error:  # parts that do not fit each other
            raise CorruptFile(f"{weights.where}: {', '.join(bound.keys)} cannot be read as {name} ({error})") from None
        if shape != wanted[name]:
            raise CorruptFile(
                f"{weights.where}: {', '.join(bound.keys)} is {list(shape)}, the config asks for {list(wanted[name])}"
            )
        read = partial(_read_native, weights, bound, resize)
        write = weights.entries[bound.keys[0]].write if bound.packing is SAME and name not in resize_weights else None
        entries[name] = Entry(shape, parts[0].dtype, read, partial(_release_all, weights, bound.keys), write)
    return Weights(weights.where, entries)


def as_foreign(weights: Weights, statemap: StateMap, prefix: str = "") -> Weights:
    """Our weights under their names, each with `prefix` before it: the inverse of `as_native`."""
    entries = {}
    for name, bound in statemap.external(weights.keys()).items():
        for number, (key, blank) in enumerate(
            zip(bound.keys, bound.packing.to_external(_without_contents(weights, name)), strict=True)
        ):
            read = partial(_read_external, weights, name, bound, number)
            entries[prefix + key] = Entry(tuple(blank.shape), blank.dtype, read, weights.entries[name].release)
    return Weights(weights.where, entries)


def as_type(weights: Weights, dtype: torch.dtype | None, kept: Container[str] = ()) -> Weights:
    """The weights with every floating number in `dtype`, but for those named in `kept`; None leaves all as they are."""
    if dtype is None:
        return weights
    return Weights(
        weights.where,
        {
            key: replace(entry, dtype=dtype, read=partial(_read_as, entry, dtype), write=None)
            if entry.dtype.is_floating_point and key not in kept
            else entry
            for key, entry in weights.entries.items()
        },
    )


def _without_contents(weights: Weights, key: str) -> Tensor:
    """A tensor of that shape and type without contents."""
    return torch.empty(weights.shape(key), dtype=weights.dtype(key), device="meta")


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


def _read_native(weights: Weights, bound: Bound, resize: Callable[[Tensor], Tensor]) -> Tensor:
    return resize(bound.packing.to_native([weights.get(key) for key in bound.keys]))


def _read_external(weights: Weights, name: str, bound: Bound, number: int) -> Tensor:
    return bound.packing.to_external(weights.get(name))[number]


def _read_as(entry: Entry, dtype: torch.dtype) -> Tensor:
    return entry.read().to(dtype)


def _release_all(weights: Weights, keys: tuple[str, ...]) -> None:
    for key in keys:
        weights.entries[key].release()
