"""Low-rank adapters (LoRA, Hu et al. 2021) through peft: W x becomes W x + (alpha / rank) B A x; A and B alone learn.

W [out, in] frozen, also in 8 or 4 bits        A [rank, in]  B [out, rank]  in float32, B = 0 at first
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from glmkit.conversion.write import write_tensors
from glmkit.core.config import check_settings
from glmkit.core.errors import CorruptFile, MissingExtra, UserError, argument, nearest
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import number, whole
from glmkit.core.sharded import copy_whole
from glmkit.families.adapter import CONFIG
from glmkit.families.adapter import SAFE as WEIGHTS
from glmkit.families.spec import FamilySpec, ModelConfig
from glmkit.nn.lora import AdaptedLayer, LowRank, with_layers
from glmkit.nn.quantized import QuantizedLinear
from glmkit.train.lora_config import CHANGES_BASE, check_layers, options_of, read_lora_config
from glmkit.train.lora_weights import AdapterTensors, check_saved, own_tensors, read_tensors, replace_weights

_LAYERS = ("attention.qkv", "attention.out", "mlp.up", "mlp.down")
_OUTSIDE = "base_model.model."  # what peft puts before every name


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """`targets`: which linear layers of a block get an adapter; queries, keys and values that are matrices of their own
    are all of `attention.qkv`, gate and value of `mlp.up`."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    targets: str = ",".join(_LAYERS)

    def __post_init__(self) -> None:
        check_settings(self, {"rank": whole(1), "dropout": number(low=0, below=1)}, "lora.")
        for target in self.targets.split(","):
            if target not in _LAYERS:
                raise UserError(f"lora.targets has {target!r}{nearest(target, _LAYERS)}")


