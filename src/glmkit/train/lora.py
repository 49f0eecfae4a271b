"""Low-rank adapters (LoRA, Hu et al. 2021) through peft: W x becomes W x + (alpha / rank) B A x; A and B alone learn.

W [out, in] frozen, also in 8 or 4 bits        A [rank, in]  B [out, rank]  in float32, B = 0 at first
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from glmkit.core.errors import CorruptFile, MissingExtra, UserError, nearest
from glmkit.families.adapter_files import CONFIG, WEIGHTS, kind_of, read_config
from glmkit.families.spec import FamilySpec
from glmkit.nn.quantised import QuantisedLinear
from glmkit.train.peft_config import lora_options, takes_from_the_model
from glmkit.train.peft_weights import A, B, LoraWeights, part_of, read_tensors, read_weights

_LAYERS = ("attention.qkv", "attention.out", "mlp.up", "mlp.down")
_OUTSIDE = "base_model.model."  # what peft puts before every name
_OTHERS = (
    "glmkit lays LoRA and the official P-tuning over a model; where peft can merge this kind, merge it there "
    "(merge_and_unload) and give the model that it saves"
)


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """`targets`: which linear layers of a block get an adapter, by the ends of their names."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    targets: str = ",".join(_LAYERS)

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UserError(f"lora.rank must be at least 1, got {self.rank}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"lora.dropout must be at least 0 and less than 1, got {self.dropout}")
        for target in self.targets.split(","):
            if target not in _LAYERS:
                raise UserError(f"lora.targets has {target!r}{nearest(target, _LAYERS)}")


def add_lora(model: nn.Module, config: LoraConfig, seed: int) -> None:
    """Puts adapters on the blocks' layers; of the model they alone are trainable."""
    names = [
        name
        for name, part in model.named_modules()
        if name.startswith("blocks.") and name.endswith(tuple(config.targets.split(",")))
    ]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _inject(
            model,
            {
                "r": config.rank,
                "lora_alpha": config.alpha,
                "lora_dropout": config.dropout,
                "target_modules": sorted(names),
            },
        )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)


def write_lora(directory: Path, model: nn.Module, base: str) -> None:
    """The adapters as peft writes them: it, and what reads its files, can load them onto the same module."""
    peft = _peft()
    config: Any = model.peft_config["default"]  # type: ignore[index]
    config.base_model_name_or_path, config.inference_mode = base, True
    config.save_pretrained(str(directory))
    tensors = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    save_file({f"{_OUTSIDE}{name}": tensor.contiguous() for name, tensor in tensors.items()}, directory / WEIGHTS[0])


def lay_lora(directory: Path, model: nn.Module, spec: FamilySpec, config: Any) -> None:
    """Lays the adapters in `directory` over a model, ours or somebody's for the official code's names.

    They compute what peft computes with its files. Raises UserError for layers the model does not have and for what is
    not done here, naming the key of adapter_config.json; CorruptFile for damage and for weights of other sizes.
    """
    table = read_config(directory)
    if table.get("peft_type") != "LORA":
        raise UserError(f"{directory} is {kind_of(directory)}; {_OTHERS}")
    _peft()
    weights = read_weights(directory, model, spec, config)
    options = lora_options(table, weights.layers, directory)
    _check_shapes(model, options, weights)
    key = takes_from_the_model(options)
    if key is not None and any(isinstance(model.get_submodule(n), QuantisedLinear) for n in weights.layers.values()):
        raise UserError(
            f"{directory / CONFIG}: {key} is {table[key]!r}, which needs the model's own weights, not quantised ones: "
            "merge the adapter into the original, then quantise"
        )
    _inject(model, options)
    _fill(model, weights.tensors, weights.file)
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def restore_lora(directory: Path, model: nn.Module) -> None:
    """Puts the weights of `directory` into the adapters a model has. Raises CorruptFile."""
    file, tensors = read_tensors(directory)
    _fill(model, tensors, file)


def merge_lora(model: nn.Module) -> None:
    """Adds every adapter to the weights it lies over and takes it away. Raises UserError over quantised weights."""
    tuners = _peft_layers()
    for name, part in list(model.named_modules()):
        if isinstance(part, tuners.LoraLayer):
            base = part.get_base_layer()
            if isinstance(base, QuantisedLinear):
                raise UserError(
                    "an adapter cannot be merged into quantised weights: merge it into the original, then quantise"
                )
            part.merge(safe_merge=True)
            model.set_submodule(name, base)
    del model.peft_config


def _inject(model: nn.Module, options: Mapping[str, Any]) -> None:
    peft, tuners = _peft(), _peft_layers()
    config = peft.LoraConfig(**options)
    config._register_custom_module({QuantisedLinear: tuners.Linear})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unsupported layer type")  # ours, which peft does not know
        peft.inject_adapter_in_model(config, model)
    config._custom_modules = None  # what was registered is a class, which no file can hold
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()


def _check_shapes(model: nn.Module, options: Mapping[str, Any], weights: LoraWeights) -> None:
    """Before memory is taken for them: a rank in a config may be any number. Raises CorruptFile."""
    for layer in options["target_modules"]:
        base: Any = model.get_submodule(layer)
        rank = options["rank_pattern"].get(layer, options["r"])
        for part, shape in ((A, (rank, base.in_features)), (B, (base.out_features, rank))):
            if (tensor := weights.tensors.get(f"{layer}.{part}")) is not None and tuple(tensor.shape) != shape:
                raise CorruptFile(
                    f"{weights.file}: {layer}.{part} has shape {tuple(tensor.shape)}, the model and the ranks in "
                    f"{CONFIG} ask for {shape}"
                )


@torch.no_grad()
def _fill(model: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    places = {part_of(name): place for name, place in model.named_parameters() if ".lora_" in name}
    if missing := sorted(places.keys() ^ tensors.keys()):
        raise CorruptFile(f"{file} does not fit the model: {missing[0]} is on one side alone")
    for name, place in places.items():
        if place.shape != tensors[name].shape:
            raise CorruptFile(f"{file}: {name} has shape {tuple(tensors[name].shape)}, not {tuple(place.shape)}")
        place.copy_(tensors[name])


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingExtra(error.name or "peft", "finetune") from None
    return peft


def _peft_layers() -> Any:
    _peft()
    from peft.tuners import lora

    return lora
