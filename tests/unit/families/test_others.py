"""Directories as trainers and other programs leave them: the model's own numbers, or one line that says what it is."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import glmkit
from glmkit.conversion.views import as_foreign
from glmkit.conversion.weights import in_memory
from glmkit.conversion.write import write_weights
from glmkit.core.errors import CorruptFile, UserError
from glmkit.families import directory
from glmkit.families.conversion import convert
from glmkit.families.inspect import inspect
from glmkit.families.layouts.glm import STATEMAP
from glmkit.families.published import MODELS
from glmkit.testing import tiny

IDS = torch.tensor([[5, 6, 259, 261, 7, 8]])
LAYOUTS = {"glm-hf-port": "glm", "chatglm-hf": "chatglm2", "chatglm-hf of the first": "chatglm", "glm-hf": "chatglm2"}
WRAPPERS = ("module.", "_orig_mod.", "base_model.model.", "module._orig_mod.base_model.model.")


def bare(name: str, path: Path) -> glmkit.Model:
    """A tiny model without its tokenizer, saved."""
    m = tiny(name)
    m._tokenizer = None
    m.save(path)
    return m


@pytest.fixture(params=LAYOUTS)
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, torch.Tensor]:
    """A model in somebody's layout, in safetensors, and its logits."""
    m = bare(LAYOUTS[request.param], tmp_path / "native")
    layout = request.param.split()[0]
    convert(tmp_path / "native", tmp_path / "m", layout, safetensors=True if layout == "glm-hf-port" else None)
    return tmp_path / "m", m.logits(IDS)


def rename(path: Path, prefix: str) -> None:
    tensors = load_file(path / "model.safetensors")
    save_file({prefix + key: tensor for key, tensor in tensors.items()}, path / "model.safetensors")


@pytest.mark.parametrize("prefix", WRAPPERS)
def test_wrapped_names(prefix: str, exported: tuple[Path, torch.Tensor]) -> None:
    path, logits = exported
    wanted = glmkit.load(path).logits(IDS)
    rename(path, prefix)
    assert torch.equal(glmkit.load(path).logits(IDS), wanted)
    torch.testing.assert_close(wanted, logits, atol=1e-4, rtol=1e-4)


def test_a_value_head_beside_the_model(exported: tuple[Path, torch.Tensor]) -> None:
    path, _ = exported
    wanted = glmkit.load(path).logits(IDS)
    rename(path, "pretrained_model.")
    tensors = load_file(path / "model.safetensors")
    save_file(tensors | {"v_head.summary.weight": torch.ones(1, 64)}, path / "model.safetensors")
    assert torch.equal(glmkit.load(path).logits(IDS), wanted)
    assert "value head" in inspect(path)["ignored"]["v_head.summary.weight"]


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.bool])
def test_codes_whose_scales_are_not_there_are_no_weights(dtype: torch.dtype, exported: tuple[Path, Any]) -> None:
    path, _ = exported
    tensors = load_file(path / "model.safetensors")
    name = next(key for key in tensors if "dense_h_to_4h.weight" in key or "down_proj.weight" in key)
    tensors[name] = torch.ones(tensors[name].shape, dtype=dtype)
    save_file(tensors, path / "model.safetensors")
    with pytest.raises(CorruptFile, match=r"is in u?\w+, where floating-point numbers must be|is no form of codes"):
        glmkit.load(path)


def test_a_config_that_speaks_of_codes(exported: tuple[Path, Any]) -> None:
    path, _ = exported
    table = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(table | {"quantization_config": {"quant_method": "awq", "bits": 4}}))
    with pytest.raises(UserError, match=r"says that its weights are codes \('awq'\), .*glmkit quantize MODEL OUT"):
        glmkit.load(path)


def test_the_run_of_a_trainer_names_its_newest_checkpoint(exported: tuple[Path, Any]) -> None:
    path, _ = exported
    for step in (500, 3000, 1000):
        (path.parent / f"run/checkpoint-{step}").mkdir(parents=True)
    path.rename(path.parent / "run/checkpoint-3000/model")
    with pytest.raises(UserError, match=r"no model directory: its newest checkpoint is .*checkpoint-3000; give that"):
        glmkit.load(path.parent / "run")


def test_two_sets_of_weights(exported: tuple[Path, Any]) -> None:
    """A merged model saved as one file where the base's shards and index were left."""
    path, _ = exported
    wanted = glmkit.load(path).logits(IDS)
    tensors = load_file(path / "model.safetensors")
    shard = "model-00001-of-00001.safetensors"
    save_file({key: tensor + 1 for key, tensor in tensors.items()}, path / shard)
    index = path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(tensors, shard)}))
    assert torch.equal(glmkit.load(path).logits(IDS), wanted)
    assert "other weights" in inspect(path)["ignored"][index.name]
    (path / "model.safetensors").unlink()
    assert not torch.equal(glmkit.load(path).logits(IDS), wanted)


