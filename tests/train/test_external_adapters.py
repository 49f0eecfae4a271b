"""Adapters that peft wrote: what it computes with them, to the last bit, or a line that names the key."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import glmkit
from glmkit.api.merge import merge
from glmkit.core.errors import ExportDiffers, UserError
from glmkit.testing import tiny

peft = pytest.importorskip("peft", reason="LoRA needs peft")

TARGETS = ["attention.qkv", "mlp.up"]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("bases")

    def base(name: str = "chatglm2") -> Path:
        if not (root / name).exists():
            tiny(name).save(root / name)
        return root / name

    return base


def logits(model: Any) -> torch.Tensor:
    ids = torch.arange(24).reshape(2, 12) * 7 % 250
    positions = torch.arange(12).expand(2, model.position_scheme.channels, 12)
    return model.logits(ids, positions, context=0)


def written(base: Path, path: Path, **how: Any) -> Path:
    """An adapter as peft saves it, every number of it changed as training would."""
    config = {"r": 4, "lora_alpha": 16, "target_modules": TARGETS} | how
    model = peft.get_peft_model(glmkit.load(base).module, peft.LoraConfig(**config))
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += torch.empty_like(parameter).normal_(0, 0.1, generator=generator)
    model.save_pretrained(str(path), save_embedding_layers=False)
    return path


def of_peft(base: Path, adapter: Path) -> torch.Tensor:
    plain = glmkit.load(base)
    plain.module = peft.PeftModel.from_pretrained(plain.module, str(adapter)).eval().base_model.model
    return logits(plain)


def change(adapter: Path, **keys: Any) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


READ: dict[str, dict[str, Any]] = {
    "plain": {},
    "alpha_pattern": {"alpha_pattern": {"attention.qkv": 64}},
    "alpha_pattern of a regex": {"alpha_pattern": {r"blocks\.0\..*": 3}},
    "rank_pattern": {"rank_pattern": {"mlp.up": 2}, "alpha_pattern": {"mlp.up": 5}},
    "rslora": {"use_rslora": True, "rank_pattern": {"mlp.up": 2}},
    "dora": {"use_dora": True},
    "lora_bias": {"lora_bias": True},
    "pissa": {"init_lora_weights": "pissa", "alpha_pattern": {"mlp.up": 2}},
    "olora": {"init_lora_weights": "olora"},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "eva": {"init_lora_weights": "eva"},
    "gaussian": {"init_lora_weights": "gaussian"},
    "nothing begun": {"init_lora_weights": False},
    "layers_to_transform": {"layers_to_transform": [1], "layers_pattern": "blocks"},
    "a regex": {"target_modules": r"blocks\.\d+\.(mlp\.down|attention\.out)"},
    "all linear layers": {"target_modules": "all-linear"},
    "exclude_modules": {"exclude_modules": ["blocks.0.mlp.up"]},
    "bias": {"bias": "all"},
    "fan_in_fan_out": {"fan_in_fan_out": True},
    "modules_to_save": {"modules_to_save": ["norm"]},
}


@pytest.mark.parametrize("name", ["glm", "chatglm", "chatglm2"])
@pytest.mark.parametrize("case", READ)
@pytest.mark.filterwarnings("ignore")
def test_what_peft_computes(case: str, name: str, bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases(name), tmp_path / "adapter", **READ[case])
    ours = logits(glmkit.load(bases(name), adapter=adapter))
    assert torch.equal(ours, of_peft(bases(name), adapter))
    assert not torch.allclose(ours, logits(glmkit.load(bases(name))), atol=1e-3)


@pytest.mark.parametrize("case", ["alpha_pattern", "rank_pattern", "dora", "bias", "modules_to_save"])
@pytest.mark.parametrize("name", ["chatglm", "chatglm2"])
@pytest.mark.filterwarnings("ignore")
def test_the_same_by_the_official_names(case: str, name: str, bases: Callable[[str], Path], tmp_path: Path) -> None:
    """What peft would have written over the official code: its names in the config too, its packing of the rows."""
    adapter = written(bases(name), tmp_path / "adapter", **READ[case])
    model = glmkit.load(bases(name), adapter=adapter)
    statemap = next(f for f in model.family.formats if f.name == "chatglm-hf").statemap(model.config)
    tensors: dict[str, torch.Tensor] = {}
    for key, tensor in load_file(adapter / "adapter_model.safetensors").items():
        layer, dot, part = key.removeprefix("base_model.model.").replace(".base_layer", "").partition(".lora_")
        weight = f"{layer}.weight" if dot else layer
        bound = statemap.external([weight])[weight]
        packed = not dot or part[0] in "Bm"
        (tensor,) = bound.packing.to_external(tensor) if packed else [tensor]
        theirs = bound.keys[0].removesuffix(".weight") + f".lora_{part}" if dot else bound.keys[0]
        tensors[f"base_model.model.{theirs}"] = tensor.contiguous()
    save_file(tensors, adapter / "adapter_model.safetensors")
    names = {"attention.qkv": "query_key_value", "mlp.up": "dense_h_to_4h", "norm": "final_layernorm"}
    table = json.loads((adapter / "adapter_config.json").read_text())
    for key in ("alpha_pattern", "rank_pattern"):
        change(adapter, **{key: {names[item]: value for item, value in table[key].items()}})
    change(adapter, target_modules=[names[item] for item in TARGETS])
    change(adapter, modules_to_save=[names[item] for item in table["modules_to_save"] or ()] or None)
    assert torch.equal(logits(glmkit.load(bases(name), adapter=adapter)), logits(model))


@pytest.mark.parametrize("case", ["dora", "pissa", "bias", "modules_to_save", "rslora"])
@pytest.mark.filterwarnings("ignore")
def test_merged(case: str, bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases("chatglm2"), tmp_path / "adapter", **READ[case])
    merge(adapter, tmp_path / "merged", bases("chatglm2"))
    assert torch.allclose(logits(glmkit.load(tmp_path / "merged")), of_peft(bases("chatglm2"), adapter), atol=1e-4)


@pytest.mark.parametrize("case", ["replaced embedding", "an embedding"])
@pytest.mark.parametrize("name", ["glm", "chatglm2"])
@pytest.mark.filterwarnings("ignore")
def test_embeddings(case: str, name: str, bases: Callable[[str], Path], tmp_path: Path) -> None:
    words = {"glm": "embedding.words", "chatglm2": "embedding"}[name]
    how = {"modules_to_save": [words]} if case == "replaced embedding" else {"target_modules": [*TARGETS, words]}
    adapter = written(bases(name), tmp_path / "adapter", **how)
    assert torch.equal(logits(glmkit.load(bases(name), adapter=adapter)), of_peft(bases(name), adapter))


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_merged_is_not(bases: Callable[[str], Path], tmp_path: Path) -> None:
    """The embedding of a GLM is its output too; the adapter is for the first of the two alone."""
    adapter = written(bases("glm"), tmp_path / "adapter", target_modules=["embedding.words"])
    with pytest.raises(ExportDiffers, match=r"adapter cannot be merged.*nothing was written"):
        merge(adapter, tmp_path / "merged", bases("glm"))
    assert os.listdir(tmp_path) == ["adapter"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("init_lora_weights", "corda"),
        ("init_lora_weights", "loftq"),
        ("init_lora_weights", "pissa_niter_16"),
        ("init_lora_weights", "lora_ga"),
        ("init_lora_weights", "magic"),
        ("trainable_token_indices", [1, 2]),
        ("layer_replication", [[0, 1]]),
        ("target_parameters", ["a.b"]),
        ("megatron_config", {"a": 1}),
        ("alora_invocation_tokens", [3]),
        ("use_qalora", True),
        ("of_tomorrow", "much"),
        ("enable_lora", [True, False, True]),
        ("r", "many"),
        ("r", 0),
        ("lora_alpha", None),
        ("rank_pattern", {"mlp.up": 1.5}),
        ("alpha_pattern", [1]),
        ("target_modules", "(("),
        ("target_modules", ["attention.qkv"]),
        ("target_modules", [*TARGETS, "mlp.down"]),
        ("layers_to_transform", [0]),
        ("modules_to_save", ["norm"]),
        ("use_dora", True),
        ("r", 5),
    ],
)
def test_keys_that_are_refused(key: str, value: Any, bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases("chatglm2"), tmp_path / "adapter")
    change(adapter, **{key: value})
    with pytest.raises(UserError, match=key if (key, value) != ("use_dora", True) else "lora_magnitude") as refused:
        glmkit.load(bases("chatglm2"), adapter=adapter)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["IA3", "PREFIX_TUNING", "PROMPT_TUNING", "ADALORA", "NEW", None, 3])
def test_other_kinds_are_named(kind: Any, bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases("chatglm2"), tmp_path / "adapter")
    change(adapter, peft_type=kind)
    with pytest.raises(UserError, match=str(kind)):
        glmkit.load(bases("chatglm2"), adapter=adapter)


def test_names_of_trainers_and_pickles(bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases("chatglm2"), tmp_path / "adapter")
    wanted = logits(glmkit.load(bases("chatglm2"), adapter=adapter))
    tensors = load_file(adapter / "adapter_model.safetensors")
    (adapter / "adapter_model.safetensors").unlink()
    for before, after in (("module.", ".default"), ("_orig_mod.", ""), ("", ".sft")):
        named = {f"{before}{key.removesuffix('.weight')}{after}.weight": tensor for key, tensor in tensors.items()}
        torch.save(named, adapter / "adapter_model.bin")
        assert torch.equal(logits(glmkit.load(bases("chatglm2"), adapter=adapter)), wanted)
    torch.save({"code": print}, adapter / "adapter_model.bin")
    with pytest.raises(UserError, match=r"adapter_model\.bin"):
        glmkit.load(bases("chatglm2"), adapter=adapter)


@pytest.mark.parametrize("key", ["use_dora", "init_lora_weights"])
def test_what_needs_the_weights_is_refused_over_codes(key: str, bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases("chatglm2"), tmp_path / "adapter", **{key: "pissa" if key != "use_dora" else True})
    with pytest.raises(UserError, match=f"{key}.*quantized"):
        glmkit.load(bases("chatglm2"), adapter=adapter, quantize="int8")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_files_elsewhere_and_pipes_are_refused(name: str, bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases("chatglm2"), tmp_path / "adapter")
    (adapter / name).rename(tmp_path / name)
    (adapter / name).symlink_to(tmp_path / name)
    with pytest.raises(UserError, match="outside its directory"):
        glmkit.load(bases("chatglm2"), adapter=adapter)
    (adapter / name).unlink()
    os.mkfifo(adapter / name)
    with pytest.raises(UserError, match="a pipe, not a file"):
        glmkit.load(bases("chatglm2"), adapter=adapter)


def test_the_base_of_somebody_elses(bases: Callable[[str], Path], tmp_path: Path) -> None:
    adapter = written(bases("chatglm2"), tmp_path / "adapter")
    with pytest.raises(UserError, match=r"does not say which model.*give base='DIR'"):
        merge(adapter, tmp_path / "merged")
    change(adapter, base_model_name_or_path="THUDM/chatglm-6b")
    with pytest.raises(UserError, match="of THUDM/chatglm-6b, which is not there; give base='DIR'"):
        merge(adapter, tmp_path / "merged")
    change(adapter, base_model_name_or_path=str(bases("chatglm2")))
    merge(adapter, tmp_path / "merged")
    assert torch.allclose(logits(glmkit.load(tmp_path / "merged")), of_peft(bases("chatglm2"), adapter), atol=1e-4)


def test_one_taken_for_the_other(bases: Callable[[str], Path], tmp_path: Path) -> None:
    base, adapter = bases("chatglm2"), written(bases("chatglm2"), tmp_path / "adapter")
    with pytest.raises(UserError, match=r"LoRA adapter of a model that it does not name.*give the model and adapter="):
        glmkit.load(adapter)
    change(adapter, base_model_name_or_path=str(base))
    with pytest.raises(UserError, match=rf"LoRA adapter of {base}, .*give {base} as the model and adapter=.*merge "):
        glmkit.load(adapter)
    with pytest.raises(UserError, match="is a model, not an adapter"):
        merge(base, tmp_path / "merged", base)
    with pytest.raises(UserError, match="no/such: no such directory"):
        glmkit.load(base, adapter="no/such")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no adapter"):
        glmkit.load(base, adapter=tmp_path / "empty")


class TestPrefixes:
    """Folders of P-tuning as the official scripts leave them."""

    @pytest.fixture
    def prefix(self) -> dict[str, torch.Tensor]:
        config = tiny("chatglm2").config
        width = 2 * config.num_layers * config.num_kv_heads * config.head_dim
        return {"transformer.prefix_encoder.embedding.weight": torch.randn(3, width) / 4}

    def test_shapes_of_folders(
        self, prefix: dict[str, torch.Tensor], bases: Callable[[str], Path], tmp_path: Path
    ) -> None:
        base, result = bases("chatglm2"), []
        for before in ("", "module.", "_orig_mod."):
            place = tmp_path / f"out{before}" / "checkpoint-3000"
            place.mkdir(parents=True)
            torch.save({f"{before}{key}": tensor for key, tensor in prefix.items()}, place / "pytorch_model.bin")
            result += [logits(glmkit.load(base, adapter=place)), logits(glmkit.load(base, adapter=place.parent))]
        short = tmp_path / "short"
        short.mkdir()
        save_file({k.removeprefix("transformer."): t for k, t in prefix.items()}, short / "model.safetensors")
        result.append(logits(glmkit.load(base, adapter=short)))
        assert all(torch.equal(item, result[0]) for item in result)
        assert not torch.allclose(result[0], logits(glmkit.load(base)), atol=1e-3)

    def test_what_is_named(self, prefix: dict[str, torch.Tensor], bases: Callable[[str], Path], tmp_path: Path) -> None:
        base = bases("chatglm2")
        for step in (1000, 3000):
            (tmp_path / "out" / f"checkpoint-{step}").mkdir(parents=True)
            torch.save(prefix, tmp_path / "out" / f"checkpoint-{step}" / "pytorch_model.bin")
        with pytest.raises(UserError, match=r"checkpoint-1000, checkpoint-3000; give one of them, .*3000 the newest"):
            glmkit.load(base, adapter=tmp_path / "out")
        with pytest.raises(UserError, match=r"holds only a prefix.*give adapter="):
            glmkit.load(tmp_path / "out" / "checkpoint-3000")
        with pytest.raises(UserError, match=r"does not say which model.*base='DIR'"):
            merge(tmp_path / "out" / "checkpoint-3000", tmp_path / "merged")
        whole = tmp_path / "whole"
        whole.mkdir()
        torch.save(prefix | {"transformer.embedding.weight": torch.zeros(2, 2)}, whole / "pytorch_model.bin")
        with pytest.raises(UserError, match="is a model, not an adapter"):
            glmkit.load(base, adapter=whole)
        with pytest.raises(UserError, match="whole model with its prefix"):
            glmkit.load(base).with_prefix(whole)
