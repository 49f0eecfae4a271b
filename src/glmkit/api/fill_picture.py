"""What a model fills into the blanks of a text, and what else it finds probable there, as a picture."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch

from glmkit.api.infill import split_at_blanks
from glmkit.api.load import Model
from glmkit.core.errors import UserError
from glmkit.core.files import atomic_file
from glmkit.infill.position_schemes import encode_prompt
from glmkit.pictures.fills import FilledBlank, fill_picture

_LIKELY = 3
SUFFIX = ".svg"


def check_picture(path: Path) -> None:
    """Raises UserError for a name of another kind of picture."""
    if path.suffix != SUFFIX:
        raise UserError(f"{path}: the picture is an SVG; give it a name that ends in {SUFFIX}")


def draw_fills(model: Model, text: str, spans: Sequence[str], path: Path) -> None:
    """Writes the picture of `text` with `spans` in its blanks. Beside each blank stand the three pieces with which its
    filling most probably begins, given all the rest of the filled text. Raises UserError."""
    check_picture(path)
    parts = split_at_blanks(model.tokenizer, text)
    marks = re.findall("|".join(map(re.escape, model.tokenizer.blanks)), text)
    blanks = []
    for place, (mark, span) in enumerate(zip(marks, spans, strict=True)):
        filled = [*spans[:place], mark, *spans[place + 1 :], ""]
        with_one = "".join(part + span for part, span in zip(parts, filled, strict=True))
        blanks.append(FilledBlank(span, first_pieces(model, with_one)))
    with atomic_file(path) as partial:
        partial.write_text(fill_picture(parts, blanks), encoding="utf-8")


@torch.inference_mode()
def first_pieces(model: Model, text: str, count: int = _LIKELY) -> tuple[tuple[str, float], ...]:
    """The pieces with which the only blank of a text most probably begins, best first, with their probabilities."""
    tokenizer, (prompt_format, position_scheme) = model.tokenizer, model.blank_format
    ids = prompt_format.fill(tokenizer.encode_marked(text))
    prompt = encode_prompt(position_scheme, ids, tokenizer.special)
    logits = model.logits(torch.tensor(prompt.tokens)[None], torch.tensor(prompt.positions)[None], prompt.context)
    likely = logits[0, -1].float().softmax(-1)[: len(tokenizer)]  # the table has more rows than there are ids
    values, best = likely.topk(count)  # [count]
    return tuple((tokenizer.decode([id]).strip(), p) for id, p in zip(best.tolist(), values.tolist(), strict=True))
