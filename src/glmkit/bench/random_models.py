"""Models of a preset's shapes with random weights, made at once in the form they are measured in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError, nearest
from glmkit.core.types import AttentionMask, LanguageModel, StoredCache
from glmkit.families.assemble import assign, blank
from glmkit.families.registry import families
from glmkit.families.spec import FamilySpec
from glmkit.kernels.quantized import QuantizedTensor
from glmkit.nn.accelerate import Activations, accelerate
from glmkit.nn.lora import Adapter, LowRank, with_adapters
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization.plan import PLANS, Plan


@dataclass(frozen=True)
class RandomModel:
    """What is measured. `block_bytes` and `output_bytes`: what one token reads of the blocks and of the rest."""

    family: FamilySpec
    config: Any  # its own, with all fields
    model: LanguageModel
    all_layers: int  # of the preset
    dtype: torch.dtype
    block_bytes: int
    output_bytes: int

    def positions(self, start: int, length: int, rows: int = 1) -> Tensor:
        """Positions [rows, P, length] from `start` on."""
        channels = self.family.positions(self.config).channels
        places = torch.zeros(rows, channels, length, dtype=torch.long)
        places[:, 0] = torch.arange(start, start + length)
        return places

    def random_adapter(self, rank: int) -> Adapter:
        """LoRA over every linear layer of the blocks."""
        layers = {name: part for name, part in self.model.get_submodule("blocks").named_modules() if _is_linear(part)}
        shapes = {f"blocks.{name}": (part.in_features, part.out_features) for name, part in layers.items()}
        return Adapter(
            {
                name: LowRank(torch.randn(rank, inputs) * 0.01, torch.randn(outputs, rank) * 0.01, 1.0)
                for name, (inputs, outputs) in shapes.items()
            }
        )

    @torch.inference_mode()
    def read(
        self,
        cache: StoredCache,
        length: int,
        rows: int = 1,
        logits: int = 1,
        adapters: Sequence[tuple[Adapter | None, int]] = (),
    ) -> Tensor:
        """Reads `length` random tokens in each row, so many rows with each adapter; logits [rows, logits, V] of the
        last."""
        tokens = torch.randint(0, self.config.vocab_size, (rows, length))
        places = self.positions(cache.length, length, rows)
        model = with_adapters(self.model, adapters, torch.device("cpu"))
        hidden = model(tokens, places, AttentionMask.prefix([0] * rows), cache)
        return self.model.logits(hidden[:, -logits:])


def _is_linear(part: nn.Module) -> TypeGuard[nn.Linear | QuantizedLinear]:
    return isinstance(part, nn.Linear | QuantizedLinear)


def named(preset: str) -> tuple[FamilySpec, Any]:
    """The family and config of a preset. Raises UserError naming the nearest one."""
    known = {name: (spec, config) for spec in families().values() for name, config in spec.presets.items()}
    if preset not in known:
        raise UserError(f"unknown preset {preset!r}{nearest(preset, known)}")
    return known[preset]


def random_model(
    preset: str,
    layers: int | None,
    quantize: str | None,
    dtype: torch.dtype,
    group: int | None,
    activations: Activations = "auto",
) -> RandomModel:
    """A random model of `preset` with `layers` layers (None: all). Raises UserError naming the nearest preset."""
    spec, config = named(preset)
    whole = config.num_layers
    config = replace(config, num_layers=layers or whole)
    plan = None if quantize is None else PLANS[quantize]
    if plan is not None and group is not None:
        plan = replace(plan, format=replace(plan.format, group=group))
    model = blank(spec.build, config)
    pool = torch.randn((1 << 20) + 7).mul_(0.02).to(dtype)
    for name, tensor in list(model.state_dict().items()):
        _place(model, name, tensor, pool, plan)
    accelerate(model.eval(), dtype, activations)
    blocks = sum(_bytes(part) for part in model.blocks.modules())
    output = model.output if hasattr(model, "output") else None
    rest = _bytes(output) if output is not None else config.vocab_size * config.hidden_size * dtype.itemsize
    return RandomModel(spec, config, model, whole, dtype, blocks, rest)


def _place(model: nn.Module, name: str, tensor: Tensor, pool: Tensor, plan: Plan | None) -> None:
    path, _, leaf = name.rpartition(".")
    layer = model.get_submodule(path)
    format = None
    if plan is not None and leaf == "weight" and type(layer) is nn.Linear:
        format = plan.format_of(path, layer.in_features)
    if format is None:
        value = torch.ones(tensor.shape, dtype=pool.dtype) if "norm" in name else _filled(tensor.shape, pool)
        assign(model, name, value)
        return
    assert isinstance(layer, nn.Linear)
    built = QuantizedLinear(layer.in_features, layer.out_features, format, bias=False, device="meta")
    integers = torch.randint(-127, 128, built.weight.shape, dtype=torch.int8)
    scale = torch.full(built.weight_scale.shape, 0.04 / 2 ** (format.bits - 1), dtype=torch.float16)
    zero = torch.zeros(scale.shape, dtype=torch.int8) if format.asymmetric else None
    built.weight, built.weight_scale, built.weight_zero = QuantizedTensor(integers, scale, zero)
    built.bias = layer.bias
    model.set_submodule(path, built)


def _filled(shape: torch.Size, pool: Tensor) -> Tensor:
    built = torch.empty(shape, dtype=pool.dtype)
    flat = built.view(-1)
    for begin in range(0, len(flat), len(pool)):
        part = flat[begin : begin + len(pool)]
        part.copy_(pool[: len(part)])
    return built


def _bytes(layer: nn.Module) -> int:
    """What multiplying by a linear layer reads; 0 for any other module."""
    if isinstance(layer, QuantizedLinear):
        held = layer.packed if layer.packed is not None else layer.quantized_weight
        return sum(tensor.numel() * tensor.element_size() for tensor in held if isinstance(tensor, Tensor))
    return layer.weight.numel() * layer.weight.element_size() if isinstance(layer, nn.Linear) else 0
