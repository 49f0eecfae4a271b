"""The original's ranks: cut as it cuts them, merged back bit for bit, refused when they do not belong together."""

import os
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.conversion.megatron import HEADS, merged, open_ranks, rank_directory, slice_of, write_ranks
from glmkit.conversion.weights import Weights, in_memory
from glmkit.core.errors import CorruptFile, UserError

HERE = Path("somewhere")
LAYER = "transformer.layers.0."


def model(width: int = 8, rows: int = 16) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "word_embeddings.weight": (rows, width),
        "transformer.position_embeddings.weight": (5, width),
        f"{LAYER}input_layernorm.bias": (width,),
        f"{LAYER}attention.query_key_value.weight": (3 * width, width),
        f"{LAYER}attention.query_key_value.bias": (3 * width,),
        f"{LAYER}attention.dense.weight": (width, width),
        f"{LAYER}attention.dense.bias": (width,),
        f"{LAYER}mlp.dense_h_to_4h.weight": (4 * width, width),
        f"{LAYER}mlp.dense_h_to_4h.bias": (4 * width,),
        f"{LAYER}mlp.dense_4h_to_h.weight": (width, 4 * width),
    }
    return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}


def same(weights: Weights, tensors: dict[str, torch.Tensor]) -> bool:
    assert set(weights.keys()) == tensors.keys()
    return all(
        torch.equal(weights.get(key), tensor) and weights.shape(key) == tuple(tensor.shape)
        for key, tensor in tensors.items()
    )


@given(st.sampled_from([1, 2, 4, 8]), st.sampled_from([8, 16]))
def test_cut_and_merged_is_the_same(ranks: int, width: int) -> None:
    tensors = model(width)
    parts = [slice_of(in_memory(tensors, HERE), rank, ranks) for rank in range(ranks)]
    assert same(merged([in_memory({key: p.get(key) for key in p.keys()}, HERE) for p in parts]), tensors)  # noqa: SIM118


def test_the_drawing() -> None:
    tensors = model()
    first = slice_of(in_memory(tensors, HERE), 0, 2)
    qkv, up = tensors[f"{LAYER}attention.query_key_value.bias"], tensors[f"{LAYER}mlp.dense_h_to_4h.weight"]
    assert torch.equal(first.get(f"{LAYER}attention.query_key_value.bias"), qkv.reshape(3, 8)[:, :4].reshape(-1))
    assert torch.equal(first.get(f"{LAYER}mlp.dense_h_to_4h.weight"), up[:16])
    assert torch.equal(first.get(f"{LAYER}attention.dense.weight"), tensors[f"{LAYER}attention.dense.weight"][:, :4])
    assert torch.equal(first.get(f"{LAYER}attention.dense.bias"), tensors[f"{LAYER}attention.dense.bias"])


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_written_and_opened(ranks: int, tmp_path: Path) -> None:
    tensors = model()
    write_ranks(tmp_path, in_memory(tensors, HERE), ranks, 2)
    assert same(open_ranks(tmp_path), tensors)
    assert rank_directory(tmp_path) == rank_directory(tmp_path / "0") == tmp_path / "0"
    for tracker in ("latest", "latest_checkpointed_iteration.txt"):
        (tmp_path / tracker).unlink()
        if tracker == "latest":
            assert same(open_ranks(tmp_path), tensors)
    assert same(open_ranks(tmp_path / "0"), tensors)


def test_sizes_that_cannot_be_cut(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"word_embeddings.weight \[16, 8\] cannot be cut into 3 ranks"):
        slice_of(in_memory(model(), HERE), 0, 3)


