"""log p of each token of a text given those before it: what echo shows, and the heat map.

A GLM reads its context both ways, so its tokens are scored as if it had written them behind the first (PromptFormat's
`scored`); the others read from left to right anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmkit.api import Model
from glmkit.objective.choices import ScoringRequest, of_choices
from glmkit.objective.read_request import TopScores
from glmkit.serve.errors import too_long
from glmkit.serve.models import ServedModel


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


def score_prompt(served: ServedModel, model: Model, ids: Sequence[int], top: int) -> list[TokenScore]:
    """The scores of a text's ids by the served `model`; of ids that bring along the frame of a text, those of the frame
    have none. Raises ApiError for a text beyond the model's context, NotFinite for a model whose scores are NaN or
    infinite."""
    frame = served.model.prompt_format
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
    read = frame.scored(first, both_ways=False)
    request = ScoringRequest(context=read.context, blank=read.blank, forced_prefix=read.forced_prefix, answers=[rest])
    text_read = of_choices(model.position_scheme, model.tokenizer.special, request)
    (result,) = model.reader([replace(text_read, reduce=TopScores(np.array(rest), top))])
    values, others = result[:, 2:].chunk(2, dim=1)
    best = zip(others.long().tolist(), values.tolist(), strict=True)
    for id, logprob, (numbers, logprobs) in zip(rest, result[:, 0].tolist(), best, strict=True):
        scores.append(TokenScore(id, logprob, tuple(zip(numbers, logprobs, strict=True))))
    return scores
