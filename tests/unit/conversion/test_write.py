"""What is written is whole and of numbers, or it is not written."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glmkit.conversion.gguf import write_gguf
from glmkit.conversion.megatron import write_ranks
from glmkit.conversion.weights import Weights, in_memory, open_file
from glmkit.conversion.write import write_bin, write_safetensors, write_tensors
from glmkit.core.errors import NotFinite, Unwritable
from tests.full_disk import room_for

WRITERS: dict[str, Callable[[Path, Weights], object]] = {
    "model.safetensors": lambda path, weights: write_safetensors(path, weights, weights.keys()),
    "pytorch_model.bin": lambda path, weights: write_bin(path, weights, weights.keys()),
    "0/mp_rank_00_model_states.pt": lambda path, weights: write_ranks(path.parent.parent, weights, 1, 2),
    "model.gguf": lambda path, weights: write_gguf(path, "chatglm", {}, weights),
    "model-q8_0.gguf": lambda path, weights: write_gguf(path, "chatglm", {}, weights, blocks="q8_0"),
}


@pytest.fixture(params=WRITERS)
def name(request: pytest.FixtureRequest) -> str:
    if request.param.endswith("gguf"):
        pytest.importorskip("gguf")
    return str(request.param)


def weights(tmp_path: Path, last: float = 0.0) -> Weights:
    matrix = torch.ones(64, 64)
    matrix[-1, -1] = last
    return in_memory({"first": torch.ones(64, 64), "blocks.0.mlp.weight": matrix}, tmp_path)


@pytest.mark.parametrize("room", [0, 100, 8000, 24_000])
def test_a_full_disk_is_told_by_file_and_reason(tmp_path: Path, name: str, room: int) -> None:
    if room > 8000 and "q8_0" in name:
        pytest.skip("codes fit into that")
    with room_for(room), pytest.raises(Unwritable) as raised:
        WRITERS[name](tmp_path / name, weights(tmp_path))
    assert str(raised.value).startswith(f"could not write {tmp_path / name}: File too large; ")


def test_a_place_that_is_not_there_is_told_by_file_and_reason(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match=f"could not write {tmp_path}/none/a: No such file or directory"):
        write_tensors(tmp_path / "none" / "a", {"a": torch.ones(1)})


@pytest.mark.parametrize(
    ("value", "said"), [(float("nan"), "NaN"), (float("inf"), "infinity"), (float("-inf"), "infinity")]
)
def test_numbers_that_are_none_are_not_written(tmp_path: Path, name: str, value: float, said: str) -> None:
    with pytest.raises(NotFinite, match=rf"^the weight blocks\.0\.mlp\.weight holds {said}: .* not written$"):
        WRITERS[name](tmp_path / name, weights(tmp_path, value))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_largest_numbers_of_a_type_are_numbers(tmp_path: Path, dtype: torch.dtype) -> None:
    largest = torch.tensor([torch.finfo(dtype).max, torch.finfo(dtype).min, 0], dtype=dtype)
    tensors = {"largest": largest, "none": torch.empty(0, dtype=dtype), "scalar": torch.ones((), dtype=dtype)}
    write_tensors(tmp_path / "a.safetensors", tensors)
    read = open_file(tmp_path / "a.safetensors")
    for key, tensor in tensors.items():
        assert torch.equal(read.get(key), tensor)
