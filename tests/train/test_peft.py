"""Adapters that peft wrote: the logits of peft itself, or one line that names the key."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import glmkit
from glmkit.api.merge import merge
from glmkit.core.errors import UserError
from glmkit.testing import MODEL_TOLERANCE, tiny

peft = pytest.importorskip("peft", reason="LoRA needs peft")
QKV, UP = "blocks.0.attention.qkv", "blocks.1.mlp.up"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("peft") / "base"
    tiny("chatglm2").save(path)
    return path


def write(base: Path, path: Path, **options: Any) -> Path:
    """An adapter of random numbers by peft."""
    model = glmkit.load(base).module
    torch.manual_seed(0)
    config = peft.LoraConfig(**{"r": 4, "target_modules": ["attention.qkv", "mlp.up"], **options})
    theirs = peft.get_peft_model(model, config)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in theirs.named_parameters():
        if "lora_" in name and "magnitude" not in name:
            parameter.data.normal_(0, 0.2, generator=generator)
    theirs.save_pretrained(str(path))
    return path


def logits(model: Any) -> torch.Tensor:
    return model.logits(torch.arange(24).reshape(2, 12) * 7 % 250)


def of_peft(base: Path, adapter: Path) -> torch.Tensor:
    plain = glmkit.load(base)
    plain.module = peft.PeftModel.from_pretrained(plain.module, str(adapter)).eval().base_model.model
    return logits(plain)


def edit(adapter: Path, **keys: Any) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def rewrite(adapter: Path, names: dict[str, str]) -> None:
    """Replaces parts of the weights' names."""
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    for old, new in names.items():
        tensors = {key.replace(old, new): tensor for key, tensor in tensors.items()}
    save_file(tensors, file)


COMPUTED = {
    "plain": {},
    "alpha_pattern": {"alpha_pattern": {"attention.qkv": 64}},
    "alpha by regex": {"alpha_pattern": {r"blocks\.\d+\.mlp\.up": 3.5}, "lora_alpha": 1},
    "rank_pattern": {"rank_pattern": {"mlp.up": 2, QKV: 6}, "alpha_pattern": {"mlp.up": 5}},
    "rslora": {"use_rslora": True, "rank_pattern": {"mlp.up": 2}},
    "dora": {"use_dora": True, "lora_alpha": 4},
    "dora with patterns": {"use_dora": True, "rank_pattern": {QKV: 2}, "alpha_pattern": {"mlp.up": 1}},
    "pissa": {"init_lora_weights": "pissa", "alpha_pattern": {"mlp.up": 16}},
    "olora": {"init_lora_weights": "olora"},
    "gaussian": {"init_lora_weights": "gaussian"},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "mica": {"init_lora_weights": "mica"},
    "layers_to_transform": {"layers_to_transform": [1], "layers_pattern": "blocks"},
    "target_modules regex": {"target_modules": r"blocks\.0\.(attention|mlp)\.(qkv|down)"},
    "exclude_modules": {"exclude_modules": r".*\.1\.mlp\.up"},
    "training's own": {"lora_dropout": 0.5, "fan_in_fan_out": True},
}


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.filterwarnings("ignore")
def test_logits_are_those_of_peft(name: str, base: Path, tmp_path: Path) -> None:
    adapter = write(base, tmp_path / "adapter", **COMPUTED[name])
    ours = logits(glmkit.load(base, adapter=adapter))
    assert torch.equal(ours, of_peft(base, adapter))
    assert not torch.allclose(ours, logits(glmkit.load(base)), atol=0.1)


@pytest.mark.parametrize("name", ["rank_pattern", "dora", "pissa"])
def test_merged_it_is_the_same(name: str, base: Path, tmp_path: Path) -> None:
    adapter = write(base, tmp_path / "adapter", **COMPUTED[name])
    merge(adapter, tmp_path / "merged", base)
    theirs = of_peft(base, adapter)
    torch.testing.assert_close(
        logits(glmkit.load(tmp_path / "merged")), theirs, atol=10 * MODEL_TOLERANCE, rtol=10 * MODEL_TOLERANCE
    )


REFUSED = {
    "init_lora_weights": ["pissa_niter_4", "corda", "loftq", "lora_ga", "of next year", 3],
    "modules_to_save": [["output"]],
    "bias": ["all", "lora_only"],
    "lora_bias": [True],
    "trainable_token_indices": [[1, 2], {"embedding": [1]}],
    "layer_replication": [[[0, 1], [0, 2]]],
    "megatron_config": [{"a": 1}],
    "target_parameters": [["mlp.up.weight"]],
    "use_qalora": [True],
    "alora_invocation_tokens": [[5]],
    "enable_lora": [[True, False, True]],
    "of_next_year": [True, "x", {"a": 0}],
    "r": ["many", 0, None, 10**12, 2.5],
    "lora_alpha": ["16", None, []],
    "alpha_pattern": [{"mlp.up": "x"}, ["mlp.up"], {"(": 1}],
    "rank_pattern": [{"mlp.up": 0}, {"mlp.up": 10**12}],
    "use_dora": ["yes"],
    "target_modules": [["mlp.down"], 7, "(", [3]],
    "exclude_modules": ["blocks.*"],
    "layers_to_transform": [[0], "all"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in REFUSED.items() for value in values])
