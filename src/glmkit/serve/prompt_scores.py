"""log p of each token of a text given those before it: what echo shows, and the heat map.

A GLM reads its context both ways, so its tokens are scored as if it had written them behind the first (PromptFormat's
`scored`); the others read from left to right anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glmkit.core.forked import computing
from glmkit.nn.finite import check_finite
from glmkit.objective.choices import ScoringRequest, choice_batch
from glmkit.objective.loss import targets_of
from glmkit.serve.errors import too_long
from glmkit.serve.models import ServedModel

_ROWS = 256  # tokens whose logits are there at once


@dataclass(frozen=True)
class TokenScore:
    """A token of a prompt; `logprob` is None where nothing stands before it."""

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


def framed_by_itself(served: ServedModel, ids: Sequence[int]) -> bool:
    """Whether ids bring along what stands around a text of this family."""
    frame = served.model.prompt_format
    if frame.writes_in_blank:
        return any(id in frame.special.masks for id in ids)
    return frame.special.sop in ids


@torch.inference_mode()
def score_prompt(served: ServedModel, ids: Sequence[int], top: int) -> list[TokenScore]:
    """The scores of a text's ids; of ids that bring along the frame of a text, those of the frame have none. Raises
    ApiError for a text beyond the model's context, NotFinite for a model whose scores are NaN or infinite."""
    frame, model = served.model.prompt_format, served.model
    begin = len(frame.begin) if list(ids[: len(frame.begin)]) == frame.begin and frame.begin else 0
    given, text = ids[:begin], list(ids[begin:])
    if not text:
        return [TokenScore(id) for id in given]
    if len(text) + len(frame.begin) + 2 > served.limit + 3:
        raise too_long(len(text) + len(frame.begin), served.limit)
    both_ways = frame.bidirectional
    first, rest = (text[:1], text[1:]) if both_ways else ([], text)
    scores = [TokenScore(id) for id in [*given, *first]]
    if not rest:
        return scores
    computing()
    read = frame.scored(first, both_ways=False)
    request = ScoringRequest(context=read.context, blank=read.blank, forced_prefix=read.forced_prefix, answers=[rest])
    batch = choice_batch(model.position_scheme, model.tokenizer.special, [request])
    hidden, targets, _ = targets_of(model.module, batch.to(next(model.module.parameters()).device))
    for rows, ids_of_rows in zip(hidden.split(_ROWS), targets.split(_ROWS), strict=True):
        logits = model.module.logits(rows).float()
        logprobs = check_finite(logits - logits.logsumexp(-1, keepdim=True), model.module)
        chosen = logprobs.gather(1, ids_of_rows[:, None])[:, 0].tolist()
        best = logprobs.topk(min(top, logprobs.shape[1])) if top else None
        values = best.values.tolist() if best else [[] for _ in chosen]
        indices = best.indices.tolist() if best else [[] for _ in chosen]
        for id, logprob, others, numbers in zip(ids_of_rows.tolist(), chosen, indices, values, strict=True):
            scores.append(TokenScore(id, logprob, tuple(zip(others, numbers, strict=True))))
    return scores
