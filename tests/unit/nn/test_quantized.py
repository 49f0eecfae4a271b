"""Quantized linear layers against the matrix they stand for, and against the published format."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from glmkit.core.errors import UserError
from glmkit.kernels.quantized import QuantFormat, QuantizedTensor, dequantize, quantize, unpack_nibbles
from glmkit.nn.quantized import QuantizedLinear
from glmkit.testing import MODULE_TOLERANCE, shared_path

FORMATS = [
    QuantFormat(bits=b, group=g, asymmetric=a) for b in (8, 4) for g in (None, 32, 64, 128) for a in (False, True)
]


def name(format: QuantFormat) -> str:
    return f"int{format.bits}-{format.group or 'row'}{'-asymmetric' if format.asymmetric else ''}"


def layer(
    format: QuantFormat, rows: int = 48, columns: int = 256, bias: bool = True
) -> tuple[QuantizedLinear, torch.nn.Linear]:
    torch.manual_seed(0)
    linear = torch.nn.Linear(columns, rows, bias=bias)
    return QuantizedLinear.of(linear, format), linear


@pytest.mark.parametrize("format", FORMATS, ids=name)
def test_a_weight_is_at_most_half_a_step_from_its_integer(format: QuantFormat) -> None:
    quantized, linear = layer(format)
    step = quantized.weight_scale.float().view(48, -1).repeat_interleave(256 // format.groups(256), dim=1)
    assert ((quantized.dequantize() - linear.weight).abs() <= step * (1.01 if format.asymmetric else 0.51) + 1e-7).all()


@pytest.mark.parametrize("format", FORMATS, ids=name)
def test_the_layer_is_the_linear_layer_of_its_dequantized_weight(format: QuantFormat) -> None:
    quantized, linear = layer(format)
    x = torch.randn(2, 3, 256)
    expected = torch.nn.functional.linear(x, quantized.dequantize(), linear.bias)
    torch.testing.assert_close(quantized(x), expected, atol=MODULE_TOLERANCE, rtol=MODULE_TOLERANCE)


def test_matrices_of_more_rows_than_are_dequantized_at_once() -> None:
    quantized, linear = layer(QuantFormat(bits=4, group=32), rows=4099, columns=32)
    x = torch.randn(5, 32)
    expected = torch.nn.functional.linear(x, quantized.dequantize(), linear.bias)
    torch.testing.assert_close(quantized(x), expected, atol=MODULE_TOLERANCE, rtol=MODULE_TOLERANCE)


def test_gradients_reach_the_input_and_the_bias() -> None:
    quantized, _ = layer(QuantFormat(bits=4, group=64, asymmetric=True), rows=2100, columns=64)
    x = torch.randn(3, 64, requires_grad=True)
    quantized(x).square().sum().backward()
    y = torch.nn.functional.linear(x.detach(), quantized.dequantize(), quantized.bias)
    torch.testing.assert_close(x.grad, 2 * y.detach() @ quantized.dequantize(), atol=1e-4, rtol=1e-4)
    assert quantized.bias is not None
    torch.testing.assert_close(quantized.bias.grad, 2 * y.detach().sum(0), atol=1e-4, rtol=1e-4)


@given(rows=st.integers(1, 9), columns=st.integers(1, 40), seed=st.integers(0, 99))
def test_nibbles_come_back(rows: int, columns: int, seed: int) -> None:
    values = torch.randint(-7, 8, (rows, 2 * columns), generator=torch.Generator().manual_seed(seed))
    packed = quantize(values.float(), QuantFormat(bits=4)).weight
    scale = quantize(values.float(), QuantFormat(bits=4)).scale.float()
    assert packed.shape == (rows, columns)
    assert torch.equal(unpack_nibbles(packed), (values / torch.where(scale == 0, 1, scale)[:, None]).round().char())


def test_rows_of_zeros_stay_zeros() -> None:
    for format in FORMATS:
        codes = quantize(torch.zeros(3, 128), format)
        assert torch.equal(dequantize(codes, format.bits, torch.float32), torch.zeros(3, 128))


def test_moving_to_another_type_leaves_the_scales_alone() -> None:
    quantized, _ = layer(QuantFormat(bits=8))
    before = quantized.dequantize()
    moved = quantized.to(torch.bfloat16)
    assert moved.weight_scale.dtype == torch.float16
    assert torch.equal(moved.dequantize(), before)
    assert moved(torch.ones(1, 256, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UserError, match="bits must be 8 or 4, got 3"):
        QuantFormat(bits=3)
    with pytest.raises(UserError, match="group must be 32, 64 or 128"):
        QuantFormat(bits=4, group=48)
    with pytest.raises(UserError, match="96 columns do not divide into groups of 64"):
        QuantizedLinear(96, 8, QuantFormat(bits=4, group=64))
    with pytest.raises(UserError, match="even number of columns, got 7"):
        QuantizedLinear(7, 8, QuantFormat(bits=4))
    with pytest.raises(UserError, match="cannot be quantized"):
        quantize(torch.full((2, 32), float("nan")), QuantFormat(bits=8))


@pytest.fixture(params=["v1", "v2"])
def golden(request: pytest.FixtureRequest) -> Path:
    path = shared_path("golden", "chatglm", request.param)
    if path is None:
        pytest.skip("no goldens: set GLMKIT_SHARED to the folder that holds golden/chatglm")
    return path


def float_weights(golden: Path) -> dict[str, torch.Tensor]:
    shards = set(
        json.loads((golden / "checkpoint_bin/pytorch_model.bin.index.json").read_text())["weight_map"].values()
    )
    results: dict[str, torch.Tensor] = {}
    for shard in shards:
        results |= torch.load(golden / "checkpoint_bin" / shard, weights_only=True)
    return results


@pytest.mark.parametrize("bits", [8, 4])
def test_published_checkpoints_mean_what_the_original_code_reads(golden: Path, bits: int) -> None:
    weights = torch.load(golden / f"int{bits}_bin" / "pytorch_model.bin", weights_only=True)
    expected = load_file(golden / "quant_cases.safetensors")
    keys = [key for key in expected if key.startswith(f"int{bits}.dequant.")]
    assert keys
    for key in keys:
        weight = key.removeprefix(f"int{bits}.dequant.")
        codes = QuantizedTensor(weights[weight], weights[f"{weight}_scale"], None)
        assert torch.equal(dequantize(codes, bits, torch.float32), expected[key])


@pytest.mark.parametrize("bits", [8, 4])
def test_quantizing_makes_the_published_codes(golden: Path, bits: int) -> None:
    expected = torch.load(golden / f"int{bits}_bin" / "pytorch_model.bin", weights_only=True)
    weights = float_weights(golden)
    scales = [key for key in expected if key.endswith(".weight_scale")]
    assert scales
    for scale in scales:
        weight = scale.removesuffix("_scale")
        codes = quantize(weights[weight], QuantFormat(bits=bits))
        assert torch.equal(codes.scale, expected[scale])
        assert torch.equal(codes.weight, expected[weight])
