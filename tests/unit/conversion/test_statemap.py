"""State maps read both ways, use every key once, and name what is missing or left over."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.conversion.statemap import SAME, Joined, PerHead, Rule, StateMap, same_names
from glmkit.conversion.views import as_foreign, as_native, as_type
from glmkit.conversion.weights import in_memory
from glmkit.core.errors import CorruptFile

HERE = Path("somewhere")
MAP = StateMap(
    (
        Rule("words", "table"),
        Rule("blocks.{i}.qkv", "layers.{i}.query_key_value", PerHead(3)),
        Rule("blocks.{i}.up", ("layers.{i}.gate", "layers.{i}.up"), Joined((4, 2))),
    ),
    ignored={"layers.{i}.inv_freq": "computed", "head.*": "not part of it"},
)
NAMES = ["words", "blocks.0.qkv", "blocks.0.up", "blocks.11.qkv", "blocks.11.up"]


def native(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = {"words": (5, 3), "qkv": (18, 3), "up": (6, 3)}
    return {name: torch.randn(sizes[name.split(".")[-1]], generator=generator) for name in NAMES}


def shapes(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def test_names_of_a_block() -> None:
    bound = MAP.bind(NAMES, keys_of(), HERE)
    assert bound["blocks.11.up"].keys == ("layers.11.gate", "layers.11.up")
    assert bound["words"].packing is SAME


def keys_of() -> list[str]:
    return [key for bound in MAP.external(NAMES).values() for key in bound.keys]


@given(st.integers(0, 2**31))
def test_there_and_back_is_the_same_bit_for_bit(seed: int) -> None:
    tensors = native(seed)
    theirs = as_foreign(in_memory(tensors, HERE), MAP, "glm.")
    copied = in_memory({key: theirs.get(key) for key in theirs.keys()}, HERE).without_prefix(("glm.",))  # noqa: SIM118
    ours = as_native(copied, MAP, shapes(tensors), {})
    assert set(ours.keys()) == set(NAMES)
    for name, tensor in tensors.items():
        assert torch.equal(ours.get(name), tensor)
    assert all(theirs.shape(key) == tuple(theirs.get(key).shape) for key in theirs.keys())  # noqa: SIM118


@given(st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_per_head_packing_is_what_the_drawing_says(heads: int, head_dim: int, bias: bool) -> None:
    theirs = [f"{letter}{head}" for head in range(heads) for letter in "qkv"]
    ours = [f"{letter}{head}" for letter in "qkv" for head in range(heads)]
    number = {name: float(place) for place, name in enumerate(theirs)}

    def rows(names: list[str]) -> torch.Tensor:
        column = torch.tensor([number[name] for name in names for _ in range(head_dim)])
        return column if bias else column[:, None].expand(-1, 2).contiguous()

    packing = PerHead(heads)
    assert torch.equal(packing.to_native([rows(theirs)]), rows(ours))
    (back,) = packing.to_external(rows(ours))
    assert torch.equal(back, rows(theirs))


@pytest.mark.parametrize("key", keys_of())
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(CorruptFile, match=f"somewhere lacks {key}: the checkpoint is incomplete"):
        MAP.bind(NAMES, [other for other in keys_of() if other != key], HERE)


def test_keys_left_over_are_named_and_those_to_be_ignored_are_not() -> None:
    MAP.bind(NAMES, [*keys_of(), "layers.3.inv_freq", "head.weight"], HERE)
    with pytest.raises(CorruptFile, match=r"holds layers.x.inv_freq, stray, which no part of this model uses"):
        MAP.bind(NAMES, [*keys_of(), "stray", "layers.x.inv_freq"], HERE)
    assert MAP.reason_to_ignore("head.bias") == "not part of it"


def test_many_names_are_cut_short_and_counted() -> None:
    with pytest.raises(CorruptFile, match=r"0, 1, 10, 11, 2 and 7 more"):
        same_names([]).bind([], [str(number) for number in range(12)], HERE)


def test_wrong_shapes_are_told_before_anything_is_read() -> None:
    tensors = native()
    theirs = {key: torch.zeros(shape) for key, shape in foreign_shapes().items()}
    for key, wrong in (("table", (4, 3)), ("layers.0.query_key_value", (17, 3)), ("layers.0.gate", (3, 3))):
        with pytest.raises(CorruptFile, match=key):
            as_native(in_memory(theirs | {key: torch.zeros(wrong)}, HERE), MAP, shapes(tensors), {})


def foreign_shapes() -> dict[str, tuple[int, ...]]:
    theirs = as_foreign(in_memory(native(), HERE), MAP)
    return {key: theirs.shape(key) for key in theirs.keys()}  # noqa: SIM118


def test_another_type_leaves_whole_numbers_alone() -> None:
    weights = as_type(in_memory({"a": torch.ones(2), "b": torch.ones(2, dtype=torch.int8)}, HERE), torch.bfloat16)
    assert [weights.dtype("a"), weights.dtype("b")] == [torch.bfloat16, torch.int8]
    assert [weights.get("a").dtype, weights.get("b").dtype] == [torch.bfloat16, torch.int8]
