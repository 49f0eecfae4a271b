"""Rotary position embedding: pairs of elements of a query or key turn by an angle that grows with the position.

Cosines and sines are worked out once a forward; every layer applies them to its queries and keys. Of a head of 8
elements, those marked with the same letter are a pair, which turns by the letter's frequency:

    ChatGLM2, 3     a a b b . . . .      interleaved pairs; half of the head is left as it is
    ChatGLM-6B      a b a b A B A B      two halves of pairs; small letters by position row 0, capitals by row 1
    NeoGLM          a a b b c c A A      interleaved pairs; small letters by row 0, capitals by row 1

Half-precision tables of the official code are not the float32 ones rounded: ChatGLM2 and ChatGLM-6B work out the
angles in the model's type, up to 2.0 from the truth. `working` and `stored` are the types that reproduce them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.kernels import ops


@dataclass(frozen=True)
class InterleavedRope:
    """Rotates the pairs (0, 1), (2, 3), ... of the first elements of each head."""

    cos: Tensor  # [B, 1, T, pairs]
    sin: Tensor

    def __call__(self, heads: Tensor) -> Tensor:
        if self.cos.dtype == torch.float32 and ops.has_fast_path(heads):
            return ops.call("apply_rope", heads, self.cos, self.sin)
        turned = 2 * self.cos.shape[-1]
        a, b = heads[..., :turned].unflatten(-1, (-1, 2)).unbind(-1)
        pairs = torch.stack((a * self.cos - b * self.sin, b * self.cos + a * self.sin), dim=-1)
        return torch.cat((pairs.flatten(-2).to(heads.dtype), heads[..., turned:]), dim=-1)


@dataclass(frozen=True)
class Rope2D:
    """Rotates the two halves of each head by one position each; the pairs of a half of n are (j, j + n/2)."""

    cos: Tensor  # [B, 1, T, 2, pairs]
    sin: Tensor

    def __call__(self, heads: Tensor) -> Tensor:
        a, b = heads.unflatten(-1, (2, -1)).chunk(2, dim=-1)  # each [B, H, T, 2, pairs]
        rotated = torch.cat((a * self.cos - b * self.sin, b * self.cos + a * self.sin), dim=-1)
        return rotated.flatten(-2).to(heads.dtype)


@dataclass(frozen=True)
class NormedRotation:
    """Normalizes heads [B, H, T, head_dim], then rotates them: QK-norm without weights, alike in all layers."""

    kind: Literal["layer", "rms"]
    epsilon: float
    rotation: Callable[[Tensor], Tensor]

    def __call__(self, heads: Tensor) -> Tensor:
        norm = F.layer_norm if self.kind == "layer" else F.rms_norm
        return self.rotation(norm(heads, heads.shape[-1:], eps=self.epsilon))


def frequencies(size: int, base: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """base^(-2j/size) for the pairs j of `size` elements, every operation rounded to `dtype`."""
    return 1.0 / (base ** (torch.arange(0, size, 2, dtype=dtype, device=device) / size))


def interleaved_rope(
    positions: Tensor,
    size: int,
    base: float = 10000.0,
    scale: float = 1.0,
    working: torch.dtype = torch.float32,
    stored: torch.dtype = torch.float32,
) -> InterleavedRope:
    """The rotation of ChatGLM2 and 3 at `positions` [B, T], which are divided by `scale`; `size` elements rotate."""
    places = positions.to(working) / scale
    angles = (places[:, None, :, None] * frequencies(size, base, working, positions.device)).float()
    return InterleavedRope(angles.cos().to(stored), angles.sin().to(stored))


def rope_2d(positions: Tensor, size: int, dtype: torch.dtype = torch.float32) -> Rope2D:
    """The rotation of ChatGLM-6B at `positions` [B, 2, T] for heads of `size` elements.

    The frequencies are rounded to float16 whatever the type, as the official model keeps them.
    """
    rounded = frequencies(size // 2, 10000.0, torch.float32, positions.device).half().to(dtype)
    angles = positions.mT[:, None, :, :, None].to(dtype) * rounded  # [B, 1, T, 2, pairs]
    return Rope2D(angles.cos(), angles.sin())


def two_channel_rope(positions: Tensor, sizes: tuple[int, int], base: float) -> InterleavedRope:
    """The rotation at `positions` [B, 2, T]: `sizes[0]` elements of a head turn by row 0, `sizes[1]` behind them by row
    1, the rest stays."""
    angles = [
        places[:, None, :, None].float() * frequencies(size, base, torch.float32, positions.device)
        for places, size in zip(positions.unbind(1), sizes, strict=True)
    ]
    joined = torch.cat(angles, dim=-1)  # [B, 1, T, pairs]
    return InterleavedRope(joined.cos(), joined.sin())
