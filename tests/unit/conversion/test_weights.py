"""Weights from files: read exactly, one at a time, and refused in one line when the files are not what they say."""

import json
import os
import random
import sys
import zipfile
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from glmkit.conversion.pickles import Shell, load_pickle
from glmkit.conversion.weights import DTYPES, borrowed, in_memory, open_file, open_weights
from glmkit.conversion.write import write_weights
from glmkit.core.errors import CorruptFile, UserError

TENSORS = {
    "a": torch.arange(12.0).reshape(3, 4),
    "b": torch.arange(6, dtype=torch.int8),
    "c": torch.tensor(2.5, dtype=torch.bfloat16),
    "d": torch.randn(4096, 3, generator=torch.Generator().manual_seed(0)).half(),
}
NAMES = ("model.safetensors", "pytorch_model.bin")


def same(directory: Path) -> bool:
    weights = open_weights(directory)
    assert set(weights.keys()) == TENSORS.keys()
    return all(
        torch.equal(weights.get(key), tensor)
        and weights.shape(key) == tuple(tensor.shape)
        and weights.dtype(key) == tensor.dtype
        and weights.bytes(key) == tensor.nbytes
        for key, tensor in TENSORS.items()
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shard_bytes", [1 << 20, 60])
def test_written_weights_are_read_back(name: str, shard_bytes: int, tmp_path: Path) -> None:
    sums = write_weights(tmp_path, name, in_memory(TENSORS, tmp_path), shard_bytes)
    assert (len(sums) == 1) == (shard_bytes > 60)
    assert sums.keys() == {path.name for path in tmp_path.iterdir()} - {f"{name}.index.json"}
    assert same(tmp_path)


def test_our_safetensors_are_those_of_the_library(tmp_path: Path) -> None:
    tensors = {f"t{number}": torch.ones(number, 2, dtype=kind) for number, kind in enumerate(DTYPES.values())}
    write_weights(tmp_path, "model.safetensors", in_memory(tensors, tmp_path))
    loaded = load_file(tmp_path / "model.safetensors")
    assert all(
        torch.equal(loaded[key], tensor) and loaded[key].dtype == tensor.dtype for key, tensor in tensors.items()
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6), st.integers(1, 40))
def test_shards_hold_every_tensor_once(tmp_path_factory: pytest.TempPathFactory, shapes: list, limit: int) -> None:
    directory = tmp_path_factory.mktemp("shards")
    tensors = {f"t.{number}": torch.full(shape, float(number)) for number, shape in enumerate(shapes)}
    write_weights(directory, "model.safetensors", in_memory(tensors, directory), limit)
    weights = open_weights(directory)
    assert set(weights.keys()) == tensors.keys()
    assert all(torch.equal(weights.get(key), tensor) for key, tensor in tensors.items())