class TestRefused:
    @pytest.fixture
    def ranks(self, tmp_path: Path) -> Path:
        write_ranks(tmp_path, in_memory(model(), HERE), 4, 2)
        return tmp_path / "0"

    def test_a_rank_in_the_middle(self, ranks: Path) -> None:
        (ranks / "mp_rank_01_model_states.pt").unlink()
        with pytest.raises(CorruptFile, match=r"lacks mp_rank_01_model_states\.pt; copy the files of all ranks"):
            open_ranks(ranks)

    def test_the_last_rank(self, ranks: Path) -> None:
        (ranks / "mp_rank_03_model_states.pt").unlink()
        with pytest.raises(CorruptFile, match=r"holds 3 ranks, the run had 4"):
            open_ranks(ranks)

    @pytest.mark.parametrize("kept", [1, 2])
    def test_the_last_ranks_of_files_that_do_not_count(self, ranks: Path, kept: int) -> None:
        for path in sorted(ranks.iterdir()):
            table = torch.load(path)
            torch.save({"module": table["module"], "iteration": 3}, path)
        for path in sorted(ranks.iterdir())[kept:]:
            path.unlink()
        with pytest.raises(CorruptFile, match=rf"1/{4 // kept} of a model; copy the files of all ranks"):
            open_ranks(ranks)

    def test_ranks_of_two_checkpoints(self, ranks: Path) -> None:
        path = ranks / "mp_rank_02_model_states.pt"
        torch.save(torch.load(path) | {"iteration": 9}, path)
        with pytest.raises(CorruptFile, match=r"mixes checkpoints: its ranks are of iterations"):
            open_ranks(ranks)

    def test_a_file_without_a_module(self, ranks: Path) -> None:
        torch.save({"iteration": 0}, ranks / "mp_rank_00_model_states.pt")
        with pytest.raises(CorruptFile, match=r"has no table 'module'"):
            open_ranks(ranks)

    def test_a_tracker_that_leads_nowhere(self, ranks: Path) -> None:
        shutil.rmtree(ranks)
        with pytest.raises(UserError, match=r"names '0', and .* has no such directory"):
            rank_directory(ranks.parent)

    @pytest.mark.parametrize("tag", ["", ".", "..", "../0", "/", "a\0b", "\xff", "a\nb", "x" * 1000])
    def test_a_tracker_that_leads_out_or_names_nothing(self, tag: str, ranks: Path) -> None:
        (ranks.parent / "latest_checkpointed_iteration.txt").write_bytes(tag.encode("latin-1"))
        with pytest.raises(
            UserError, match=r"latest_checkpointed_iteration\.txt (must name a directory|names)"
        ) as refused:
            rank_directory(ranks.parent)
        assert "\n" not in str(refused.value)

    def test_a_tracker_that_names_a_directory_of_trackers(self, tmp_path: Path) -> None:
        (tmp_path / "0").mkdir()
        for place in (tmp_path, tmp_path / "0"):
            (place / "latest").write_text("0")
        assert rank_directory(tmp_path) is None

    @pytest.mark.parametrize(
        ("change", "line"),
        [
            ({"mp_world_size": "four"}, r"mp_world_size must be a whole number of at least 1"),
            ({"mp_world_size": -1}, r"mp_world_size must be a whole number of at least 1"),
            ({"num_attention_heads": 2.5}, r"num_attention_heads must be a whole number"),
            ({"iteration": [9]}, r"mixes checkpoints"),
            ({"module": [1]}, r"holds a list, not tensors by name"),
        ],
    )
    def test_what_is_no_number(self, change: dict[str, object], line: str, ranks: Path) -> None:
        path = ranks / "mp_rank_02_model_states.pt"
        torch.save(torch.load(path) | change, path)
        with pytest.raises(UserError, match=line):
            open_ranks(ranks)

    @pytest.mark.parametrize("shape", [(), (3,), (4, 8), (0, 8), (2, 2, 2)])
    @pytest.mark.parametrize("leaf", ["attention.query_key_value", "attention.dense"])
    def test_parts_of_other_shapes(self, shape: tuple[int, ...], leaf: str, ranks: Path) -> None:
        for path in ranks.iterdir():
            table = torch.load(path)
            table["module"][f"{LAYER}{leaf}.weight"] = torch.ones(shape)
            torch.save(table, path)
        if leaf == "attention.dense" and len(shape) == 2:
            assert open_ranks(ranks).shape(f"{LAYER}{leaf}.weight") == (shape[0], shape[1] * 4)
        else:
            with pytest.raises(CorruptFile, match=r"is no part of a matrix|of a model; copy the files"):
                open_ranks(ranks)

    def test_a_rank_that_is_a_pipe(self, ranks: Path) -> None:
        (ranks / "mp_rank_01_model_states.pt").unlink()
        os.mkfifo(ranks / "mp_rank_01_model_states.pt")
        with pytest.raises(UserError, match=r"mp_rank_01_model_states\.pt is a pipe, not a file"):
            open_ranks(ranks)


def test_heads_are_told_by_what_we_write_and_by_arguments_of_a_trainer(tmp_path: Path) -> None:
    write_ranks(tmp_path, in_memory(model(), HERE), 2, 4)
    assert open_ranks(tmp_path).facts[HEADS] == 4
    table = {"module": model(), "args": Namespace(num_attention_heads=2)}
    torch.save(table, tmp_path / "0/mp_rank_00_model_states.pt")
    (tmp_path / "0/mp_rank_01_model_states.pt").unlink()
    assert open_ranks(tmp_path).facts[HEADS] == 2
    torch.save({"module": model()}, tmp_path / "0/mp_rank_00_model_states.pt")
    assert open_ranks(tmp_path).facts[HEADS] is None
