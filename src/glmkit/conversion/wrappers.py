"""What trainers and quantizers leave in the names of weights: taken away where the weight is the model's, else named.

| in the names | whose | here |
|---|---|---|
| module.  _orig_mod.  base_model.model.  pretrained_model. | what a trainer wraps a model in | taken away |
| .base_layer. | a layer that peft put an adapter beside | taken away, unless the adapter is there too |
| lora_A  lora_B  modules_to_save | adapters beside the model's weights | refused: merge first |
| weight.absmax  SCB | codes of bitsandbytes | refused: dequantize first |
| qweight  qzeros  scales | codes of GPTQ and AWQ | refused: take the original |
| _flat_param, or a tensor of shape [0] | parts of FSDP, of ZeRO-3 | refused: gather first |
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from glmkit.conversion.instead import QUANTIZE
from glmkit.conversion.statemap import listed
from glmkit.core.errors import CorruptFile, UserError, short
from glmkit.core.json_types import Table

_BEFORE = re.compile(
    r"^(module\.|_orig_mod\.|_forward_module\.|_fsdp_wrapped_module\.|base_model\.model\.|base_model\.|pretrained_model\.)+"
)
_INSIDE = re.compile(r"\.(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_layer)(?=\.)")
_MERGE = "merge it before saving: model.merge_and_unload().save_pretrained(OUT)"
_DEQUANTIZE = "load it with transformers and save model.dequantize(), or " + QUANTIZE
# (what is in the name, what the weights are, what to do)
_FOREIGN = (
    (
        re.compile(r".*\.(lora_[A-Za-z_]+|modules_to_save|original_module|ia3_l)(\..*)?", re.DOTALL),
        "an adapter of peft beside the model's weights",
        _MERGE,
    ),
    (
        re.compile(
            r".*\.(absmax|quant_map|nested_absmax|nested_quant_map|SCB|weight_format)|.*\.quant_state\..*", re.DOTALL
        ),
        "codes of bitsandbytes",
        _DEQUANTIZE,
    ),
    (re.compile(r".*\.(qweight|qzeros|g_idx)", re.DOTALL), "codes of GPTQ or AWQ", QUANTIZE),
    (
        re.compile(r"(.*\.)?_flat_param(_\d+)?", re.DOTALL),
        "weights that FSDP has flattened into one",
        "save the model with StateDictType.FULL_STATE_DICT",
    ),
)


class Shaped(Protocol):
    """Whatever has a shape."""

    @property
    def shape(self) -> tuple[int, ...]: ...


E = TypeVar("E", bound=Shaped)


def unwrapped(entries: Mapping[str, E], where: Path) -> dict[str, E]:
    """The tensors of the file or directory `where` under the names that the model itself has for them.

    Raises UserError for what is no model until another program has worked on it, CorruptFile for a name twice.
    """
    results: dict[str, E] = {}
    for key, entry in entries.items():
        for pattern, what, remedy in _FOREIGN:
            if pattern.fullmatch(key):
                raise UserError(f"{where} holds {what} ({listed([key])}); {remedy}")
        if entry.shape == (0,):
            place = where if where.is_dir() else where.parent
            raise UserError(
                f"{where}: {listed([key])} is empty (shape [0]), as DeepSpeed's ZeRO-3 leaves what it did not gather; "
                f"run `python zero_to_fp32.py {place} OUT` (it comes with DeepSpeed) and take what that writes"
            )
        name = bare(key)
        if name in results:
            raise CorruptFile(
                f"{where} holds {listed([name])} twice, as {listed([key])} too: two checkpoints are mixed up"
            )
        results[name] = entry
    return results


def bare(key: str) -> str:
    """The name that the model itself has for what a trainer, or peft, calls `key`."""
    return _INSIDE.sub("", _BEFORE.sub("", key))


def refuse_external_codes(table: Table, directory: Path) -> None:
    """Raises UserError for a config.json that says that its weights are another program's codes."""
    said = table.get("quantization_config")
    if not said:
        return
    method = said.get("quant_method", "bitsandbytes") if isinstance(said, Mapping) else said
    raise UserError(
        f"{directory}: config.json says that its weights are codes ({short(method)}), which glmkit does not read; "
        f"{QUANTIZE}; if they are not, remove quantization_config from config.json"
    )
