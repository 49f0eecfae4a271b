"""Dropout as a layer."""

from torch import Tensor, nn

from glmkit.kernels.dropout import dropout


class Dropout(nn.Dropout):
    """As torch's, by the compiled kernel where there is one; nothing is dropped outside training."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x