def add_lora(model: nn.Module, config: LoraConfig, seed: int) -> None:
    """Puts adapters on the blocks' layers; of the model they alone are trainable."""
    inside = tuple(f".{target}." for target in config.targets.split(","))
    names = [
        name
        for name, part in model.named_modules()
        if name.startswith("blocks.")
        and isinstance(part, nn.Linear | QuantizedLinear)
        and any(target in f"{name}." for target in inside)
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
    config = vars(model)["peft_config"]["default"]
    config.base_model_name_or_path, config.inference_mode = base, True
    config.save_pretrained(str(directory))
    tensors = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    write_tensors(directory / WEIGHTS, {f"{_OUTSIDE}{name}": tensor for name, tensor in tensors.items()})


def apply_lora(directory: Path, model: nn.Module, spec: FamilySpec, config: ModelConfig) -> None:
    """Applies the adapters in `directory` to a model, ours or somebody's for the official code's names: what the two
    compute is what peft computes.

    Raises UserError for keys of its config that glmkit does not know and for layers that the model does not have,
    CorruptFile for weights that are not whole.
    """
    table, tensors = _read(directory, model, spec, config)
    replace_weights(directory, model, tensors.whole)
    _inject(model, options_of(table, tensors.held))
    _fill(model, tensors.adapters, directory)
    kind = _peft_layers().LoraLayer
    for name, part in list(model.named_modules()):
        if isinstance(part, kind):
            model.set_submodule(name, AdaptedLayer(part.get_base_layer(), [(_low_rank(part), slice(None))]))
    del model.peft_config
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def low_rank_layers(directory: Path, model: nn.Module, spec: FamilySpec, config: ModelConfig) -> dict[str, LowRank]:
    """What the adapter in `directory` adds to the layers of a model, which stays as it is.

    Raises what `apply_lora` raises, and UserError for an adapter that changes the model as a whole.
    """
    table, tensors = _read(directory, model, spec, config)
    over = [model.get_submodule(ours) for ours in tensors.held.values()]
    changes = ["init_lora_weights"] if table.get("init_lora_weights") in CHANGES_BASE else []
    changes += ["use_dora"] if table.get("use_dora") and any(isinstance(one, nn.Embedding) for one in over) else []
    changes += ["modules_to_save" if table.get("modules_to_save") else "bias"] if tensors.whole else []
    if changes:
        raise UserError(
            f"{directory}: {changes[0]} of {CONFIG} changes the model as a whole, with which others are written beside "
            f"this adapter; load the model with {argument('adapter', str(directory))}, or merge the two"
        )
    frozen = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    apart = with_layers(model, dict.fromkeys(tensors.held.values(), _itself))
    try:
        _inject(apart, options_of(table, tensors.held))
        _fill(apart, tensors.adapters, directory)
    finally:
        for parameter, requires_grad in frozen:
            parameter.requires_grad_(requires_grad)
    kind = _peft_layers().LoraLayer
    return {name: _low_rank(part) for name, part in apart.named_modules() if isinstance(part, kind)}


def restore_lora(directory: Path, model: nn.Module) -> None:
    """Puts the weights of `directory` into the adapters a model has. Raises CorruptFile."""
    _fill(model, own_tensors(directory), directory)


def merge_lora(model: nn.Module) -> None:
    """Merges every adapter into the weights it is applied to and removes it. Raises UserError over quantized
    weights."""
    for name, part in list(model.named_modules()):
        if isinstance(part, AdaptedLayer):
            if isinstance(part.base, QuantizedLinear):
                raise UserError(
                    "an adapter cannot be merged into quantized weights: merge it into the original, then quantize"
                )
            for low_rank, _ in part.parts:
                low_rank.merge_into(part.base)
            model.set_submodule(name, part.base)


def _read(
    directory: Path, model: nn.Module, spec: FamilySpec, config: ModelConfig
) -> tuple[JsonObject, AdapterTensors]:
    """The config and the tensors of an adapter, which are known to belong together."""
    _peft()
    table = read_lora_config(directory)
    tensors = read_tensors(directory, model, spec, config)
    check_layers(directory, table, tensors.layers, tensors.held)
    check_saved(directory, table, tensors)
    over = [model.get_submodule(ours) for ours in tensors.held.values()]
    changed = ["use_dora"] if table.get("use_dora") else []
    changed += ["init_lora_weights"] if table.get("init_lora_weights") in CHANGES_BASE else []
    if changed and any(isinstance(layer, QuantizedLinear) for layer in over):
        raise UserError(
            f"{directory}: {changed[0]} of {CONFIG} needs the weights themselves, and this model is quantized: load it "
            "as it is, or merge the adapter into the original and quantize that"
        )
    return table, tensors


def _itself(layer: nn.Module) -> nn.Module:
    return layer


@torch.no_grad()
def _low_rank(layer: Any) -> LowRank:
    """What a layer of peft computes beside the one it is applied to."""
    (name,) = layer.scaling
    scale = layer.scaling[name]
    if name in layer.lora_embedding_A:
        return LowRank(layer.lora_embedding_A[name].data, layer.lora_embedding_B[name].data, scale)
    a, b = layer.lora_A[name], layer.lora_B[name]
    gain = None
    if name in layer.lora_magnitude_vector:
        magnitude, weight = layer.lora_magnitude_vector[name], layer.get_base_layer().weight.to(a.weight.dtype)
        gain = magnitude.weight / magnitude.get_weight_norm(weight, magnitude.get_lora_weight(a, b), scale)
    return LowRank(a.weight.data, b.weight.data, scale, None if b.bias is None else b.bias.data, gain)


def _inject(model: nn.Module, options: Table) -> None:
    peft, tuners = _peft(), _peft_layers()
    config = peft.LoraConfig(**options)
    config._register_custom_module({QuantizedLinear: tuners.Linear})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unsupported layer type")  # ours, which peft does not know
        peft.inject_adapter_in_model(config, model)
    config._custom_modules = None  # what was registered is a class, which no file can hold
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()


@torch.no_grad()
def _fill(model: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    places = {n.replace(".default", ""): p for n, p in model.named_parameters() if ".lora_" in n}
    if lacking := sorted(places.keys() - tensors.keys()):
        raise CorruptFile(f"{where} lacks {lacking[0]}, which {CONFIG} asks for; copy the adapter again")
    if strange := sorted(tensors.keys() - places.keys()):
        raise CorruptFile(f"{where} holds {strange[0]}, for which {CONFIG} has no use; copy the adapter again")
    for name, place in places.items():
        if place.shape != tensors[name].shape:
            shape = tuple(tensors[name].shape)
            raise CorruptFile(
                f"{where}: {name} has shape {shape}, not {tuple(place.shape)}: of another model, or r and rank_pattern "
                f"of {CONFIG} are not this adapter's"
            )
        copy_whole(place, tensors[name])


def _peft() -> ModuleType:
    try:
        import peft
    except ImportError as error:
        raise MissingExtra(error.name or "peft", "finetune") from None
    return peft


def _peft_layers() -> ModuleType:
    _peft()
    from peft.tuners import lora

    return lora
