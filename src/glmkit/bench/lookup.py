"""What prompt look-up (glmkit.generate.prompt_lookup) brings: random models of a preset's shapes take dictation, so
that the text is known, with drafts and without, in turns.

    rewrite     pieces of the prompt in order, as long as `span` on average, and new tokens between them
    new         nothing of the prompt
    misleading  pairs of the prompt, each followed by what the prompt does not say: every draft is wrong
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from glmkit.bench.inference import ROUNDS
from glmkit.bench.interleaved import interleaved
from glmkit.bench.random_models import RandomModel
from glmkit.bench.report import Report, Result
from glmkit.core.json_types import Table
from glmkit.generate.follow import follow
from glmkit.generate.prompt_lookup import DRAFT_COST, MAX_DRAFT
from glmkit.generate.request import Request
from glmkit.generate.samplers import Sampler
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.session import DecodeConfig
from glmkit.text.special import SpecialIds

_SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)
_FIRST = 8  # id of text


@dataclass(frozen=True)
class Dictated:
    """Writes `text`, whatever the model says."""

    text: Sequence[int]

    def sampler(self, prompt: Sequence[int], index: int) -> Sampler:
        return _Dictated(iter(self.text))


class _Dictated:
    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids

    def sample(self, scores: Tensor) -> Tensor:
        scores.argmax(-1)  # the work that sampling is
        return torch.tensor(next(self._ids))

    def observe(self, id: int) -> None:
        """What comes next is known."""


def bench_lookup(subject: RandomModel, prompt: int, tokens: int, copied: float, span: int, config: Table) -> Report:
    """Tokens a second of replies of `tokens` tokens to a prompt of `prompt`; of a rewrite the share `copied` is the
    prompt's. The limit is the speed without drafts."""
    rng = np.random.default_rng(0)
    position_scheme = subject.family.positions(subject.config)
    pool = rng.permutation(np.arange(_FIRST, subject.config.vocab_size))
    text, new = pool[:prompt].tolist(), pool[prompt : prompt + tokens].tolist()
    replies = {
        f"rewrite, {copied:.0%} of the prompt": rewritten(text, new, copied, span, rng),
        "new text": new,
        "misleading text": [id for i in range(tokens) for id in (*text[3 * i % prompt :][:2], new[i])][:tokens],
    }
    blank = [_SPECIAL.gmask] if subject.family.prompt(_SPECIAL).fills_blanks else []
    decoding = DecodeConfig(
        model=subject.model,
        position_scheme=position_scheme,
        special=_SPECIAL,
        vocab_size=subject.config.vocab_size,
        max_tokens=tokens,
    )
    scheduler = Scheduler(subject.model)

    def run(reply: list[int], lookup: bool) -> Iterator[object]:  # the prompt is read up to the first token
        prompt, how = [*text, *blank], Dictated(reply)
        return follow(scheduler, Request(config=decoding, prompt=prompt, strategy=how, keep=True, lookup=lookup))

    runs: dict[str, Callable[[], object]] = {}
    for name, reply in replies.items():
        runs |= {name: partial(run, reply, True), f"{name}, plain": partial(run, reply, False)}
    cache = subject.model.new_cache(1, prompt + MAX_DRAFT + 2)
    subject.read(cache, prompt)

    def read(rows: int) -> None:
        for _ in range(8):
            cache.cut(prompt)
            subject.read(cache, rows, logits=rows)

    seconds = interleaved(runs | {"one": partial(read, 1), "many": partial(read, 1 + MAX_DRAFT)}, ROUNDS)
    results = [
        Result(name, (tokens - 1) / seconds[name], "tokens/s", (tokens - 1) / seconds[f"{name}, plain"])
        for name in replies
    ]
    cost = (seconds["many"] / seconds["one"] - 1) / MAX_DRAFT
    results.append(Result("cost of a draft token, in tokens", cost, "", DRAFT_COST))
    return Report("lookup", config, results)


def rewritten(text: Sequence[int], new: Sequence[int], copied: float, span: int, rng: np.random.Generator) -> list[int]:
    """As many tokens as `new` has: the share `copied` are pieces of `text` in order, those between them of `new`."""
    reply: list[int] = []
    place = taken = 0
    while len(reply) < len(new):
        length = int(rng.geometric(1 / span))
        chunk = [text[(place + i) % len(text)] for i in range(length)]
        place, between = place + length, round((len(reply) + length) * (1 - copied) / copied) - taken
        fresh = max(1, between)
        reply += [*chunk, *new[taken : taken + fresh]]
        place, taken = place + fresh, taken + fresh
    return reply[: len(new)]
