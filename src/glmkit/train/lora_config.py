"""What an adapter_config.json of peft asks for, key by key: passed on, without effect here, or refused by name.

| keys | here |
|---|---|
| r, lora_alpha, rank_pattern, alpha_pattern, use_rslora, use_dora, lora_bias, init_lora_weights | peft builds by them |
| target_modules, exclude_modules, layers_to_transform, layers_pattern, modules_to_save | compared with the weights |
| bias, lora_dropout, inference_mode, base_model_name_or_path, ... | change nothing that is computed |
| any other, at a value that is not its default | refused |

No key leads anywhere: none imports a module or names a file that is opened.
"""

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from glmkit.core.errors import CorruptFile, UserError, nearest, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import FLAG, TEXT, TEXTS, Kind, check, list_of, number, one_of, optional, table_of, whole
from glmkit.families.adapter import CONFIG, read_config

_RANK = whole(1, 1 << 20)
_NAMES = Kind("text or a list of texts", lambda value: (TEXT if isinstance(value, str) else TEXTS).find(value))
_LAYERS = Kind(
    "a whole number or a list of them",
    lambda value: (list_of(whole(0)) if isinstance(value, list) else whole(0)).find(value),
)
_TABLE = Kind("a table", lambda value: table_of(Kind("", lambda _: None)).find(value))
_BUILT = {  # peft computes by these
    "r": _RANK,
    "lora_alpha": number(),
    "rank_pattern": optional(table_of(_RANK)),
    "alpha_pattern": optional(table_of(number())),
    "use_rslora": optional(FLAG),
    "use_dora": optional(FLAG),
    "lora_bias": optional(FLAG),
    "init_lora_weights": Kind("text, true or false", lambda v: (TEXT if isinstance(v, str) else FLAG).find(v)),
}
_WHERE = {  # which layers; the weights say it too, and the two are compared
    "target_modules": optional(_NAMES),
    "exclude_modules": optional(_NAMES),
    "layers_to_transform": optional(_LAYERS),
    "layers_pattern": optional(_NAMES),
    "modules_to_save": optional(TEXTS),
}
_ASIDE = {
    "peft_type": TEXT,
    "bias": one_of("none", "all", "lora_only"),  # those that were trained are among the weights
    "lora_dropout": number(0, 1),  # in training alone
    "fan_in_fan_out": optional(FLAG),  # peft turns it off for layers like ours, [out, in]
    "inference_mode": optional(FLAG),
    "base_model_name_or_path": optional(TEXT),
    "revision": optional(TEXT),
    "task_type": optional(TEXT),
    "peft_version": optional(TEXT),
    "auto_mapping": optional(_TABLE),
    "loftq_config": optional(_TABLE),  # the next four: at the beginning of training, by init_lora_weights
    "eva_config": optional(_TABLE),
    "corda_config": optional(_TABLE),
    "lora_ga_config": optional(_TABLE),
    "qalora_group_size": optional(whole()),  # with use_qalora alone, which is refused
    "megatron_core": optional(TEXT),  # with megatron_config alone, which is refused
    "merge_weights": optional(FLAG),  # of peft before 0.3
}
_SCHEMA = _BUILT | _WHERE | _ASIDE
# How A and B began does not matter once they are read, unless the base was changed with them: peft takes the same part
# out of it again where that part follows from the base alone.
_PLAIN, CHANGES_BASE = ("gaussian", "eva", "mica", "orthogonal"), ("pissa", "olora")
_MERGED_ELSEWHERE = "merge it with peft: PeftModel.from_pretrained(MODEL, DIR).merge_and_unload().save_pretrained(OUT)"
_KINDS = {
    "PREFIX_TUNING": "prefix tuning",
    "PROMPT_TUNING": "prompt tuning",
    "MULTITASK_PROMPT_TUNING": "prompt tuning",
    "P_TUNING": "P-tuning of peft, a prompt before the text",
    "CPT": "prompt tuning",
    "ADAPTION_PROMPT": "LLaMA-Adapter",
    "IA3": "IA3",
    "ADALORA": "AdaLoRA",
    "LOHA": "LoHa",
    "LOKR": "LoKr",
}
_PROMPTS = ("PREFIX_TUNING", "PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "CPT", "ADAPTION_PROMPT")


def read_lora_config(directory: Path) -> JsonObject:
    """The adapter_config.json in `directory`, every key of which is understood.

    Raises CorruptFile for values that are none, UserError naming the key for what glmkit would have to leave out.
    """
    path = directory / CONFIG
    table = read_config(directory)
    kind = table.get("peft_type")
    if kind != "LORA":
        _refuse_kind(path.parent, kind)
    for name, wanted in _SCHEMA.items():
        if name in table:
            try:
                check(table[name], wanted, f"{path}: {name}")
            except UserError as error:
                raise CorruptFile(f"{error}; copy the adapter again") from None
    _check_init(path, table.get("init_lora_weights", True))
    _check_patterns(path, table)
    usual = _defaults()
    for name, value in table.items():
        if name not in _SCHEMA and value not in (None, False, "", [], {}) and value != usual.get(name):
            raise UserError(
                f"{path}: {name} is {short(value)}, and what peft computes by it glmkit does not; {_MERGED_ELSEWHERE}"
            )
    return table


def options_of(table: Table, layers: Mapping[str, str]) -> JsonObject:
    """What peft's LoraConfig is built with for `layers`, their name in the adapter -> the model's name."""
    from peft.utils.other import get_pattern_key

    built = {name: table[name] for name in _BUILT if table.get(name) is not None}
    for name in ("rank_pattern", "alpha_pattern"):
        given = built.pop(name, {})
        keys = {theirs: get_pattern_key(given, theirs) for theirs in layers}
        built[name] = {re.escape(ours): given[keys[theirs]] for theirs, ours in layers.items() if keys[theirs] in given}
    if built.get("init_lora_weights") not in (*CHANGES_BASE, False):
        built["init_lora_weights"] = True
    return built | {"target_modules": "|".join(re.escape(ours) for ours in layers.values())}


def check_layers(directory: Path, table: Table, known: Mapping[str, str], held: Collection[str]) -> None:
    """Raises CorruptFile unless the config names those layers that the weights are of, `held`, of all that are
    `known`: their name in the adapter -> the model's, by either of which the config may call them.

    peft leaves out what its config does not name, and begins anew what the weights do not hold, without an error.
    """
    import peft
    from peft.tuners.tuners_utils import check_target_module_exists

    if table.get("target_modules") in (None, "all-linear"):
        return
    try:
        config = peft.LoraConfig(**{name: table[name] for name in _WHERE if table.get(name) is not None})
    except ValueError as error:
        raise CorruptFile(f"{directory / CONFIG}: {' '.join(str(error).split())}; copy the adapter again") from None
    named = {
        layer for layer, ours in known.items() if any(check_target_module_exists(config, n) for n in (layer, ours))
    }
    if strange := sorted(set(held) - named):
        keys = ["target_modules", *(name for name in ("exclude_modules", "layers_to_transform") if table.get(name))]
        raise CorruptFile(
            f"{directory} holds an adapter of {strange[0]}, which {' and '.join(keys)} of {CONFIG} leaves out: the two "
            "are not of one adapter; copy both again"
        )
    if lacking := sorted(named - set(held)):
        raise CorruptFile(
            f"{directory} lacks the adapter of {lacking[0]}, which target_modules of {CONFIG} names; copy it again"
        )


def _refuse_kind(directory: Path, kind: object) -> None:
    said = _KINDS.get(kind, f"kind {short(kind)}") if isinstance(kind, str) else f"kind {short(kind)}"
    end = (
        "it stands before the text and cannot be merged; train one with glmkit (method=lora or ptuning)"
        if kind in _PROMPTS
        else _MERGED_ELSEWHERE
    )
    raise UserError(
        f"{directory} is an adapter of {said} (peft_type {short(kind)}); glmkit reads LoRA, and the prefix of the "
        f"official P-tuning scripts; {end}"
    )


def _check_init(path: Path, value: bool | str) -> None:
    if isinstance(value, bool) or value in (*_PLAIN, *CHANGES_BASE):
        return
    known = ("pissa_niter_16", "corda", "loftq", "lora_ga")
    what = (
        "the adapter belongs to a base that was changed when training began, and its files do not tell how"
        if re.fullmatch(r"pissa_niter_\d+|corda|loftq|lora_ga", value)
        else f"which is none of peft's{nearest(value, [*_PLAIN, *CHANGES_BASE, *known])}"
    )
    raise UserError(
        f"{path}: init_lora_weights is {short(value)}: {what}; save it again with "
        "save_pretrained(DIR, path_initial_model_for_weight_conversion=...), or merge it where it was trained"
    )


def _check_patterns(path: Path, table: Table) -> None:
    """Raises CorruptFile for a pattern that is none."""
    for name, pattern in _patterns(table):
        try:
            re.compile(pattern)
        except re.error as error:
            raise CorruptFile(f"{path}: {name} has {short(pattern)}, which is no pattern ({error})") from None


def _patterns(table: Table) -> Iterator[tuple[str, str]]:
    for name in ("rank_pattern", "alpha_pattern", "modules_to_save", "layers_pattern"):
        value = table.get(name) or ()
        yield from ((name, item) for item in ([value] if isinstance(value, str) else value))
    yield from ((n, table[n]) for n in ("target_modules", "exclude_modules") if isinstance(table.get(n), str))


def _defaults() -> JsonObject:
    import peft

    config = peft.LoraConfig()
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
