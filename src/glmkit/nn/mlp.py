"""The feed-forward part of a block."""

from collections.abc import Callable

from torch import Tensor, nn


class MLP(nn.Module):
    """Up, activation, down."""

    def __init__(self, hidden_size: int, inner_size: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.up = nn.Linear(hidden_size, inner_size)
        self.down = nn.Linear(inner_size, hidden_size)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))
