"""Adapters: small directories, the same in peft, over quantized weights too, and merged into plain models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import glmkit
from glmkit.api.merge import merge
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.types import AttentionMask
from glmkit.families.adapter import AdapterOf, fingerprint
from glmkit.families.load import open_model, read
from glmkit.nn.quantized import QuantizedLinear
from glmkit.testing import GRADIENT_TOLERANCE, MODEL_TOLERANCE, tiny
from glmkit.train.lora import LoraConfig, merge_lora
from glmkit.train.methods import Name, tune
from glmkit.train.ptuning import PrefixConfig

Make = Callable[..., Path]
LORA = [("glm", "lora"), ("neoglm", "lora"), ("chatglm", "lora"), ("chatglm2", "lora")]
BOTH = [*LORA, ("neoglm", "ptuning"), ("chatglm", "ptuning"), ("chatglm2", "ptuning")]


@pytest.fixture
def base(tmp_path: Path) -> Make:
    """Writes the tiny model of a name once, and returns its directory."""

    def make(name: str = "chatglm2", seed: int = 0) -> Path:
        path = tmp_path / f"{name}-{seed}"
        if not path.exists():
            tiny(name, seed=seed).save(path)
        return path

    return make


def trained(base: Path, path: Path, method: Name = "lora", **how: Any) -> Path:
    """An adapter with random weights, as training would leave it."""
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    source = open_model(base)
    loaded = read(base, dtype=torch.float32, activations="exact", **how)
    row = AdapterOf(method=method, family=loaded.family.name, base=str(base), fingerprint=fingerprint(source))
    tuned = tune(method, loaded, row, LoraConfig(rank=4), PrefixConfig(num=5), seed=1)
    generator = torch.Generator().manual_seed(3)
    for parameter in tuned.loaded.model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(0, 0.2, generator=generator)
    path.mkdir()
    tuned.write(path, {"config": {}})
    return path


def logits(model: Any) -> torch.Tensor:
    ids = torch.arange(24).reshape(2, 12) * 7 % 250
    positions = torch.arange(12).expand(2, model.position_scheme.channels, 12)
    return model.logits(ids, positions, context=0)


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)


@pytest.mark.parametrize(("name", "method"), BOTH)
def test_merged_is_base_plus_adapter(name: str, method: Name, base: Make, tmp_path: Path) -> None:
    adapter = trained(base(name), tmp_path / "adapter", method)
    assert merge(adapter, tmp_path / "merged") < 1e-4
    close(logits(glmkit.load(tmp_path / "merged")), logits(glmkit.load(adapter)))
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert config["family"] == open_model(base(name)).detected.family.name


def test_peft_reads_our_adapters_and_we_read_those_of_peft(base: Make, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="LoRA needs peft")
    adapter = trained(base(), tmp_path / "adapter")
    ours = glmkit.load(adapter)
    plain = glmkit.load(base())
    theirs = peft.PeftModel.from_pretrained(plain.module, str(adapter))
    plain.module = theirs.base_model.model
    assert torch.equal(logits(plain), logits(ours))
    theirs.save_pretrained(str(tmp_path / "theirs"), save_embedding_layers=False)
    assert not (tmp_path / "theirs" / "adapter.json").exists()
    assert torch.equal(logits(glmkit.load(base(), adapter=tmp_path / "theirs")), logits(ours))


@pytest.mark.parametrize("name", ["chatglm", "chatglm2"])
def test_adapters_of_the_official_code_are_read_by_its_names(name: str, base: Make, tmp_path: Path) -> None:
    """Of queries, keys and values that ChatGLM-6B packs by head, B is packed as ours."""
    adapter = trained(base(name), tmp_path / "adapter")
    ours = glmkit.load(adapter)
    statemap = next(f for f in ours.family.formats if f.name == "chatglm-hf").statemap(ours.config)
    theirs = {}
    for key, tensor in load_file(adapter / "adapter_model.safetensors").items():
        layer, _, rest = key.removeprefix("base_model.model.").partition(".lora_")
        bound = statemap.external([f"{layer}.weight"])[f"{layer}.weight"]
        (packed,) = bound.packing.to_external(tensor) if rest.startswith("B") else [tensor]
        theirs[f"base_model.model.{bound.keys[0].removesuffix('.weight')}.lora_{rest}"] = packed.contiguous()
    official = tmp_path / "official"
    official.mkdir()
    save_file(theirs, official / "adapter_model.safetensors")
    (official / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())
    assert torch.equal(logits(glmkit.load(base(name), adapter=official)), logits(ours))


@pytest.mark.parametrize("quantize", ["int8", "int4"])
@pytest.mark.parametrize("method", ["lora", "ptuning"])
def test_gradients_pass_through_frozen_codes(quantize: str, method: Name, base: Make, tmp_path: Path) -> None:
    """They are those over the plain layers that the codes mean."""
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    results = []
    for dequantized in (False, True):
        loaded = read(base(), dtype=torch.float32, quantize=quantize, activations="exact")
        if dequantized:
            for name, part in list(loaded.model.named_modules()):
                if isinstance(part, QuantizedLinear):
                    plain = nn.Linear(part.in_features, part.out_features, part.bias is not None)
                    plain.weight.data, plain.bias = part.dequantize(), part.bias
                    loaded.model.set_submodule(name, plain)
        row = AdapterOf(method=method, family="chatglm2", base="", fingerprint="")
        model = tune(method, loaded, row, LoraConfig(dropout=0.0), PrefixConfig(num=3), seed=0).loaded.model.eval()
        ids = torch.arange(12)[None]
        model.logits(model(ids, ids[None], AttentionMask.prefix([0]))).square().mean().backward()
        results.append({name: p.grad for name, p in model.named_parameters() if p.requires_grad})
    assert results[0].keys() == results[1].keys()
    for name, gradient in results[0].items():
        assert gradient is not None
        torch.testing.assert_close(gradient, results[1][name], atol=GRADIENT_TOLERANCE, rtol=GRADIENT_TOLERANCE)


def test_what_does_not_fit_together_is_refused(base: Make, tmp_path: Path) -> None:
    adapter = trained(base(), tmp_path / "adapter")
    with pytest.raises(UserError, match="trained on other weights"):
        glmkit.load(base(seed=1), adapter=adapter)
    with pytest.raises(UserError, match="adapter of family chatglm2"):
        glmkit.load(base("glm"), adapter=adapter)
    loaded = read(base(), quantize="int4")
    row = AdapterOf(method="lora", family="chatglm2", base="", fingerprint="")
    with pytest.raises(UserError, match="weights are integers"):
        tune("full", loaded, row, LoraConfig(), PrefixConfig(), seed=0)
    with pytest.raises(UserError, match="takes no prefix"):
        tune("ptuning", read(base("glm")), row, LoraConfig(), PrefixConfig(), seed=0)
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CorruptFile, match=r"adapter_model\.safetensors"):
        glmkit.load(adapter)
    (tmp_path / "chatglm2-0").rename(tmp_path / "moved")
    with pytest.raises(UserError, match="which is not there"):
        glmkit.load(adapter)


def test_an_adapter_lies_over_its_base_quantized_and_is_not_merged_into_it(base: Make, tmp_path: Path) -> None:
    adapter = trained(base(), tmp_path / "adapter")
    exact = logits(glmkit.load(adapter))
    rounded = logits(glmkit.load(adapter, quantize="int8", activations="exact"))
    assert 0 < float((exact - rounded).std()) < 0.1 * float(exact.std())
    model = glmkit.load(adapter, quantize="int8")
    with pytest.raises(UserError, match="quantized"):
        merge_lora(model.module)