def test_what_is_not_computed_is_refused_by_its_key(key: str, value: Any, base: Path, plain: Path) -> None:
    edit(plain, **{key: value})
    with pytest.raises(UserError, match=r"adapter_config\.json") as error:
        glmkit.load(base, adapter=plain)
    assert key in str(error.value) or key in ("r", "rank_pattern")
    assert "\n" not in str(error.value)


@pytest.fixture
def plain(base: Path, tmp_path: Path) -> Path:
    return write(base, tmp_path / "adapter")


@pytest.mark.parametrize("kind", ["IA3", "ADALORA", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING", "LOHA", None])
def test_other_kinds_of_adapters_are_named(kind: str | None, base: Path, plain: Path) -> None:
    edit(plain, peft_type=kind)
    with pytest.raises(UserError, match=f"an adapter of peft's kind {kind!r}"):
        glmkit.load(base, adapter=plain)


def test_parts_of_a_model_among_the_weights_are_named(base: Path, plain: Path) -> None:
    file = plain / "adapter_model.safetensors"
    save_file(load_file(file) | {"base_model.model.output.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(UserError, match=r"holds .*output\.weight, which is no LoRA.*merge"):
        glmkit.load(base, adapter=plain)


@pytest.mark.parametrize(
    "names",
    [
        {"lora_A": "lora_A.default", "lora_B": "lora_B.default"},
        {"lora_A.weight": "lora_A.mine.weight", "lora_B.weight": "lora_B.mine.weight"},
        {"base_model.model.": ""},
        {"base_model.model.": "module.base_model.model."},
        {"base_model.model.": "_orig_mod.base_model.model."},
    ],
)
def test_names_that_trainers_leave(names: dict[str, str], base: Path, plain: Path) -> None:
    known = of_peft(base, plain)
    rewrite(plain, names)
    assert torch.equal(logits(glmkit.load(base, adapter=plain)), known)


def test_pickled_weights(base: Path, plain: Path) -> None:
    known = of_peft(base, plain)
    torch.save(load_file(plain / "adapter_model.safetensors"), plain / "adapter_model.bin")
    (plain / "adapter_model.safetensors").unlink()
    assert torch.equal(logits(glmkit.load(base, adapter=plain)), known)
    torch.save({"x": os.system}, plain / "adapter_model.bin")
    with pytest.raises(UserError, match=r"adapter_model\.bin asks for"):
        glmkit.load(base, adapter=plain)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_links_out_of_the_directory_and_pipes(name: str, base: Path, plain: Path, tmp_path: Path) -> None:
    (plain / name).rename(tmp_path / name)
    (plain / name).symlink_to(tmp_path / name)
    with pytest.raises(UserError, match="outside its directory"):
        glmkit.load(base, adapter=plain)
    (plain / name).unlink()
    os.mkfifo(plain / name)
    with pytest.raises(UserError, match="is a pipe"):
        glmkit.load(base, adapter=plain)


@pytest.mark.parametrize(("key", "value"), [("use_dora", True), ("init_lora_weights", "pissa")])
def test_what_needs_the_weights_themselves_is_not_laid_over_codes(
    key: str, value: Any, base: Path, tmp_path: Path
) -> None:
    adapter = write(base, tmp_path / "adapter", **{key: value})
    with pytest.raises(UserError, match=f"{key}.*not quantised"):
        glmkit.load(base, adapter=adapter, quantize="int8")


def test_the_base_that_peft_names_is_used_where_it_is_here(base: Path, plain: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not say of which model; give the model itself and adapter="):
        glmkit.load(plain)
    with pytest.raises(UserError, match="does not say of which model; give base='DIR'"):
        merge(plain, tmp_path / "merged")
    edit(plain, base_model_name_or_path="zai-org/chatglm2-6b")
    with pytest.raises(UserError, match="of zai-org/chatglm2-6b, which is not there; give base='DIR'"):
        merge(plain, tmp_path / "merged")
    edit(plain, base_model_name_or_path=str(base))
    assert torch.equal(logits(glmkit.load(plain)), logits(glmkit.load(base, adapter=plain)))
    assert merge(plain, tmp_path / "merged") < 1e-4
