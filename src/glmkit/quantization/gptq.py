"""Codes that make up for one another (GPTQ, Frantar et al. 2022): column after column is rounded, and what that does to
the products is taken out of the columns that are still free, as far as inputs of the two go together.

    error of the products of inputs X [n, columns]    |X (W - W')^T|^2 = sum over rows of (w - w') H (w - w')^T
    with                                              H = X^T X

For a row w whose columns before j are settled, the best that the others can do once column j is off by e is to move by
-e * inverse(H of the free columns)[j] / inverse(H of the free columns)[j, j]; all these inverses are rows of one
Cholesky factor. H is steadied by DAMPING of its mean diagonal.
"""

import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.kernels.codes import Codes, Form, pack_nibbles
from glmkit.kernels.fitting import fitted

DAMPING = 0.01
_BLOCK = 128  # columns settled before the others hear of it: a multiple of every group


def gptq(weight: Tensor, form: Form, hessian: Tensor) -> Codes:
    """Codes of a matrix [rows, columns] for inputs of second moments `hessian` [columns, columns], up to any factor.

    Scales and zeros are those of `fit`, made when their group's turn comes. Computes in the type of `hessian`.
    Raises UserError for weights or moments that are not finite.
    """
    rows, columns = weight.shape
    size = columns // form.groups(columns)
    if not bool(torch.isfinite(weight).all() and torch.isfinite(hessian).all()):
        raise UserError("weights or inputs that are infinite or not numbers cannot be quantised")
    hessian = damped(hessian)
    diagonal = hessian.diagonal().clone()
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    left = weight.to(hessian.dtype).clone()  # what the free columns have come to be
    integers = torch.empty(rows, columns, dtype=torch.int8, device=weight.device)
    scales, zeros = [], []
    half = 2 ** (form.bits - 1)
    for begin in range(0, columns, _BLOCK):
        end = min(begin + _BLOCK, columns)
        errors = torch.empty(rows, end - begin, dtype=left.dtype, device=left.device)
        for j in range(begin, end):
            if j % size == 0:
                group = slice(j, j + size)
                _, scale, zero = fitted(left[:, None, group], form, diagonal[group])
                scales.append(scale[:, 0, 0])
                zeros.append(zero[:, 0, 0])
            step, offset = scales[-1].to(left.dtype), zeros[-1].to(left.dtype)
            code = (left[:, j] / step).round().add(offset).clamp(-half, half - 1)
            integers[:, j] = code.to(torch.int8)
            error = (left[:, j] - (code - offset) * step) / factor[j, j]
            left[:, j:end] -= error[:, None] * factor[j, j:end]
            errors[:, j - begin] = error
        left[:, end:] -= errors @ factor[begin:end, end:]
    shape = (rows,) if form.group is None else (rows, len(scales))
    return Codes(
        pack_nibbles(integers) if form.bits == 4 else integers,
        torch.stack(scales, 1).view(shape),
        torch.stack(zeros, 1).view(shape) if form.asymmetric else None,
    )


def damped(hessian: Tensor) -> Tensor:
    """`hessian` with DAMPING of its mean diagonal added to the diagonal, so that it has an inverse."""
    mean = hessian.diagonal().mean()
    return hessian + torch.eye(len(hessian), dtype=hessian.dtype, device=hessian.device) * (
        DAMPING * mean if mean > 0 else 1.0
    )
