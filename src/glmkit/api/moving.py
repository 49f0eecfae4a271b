"""What official scripts call on a model because theirs is a torch module: .half().cuda().eval() and their like.

They work on the model itself and return it. `glmkit.load` takes the same as arguments and never has both in memory.
"""

from typing import Self

import torch

from glmkit.api.core import Core
from glmkit.core.errors import UserError, nearest, short
from glmkit.core.kinds import FLAG, check
from glmkit.core.machine import device_of
from glmkit.core.sharded import compute_device
from glmkit.nn.accelerate import accelerate, activations_of
from glmkit.nn.lora import AdaptedLayer
from glmkit.quantization.plan import PLANS, quantize_in_place


class Moves(Core):
    """The ability to change type and place."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return compute_device(self.module)

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in."""
        return next(self.module.parameters()).dtype

    def eval(self) -> Self:
        """Changes nothing but what a caller of `m.module.train()` changed."""
        self.module.eval()
        return self

    def train(self, mode: bool = True) -> Self:
        """Raises UserError unless `mode` is False: a model is trained by glmkit finetune, or as `m.module`."""
        if check(mode, FLAG, "mode"):
            raise UserError(
                "train takes mode=False: a model is trained by `glmkit finetune MODEL`; in a training loop of your own "
                "m.module is the module"
            )
        return self.eval()

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Says of every weight that is no code whether it gets a gradient."""
        self.module.requires_grad_(check(requires_grad, FLAG, "requires_grad"))
        return self

    def half(self) -> Self:
        return self.to(torch.float16)

    def bfloat16(self) -> Self:
        return self.to(torch.bfloat16)

    def float(self) -> Self:
        return self.to(torch.float32)

    def cpu(self) -> Self:
        return self.to("cpu")

    def cuda(self, device: int | str | torch.device | None = None) -> Self:
        """Raises UserError where torch sees no such device."""
        return self.to("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    def to(
        self,
        *places: str | torch.device | torch.dtype,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        non_blocking: bool = False,
    ) -> Self:
        """Takes the model to a device, to a type of numbers, or to both. Quantized weights stay what they are.

        Raises UserError for a device that torch does not see here, or what is no type of floating point numbers.
        """
        for place in places:
            if isinstance(place, torch.dtype):
                dtype = place
            elif isinstance(place, str | torch.device):
                device = place
            else:
                raise UserError(f"to takes a device or a dtype of torch, got {short(place)}")
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise UserError(f"to takes float32, bfloat16 or float16 of torch as dtype, got {short(dtype)}")
        where = self.device if device is None else torch.device(device_of(str(device)))
        kind = dtype or self.dtype
        if kind == self.dtype and where.type == self.device.type and where.index in (None, self.device.index):
            return self
        activations = activations_of(self.module)
        self.free()
        self.module.to(where, kind)
        for name, adapter in self.adapters.items():
            self.adapters[name] = adapter.to(where)
        accelerate(self.module, kind, activations)
        return self

    def quantize(self, bits: int | str = 4, *, device: str | None = None, **official: object) -> Self:
        """Quantizes the linear layers to 8 or 4 bits, as `glmkit.load(path, quantize="int4")` does.

        Raises UserError for a model that is quantized already, or that an adapter is applied to.
        """
        if official.keys() - {"empty_init"}:
            raise UserError(f"quantize takes bits and device, got {', '.join(official)}")
        name = f"int{bits}" if isinstance(bits, int) else bits
        if not isinstance(name, str) or name not in PLANS:
            raise UserError(f"quantize takes 8 or 4 bits, got {short(bits)}{nearest(str(name), PLANS)}")
        if any(isinstance(part, AdaptedLayer) or "lora_" in name for name, part in self.module.named_modules()):
            raise UserError(f"an adapter is applied to this model; load both by glmkit.load(..., quantize={name!r})")
        quantize_in_place(self.module, PLANS[name])
        accelerate(self.module, self.dtype)
        return self if device is None else self.to(device)
