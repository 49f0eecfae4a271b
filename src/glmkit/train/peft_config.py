"""adapter_config.json of LoRA: every key of it has a place here, so that none is dropped without a word.

| key | here |
|---|---|
| r, lora_alpha, their patterns, use_rslora, use_dora, init_lora_weights | handed to peft, which computes with them |
| target_modules, exclude_modules, layers_to_transform, layers_pattern | must choose every layer that has weights |
| those of `_NO_EFFECT` | of training, or notes: they change nothing of what is computed |
| any other | refused by name and value unless it is empty |

Patterns and choices are matched by peft's own functions on the names that they were written for.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glmkit.core.errors import CorruptFile, UserError, short
from glmkit.core.kinds import FLAG, TEXT, TEXTS, Fault, Kind, check_fields, list_of, number, optional, table_of, whole
from glmkit.families.adapter_files import CONFIG

Table = Mapping[str, Any]
_MERGE = "merge it with peft first: PeftModel.from_pretrained(MODEL, {}).merge_and_unload().save_pretrained(OUT)"
_CONVERT = (
    "save it with peft's save_pretrained(OUT, path_initial_model_for_weight_conversion=INIT), which makes it a LoRA of "
    "the model itself"
)
_SETS = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
_HANDED = ("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "init_lora_weights")
_NO_EFFECT = frozenset(
    {
        "peft_type", "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision",
        "inference_mode", "lora_dropout", "runtime_config", "merge_weights",
        "fan_in_fan_out",  # of layers that hold their weights transposed, which no model here has
        "loftq_config", "eva_config", "corda_config", "lora_ga_config",  # of the start that init_lora_weights names
        "megatron_core", "qalora_group_size",  # of what megatron_config and use_qalora turn on
    }
)  # fmt: skip
# How A and B begin, where it leaves the model's own weights as they are: the file has what became of A and B.
_PLAIN_STARTS = ("gaussian", "eva", "orthogonal", "mica")
# peft takes the part that A and B begin with out of the model's weights, the same way each time.
_TAKING_STARTS = ("pissa", "olora")


def _either(*kinds: Kind) -> Kind:
    def find(value: Any) -> Fault | None:
        return Fault("", value, wanted) if all(kind.find(value) for kind in kinds) else None

    wanted = " or ".join(kind.wanted for kind in kinds)
    return Kind(wanted, find)


_SCHEMA = {
    "r": whole(1),
    "lora_alpha": number(),
    "rank_pattern": optional(table_of(whole(1))),
    "alpha_pattern": optional(table_of(number())),
    "use_rslora": optional(FLAG),
    "use_dora": optional(FLAG),
    "init_lora_weights": optional(_either(FLAG, TEXT)),
    "target_modules": optional(_either(TEXT, TEXTS)),
    "exclude_modules": optional(_either(TEXT, TEXTS)),
    "layers_to_transform": optional(_either(whole(0), list_of(whole(0)))),
    "layers_pattern": optional(_either(TEXT, TEXTS)),
}


def lora_options(table: Table, layers: Mapping[str, str], where: Path) -> dict[str, Any]:
    """What peft needs to lay an adapter over `layers` (the name in its file -> the name of ours).

    `table`: the adapter_config.json of the directory `where`. Raises UserError naming the key of what is not done here,
    CorruptFile naming the key that is damaged or leaves out a layer.
    """
    file = where / CONFIG
    check_fields(table, _SCHEMA, str(file))
    _refuse_others(table, where)
    _check_chosen(table, list(layers), file)
    found: dict[str, Any] = {"target_modules": sorted(layers.values())}
    for key in ("use_rslora", "use_dora"):
        found[key] = bool(table.get(key))
    found["init_lora_weights"] = _start(table.get("init_lora_weights", True), file)
    for key, pattern in (("r", "rank_pattern"), ("lora_alpha", "alpha_pattern")):
        given = table.get(key, 8)
        found[key] = given
        found[pattern] = {
            ours: number
            for theirs, ours in layers.items()
            if (number := _by_pattern(table, pattern, theirs, given, file)) != given
        }
    return found


def takes_from_the_model(options: Mapping[str, Any]) -> str | None:
    """The key that makes peft look at or change the model's own weights, if there is one."""
    if options["use_dora"]:
        return "use_dora"
    return "init_lora_weights" if options["init_lora_weights"] else None


def _refuse_others(table: Table, where: Path) -> None:
    for key, value in table.items():
        if key in _NO_EFFECT or key in _SETS or key in _HANDED or not value or (key == "bias" and value == "none"):
            continue
        raise UserError(
            f"{where / CONFIG}: {key} is {short(value)}, which glmkit does not compute; "
            f"{_MERGE.format(repr(str(where)))}"
        )


def _start(start: bool | str | None, file: Path) -> bool | str:
    """What peft is to begin A and B with, before they are read from the file."""
    if not isinstance(start, str) or start.lower() in _PLAIN_STARTS:
        return False
    if start in _TAKING_STARTS:
        return start
    raise UserError(
        f"{file}: init_lora_weights is {short(start)}: it belongs to a model from whose weights a part was taken, and "
        f"which part is not in the file; {_CONVERT}"
    )


def _by_pattern(table: Table, key: str, layer: str, otherwise: Any, file: Path) -> Any:
    from peft.utils.other import get_pattern_key

    pattern = table.get(key) or {}
    try:
        return pattern.get(get_pattern_key(list(pattern), layer), otherwise)
    except re.error as error:
        raise CorruptFile(f"{file}: {key} has a name that is no regular expression ({error})") from None


def _check_chosen(table: Table, layers: Sequence[str], file: Path) -> None:
    """Raises CorruptFile for a layer with weights in the file which peft would leave out."""
    from peft import LoraConfig
    from peft.tuners.tuners_utils import check_target_module_exists

    targets = table.get("target_modules")
    everything = targets is None or (isinstance(targets, str) and targets.lower() == "all-linear")
    chosen = {key: table.get(key) for key in _SETS}
    if everything:
        chosen["target_modules"] = r".*"
    try:
        config = LoraConfig(**chosen)
        left = next((layer for layer in layers if not check_target_module_exists(config, layer)), None)
    except (ValueError, re.error) as error:
        reason = " ".join(str(error).split())
        raise CorruptFile(f"{file}: {_said(table)} cannot be read by peft ({reason})") from None
    if left is not None:
        raise CorruptFile(
            f"{file}: {_said(table)} leaves out {left}, which the file beside it has weights of; mend one of them"
        )


def _said(table: Table) -> str:
    return ", ".join(f"{key} {short(table[key])}" for key in _SETS if table.get(key))
