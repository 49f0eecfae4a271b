"""GPTQ by its definition: after each column the inverse of what is left of the moments, worked out anew."""

import torch
from torch import Tensor

from glmkit.kernels.codes import Codes, Form, pack_nibbles
from glmkit.kernels.fitting import fitted


def column_by_column(weight: Tensor, form: Form, hessian: Tensor, damping: float = 0.01) -> Codes:
    """Codes of weight [rows, columns] for moments `hessian` [columns, columns]."""
    rows, columns = weight.shape
    size = form.group or columns
    mean = float(hessian.diagonal().mean())
    hessian = hessian.double() + torch.eye(columns, dtype=torch.float64) * (damping * mean)
    left, half = weight.double().clone(), 2 ** (form.bits - 1)
    codes, scales, zeros = torch.empty(rows, columns, dtype=torch.int8), [], []
    for j in range(columns):
        if j % size == 0:
            _, scale, zero = fitted(left[:, None, j : j + size], form, hessian.diagonal()[j : j + size])
            scales.append(scale.view(rows))
            zeros.append(zero.view(rows))
        inverse = torch.linalg.inv(hessian[j:, j:])
        for row in range(rows):
            step, offset = float(scales[-1][row]), float(zeros[-1][row])
            code = min(max(round(float(left[row, j]) / step) + offset, -half), half - 1)
            off = float(left[row, j]) - (code - offset) * step
            codes[row, j] = int(code)
            left[row, j:] -= off / inverse[0, 0] * inverse[0]
    shape = (rows,) if form.group is None else (rows, len(scales))
    return Codes(
        pack_nibbles(codes) if form.bits == 4 else codes,
        torch.stack(scales, 1).view(shape),
        torch.stack(zeros, 1).view(shape) if form.asymmetric else None,
    )
