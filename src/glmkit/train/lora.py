"""Low-rank adapters (LoRA, Hu et al. 2021) through peft: W x becomes W x + (alpha / rank) B A x; A and B alone learn.

W [out, in] frozen, also in 8 or 4 bits        A [rank, in]  B [out, rank]  in float32, B = 0 at first
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glmkit.convert.statemap import StateMap
from glmkit.convert.weights import open_file
from glmkit.convert.write import write_tensors
from glmkit.core.config import check_settings
from glmkit.core.errors import CorruptFile, MissingExtra, UserError, nearest
from glmkit.core.kinds import number, whole
from glmkit.families.detect import read_table
from glmkit.families.spec import FamilySpec
from glmkit.nn.quantised import QuantisedLinear

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_LAYERS = ("attention.qkv", "attention.out", "mlp.up", "mlp.down")
_OUTSIDE = "base_model.model."  # what peft puts before every name


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """`targets`: which linear layers of a block get an adapter, by the ends of their names."""

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
    write_tensors(directory / WEIGHTS, {f"{_OUTSIDE}{name}": tensor for name, tensor in tensors.items()})


def lay_lora(directory: Path, model: nn.Module, spec: FamilySpec, config: Any) -> None:
    """Lays the adapters in `directory` over a model, ours or somebody's for the official code's names.

    Raises UserError for layers the model does not have, CorruptFile for weights of other sizes.
    """
    _put(model, read_table(directory / CONFIG), _read(directory, model, spec, config), directory)


def restore_lora(directory: Path, model: nn.Module) -> None:
    """Puts the weights of `directory` into the adapters a model has. Raises CorruptFile."""
    _fill(model, _tensors(directory), directory)


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


def _put(model: nn.Module, table: Mapping[str, Any], tensors: Mapping[str, Tensor], where: Path) -> None:
    if table.get("peft_type") != "LORA":
        raise UserError(f"{where} is an adapter of kind {table.get('peft_type')!r}; glmkit lays LoRA over a model")
    modules = {name for name, _ in model.named_modules()}
    layers = sorted({name.split(".lora_")[0] for name in tensors})
    if strange := [layer for layer in layers if layer not in modules]:
        raise UserError(f"{where} is an adapter of another model: this one has no layer {strange[0]}")
    kept = ("r", "lora_alpha", "use_rslora", "use_dora")
    _inject(model, {name: table[name] for name in kept if name in table} | {"target_modules": layers})
    _fill(model, tensors, where)
    for parameter in model.parameters():
        parameter.requires_grad_(False)


@torch.no_grad()
def _fill(model: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    places = {n.replace(".default", ""): p for n, p in model.named_parameters() if ".lora_" in n}
    if missing := sorted(places.keys() ^ tensors.keys()):
        raise CorruptFile(f"{where / WEIGHTS} does not fit the model: {missing[0]} is on one side alone")
    for name, place in places.items():
        if place.shape != tensors[name].shape:
            found = tuple(tensors[name].shape)
            raise CorruptFile(f"{where / WEIGHTS}: {name} has shape {found}, not {tuple(place.shape)}")
        place.copy_(tensors[name])


def _read(directory: Path, model: nn.Module, spec: FamilySpec, config: Any) -> dict[str, Tensor]:
    """The tensors under our names; B of a layer that others pack in another way is packed as ours."""
    tensors = _tensors(directory)
    for layout in spec.formats:
        theirs = _by_foreign_name(layout.statemap(config), model)
        if all(name.split(".lora_")[0] in theirs for name in tensors):
            found = {}
            for name, tensor in tensors.items():
                layer, _, rest = name.partition(".lora_")
                ours, packing = theirs[layer]
                found[f"{ours}.lora_{rest}"] = packing.to_native([tensor]) if rest.startswith("B") else tensor
            return found
    return tensors


def _tensors(directory: Path) -> dict[str, Tensor]:
    weights = open_file(directory / WEIGHTS)
    return {key.removeprefix(_OUTSIDE): weights.get(key) for key in weights.keys()}  # noqa: SIM118


def _by_foreign_name(statemap: StateMap, model: nn.Module) -> dict[str, Any]:
    """Layers that are one of theirs: their name -> our name, and the packing."""
    ours = [f"{name}.weight" for name, part in model.named_modules() if name.startswith("blocks.") and _linear(part)]
    bound = statemap.foreign(ours)
    return {
        bound[name].keys[0].removesuffix(".weight"): (name.removesuffix(".weight"), bound[name].packing)
        for name in ours
        if len(bound[name].keys) == 1
    }


def _linear(part: nn.Module) -> bool:
    return isinstance(part, nn.Linear | QuantisedLinear)


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
