"""What a directory without weights holds instead, and the command that makes a model of it.

Trainers and other programs leave directories that look like models: parts of one a process, adapters, checkpoints
inside checkpoints, codes. Each is known by its names of files; nothing is opened.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from glmkit.conversion.statemap import listed
from glmkit.core.errors import argument

Names = Sequence[str]
SINGLE = ("model.safetensors", "pytorch_model.bin")
INDEX = ".index.json"
_TRAINING = r"optimizer.*|scheduler\.(pt|bin)|training_args\.bin|trainer_state\.json|rng_state.*|scaler\.(pt|bin)"


def instead(directory: Path) -> str | None:
    """What `directory` holds and what to do with it, to stand behind "DIR holds no weights: ".

    None if it holds weights after all, or nothing that is known.
    """
    names = sorted(path.name for path in directory.iterdir())
    if any(name.removesuffix(INDEX) in SINGLE for name in names):
        return None
    return next((line for row in _ROWS if (line := row(directory, names))), None)


def _adapter(directory: Path, names: Names) -> str | None:
    if not _like(names, r"adapter_config\.json|adapter_model\.(safetensors|bin)"):
        return None
    return f"it is an adapter; give the model it was trained on, and {argument('adapter', str(directory))}"


def _checkpoints(directory: Path, names: Names) -> str | None:
    """A run of the Hugging Face trainer, whose checkpoints are inside."""
    steps = [int(name.removeprefix("checkpoint-")) for name in _like(names, r"checkpoint-\d{1,18}")]
    return f"its newest checkpoint is {directory / f'checkpoint-{max(steps)}'}; give that" if steps else None


def _deepspeed(directory: Path, names: Names) -> str | None:
    parts = r"latest|zero_to_fp32\.py|global_step\d+|(bf16_|fp16_)?zero_pp_rank_.*\.pt|.*_optim_states\.pt"
    if not (matches := _like(names, parts)):
        return None
    place = directory if not matches[0].endswith(".pt") else directory.parent
    return (
        f"it is a checkpoint of DeepSpeed ({listed(matches)}), in parts; run `python {place / 'zero_to_fp32.py'} "
        f"{place} OUT` (the script comes with DeepSpeed) and put what it writes there as pytorch_model.bin"
    )


def _fsdp(directory: Path, names: Names) -> str | None:
    if matches := _like(names, r"pytorch_model_fsdp\.bin|model_fsdp\.safetensors"):
        whole = matches[0].replace("_fsdp", "")
        return f"{matches[0]} is the whole model as FSDP saves it; rename it {whole}"
    place = next((directory / name for name in _like(names, r"pytorch_model_fsdp_\d+|model_\d+_fsdp")), directory)
    if place == directory and not _like(names, r".*\.distcp"):
        return None
    return f"{place} is a checkpoint of FSDP, in parts; run `accelerate merge-weights {place} {directory}`"


def _codes(directory: Path, names: Names) -> str | None:
    if not (matches := _like(names, r"quantize_config\.json|quant_config\.json|gptq_model.*|awq_model.*")):
        return None
    return f"it is of codes of GPTQ or AWQ ({listed(matches)}), which glmkit does not read; {QUANTIZE}"


def _shards(directory: Path, names: Names) -> str | None:
    for name in SINGLE:
        base, _, end = name.partition(".")
        if matches := _like(names, rf"{base}-\d+-of-\d+\.{end}"):
            return (
                f"{listed(matches)} are shards, and {name}{INDEX}, which says what is where, is not there; copy it too"
            )
    return None


def _others(directory: Path, names: Names) -> str | None:
    if matches := _like(names, r"consolidated.*"):
        return (
            f"{listed(matches)} is in a layout that glmkit does not read; take the files of the same model for "
            "transformers (model.safetensors or pytorch_model.bin)"
        )
    if matches := _like(
        names, r".*\.(gguf|ggml|h5|msgpack|onnx|pdparams|ckpt\.index)|ggml-model.*|chatglm.*ggml.*\.bin"
    ):
        return (
            f"{listed(matches)} is for another program, which glmkit does not read; take the files of the same model "
            "for transformers (model.safetensors or pytorch_model.bin)"
        )
    kinds = r"(?!(optimizer|scheduler|training_args|rng_state|scaler|value_head|random_states)).*"
    if matches := _like(names, kinds + r"\.(safetensors|bin|pt|pth|ckpt)"):
        whole = "model.safetensors" if matches[0].endswith(".safetensors") else "pytorch_model.bin"
        return f"if {matches[0]} is the model, rename it {whole}"
    return None


def _training(directory: Path, names: Names) -> str | None:
    if not (matches := _like(names, _TRAINING)):
        return None
    return f"{listed(matches)} is the state of a training run; give the directory in which its model was saved"


def _like(names: Names, pattern: str) -> list[str]:
    return [name for name in names if re.fullmatch(pattern, name)]


QUANTIZE = "take the model they were made of, and `glmkit quantize MODEL OUT --bits 4`"
_ROWS: tuple[Callable[[Path, Names], str | None], ...] = (
    _adapter,
    _checkpoints,
    _deepspeed,
    _fsdp,
    _codes,
    _shards,
    _others,
    _training,
)
