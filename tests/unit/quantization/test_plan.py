"""Models quantized while they are loaded."""

from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.core.errors import UserError
from glmkit.kernels.library import library
from glmkit.kernels.quantized import QuantFormat, dequantize, quantize
from glmkit.nn.linear import FewRowsLinear
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization.scale_search import search_scales
from glmkit.testing import MODEL_TOLERANCE, MODULE_TOLERANCE, tiny

from ...reference.scale_search import q4_0, tried

IDS = torch.tensor([[5, 6, 259, 261, 7, 8]])
FAMILIES = ["glm", "neoglm", "chatglm", "chatglm2"]


@pytest.fixture(scope="module", params=FAMILIES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / request.param
    tiny(request.param).save(path)
    return path


def quantized_layers(m: glmkit.Model) -> dict[str, QuantizedLinear]:
    return {name: part for name, part in m.module.named_modules() if isinstance(part, QuantizedLinear)}


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_the_linear_layers_are_quantized(saved: Path, quantize: str) -> None:
    m = glmkit.load(saved, quantize=quantize, device="cpu")
    layers = quantized_layers(m)
    blocks = {name for name in layers if name.startswith("blocks.")}
    matrices = 6 if m.family.name == "neoglm" else 4  # queries, keys and values apart
    assert len(blocks) == matrices * m.config.num_layers
    assert {layers[name].format.bits for name in blocks} == {int(quantize[3:])}
    assert {layer.format.bits for name, layer in layers.items() if name not in blocks} <= {8}
    exact = glmkit.load(saved, device="cpu")
    for name, layer in layers.items():
        exact.module.get_submodule(name).weight.data = layer.dequantize()
    expected = exact.logits(IDS)
    torch.testing.assert_close(m.logits(IDS), expected, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_what_was_quantized_is_saved_and_read_again_as_it_is(saved: Path, quantize: str, tmp_path: Path) -> None:
    m = glmkit.load(saved, quantize=quantize, device="cpu")
    m.save(tmp_path / "codes")
    back = glmkit.load(tmp_path / "codes", device="cpu")
    assert torch.equal(back.logits(IDS), m.logits(IDS))
    assert {layer.format for layer in quantized_layers(back).values()} == {
        layer.format for layer in quantized_layers(m).values()
    }
    with pytest.raises(UserError, match="quantized already"):
        glmkit.load(tmp_path / "codes", quantize="int8")


@pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
def test_rounded_activations_are_near_the_exact_ones(saved: Path) -> None:
    exact = glmkit.load(saved, quantize="int8", device="cpu", activations="exact")
    rounded = glmkit.load(saved, quantize="int8", device="cpu", activations="int8")
    assert all(layer.packed is not None for layer in quantized_layers(rounded).values())
    a, b = exact.logits(IDS).log_softmax(-1), rounded.logits(IDS).log_softmax(-1)
    assert 0 < (a.exp() * (a - b)).sum(-1).mean() < 0.02
    half = glmkit.load(saved, quantize="int8", dtype="bfloat16", device="cpu")
    assert all(layer.packed is not None for layer in quantized_layers(half).values())


@pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
def test_16_bit_models_read_one_token_through_the_kernels(saved: Path) -> None:
    m = glmkit.load(saved, dtype="bfloat16", device="cpu")
    layers = [part for part in m.module.modules() if isinstance(part, FewRowsLinear)]
    assert len(layers) >= 4 * m.config.num_layers
    with torch.no_grad():
        for layer in layers:
            x = torch.randn(1, 1, layer.in_features, dtype=torch.bfloat16)
            torch.testing.assert_close(layer(x), layer(x.expand(1, 3, -1))[:, :1], atol=0.05, rtol=0.01)


def test_unknown_words_are_named(saved: Path) -> None:
    with pytest.raises(UserError, match="unknown quantize 'int3'"):
        glmkit.load(saved, quantize="int3")
    with pytest.raises(UserError, match="activations must be one of auto, exact, int8, got 'int4'"):
        glmkit.load(saved, activations="int4")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "format",
    [QuantFormat(bits=4, group=32), QuantFormat(bits=4, group=64, asymmetric=True), QuantFormat(bits=4)],
    ids=str,
)
def test_searched_scales_are_nearer_than_those_of_the_largest_weight(format: QuantFormat) -> None:
    weight = torch.randn(33, 256, generator=torch.Generator().manual_seed(0))
    weight[3] = 0
    off = [
        (dequantize(make(weight, format), 4, torch.float32) - weight).square().sum()
        for make in (search_scales, quantize)
    ]
    assert off[0] < off[1]
    importance = torch.ones(256)
    importance[:64] = 100
    fitted = dequantize(search_scales(weight, format, importance), 4, torch.float32)
    assert ((fitted - weight).square() * importance).sum() <= (
        (dequantize(search_scales(weight, format), 4, torch.float32) - weight).square() * importance
    ).sum()


@pytest.mark.parametrize("tails", [3, 5, 1000])
def test_fitted_steps_are_about_the_best_there_are(tails: int) -> None:
    torch.manual_seed(tails)
    weight = torch.distributions.StudentT(float(tails)).sample((64, 512)) * 0.02
    off, most = {}, float((q4_0(weight) - weight).square().sum())
    for group in (32, 64):
        format = QuantFormat(bits=4, group=group, asymmetric=True)
        off[group] = float((dequantize(search_scales(weight, format), 4, torch.float32) - weight).square().sum())
        assert off[group] < 1.015 * float(tried(weight.view(-1, group)).sum())
    assert off[32] < 0.85 * most
    assert off[64] < 1.03 * most  # with fewer bits


@pytest.mark.parametrize("asymmetric", [False, True])
def test_no_group_is_further_off_than_under_a_few_steps(asymmetric: bool) -> None:
    x = torch.randn(40, 8, 64, generator=torch.Generator().manual_seed(2))
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    least = torch.full((40, 8), float("inf"))
    for factor in (1.0, 0.95, 0.9, 0.85):
        step = factor * ((high - low) / 15 if asymmetric else torch.where(high > -low, high, low) / -8)
        step = step.half().float()
        zero = (-8 - low * factor / step).round() if asymmetric else torch.zeros_like(low)
        codes = ((x / step).round() + zero).clamp(-8, 7)
        least = torch.minimum(least, ((codes - zero) * step - x).square().sum(-1))
    format = QuantFormat(bits=4, group=64, asymmetric=asymmetric)
    off = (dequantize(search_scales(x.view(40, -1), format), 4, torch.float32).view_as(x) - x).square().sum(-1)
    assert bool((off <= least * (1 + MODULE_TOLERANCE)).all())
    assert off.sum() < 0.99 * least.sum()


@pytest.mark.parametrize("largest", [1e-9, 3e5])
def test_tiny_and_large_weights_stay_near(largest: float) -> None:
    weight = torch.randn(4, 64, generator=torch.Generator().manual_seed(0)).clamp(-1, 1) * largest
    for format in (
        QuantFormat(bits=4, group=64, asymmetric=True),
        QuantFormat(bits=4, group=64),
        QuantFormat(bits=8, asymmetric=True),
    ):
        back = dequantize(search_scales(weight, format), format.bits, torch.float32)
        assert (back - weight).norm() <= weight.norm()


def test_weights_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be quantized"):
        search_scales(torch.full((2, 32), float("inf")), QuantFormat(bits=4, group=32))
