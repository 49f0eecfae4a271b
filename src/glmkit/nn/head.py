"""What stands on a GLM to sort texts into classes."""

from torch import Tensor, nn


class PooledHead(nn.Module):
    """A hidden state through tanh(linear), dropout and a linear to the classes."""

    def __init__(self, size: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.pool = nn.Linear(size, size)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(size, classes)

    def forward(self, hidden: Tensor) -> Tensor:
        """Scores [N, classes] of hidden states [N, D]."""
        return self.out(self.dropout(self.pool(hidden).tanh()))
