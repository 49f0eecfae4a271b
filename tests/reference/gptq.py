"""GPTQ by its definition: after each column the inverse of what is left of the moments, worked out anew."""

import torch
from torch import Tensor

from glmkit.kernels.quantized import QuantFormat, QuantizedTensor, pack_nibbles
from glmkit.quantization.scale_search import quantize_groups


def column_by_column(weight: Tensor, format: QuantFormat, hessian: Tensor, damping: float = 0.01) -> QuantizedTensor:
    """Codes of weight [rows, columns] for moments `hessian` [columns, columns]."""
    rows, columns = weight.shape
    size = format.group or columns
    mean = float(hessian.diagonal().mean())
    hessian = hessian.double() + torch.eye(columns, dtype=torch.float64) * (damping * mean)
    left, half = weight.double().clone(), 2 ** (format.bits - 1)
    codes, scales, zeros = torch.empty(rows, columns, dtype=torch.int8), [], []
    for j in range(columns):
        if j % size == 0:
            _, scale, zero = quantize_groups(left[:, None, j : j + size], format, hessian.diagonal()[j : j + size])
            scales.append(scale.view(rows))
            zeros.append(zero.view(rows))
        inverse = torch.linalg.inv(hessian[j:, j:])
        for row in range(rows):
            step, offset = float(scales[-1][row]), float(zeros[-1][row])
            code = min(max(round(float(left[row, j]) / step) + offset, -half), half - 1)
            off = float(left[row, j]) - (code - offset) * step
            codes[row, j] = int(code)
            left[row, j:] -= off / inverse[0, 0] * inverse[0]
    shape = (rows,) if format.group is None else (rows, len(scales))
    return QuantizedTensor(
        pack_nibbles(codes) if format.bits == 4 else codes,
        torch.stack(scales, 1).view(shape),
        torch.stack(zeros, 1).view(shape) if format.asymmetric else None,
    )
