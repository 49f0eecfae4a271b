"""Quantised linear layers against the matrix they stand for, and against the published format."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from glmkit.core.errors import UserError
from glmkit.kernels.codes import Codes, Form, dequantise, quantise, unpack_nibbles
from glmkit.nn.quantised import QuantisedLinear
from glmkit.testing import MODULE_TOLERANCE, shared_path

FORMS = [Form(bits=b, group=g, asymmetric=a) for b in (8, 4) for g in (None, 32, 64, 128) for a in (False, True)]


def name(form: Form) -> str:
    return f"int{form.bits}-{form.group or 'row'}{'-asymmetric' if form.asymmetric else ''}"


def layer(form: Form, rows: int = 48, columns: int = 256, bias: bool = True) -> tuple[QuantisedLinear, torch.nn.Linear]:
    torch.manual_seed(0)
    linear = torch.nn.Linear(columns, rows, bias=bias)
    return QuantisedLinear.of(linear, form), linear


@pytest.mark.parametrize("form", FORMS, ids=name)
def test_a_weight_is_at_most_half_a_step_from_its_code(form: Form) -> None:
    quantised, linear = layer(form)
    step = quantised.weight_scale.float().view(48, -1).repeat_interleave(256 // form.groups(256), dim=1)
    assert ((quantised.dequantize() - linear.weight).abs() <= step * (1.01 if form.asymmetric else 0.51) + 1e-7).all()


@pytest.mark.parametrize("form", FORMS, ids=name)
def test_the_layer_is_the_linear_layer_of_its_dequantised_weight(form: Form) -> None:
    quantised, linear = layer(form)
    x = torch.randn(2, 3, 256)
    expected = torch.nn.functional.linear(x, quantised.dequantize(), linear.bias)
    torch.testing.assert_close(quantised(x), expected, atol=MODULE_TOLERANCE, rtol=MODULE_TOLERANCE)


def test_matrices_of_more_rows_than_are_spelled_out_at_once() -> None:
    quantised, linear = layer(Form(bits=4, group=32), rows=4099, columns=32)
    x = torch.randn(5, 32)
    expected = torch.nn.functional.linear(x, quantised.dequantize(), linear.bias)
    torch.testing.assert_close(quantised(x), expected, atol=MODULE_TOLERANCE, rtol=MODULE_TOLERANCE)


def test_gradients_reach_the_input_and_the_bias() -> None:
    quantised, _ = layer(Form(bits=4, group=64, asymmetric=True), rows=2100, columns=64)
    x = torch.randn(3, 64, requires_grad=True)
    quantised(x).square().sum().backward()
    y = torch.nn.functional.linear(x.detach(), quantised.dequantize(), quantised.bias)
    torch.testing.assert_close(x.grad, 2 * y.detach() @ quantised.dequantize(), atol=1e-4, rtol=1e-4)
    assert quantised.bias is not None
    torch.testing.assert_close(quantised.bias.grad, 2 * y.detach().sum(0), atol=1e-4, rtol=1e-4)


@given(rows=st.integers(1, 9), columns=st.integers(1, 40), seed=st.integers(0, 99))
def test_nibbles_come_back(rows: int, columns: int, seed: int) -> None:
    values = torch.randint(-7, 8, (rows, 2 * columns), generator=torch.Generator().manual_seed(seed))
    packed = quantise(values.float(), Form(bits=4)).weight
    scale = quantise(values.float(), Form(bits=4)).scale.float()
    assert packed.shape == (rows, columns)
    assert torch.equal(unpack_nibbles(packed), (values / torch.where(scale == 0, 1, scale)[:, None]).round().char())


def test_rows_of_zeros_stay_zeros() -> None:
    for form in FORMS:
        codes = quantise(torch.zeros(3, 128), form)
        assert torch.equal(dequantise(codes, form.bits, torch.float32), torch.zeros(3, 128))


def test_moving_to_another_type_leaves_the_scales_alone() -> None:
    quantised, _ = layer(Form(bits=8))
    before = quantised.dequantize()
    moved = quantised.to(torch.bfloat16)
    assert moved.weight_scale.dtype == torch.float16
    assert torch.equal(moved.dequantize(), before)
    assert moved(torch.ones(1, 256, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UserError, match="bits must be 8 or 4, got 3"):
        Form(bits=3)
    with pytest.raises(UserError, match="group must be 32, 64 or 128"):
        Form(bits=4, group=48)
    with pytest.raises(UserError, match="96 columns do not divide into groups of 64"):
        QuantisedLinear(96, 8, Form(bits=4, group=64))
    with pytest.raises(UserError, match="even number of columns, got 7"):
        QuantisedLinear(7, 8, Form(bits=4))
    with pytest.raises(UserError, match="cannot be quantised"):
        quantise(torch.full((2, 32), float("nan")), Form(bits=8))


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
    found: dict[str, torch.Tensor] = {}
    for shard in shards:
        found |= torch.load(golden / "checkpoint_bin" / shard, weights_only=True)
    return found


@pytest.mark.parametrize("bits", [8, 4])
def test_published_checkpoints_mean_what_the_original_code_reads(golden: Path, bits: int) -> None:
    weights = torch.load(golden / f"int{bits}_bin" / "pytorch_model.bin", weights_only=True)
    expected = load_file(golden / "quant_cases.safetensors")
    keys = [key for key in expected if key.startswith(f"int{bits}.dequant.")]
    assert keys
    for key in keys:
        weight = key.removeprefix(f"int{bits}.dequant.")
        codes = Codes(weights[weight], weights[f"{weight}_scale"], None)
        assert torch.equal(dequantise(codes, bits, torch.float32), expected[key])


@pytest.mark.parametrize("bits", [8, 4])
def test_quantising_makes_the_published_codes(golden: Path, bits: int) -> None:
    expected = torch.load(golden / f"int{bits}_bin" / "pytorch_model.bin", weights_only=True)
    weights = float_weights(golden)
    scales = [key for key in expected if key.endswith(".weight_scale")]
    assert scales
    for scale in scales:
        weight = scale.removesuffix("_scale")
        codes = quantise(weights[weight], Form(bits=bits))
        assert torch.equal(codes.scale, expected[scale])
        assert torch.equal(codes.weight, expected[weight])
