"""A token of each row through all blocks of a Transformer in one call of the compiled kernels.

One call for each small operation costs more than the operation: an eighth of a token in 4 bits, with what surrounds it
in Python.
The structures lie in memory as in native/native.cpp, which numbers the kinds alike.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.kernels.cache_rows import CacheRows, Rows
from glmkit.kernels.library import library
from glmkit.kernels.ops import activation_group_size
from glmkit.kernels.packed import Packed

_POINTER, _LONG, _FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
NORMS = {"none": 0, "rms": 1, "layer": 2}
ROTATIONS = {"none": 0, "interleaved": 1, "2d": 2}
ACTIVATIONS = {"swiglu": 0, "gelu": 1, "relu2": 2}


class LowRank(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("a", "b", "bias", "indices")),
        *(("count", _LONG), ("rank", _LONG), ("scale", _FLOAT)),
    )


class Linear(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("data", "bias", "added")),
        *((name, _LONG) for name in ("rows", "columns", "group", "block", "bits", "zeros", "num_added")),
    )


class Norm(ctypes.Structure):
    _fields_ = (("weight", _POINTER), ("bias", _POINTER))


class Block(ctypes.Structure):
    _fields_ = (
        *((name, Norm) for name in ("attention_norm", "mlp_norm")),
        *((name, Linear) for name in ("q", "k", "v", "out", "up", "value", "down")),
        ("cache", Rows),
    )


class Architecture(ctypes.Structure):
    _fields_ = (
        *((name, _LONG) for name in ("heads", "groups", "size", "pairs")),
        *((name, _LONG) for name in ("norm", "head_norm", "rotation", "activation")),
        *((name, _FLOAT) for name in ("epsilon", "head_epsilon", "alpha")),
    )


@dataclass(frozen=True, kw_only=True)
class BlockSizes:
    """What the blocks of a model have in common.

    Query heads, groups of keys and values, elements of a head (a multiple of 16); the norm and the activation by their
    names above; `alpha` of ChatGLM-6B's residual stream, 0 for others.
    """

    num_heads: int
    num_kv_heads: int
    head_dim: int
    norm: str
    epsilon: float
    activation: str
    alpha: float = 0.0


@dataclass(frozen=True, kw_only=True)
class HeadRotation:
    """What happens to the heads of queries and keys: cos and sin [N, pairs] in float32, of interleaved pairs or of the
    two halves of `Rope2D`; before that a norm without weights."""

    kind: str
    cos: Tensor
    sin: Tensor
    norm: str = "none"
    epsilon: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Addition:
    """What an adapter adds to the tokens `rows` of a product: scale (B A x + bias), with a [rank, in], b [rank, out] (B
    transposed) and bias [out] in float32."""

    a: Tensor
    b: Tensor
    bias: Tensor | None
    scale: float
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Product:
    """A linear layer: `weight` in tile blocks, or in bfloat16 (for a few rows of activations alone)."""

    weight: Packed | Tensor
    bias: Tensor | None
    added: Sequence[Addition] = ()

    @property
    def shape(self) -> tuple[int, int]:
        if isinstance(self.weight, Tensor):
            return self.weight.shape[0], self.weight.shape[1]
        return self.weight.rows, self.weight.columns

    def structure(self, tokens: int, kept: list[object]) -> Linear:
        """For so many tokens; what it points to beside the tensors goes to `kept`. Raises ValueError for what does not
        fit the weight."""
        rows, columns = self.shape
        at = None if self.bias is None else self.bias.data_ptr()
        if self.bias is not None and (self.bias.shape != (rows,) or self.bias.dtype != torch.bfloat16):
            raise ValueError(f"a bias of shape {[*self.bias.shape]} does not fit its layer of {rows} rows")
        if isinstance(self.weight, Tensor):
            linear = Linear(data=self.weight.data_ptr(), bias=at, rows=rows, columns=columns, bits=16)
        else:
            packed = self.weight
            linear = Linear(
                data=packed.tile_blocks.data_ptr(),
                bias=at,
                rows=rows,
                columns=columns,
                group=packed.group,
                block=activation_group_size(packed.group),
                bits=packed.bits,
                zeros=packed.zeros,
            )
        if self.added:
            added = (LowRank * len(self.added))(*(_low_rank(one, rows, columns, tokens) for one in self.added))
            kept.append(added)
            linear.added, linear.num_added = ctypes.addressof(added), len(self.added)
        return linear


def _low_rank(one: Addition, rows: int, columns: int, tokens: int) -> LowRank:
    rank = len(one.a)
    tensors = [one.a, one.b] + ([] if one.bias is None else [one.bias])
    shapes = [(rank, columns), (rank, rows), (rows,)]
    for tensor, shape in zip(tensors, shapes, strict=False):
        if tensor.shape != shape or tensor.dtype != torch.float32 or not tensor.is_contiguous():
            raise ValueError(f"an adapter must be {[*shape]} in float32, got {[*tensor.shape]} in {tensor.dtype}")
    fits = one.rows.dtype == np.int64 and one.rows.flags.c_contiguous
    if not fits or ((one.rows < 0) | (one.rows >= tokens)).any():
        raise ValueError(f"an adapter's tokens must be among {tokens}, in int64, got {one.rows}")
    return LowRank(
        a=one.a.data_ptr(),
        b=one.b.data_ptr(),
        bias=None if one.bias is None else one.bias.data_ptr(),
        indices=one.rows.ctypes.data,
        count=len(one.rows),
        rank=rank,
        scale=one.scale,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class FusedBlock:
    """The tensors of a block: weight and bias of each norm, None or bfloat16 [D]; one product of queries, keys and
    values or one of each, one of gate and value or of each."""

    attention_norm: tuple[Tensor | None, Tensor | None]
    qkv: Sequence[Product]
    out: Product
    mlp_norm: tuple[Tensor | None, Tensor | None]
    up: Sequence[Product]
    down: Product

    def structure(self, sizes: BlockSizes, x: Tensor, number: int, kept: list[object]) -> Block:
        """The block number `number` for x [N, D]; `kept` as above. Raises ValueError for parts that do not fit."""
        (tokens, width), inner = x.shape, self.down.shape[1]
        heads, groups = sizes.num_heads, sizes.num_kv_heads
        outputs = [sum(part.shape[0] for part in parts) for parts in (self.qkv, self.up)]
        wanted = [(heads + 2 * groups) * sizes.head_dim, inner * (2 if sizes.activation == "swiglu" else 1)]
        inputs = [part.shape[1] for part in (*self.qkv, *self.up)]
        ends = [self.out.shape, self.down.shape]
        expected_ends = [(width, heads * sizes.head_dim), (width, inner)]
        if outputs != wanted or any(one != width for one in inputs) or ends != expected_ends:
            raise ValueError(
                f"layers of block {number} must give {wanted} of {width} elements, be {expected_ends} at their ends, "
                f"got {outputs} of {inputs} and {ends}"
            )
        for part in (*self.attention_norm, *self.mlp_norm):
            if part is not None and not (part.shape == (width,) and part.dtype == x.dtype and part.is_contiguous()):
                raise ValueError(f"norms of block {number} must be [{width}] in bfloat16, got {[*part.shape]}")
        parts = [*zip("qkv", self.qkv, strict=False), *zip(("up", "value"), self.up, strict=False)]
        parts += [("out", self.out), ("down", self.down)]
        products = {name: part.structure(tokens, kept) for name, part in parts}
        return Block(_norm(self.attention_norm), _norm(self.mlp_norm), **products)


def _norm(parts: tuple[Tensor | None, Tensor | None]) -> Norm:
    return Norm(*(None if part is None else part.data_ptr() for part in parts))


def fused_decode(
    blocks: Sequence[FusedBlock], x: Tensor, rotation: HeadRotation, rows: CacheRows, sizes: BlockSizes
) -> Tensor:
    """x bfloat16 [N, D] through all blocks, each token behind those of its row; [N, D]. Its keys and values go there.

    The rows of the cache are bfloat16. Raises ValueError for sizes that do not fit together.
    """
    kernels = library()
    assert kernels is not None
    _check(len(blocks), x, rotation, rows, sizes)
    y = x.clone(memory_format=torch.contiguous_format)
    kept: list[object] = []
    array = (Block * len(blocks))(*(block.structure(sizes, x, number, kept) for number, block in enumerate(blocks)))
    for layer, block in enumerate(array):
        block.cache = rows.layer(layer)
    architecture = Architecture(
        heads=sizes.num_heads,
        groups=sizes.num_kv_heads,
        size=sizes.head_dim,
        pairs=rotation.cos.shape[1],
        norm=NORMS[sizes.norm],
        head_norm=NORMS[rotation.norm],
        rotation=ROTATIONS[rotation.kind],
        activation=ACTIVATIONS[sizes.activation],
        epsilon=sizes.epsilon,
        head_epsilon=rotation.epsilon,
        alpha=sizes.alpha,
    )
    kernels.functions.fused_decode(
        blocks=ctypes.addressof(array),
        count=len(blocks),
        architecture=ctypes.addressof(architecture),
        x=y.data_ptr(),
        m=len(x),
        cos=rotation.cos.data_ptr(),
        sin=rotation.sin.data_ptr(),
        threads=torch.get_num_threads(),
    )
    return y


def _check(layers: int, x: Tensor, rotation: HeadRotation, rows: CacheRows, sizes: BlockSizes) -> None:
    heads, groups, size = sizes.num_heads, sizes.num_kv_heads, sizes.head_dim
    tokens, pairs = len(x), rotation.cos.shape[-1]
    if x.dtype != torch.bfloat16 or groups < 1 or heads % groups or size % 16:
        raise ValueError(f"x must be [N, D] in bfloat16 and {sizes} fit each other, got {[*x.shape]} in {x.dtype}")
    rows.check(tokens)
    if len(rows.keys) != layers:
        raise ValueError(f"the cache must have {layers} layers, got {len(rows.keys)}")
    fits = 2 * pairs <= size and (rotation.kind != "2d" or 4 * (pairs // 2) == size)
    for table in (rotation.cos, rotation.sin):
        right = table.shape == (tokens, pairs) and table.dtype == torch.float32 and table.is_contiguous()
        if not right or not fits:
            raise ValueError(
                f"cos and sin must be [{tokens}, {'' if rotation.kind == '2d' else 'at most '}{size // 2}] in float32, "
                f"got {[*table.shape]}"
            )
