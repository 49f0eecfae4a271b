"""A pre-norm Transformer block; its parts are handed in."""

from torch import Tensor, nn

from glmkit.core.types import Cache
from glmkit.nn.attention import Rotation, no_rope
from glmkit.nn.dropout import Dropout
from glmkit.nn.masks import SDPAMask


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    residual_alpha = 0.0  # to the compiled kernels: no alpha norm(x) in place of x, as in ChatGLM-6B's blocks

    def __init__(
        self, attention_norm: nn.Module, attention: nn.Module, mlp_norm: nn.Module, mlp: nn.Module, dropout: float
    ) -> None:
        super().__init__()
        self.attention_norm = attention_norm
        self.attention = attention
        self.mlp_norm = mlp_norm
        self.mlp = mlp
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, visible: SDPAMask, cache: Cache | None, layer: int, rotation: Rotation = no_rope
    ) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), visible, cache, layer, rotation))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))