def test_what_was_released_can_be_read_again(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    torch.save(TENSORS, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    for name in (*NAMES, "old.bin"):
        weights = open_file(tmp_path / name)
        for _ in range(2):
            for key, tensor in TENSORS.items():
                with borrowed(weights, [key]) as (read,):
                    assert torch.equal(read, tensor)


def test_safetensors_are_preferred(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"no matter")
    assert same(tmp_path)


def test_views_of_one_storage_are_written_each_once(tmp_path: Path) -> None:
    table = torch.randn(1000, 100)
    write_weights(tmp_path, "pytorch_model.bin", in_memory({"row": table[3], "column": table[:, 2]}, tmp_path))
    assert (tmp_path / "pytorch_model.bin").stat().st_size < 20_000
    assert torch.equal(open_weights(tmp_path).get("column"), table[:, 2])


class TestRefused:
    @pytest.fixture(params=NAMES)
    def path(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        write_weights(tmp_path, request.param, in_memory(TENSORS, tmp_path))
        return tmp_path / request.param

    def test_no_weights(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"holds no weights: put model.safetensors or pytorch_model.bin"):
            open_weights(tmp_path)

    def test_a_git_lfs_pointer(self, path: Path) -> None:
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
        with pytest.raises(CorruptFile, match=r"is a git-LFS pointer, not the file itself; run `git lfs pull`"):
            open_weights(path.parent)

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
    def test_a_truncated_file(self, path: Path, share: float) -> None:
        os.truncate(path, int(path.stat().st_size * share))
        with pytest.raises(CorruptFile, match=f"{path.name} is (empty|cut short)"):
            open_weights(path.parent)

    def test_something_else(self, path: Path) -> None:
        path.write_bytes(random.Random(0).randbytes(5000))
        with pytest.raises(CorruptFile, match=r"its header has|no file of tensors"):
            open_weights(path.parent)

    @pytest.mark.parametrize("name", NAMES)
    def test_a_missing_shard(self, name: str, tmp_path: Path) -> None:
        first, *_ = write_weights(tmp_path, name, in_memory(TENSORS, tmp_path), 60)
        (tmp_path / first).unlink()
        with pytest.raises(CorruptFile, match=f"lacks {first}, one of 2 shards of {name}.index.json; copy the missing"):
            open_weights(tmp_path)

    def test_a_shard_of_another_checkpoint(self, tmp_path: Path) -> None:
        first, *_ = write_weights(tmp_path, NAMES[0], in_memory(TENSORS, tmp_path), 60)
        save_file({"d": TENSORS["d"]}, tmp_path / first)
        with pytest.raises(CorruptFile, match=r"mixed up|promises"):
            open_weights(tmp_path)

    def test_a_damaged_index(self, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": ')
        with pytest.raises(CorruptFile, match=r"index.json is damaged"):
            open_weights(tmp_path)

    def test_a_name_twice(self, tmp_path: Path) -> None:
        tensors = {"glm.a": torch.ones(1), "module.glm.a": torch.ones(1)}
        with pytest.raises(CorruptFile, match=r"holds a twice, as module.glm.a too: two checkpoints are mixed up"):
            in_memory(tensors, tmp_path).without_prefix(("module.", "glm."))

    def test_a_type_that_cannot_be_read(self, tmp_path: Path) -> None:
        save_file({"a": torch.ones(2, dtype=torch.float8_e4m3fn)}, tmp_path / "model.safetensors")
        with pytest.raises(CorruptFile, match=r"a is of type F8_E4M3, which glmkit cannot read"):
            open_weights(tmp_path)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


class TestPickles:
    def test_one_that_would_run_code_is_refused_by_name(self, tmp_path: Path) -> None:
        torch.save({"a": torch.ones(1), "b": Evil()}, tmp_path / "pytorch_model.bin")
        with pytest.raises(CorruptFile, match=r"asks for (posix|nt)\.system: it is a pickle that holds more than"):
            open_weights(tmp_path)

    def test_something_that_is_no_tensor(self, tmp_path: Path) -> None:
        torch.save({"a": torch.ones(1), "epoch": 3}, tmp_path / "pytorch_model.bin")
        with pytest.raises(CorruptFile, match=r"'epoch' is a int, not a tensor"):
            open_weights(tmp_path)
        torch.save([torch.ones(1)], tmp_path / "pytorch_model.bin")
        with pytest.raises(CorruptFile, match=r"holds a list, not tensors by name"):
            open_weights(tmp_path)

    def test_what_the_original_stores_beside_its_weights_is_read_past(self, tmp_path: Path) -> None:
        state = {
            "module": {"a": torch.ones(1)},
            "np_rng_state": np.random.RandomState(0).get_state(),
            "random_rng_state": random.Random(0).getstate(),
            "torch_rng_state": torch.get_rng_state(),
            "args": Namespace(seed=3, names=["x"]),
            "csr_tensor_module_names": {"x"},
        }
        torch.save(state, tmp_path / "mp_rank_00_model_states.pt")
        table, mapped = load_pickle(tmp_path / "mp_rank_00_model_states.pt")
        assert mapped
        assert table["args"].seed == 3
        assert np.array_equal(table["np_rng_state"][1], state["np_rng_state"][1])

    def test_the_loss_scaler_of_the_original_is_an_empty_shell(self, tmp_path: Path) -> None:
        class DynamicLossScaler:
            pass

        DynamicLossScaler.__module__, DynamicLossScaler.__qualname__ = "fp16.loss_scaler", "DynamicLossScaler"
        modules = {"fp16": ModuleType("fp16"), "fp16.loss_scaler": ModuleType("fp16.loss_scaler")}
        vars(modules["fp16.loss_scaler"])["DynamicLossScaler"] = DynamicLossScaler
        with pytest.MonkeyPatch.context() as patch:
            for name, module in modules.items():
                patch.setitem(sys.modules, name, module)
            torch.save({"module": {"a": torch.ones(1)}, "optimizer": DynamicLossScaler()}, tmp_path / "x.pt")
        table, _ = load_pickle(tmp_path / "x.pt")
        assert type(table["optimizer"]) is Shell

    def test_the_index_may_hold_what_it_likes(self, tmp_path: Path) -> None:
        write_weights(tmp_path, NAMES[1], in_memory(TENSORS, tmp_path), 60)
        table = json.loads((tmp_path / "pytorch_model.bin.index.json").read_text())
        assert table["metadata"]["total_size"] == sum(tensor.nbytes for tensor in TENSORS.values())
        assert same(tmp_path)

    @pytest.mark.parametrize(
        ("holds", "line"),
        [
            ({"state_dict": {"a": torch.ones(1)}, "epoch": 3}, r"holds its tensors inside 'state_dict', .*torch\.save"),
            ({"a": torch.ones(2, 2).to_sparse()}, r"'a' is no dense tensor"),
            ({"a": torch.ones(2, device="meta")}, r"'a' is no dense tensor"),
            ({"a": torch.ones(2, dtype=torch.complex64)}, r"a is of type torch\.complex64, which glmkit cannot read"),
            ({3: torch.ones(1)}, r"3 is a Tensor, not a tensor"),
        ],
    )
    def test_what_is_no_table_of_plain_tensors(self, holds: object, line: str, tmp_path: Path) -> None:
        torch.save(holds, tmp_path / "pytorch_model.bin")
        with pytest.raises(CorruptFile, match=line):
            open_weights(tmp_path)

    def test_a_compressed_one_is_not_unpacked(self, tmp_path: Path) -> None:
        """It could be any size in memory."""
        torch.save({"a": torch.zeros(1000)}, tmp_path / "whole.bin")
        with (
            zipfile.ZipFile(tmp_path / "whole.bin") as whole,
            zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for name in whole.namelist():
                packed.writestr(name, whole.read(name))
        with pytest.raises(CorruptFile, match=r"pytorch_model\.bin is compressed, as torch\.save never writes it"):
            open_weights(tmp_path)

    @pytest.mark.parametrize("zipped", [True, False])
    def test_a_damaged_one_is_read_or_refused(self, zipped: bool, tmp_path: Path) -> None:
        path, dice = tmp_path / "pytorch_model.bin", random.Random(0)
        torch.save(TENSORS, path, _use_new_zipfile_serialization=zipped)
        whole = path.read_bytes()
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(dice.randint(1, 3)):
                data[dice.randrange(1200)] = dice.randrange(256)  # where the pickle is
            path.write_bytes(data)
            with suppress(CorruptFile):
                weights = open_weights(tmp_path)
                assert all(weights.get(key).numel() >= 0 for key in weights.keys())  # noqa: SIM118
