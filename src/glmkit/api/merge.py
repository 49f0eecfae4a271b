"""An adapter and its base made one plain model, which is the same as both."""

from pathlib import Path
from typing import Any

import torch

from glmkit.api.load import Model, load
from glmkit.core.errors import ExportDiffers, UserError, argument
from glmkit.core.files import atomic_directory
from glmkit.families import directory
from glmkit.families.adapter import adapter_at, base_of, kind_of
from glmkit.families.load import open_model
from glmkit.train.lora import merge_lora

TOLERANCE = 1e-4
_TOKENS = 64


def merge(adapter: Path, output: Path, base: Path | None = None, **options: Any) -> float:
    """Writes base plus adapter as a model into the new directory `output`; a prefix stays one, inside the model.

    Returns how far the logits of random tokens are apart at most, before and after, both in float32. The model is
    written in the type of its base. `options` are those of `load` that identify a model whose files do not: `model`,
    `tokenizer`, fields of its config. Raises UserError for a quantized base, ExportDiffers where the two differ by
    more than `TOLERANCE`, relative to the largest logit; then nothing is written.
    """
    if output.exists():
        raise UserError(f"{output} exists already; choose another name or remove it first")
    over = adapter_at(adapter)
    place = base_of(over, f"give {argument('base', 'DIR')}, the model") if base is None else base
    model = load(place, adapter=over, dtype="float32", activations="exact", **options)
    apart = _logits(model)
    if kind_of(over) == "LoRA":
        merge_lora(model.module)
    together = _logits(model)
    difference = float((apart - together).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(apart.abs().max())):
        raise ExportDiffers(
            f"{over} cannot be merged: its model's logits would differ by {difference:.2g} from those of base and "
            "adapter, as they do where an adapter changes one use of a matrix that is used twice; nothing was written; "
            "apply the adapter to its model where that is loaded"
        )
    how = {name: options.pop(name, None) for name in ("model", "tokenizer")}
    model.module.to(open_model(place, **how, options=options).weights.main_dtype)
    with atomic_directory(output) as partial:
        directory.write(partial, model.family, model.config, model.module, model.tokenizer, model.infill_run)
    return difference


def _logits(model: Model) -> torch.Tensor:
    ids = torch.randint(0, len(model.tokenizer), (2, _TOKENS), generator=torch.Generator().manual_seed(0))
    positions = torch.arange(_TOKENS).expand(2, model.position_scheme.channels, _TOKENS).clone()
    positions[:, 1:] = 0
    return model.logits(ids, positions, context=0)
