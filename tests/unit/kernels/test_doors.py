"""What the compiled kernels are given is looked at before they read it: wrong sizes are an error, empty ones empty.

Run under the address and undefined-behaviour sanitizers, too (`make sanitize`): a read beyond a tensor ends that run.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glmkit.kernels import fused_decode, ops
from glmkit.kernels.cache_rows import CacheRows
from glmkit.kernels.fused_decode import Addition, BlockSizes, FusedBlock, HeadRotation, Product
from glmkit.kernels.library import library
from glmkit.kernels.linear import linear, packed_linear
from glmkit.kernels.packed import pack, unpack
from glmkit.kernels.quantized import QuantFormat, dequantize, quantize
from glmkit.nn.cache import KVCache
from glmkit.nn.quantized import QuantizedLinear

pytestmark = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
WAYS: Sequence[Callable[..., Tensor]] = (
    lambda name, *arguments: ops.call(name, *arguments),  # past torch's dispatcher
    lambda name, *arguments: getattr(torch.ops.glmkit, name)(*arguments),
)
HALF = torch.bfloat16


def matrix(rows: int, columns: int, form: QuantFormat | None = None) -> Any:
    form = form or QuantFormat(bits=4, group=32)
    return pack(quantize(torch.randn(rows, columns), form), form.bits)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("packed_linear", lambda: (torch.randn(2, 96), *parts(40, 64))),  # a wider x than the matrix
        ("packed_linear", lambda: (torch.randn(2, 32), *parts(40, 64))),
        ("packed_linear", lambda: (torch.randn(2, 128), *parts(40, 96))),  # of the same padded width
        ("packed_linear", lambda: (torch.randn(2, 64).double(), *parts(40, 64))),
        ("packed_linear", lambda: (torch.tensor(1.0), *parts(40, 64))),
        ("packed_linear", lambda: (torch.randn(2, 64), *parts(40, 64, bias=39))),
        ("packed_linear", lambda: (torch.randn(2, 64), *parts(40, 64, rows=400))),
        ("packed_linear", lambda: (torch.randn(2, 64), *parts(40, 64, bits=8))),
        ("packed_linear", lambda: (torch.randn(2, 64), *parts(40, 64, group=0))),
        ("packed_linear", lambda: (torch.randn(2, 64), *parts(40, 64, group=48))),
        ("packed_linear", lambda: (torch.randn(2, 64), *parts(40, 64, zeros=True))),
        ("packed_linear", lambda: (torch.randn(2, 64), *parts(40, 64, tile_blocks=torch.zeros(5)))),
        ("packed_linear", lambda: (torch.randn(2, 0), *parts(40, 64, columns=2**62))),
        ("linear_fp16", lambda: (halves(65), halves(40, 64), None)),
        ("linear_fp16", lambda: (halves(2, 63), halves(40, 64), None)),
        ("linear_fp16", lambda: (halves(64), halves(40, 64), halves(39))),
        ("linear_fp16", lambda: (halves(64), halves(40, 64), torch.randn(40))),
        ("linear_fp16", lambda: (halves(64).half(), halves(40, 64), None)),
        ("linear_fp16", lambda: (torch.randn(64), torch.randn(40, 64), None)),
        ("linear_fp16", lambda: (halves(64), halves(64), None)),
        ("rms_norm", lambda: (halves(3, 64), halves(63), 1e-5)),
        ("rms_norm", lambda: (halves(3, 64), torch.ones(64), 1e-5)),
        ("rms_norm", lambda: (torch.randn(3, 64), torch.ones(64), 1e-5)),
        ("swiglu", lambda: (halves(3, 63),)),
        ("swiglu", lambda: (torch.randn(3, 64),)),
        ("apply_rope", lambda: (halves(1, 2, 3, 8), torch.randn(1, 1, 4, 4), torch.randn(1, 1, 4, 4))),
        ("apply_rope", lambda: (halves(1, 2, 3, 8), torch.randn(1, 1, 3, 5), torch.randn(1, 1, 3, 5))),
        ("apply_rope", lambda: (halves(1, 2, 3, 8), torch.randn(1, 1, 3, 4), torch.randn(1, 1, 3, 3))),
        ("apply_rope", lambda: (halves(2, 2, 3, 8), torch.randn(3, 1, 3, 4), torch.randn(3, 1, 3, 4))),
        ("apply_rope", lambda: (halves(1, 2, 3, 8), torch.randn(1, 1, 3, 4).half(), torch.randn(1, 1, 3, 4).half())),
        ("apply_rope", lambda: (halves(2, 3, 8), torch.randn(1, 1, 3, 4), torch.randn(1, 1, 3, 4))),
    ],
)
def test_what_does_not_fit_is_an_error(
    level: str, way: Callable[..., Tensor], name: str, arguments: Callable[[], tuple[Any, ...]]
) -> None:
    with pytest.raises((ValueError, RuntimeError), match=r"must be|no tile blocks"), torch.no_grad():
        way(name, *arguments())


def halves(*shape: int) -> Tensor:
    return torch.randn(shape).to(HALF)


def parts(height: int, width: int, bias: int | None = None, **other: Any) -> tuple[Any, ...]:
    """The arguments of packed_linear behind x, some of them wrong."""
    packed = matrix(height, width)._replace(**other)
    return packed.tile_blocks, None if bias is None else torch.randn(bias), *packed[1:]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, HALF])
def test_the_product_of_nothing_is_nothing(level: str, way: Callable[..., Tensor], dtype: torch.dtype) -> None:
    bias = torch.randn(40).to(dtype)
    for m, rows, columns in ((0, 40, 64), (2, 0, 64), (2, 40, 0), (0, 0, 0)):
        tile_blocks, *form = matrix(rows, columns, QuantFormat(bits=8))
        y = way("packed_linear", torch.randn(m, columns).to(dtype), tile_blocks, bias[:rows], *form)
        assert torch.equal(y, bias[:rows].expand(m, rows))
    assert unpack(matrix(0, 64)).weight.shape == (0, 32)
    assert way("linear_fp16", halves(64), halves(0, 64), None).shape == (0,)
    assert torch.equal(way("linear_fp16", halves(0), halves(3, 0), halves(3) * 0 + 2), halves(3) * 0 + 2)
    for shape in ((0, 64), (3, 0)):
        assert way("rms_norm", halves(*shape), halves(shape[1]), 1e-5).shape == shape
        assert way("swiglu", halves(*shape)).shape == (shape[0], shape[1] // 2)
    none = torch.empty(1, 1, 0, 4)
    assert way("apply_rope", halves(1, 2, 0, 8), none, none).shape == (1, 2, 0, 8)


@given(
    rows=st.integers(0, 40),
    columns=st.integers(0, 5),
    x=st.lists(st.integers(0, 140), max_size=3),
    bias=st.one_of(st.none(), st.integers(0, 40)),
    bits=st.sampled_from([4, 8]),
)
def test_any_sizes_give_the_product_or_an_error(
    level: str, rows: int, columns: int, x: list[int], bias: int | None, bits: int
) -> None:
    form, columns = QuantFormat(bits=bits, group=32), 32 * columns
    codes = quantize(torch.randn(rows, columns), form)
    given_x, given_bias = torch.randn(x), None if bias is None else torch.randn(bias)
    fits = bool(x) and x[-1] == columns and bias in (None, rows)
    if fits:
        y = packed_linear(given_x, pack(codes, bits), given_bias)
        exact = (
            given_x @ dequantize(codes, bits, torch.float32).T if rows * columns else given_x.new_zeros(*x[:-1], rows)
        )
        assert y.shape == exact.shape
        torch.testing.assert_close(y, exact if bias is None else exact + given_bias, atol=0.5, rtol=0.1)
    else:
        with pytest.raises(ValueError, match="must be"):
            packed_linear(given_x, pack(codes, bits), given_bias)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight": torch.zeros(4, 64, dtype=torch.uint8)}, "weights of 4 bits are torch.uint8"),
        ({"weight": torch.zeros(4, 64, 1, dtype=torch.int8)}, "weights of 4 bits"),
        ({"scale": torch.zeros(3, 2, dtype=torch.float16)}, "scales of"),
        ({"scale": torch.zeros(4, 3, dtype=torch.float16)}, "scales of"),
        ({"scale": torch.zeros(4, 64, dtype=torch.float16)}, "no tile blocks"),
        ({"scale": torch.zeros(4, 2)}, "scales of"),
        ({"zero": torch.zeros(4, 1, dtype=torch.int8)}, "zeros are"),
        ({"zero": torch.zeros(4, 2)}, "zeros are"),
    ],
)
def test_matrices_of_no_format_are_not_packed(change: dict[str, Tensor], said: str) -> None:
    codes = quantize(torch.randn(4, 128), QuantFormat(bits=4, group=64))
    with pytest.raises(ValueError, match=said):
        pack(codes._replace(**change), 4)


def test_a_layer_uses_tile_blocks_of_its_own_size_alone() -> None:
    layer = QuantizedLinear(128, 48, QuantFormat(bits=4, group=32))
    for packed in (matrix(48, 96), matrix(47, 128), matrix(48, 128)._replace(tile_blocks=torch.zeros(3, 3))):
        with pytest.raises(ValueError, match="a layer of 48 rows and 128 columns cannot use"):
            layer.use_packed(packed)


def test_a_bias_of_another_type_goes_through_torch(level: str) -> None:
    x, weight, bias = halves(1, 64), halves(8, 64), torch.randn(8)
    with torch.no_grad(), pytest.raises(RuntimeError):  # as torch says it; the kernel would read it as 16 bits
        linear(x, weight, bias)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("length", [1, 2])
def test_heads_are_turned_wherever_they_lie(level: str, rows: int, length: int) -> None:
    """As projections leave them, and as norms of heads do: where a dimension is 1 its stride says nothing."""
    cos, sin = torch.randn(2, rows, 1, length, 4).unbind()
    projected = halves(rows, length, 5, 16).transpose(1, 2)
    contiguous = projected.contiguous()
    a, b = projected.float()[..., :8].unflatten(-1, (4, 2)).unbind(-1)
    turned = torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)
    expected = torch.cat((turned.to(HALF), projected[..., 8:]), -1)
    for heads in (projected, contiguous):
        torch.testing.assert_close(ops.call("apply_rope", heads, cos, sin), expected, atol=1e-2, rtol=2**-7)


def test_a_token_through_blocks_of_other_sizes_is_an_error(level: str) -> None:
    sizes = BlockSizes(num_heads=4, num_kv_heads=2, head_dim=16, norm="rms", epsilon=1e-5, activation="swiglu")
    norm, cache = halves(64), KVCache(1, 1, 2, 8, 16, torch.bfloat16, torch.device("cpu"))
    x, table = halves(1, 64), torch.randn(1, 4)

    def product(*shape: int, **other: Any) -> Product:
        return Product(weight=matrix(*shape), bias=other.pop("bias", None), **other)

    whole = FusedBlock(
        attention_norm=(norm, None),
        qkv=[product(64, 64), product(32, 64), product(32, 64)],
        out=product(64, 64),
        mlp_norm=(norm, None),
        up=[product(192, 64)],
        down=product(64, 96),
    )

    def run(block: FusedBlock, behind: CacheRows, heads: Tensor = table, x: Tensor = x, copies: int = 1) -> Tensor:
        rotation = HeadRotation(kind="interleaved", cos=heads, sin=heads)
        return fused_decode.fused_decode([block] * copies, x, rotation, behind, sizes)

    def rows(length: int = 0) -> CacheRows:
        cache.length = 0
        behind = cache.rows()
        assert behind is not None
        return behind._replace(lengths=np.array([length]))

    assert run(whole, rows(7)).shape == (1, 64)
    for name in ("qkv", "out", "up", "down"):
        wrong: Any = product(32, 32)
        wrong = [wrong] if name in ("qkv", "up") else wrong
        with pytest.raises(ValueError, match="layers of block 0 must"):
            run(replace(whole, **{name: wrong}), rows())
    with pytest.raises(ValueError, match="norms of block 0 must be"):
        run(replace(whole, mlp_norm=(norm, halves(63))), rows())
    for length in (8, -1):
        with pytest.raises(ValueError, match="no room for its next token"):
            run(whole, rows(length))
    for strange in (torch.randn(1, 9), torch.randn(2, 4), torch.randn(1, 4).double()):
        with pytest.raises(ValueError, match="cos and sin must be"):
            run(whole, rows(), strange)
    with pytest.raises(ValueError, match="x must be"):
        run(whole, rows(), x=torch.randn(1, 64))
    with pytest.raises(ValueError, match=r"must be \[layers, 2\]"):
        run(whole, rows(), x=halves(2, 64))
    with pytest.raises(ValueError, match="must have 2 layers"):
        run(whole, rows(), copies=2)
    with pytest.raises(ValueError, match="a bias of shape"):
        run(replace(whole, out=product(64, 64, bias=halves(63))), rows())
    for name, one in (("a", torch.randn(2, 63)), ("b", torch.randn(2, 65)), ("rows", np.array([1]))):
        parts = {"a": torch.randn(2, 64), "b": torch.randn(2, 64), "rows": np.array([0])} | {name: one}
        with pytest.raises(ValueError, match="an adapter"):
            run(replace(whole, out=product(64, 64, added=[Addition(bias=None, scale=1.0, **parts)])), rows())


@given(
    m=st.integers(1, 80),
    dtype=st.sampled_from(list(ops.KINDS)),
    bits=st.sampled_from([4, 8]),
    group=st.sampled_from([None, 64]),
    zeros=st.booleans(),
    seed=st.integers(0, 99),
)
def test_where_tile_blocks_are_does_not_matter(
    level: str, m: int, dtype: torch.dtype, bits: int, group: int | None, zeros: bool, seed: int
) -> None:
    """In a mapped file they begin at any address; nothing behind their end is read."""
    torch.manual_seed(seed)
    packed = matrix(40, 128, QuantFormat(bits=bits, group=group, asymmetric=zeros))
    memory = torch.empty(packed.tile_blocks.numel() + 1, dtype=torch.uint8)
    memory[1:] = packed.tile_blocks.flatten()
    x = torch.randn(m, 128).to(dtype)
    moved = packed._replace(tile_blocks=memory[1:].view(packed.tile_blocks.shape))
    assert torch.equal(packed_linear(x, packed), packed_linear(x, moved))
