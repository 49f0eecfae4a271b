"""What a published file calls a weight and how it packs it, as data that reads both ways.

    Rule("blocks.{i}.attention.qkv.weight", "transformer.layers.{i}.attention.query_key_value.weight")

`{i}` is the number of the block. A rule names one weight of ours and the one or several tensors of theirs that hold it;
its `Packing` turns theirs into ours and back without loss.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from glmkit.core.errors import CorruptFile, short

_SHOWN, _LONGEST = 5, 200  # names that a message lists, letters of a name that it shows
_NOWHERE = {"v_head.*": "the value head of reinforcement learning, which scores texts while a model is trained"}


class Packing(Protocol):
    """How their tensors hold one of ours: two functions, each the inverse of the other."""

    def to_native(self, tensors: Sequence[Tensor]) -> Tensor: ...
    def to_external(self, tensor: Tensor) -> list[Tensor]: ...


@dataclass(frozen=True)
class Same:
    """Their tensor is ours."""

    def to_native(self, tensors: Sequence[Tensor]) -> Tensor:
        (tensor,) = tensors
        return tensor

    def to_external(self, tensor: Tensor) -> list[Tensor]:
        return [tensor]


@dataclass(frozen=True)
class Joined:
    """Their tensors, `sizes` rows each, one below the other are ours (gate and up, or queries, keys and values)."""

    sizes: tuple[int, ...]

    def to_native(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(tensors))

    def to_external(self, tensor: Tensor) -> list[Tensor]:
        return [part.contiguous() for part in tensor.split(list(self.sizes))]


@dataclass(frozen=True)
class PerHead:
    """Queries, keys and values interleaved by head; ours are all queries, all keys, all values.

    theirs  q0 k0 v0 q1 k1 v1        ours  q0 q1 k0 k1 v0 v1        (two heads, each letter head_dim rows)
    """

    num_heads: int

    def to_native(self, tensors: Sequence[Tensor]) -> Tensor:
        (tensor,) = tensors
        heads = tensor.reshape(self.num_heads, 3, -1, *tensor.shape[1:])  # [H, 3, head_dim, ...]
        return heads.transpose(0, 1).reshape(tensor.shape)

    def to_external(self, tensor: Tensor) -> list[Tensor]:
        parts = tensor.reshape(3, self.num_heads, -1, *tensor.shape[1:])  # [3, H, head_dim, ...]
        return [parts.transpose(0, 1).reshape(tensor.shape)]


SAME = Same()


@dataclass(frozen=True)
class Rule:
    """One weight (or one a block, with `{i}`): its name here, its name or names there."""

    native: str
    external: str | tuple[str, ...]
    packing: Packing = SAME

    def keys(self, block: str) -> tuple[str, ...]:
        """Their names in the given block."""
        names = (self.external,) if isinstance(self.external, str) else self.external
        return tuple(name.replace("{i}", block) for name in names)


@dataclass(frozen=True)
class Bound:
    """Where one weight lies in the files at hand."""

    keys: tuple[str, ...]
    packing: Packing


@dataclass(frozen=True)
class StateMap:
    """The rules of one layout. `ignored`: pattern of a key that may be there -> why it is not used."""

    rules: tuple[Rule, ...]
    ignored: Mapping[str, str] = field(default_factory=dict)

    def bind(self, native: Iterable[str], external: Iterable[str], where: Path) -> dict[str, Bound]:
        """Where in the keys `external` of `where` each of the names `native` lies; every key is used exactly once.

        Raises CorruptFile naming keys that are missing and keys that are left over.
        """
        bound = self.external(native)
        needed = [key for place in bound.values() for key in place.keys]
        assert len(needed) == len(set(needed)), "two rules name the same key"
        present = set(external)
        if missing := [key for key in needed if key not in present]:
            raise CorruptFile(f"{where} lacks {listed(missing)}: the checkpoint is incomplete or of another model")
        left = sorted(key for key in present - set(needed) if self.reason_to_ignore(key) is None)
        if left:
            raise CorruptFile(f"{where} holds {listed(left)}, which no part of this model uses: not the model it says")
        return bound

    def external(self, native: Iterable[str]) -> dict[str, Bound]:
        """Their names and packing of each of the names `native`."""
        return {name: self._bound(name) for name in native}

    def count_blocks(self, keys: Collection[str]) -> int:
        """How many blocks the keys of a file show."""
        names = (name for rule in self.rules for name in rule.keys("{i}"))
        return blocks_of(keys, {name.split("{i}")[0] for name in names if "{i}" in name})

    def reason_to_ignore(self, key: str) -> str | None:
        """Why the key is not used, if it is one of those."""
        ignored = {**self.ignored, **_NOWHERE}
        return next((why for pattern, why in ignored.items() if _pattern(pattern).fullmatch(key)), None)

    def _bound(self, name: str) -> Bound:
        for rule in self.rules:
            if rule.native == name:
                return Bound(rule.keys(""), rule.packing)
            if "{i}" in rule.native and (match := _pattern(rule.native).fullmatch(name)):
                return Bound(rule.keys(match[1]), rule.packing)
        raise AssertionError(f"no rule for {name}")


def same_names(names: Iterable[str]) -> StateMap:
    """The map of a file that calls every weight as we do."""
    return StateMap(tuple(Rule(name, name) for name in names))


def blocks_of(keys: Collection[str], prefixes: Collection[str]) -> int:
    """How many different numbers stand behind one of `prefixes` in the keys."""
    return len({key[len(prefix) :].split(".", 1)[0] for prefix in prefixes for key in keys if key.startswith(prefix)})


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    shown = (name if name.isprintable() and len(name) <= _LONGEST else short(name) for name in names[:_SHOWN])
    return ", ".join(shown) + more


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """A name as a pattern: `{i}` is a number, `*` anything."""
    return re.compile(re.escape(text).replace(r"\{i\}", r"(\d+)").replace(r"\*", ".*"))