def test_two_sets_of_weights_in_a_directory_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its table says which files it was written with: others beside them may not take their place."""
    monkeypatch.setattr(directory, "write_weights", partial(write_weights, shard_bytes=100_000))
    bare("chatglm2", tmp_path / "m")
    tensors = {key: t for file in (tmp_path / "m").glob("*.safetensors") for key, t in load_file(file).items()}
    glmkit.load(tmp_path / "m")
    save_file({key: tensor + 1 for key, tensor in tensors.items()}, tmp_path / "m/model.safetensors")
    with pytest.raises(CorruptFile, match=r"model\.safetensors.* lists"):
        glmkit.load(tmp_path / "m")


class TestHeads:
    """The original's files do not say how many heads attention has."""

    @pytest.fixture
    def tensors(self, tmp_path: Path) -> dict[str, torch.Tensor]:
        weights = as_foreign(in_memory(dict(tiny("glm").module.state_dict()), tmp_path), STATEMAP)
        return {key: weights.get(key).clone() for key in weights.keys()}  # noqa: SIM118

    def write(self, path: Path, tensors: dict[str, torch.Tensor], **facts: object) -> Path:
        torch.save({"module": tensors} | facts, path / "mp_rank_00_model_states.pt")
        return path

    def test_they_are_asked_for(self, tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
        path = self.write(tmp_path, tensors)
        with pytest.raises(UserError, match=r"no published model has its 2 layers of width 64 .*give num_heads=N"):
            glmkit.load(path)
        assert torch.equal(glmkit.load(path, num_heads=4).logits(IDS), tiny("glm").logits(IDS))
        for wrong in (0, -1, 2.5, "four", None, True):
            with pytest.raises(UserError, match=r"num_heads must be a whole number of at least 1"):
                glmkit.load(path, num_heads=wrong)
        with pytest.raises(UserError, match=r"hidden_size 64 must be a multiple of num_heads 5"):
            glmkit.load(path, num_heads=5)

    def test_or_read_where_they_are_told(self, tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
        path = self.write(tmp_path, tensors, num_attention_heads=4)
        assert glmkit.load(path).config.num_heads == 4
        assert glmkit.load(path, num_heads=2).config.num_heads == 2

    def test_our_own_files_of_the_original_s_layout_tell(self, tmp_path: Path) -> None:
        m = bare("glm", tmp_path / "native")
        convert(tmp_path / "native", tmp_path / "ranks", "megatron", ranks=2)
        assert torch.equal(glmkit.load(tmp_path / "ranks").logits(IDS), m.logits(IDS))

    def test_those_of_a_published_size_are_known(self, tmp_path: Path) -> None:
        layers, width, rows = MODELS["glm-base"].sizes
        one = torch.zeros(1, 1)
        sizes = {
            "word_embeddings.weight": (rows, width),
            "transformer.position_embeddings.weight": (513, width),
        } | {f"transformer.layers.{i}.input_layernorm.weight": (width, 1) for i in range(layers)}
        self.write(tmp_path, {key: one.expand(size) for key, size in sizes.items()})
        with pytest.raises(CorruptFile, match=r"lacks .*: the checkpoint is incomplete"):  # not: how many heads
            glmkit.load(tmp_path)

    def test_swissarmy_s_names(self, tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
        words, steps = "word_embeddings.weight", "transformer.block_position_embeddings.weight"
        tensors[f"transformer.{words}"] = tensors.pop(words)
        theirs = "mixins.block_position_embedding.block_position_embeddings.weight"
        tensors[theirs] = tensors.pop(steps)
        path = self.write(tmp_path, tensors)
        assert torch.equal(glmkit.load(path, num_heads=4).logits(IDS), tiny("glm").logits(IDS))
        self.write(tmp_path, tensors | {steps: tensors[theirs]})
        with pytest.raises(CorruptFile, match=r"holds a table under two names: two checkpoints are mixed up"):
            glmkit.load(path, num_heads=4)
        self.write(tmp_path, tensors | {"mixins.chatglm-final.lm_head.weight": tensors[theirs]})
        with pytest.raises(
            UserError, match=r"SwissArmyTransformer's names, of a model that is no GLM \(mixins\.chatglm"
        ):
            glmkit.load(path, num_heads=4)

    def test_tables_that_are_no_matrices(self, tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
        for name in ("word_embeddings.weight", "transformer.position_embeddings.weight"):
            path = self.write(tmp_path, tensors | {name: torch.ones(4)})
            with pytest.raises(CorruptFile, match=rf"{name} is \[4\], no matrix"):
                glmkit.load(path, num_heads=4)


@pytest.mark.parametrize("name", ["chatglm", "chatglm2"])
def test_codes_in_groups_have_no_place_in_the_official_layout(name: str, tmp_path: Path) -> None:
    bare(name, tmp_path / "m")
    m = glmkit.load(tmp_path / "m", quantize="int8")
    m.save(tmp_path / "int8")
    with pytest.raises(UserError, match=r"has one scale a row, not one a group; convert the model that was"):
        convert(tmp_path / "int8", tmp_path / "out", "chatglm-hf")
    assert not (tmp_path / "out").exists()
