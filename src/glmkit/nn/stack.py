"""The blocks of a model, one after the other, or all at once where the compiled kernels know every part of them."""

from collections.abc import Iterable

from torch import Tensor, nn

from glmkit.core.types import AttentionMask, Cache
from glmkit.nn.attention import Rotation, compute_dtype, no_rope
from glmkit.nn.fused_decode import fused_decode
from glmkit.nn.masks import sdpa_mask


def run_blocks(
    blocks: Iterable[nn.Module], x: Tensor, mask: AttentionMask, cache: Cache | None, rotation: Rotation = no_rope
) -> Tensor:
    """x [B, T, D] through the blocks, after the tokens in the cache, which then counts these too."""
    y = fused_decode(blocks, x, mask, cache, rotation)
    if y is None:
        y = x
        start, prefix = (cache.length, cache.prefix) if cache is not None else (0, 0)
        visible = sdpa_mask(mask, start, x.shape[1], compute_dtype(x), x.device, prefix)
        for layer, block in enumerate(blocks):
            y = block(y, visible, cache, layer, rotation)
    if cache is not None:
        cache.advance(x.shape[1])
    return y
