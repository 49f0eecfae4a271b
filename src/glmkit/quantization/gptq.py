"""GPTQ (Frantar et al. 2022): quantization with error compensation. Column after column is rounded, and the error this
makes in the products is taken out of the columns that are still free, as far as inputs of the two are correlated.

    error of the products of inputs X [n, columns]    |X (W - W')^T|^2 = sum over rows of (w - w') H (w - w')^T
    with                                              H = X^T X

For a row w whose columns before j are settled, the best that the others can do once column j is off by e is to move by
-e * inverse(H of the free columns)[j] / inverse(H of the free columns)[j, j]; all these inverses are rows of one
Cholesky factor. H is damped by DAMPING of its mean diagonal.
"""

import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.kernels.quantized import QuantFormat, QuantizedTensor, pack_nibbles
from glmkit.quantization.scale_search import quantize_groups

DAMPING = 0.01
_BLOCK = 128  # columns settled before the columns behind them are updated: a multiple of every group


def gptq(weight: Tensor, format: QuantFormat, hessian: Tensor) -> QuantizedTensor:
    """Quantizes a matrix [rows, columns] for inputs of second moments `hessian` [columns, columns], up to any factor.

    Scales and zeros are those of `search_scales`, made when their group's turn comes. Computes in the type of
    `hessian`. Raises UserError for weights or moments that are not finite.
    """
    rows, columns = weight.shape
    size = columns // format.groups(columns)
    if not bool(torch.isfinite(weight).all() and torch.isfinite(hessian).all()):
        raise UserError("weights or inputs that are infinite or not numbers cannot be quantized")
    hessian = damped(hessian)
    diagonal = hessian.diagonal().clone()
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    remaining = weight.to(hessian.dtype).clone()  # the weights with all errors so far compensated
    integers = torch.empty(rows, columns, dtype=torch.int8, device=weight.device)
    scales, zeros = [], []
    half = 2 ** (format.bits - 1)
    for begin in range(0, columns, _BLOCK):
        end = min(begin + _BLOCK, columns)
        errors = torch.empty(rows, end - begin, dtype=remaining.dtype, device=remaining.device)
        for j in range(begin, end):
            if j % size == 0:
                group = slice(j, j + size)
                _, group_scale, group_zero = quantize_groups(remaining[:, None, group], format, diagonal[group])
                scales.append(group_scale[:, 0, 0])
                zeros.append(group_zero[:, 0, 0])
            scale, zero = scales[-1].to(remaining.dtype), zeros[-1].to(remaining.dtype)
            column = (remaining[:, j] / scale).round().add(zero).clamp(-half, half - 1)
            integers[:, j] = column.to(torch.int8)
            error = (remaining[:, j] - (column - zero) * scale) / factor[j, j]
            remaining[:, j:end] -= error[:, None] * factor[j, j:end]
            errors[:, j - begin] = error
        remaining[:, end:] -= errors @ factor[begin:end, end:]
    shape = (rows,) if format.group is None else (rows, len(scales))
    return QuantizedTensor(
        pack_nibbles(integers) if format.bits == 4 else integers,
        torch.stack(scales, 1).view(shape),
        torch.stack(zeros, 1).view(shape) if format.asymmetric else None,
    )


def damped(hessian: Tensor) -> Tensor:
    """`hessian` with DAMPING of its mean diagonal added to the diagonal, so that it has an inverse."""
    mean = hessian.diagonal().mean()
    return hessian + torch.eye(len(hessian), dtype=hessian.dtype, device=hessian.device) * (
        DAMPING * mean if mean > 0 else 1.0
    )
