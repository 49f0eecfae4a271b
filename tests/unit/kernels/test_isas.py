"""The compiled kernels at every level this processor runs, against the matrix the codes stand for."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.kernels import library as loading
from glmkit.kernels import ops
from glmkit.kernels.library import Library, isas, library
from glmkit.kernels.linear import few_rows, linear, num_rows_alike, packed_linear, quantized_linear
from glmkit.kernels.packed import Packed, pack, unpack
from glmkit.kernels.quantized import QuantFormat, dequantize, quantize
from glmkit.nn.linear import FusedRMSNorm
from glmkit.nn.mlp import swiglu
from glmkit.nn.positions import InterleavedRope, interleaved_rope
from glmkit.nn.quantized import QuantizedLinear
from glmkit.testing import MODEL_TOLERANCE, MODULE_TOLERANCE

COMPILED = isas()[:-1]
pytestmark = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@pytest.fixture(scope="module", params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


forms = st.builds(
    QuantFormat, bits=st.sampled_from([4, 8]), group=st.sampled_from([None, 32, 64, 128]), asymmetric=st.booleans()
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[QuantFormat, int, int, int, int]:
    """A form, rows of x, rows and columns of the matrix, and a seed."""
    form = draw(forms)
    columns = form.group * draw(st.integers(1, 4)) if form.group else 2 * draw(st.integers(1, 150))
    return form, draw(st.integers(1, 40)), draw(st.integers(1, 70)), columns, draw(st.integers(0, 999))


def rounded_to_8_bits(x: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor]:
    """x as the kernels see it, and half a step of each number: how far it may be from what it was."""
    rows, columns = x.shape
    padded = torch.zeros(rows, -(-columns // 128) * 128)
    padded[:, :columns] = x.float()
    blocks = padded.view(rows, -1, block)
    most = blocks.abs().amax(-1, keepdim=True)
    step, inverse = most / 127, torch.where(most > 0, 127 / most, 0)
    seen = ((blocks * inverse).round() * step).view(rows, -1)[:, :columns]
    return seen, (step / 2).expand_as(blocks).reshape(rows, -1)[:, :columns]


@given(case=cases(), dtype=st.sampled_from(DTYPES))
def test_every_level_is_the_dequantized_matrix_up_to_the_rounding_of_x(
    level: str, threads: int, case: tuple[QuantFormat, int, int, int, int], dtype: torch.dtype
) -> None:
    form, m, rows, columns, seed = case
    generator = torch.Generator().manual_seed(seed)
    codes = quantize(torch.randn(rows, columns, generator=generator), form)
    packed = pack(codes, form.bits)
    weight = dequantize(codes, form.bits, torch.float32)
    x, bias = torch.randn(m, columns, generator=generator).to(dtype), torch.randn(rows, generator=generator).to(dtype)
    seen, half = rounded_to_8_bits(x, ops.activation_group_size(packed.group))
    exact = torch.nn.functional.linear(x.float(), weight, bias.float())
    y = packed_linear(x, packed, bias)
    assert y.dtype == dtype
    store = {torch.float32: 1e-6, torch.bfloat16: 2**-8, torch.float16: 2**-11}[dtype]
    allowed = half @ weight.abs().T + store * exact.abs() + MODEL_TOLERANCE * (1 + x.float().abs() @ weight.abs().T)
    assert ((y.float() - exact).abs() <= allowed).all()
    if dtype == torch.float32:  # and what is left after the rounding of x is rounding of float32
        near = torch.nn.functional.linear(seen, weight, bias)
        assert ((y - near).abs() <= MODULE_TOLERANCE * (1 + x.abs() @ weight.abs().T)).all()


@given(case=cases())
def test_packing_only_moves_codes(case: tuple[QuantFormat, int, int, int, int]) -> None:
    form, _, rows, columns, seed = case
    codes = quantize(torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)), form)
    back = unpack(pack(codes, form.bits))
    assert torch.equal(back.weight, codes.weight)
    assert torch.equal(back.scale, codes.scale)
    assert codes.zero is None if back.zero is None else torch.equal(back.zero, codes.zero)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (64, 96), (131, 77), (40, 64), (300, 512), (1000, 96)])
def test_a_few_rows_of_16_bit_numbers(level: str, threads: int, dtype: torch.dtype, rows: int, columns: int) -> None:
    """Each as exact as rounding allows, and to the last bit what it is alone; of AMX those that are few."""
    weight, bias = torch.randn(rows, columns).to(dtype), torch.randn(rows).to(dtype)
    most = few_rows(weight)
    x = torch.randn(most, columns).to(dtype)
    exact = torch.nn.functional.linear(x.double(), weight.double(), bias.double())
    with torch.no_grad():
        y = linear(x, weight, bias)
        alike = min(most, num_rows_alike())
        few = linear(x[:alike], weight, bias)
        for count in range(1, most):
            assert torch.equal(linear(x[:count], weight, bias), (few if count <= alike else y)[:count])
        assert torch.equal(linear(x[alike - 1], weight, bias), few[-1])
    step = 2**-8 if dtype == torch.bfloat16 else 2**-11
    assert ((y.double() - exact).abs() <= step * exact.abs() + MODULE_TOLERANCE * (1 + exact.abs())).all()


@pytest.mark.parametrize("columns", [1, 40, 192])
def test_norm_and_swiglu_are_torchs(level: str, threads: int, columns: int) -> None:
    torch.manual_seed(0)
    norm = torch.nn.RMSNorm(columns, 1e-5)
    norm.weight.data.normal_(1, 0.2)
    norm = norm.bfloat16().requires_grad_(False)
    x, gated = 4 * torch.randn(2, 13, columns).bfloat16(), 20 * torch.randn(2, 13, 2 * columns).bfloat16()
    gated[0, 0, 0] = float("nan")
    with torch.no_grad():
        exact = torch.nn.functional.rms_norm(x.float(), (columns,), norm.weight.float(), 1e-5)
        torch.testing.assert_close(FusedRMSNorm.of(norm)(x).float(), exact, atol=1e-6, rtol=2**-8)
        gate, value = gated.chunk(2, dim=-1)
        expected = torch.nn.functional.silu(gate) * value
        torch.testing.assert_close(swiglu(gated), expected, atol=1e-6, rtol=2**-7, equal_nan=True)


@pytest.mark.parametrize("shape", [(1, 3, 1, 8), (2, 6, 5, 16), (3, 1, 19, 40)])
def test_heads_are_turned_as_torch_does(level: str, threads: int, shape: tuple[int, int, int, int]) -> None:
    rows, count, length, size = shape
    table = interleaved_rope(torch.randint(0, 500, (rows, length)), size // 2)
    heads = torch.randn(rows, length, count + 2, size).bfloat16().transpose(1, 2)[:, :count]  # a part of a projection
    want = InterleavedRope(table.cos, table.sin)(heads.float())
    for part in (heads, heads.contiguous()):
        with torch.no_grad():
            got = table(part)
        assert got.dtype == torch.bfloat16
        torch.testing.assert_close(got.float(), want, atol=1e-6, rtol=2**-8)


def test_what_is_not_a_number_stays_none(level: str) -> None:
    packed = pack(quantize(torch.randn(16, 64), QuantFormat(bits=4)), 4)
    x = torch.randn(2, 64)
    x[0, 3] = float("nan")
    y = packed_linear(x, packed)
    assert y[0].isnan().all()
    assert not y[1].isnan().any()


def test_more_rows_than_are_taken_at_once(level: str) -> None:
    codes = quantize(torch.randn(40, 128), QuantFormat(bits=8, group=64))
    packed = pack(codes, 8)
    x = torch.randn(1100, 128)
    y = packed_linear(x, packed)
    for begin in range(0, 1100, 100):
        part = packed_linear(x[begin : begin + 100], packed)
        torch.testing.assert_close(y[begin : begin + 100], part, atol=MODULE_TOLERANCE, rtol=MODULE_TOLERANCE)
    assert packed_linear(x[:0], packed).shape == (0, 40)


def test_a_row_does_not_depend_on_those_beside_it(level: str, threads: int) -> None:
    packed = pack(quantize(torch.randn(600, 1088), QuantFormat(bits=4, group=64, asymmetric=True)), 4)
    x = torch.randn(1100, 1088).bfloat16()
    x[7, 3] = float("nan")
    y = packed_linear(x, packed)
    assert y[7].isnan().all()
    for begin in (0, 500, 1040):
        part = packed_linear(x[begin : begin + 60], packed)
        torch.testing.assert_close(y[begin : begin + 60], part, atol=1e-6, rtol=2**-7, equal_nan=True)


@given(case=cases(), dtype=st.sampled_from(DTYPES))
def test_a_row_gets_the_same_numbers_alone_and_among_others(
    level: str, threads: int, case: tuple[QuantFormat, int, int, int, int], dtype: torch.dtype
) -> None:
    """To the last bit; of AMX, which multiplies more than a few rows in another order, to the rounding of float32.
    There more than 32 rows of bfloat16 are not rounded to 8 bits at all."""
    form, m, rows, columns, seed = case
    generator = torch.Generator().manual_seed(seed)
    packed = pack(quantize(torch.randn(rows, columns, generator=generator), form), form.bits)
    x = torch.randn(m, columns, generator=generator).to(dtype)
    together, alone = packed_linear(x, packed), torch.cat([packed_linear(row, packed) for row in x.split(1)])
    if level != "amx" or m <= num_rows_alike():
        assert torch.equal(together, alone)
    elif m <= 32:
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=2**-7 if dtype == torch.bfloat16 else 2**-10)


def layers(form: QuantFormat) -> tuple[QuantizedLinear, QuantizedLinear]:
    """The same layer, packed and not."""
    torch.manual_seed(0)
    linear = torch.nn.Linear(128, 48)
    plain, packed = QuantizedLinear.of(linear, form), QuantizedLinear.of(linear, form)
    assert packed.pack()
    return plain, packed


def test_a_packed_layer_saves_and_loads_the_official_form() -> None:
    plain, packed = layers(QuantFormat(bits=4, group=32, asymmetric=True))
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, packed.state_dict()[name]), name
    other, _ = layers(QuantFormat(bits=4, group=32, asymmetric=True))
    other.weight.zero_()
    other.load_state_dict(packed.state_dict())
    assert torch.equal(other.dequantize(), plain.dequantize())
    packed.unpack()
    x = torch.randn(3, 128)
    assert torch.equal(packed(x), plain(x))


def test_gradients_go_around_the_kernels() -> None:
    plain, packed = layers(QuantFormat(bits=8))
    x = torch.randn(3, 128, requires_grad=True)
    packed(x).sum().backward()
    got, x.grad = x.grad, None
    plain(x).sum().backward()
    assert torch.equal(got, x.grad)


def test_the_operators_have_shapes_for_export() -> None:
    _, packed = layers(QuantFormat(bits=4, group=64))
    with torch.no_grad():
        exported = torch.export.export(packed.eval(), (torch.randn(2, 128),))
        x = torch.randn(2, 128)
        torch.testing.assert_close(exported.module()(x), packed(x))
    assert "glmkit.packed_linear" in str(exported.graph)


def test_without_the_library_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, packed = layers(QuantFormat(bits=4))
    for module in ("linear", "packed", "ops"):
        monkeypatch.setattr(f"glmkit.kernels.{module}.library", lambda: None)
    monkeypatch.setattr("glmkit.nn.quantized.library", lambda: None)
    x = torch.randn(3, 128)
    torch.testing.assert_close(packed(x), plain(x))
    assert not plain.pack()
    assert isinstance(packed.packed, Packed)
    assert torch.equal(linear(x, plain.dequantize()), torch.nn.functional.linear(x, plain.dequantize()))
    assert torch.equal(quantized_linear(x, plain.quantized_weight, 4, plain.bias), plain(x))


@pytest.mark.parametrize("name", [*COMPILED[-1:], "torch"])
def test_the_variable_forces_a_level(name: str) -> None:
    code = "from glmkit.kernels.library import isa; print(isa())"
    environment = os.environ | {"GLMKIT_KERNELS": name}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == name


def test_a_level_that_cannot_run_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLMKIT_KERNELS", "altivec")
    loading.library.cache_clear()
    with pytest.raises(UserError, match="GLMKIT_KERNELS is 'altivec', but this installation and processor offer"):
        library()
    monkeypatch.undo()
    loading.library.cache_clear()
    assert isinstance(library(), Library)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_many_rows_of_16_bit_numbers_through_float32(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    """As on a processor without products of 16 bits: rounded once, and of more weights than are widened at once."""
    monkeypatch.setattr("glmkit.kernels.linear._multiplies_16_bits", lambda: False)
    weight, bias, x = torch.randn(5000, 64).to(dtype), torch.randn(5000).to(dtype), torch.randn(3, 50, 64).to(dtype)
    exact = torch.nn.functional.linear(x.double(), weight.double(), bias.double())
    with torch.no_grad():
        y = linear(x, weight, bias)
    assert y.dtype == dtype
    assert ((y.double() - exact).abs() <= torch.finfo(dtype).eps / 2 * exact.abs() + 1e-4).all()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums_fit(level: str, threads: int, bits: int, sign: int) -> None:
    """Every integer and every activation at its largest: what adds them up in 16 bits must not overflow."""
    codes = quantize(torch.ones(40, 256), QuantFormat(bits=bits, group=32, asymmetric=False))
    exact = dequantize(codes, bits, torch.float32).sum(1)
    y = packed_linear(torch.full((6, 256), float(sign)), pack(codes, bits))
    torch.testing.assert_close(y, (sign * exact).expand(6, 40), rtol=1e-5, atol=0)
