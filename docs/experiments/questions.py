"""Questions about hidden tokens of held-out text, for models that read and write them in different ways.

Which tokens are hidden is drawn from the text's number and a seed, so that every model gets the same questions:

    one token       The cat sat [?] the mat
    three in a row  The [?  ?   ?]  the mat
    several         The [?  ?] on [?] mat [?]      three blanks of 1 to 3 tokens with 1 to 4 tokens between them

| way | hidden tokens are read as | log p of them |
|---|---|---|
| through blanks | one [MASK] a blank, written back in some order | by the chain rule, from blank to blank too |
| masked | a [MASK] for every token, so their number is known | of every token by itself |
| masked, one by one | the same, but those on the left are known by then | by the chain rule |
| left to right | nothing: only what stands on the left is read | by the chain rule |

Losses are -log p in nats; the end of a blank is a token of its own that only the first way has, and is counted apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import torch

from glmkit.core.types import FloatArray, IntArray, LanguageModel
from glmkit.data.chunks import ExampleSource
from glmkit.data.loader import one_pass
from glmkit.infill.corruption import Chunk, Vocabulary
from glmkit.infill.layout import Blanked, Layout, blanked, causal_layout, masked_layout
from glmkit.objective.loss import targets_of, token_losses
from glmkit.text.special import SpecialIds
from glmkit.train.step import autocast

Write = Callable[[IntArray, IntArray, SpecialIds], Blanked | Layout]  # of tokens and the spans of them that are hidden
GAP = 4  # tokens between two blanks at most
SHORTEST = 20  # tokens of a text that has room for every question


@dataclass(frozen=True)
class Question:
    """Hides `blanks` spans of `low` to `high` tokens; as an objective it writes the text out in one way."""

    blanks: int
    low: int
    high: int
    write: Write

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked | Layout:
        return self.write(chunk.tokens, self.spans(chunk, rng), vocabulary.special)

    def spans(self, chunk: Chunk, rng: np.random.Generator) -> IntArray:
        """[blanks, 2]; neither the opening of a text nor its last token is hidden."""
        lengths = rng.integers(self.low, self.high, self.blanks, endpoint=True)
        gaps = rng.integers(1, GAP, self.blanks, endpoint=True)
        ends = np.cumsum(lengths + gaps) - gaps
        start = rng.integers(chunk.first, len(chunk.tokens) - ends[-1])
        return start + np.stack([ends - lengths, ends], axis=1)


QUESTIONS = {"one token": (1, 1, 1), "three in a row": (1, 3, 3), "several": (3, 1, 3)}
ORDERS = list(permutations(range(3)))  # in which several blanks are written; the first is from left to right


def through_blanks(order: Sequence[int]) -> Write:
    return lambda tokens, spans, special: blanked(tokens, spans, np.array(order), special, special.mask)


def masked(tokens: IntArray, spans: IntArray, special: SpecialIds) -> Layout:
    places = places_of(spans)
    corrupted = tokens.copy()
    corrupted[places] = special.mask
    return masked_layout(tokens, corrupted, places)


def masked_after(known: int) -> Write:
    """The hidden token behind the first `known` ones, which are read; of fewer hidden tokens, none."""

    def write(tokens: IntArray, spans: IntArray, special: SpecialIds) -> Layout:
        places = places_of(spans)
        corrupted = tokens.copy()
        corrupted[places[known:]] = special.mask
        return masked_layout(tokens, corrupted, places[known : known + 1])

    return write


def left_to_right(tokens: IntArray, spans: IntArray, special: SpecialIds) -> Layout:
    places = places_of(spans)
    layout = causal_layout(tokens[: places[-1] + 1], 1)
    weights = np.zeros_like(layout.weights)
    weights[places - 1] = 1
    return replace(layout, weights=weights)


def places_of(spans: IntArray) -> IntArray:
    return np.concatenate([np.arange(start, stop) for start, stop in spans])


@torch.inference_mode()
def losses_of(
    model: LanguageModel, source: ExampleSource, question: Question, dtype: torch.dtype, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """-log p of every target, and the target, text after text, in the order in which they are written."""
    source = replace(source, objective=question, seed=seed)
    losses, targets = [], []
    for batch in one_pass(source, rows=32, seq_length=128):
        with autocast(next(model.parameters()).device, dtype):
            hidden, some, _ = targets_of(model, batch)
            losses.append(token_losses(model, hidden, some).float())
        targets.append(some)
    return torch.cat(losses).double().numpy(), torch.cat(targets).numpy()


def mean_loss(
    model: LanguageModel, source: ExampleSource, name: str, ways: Sequence[Write], dtype: torch.dtype, seed: int = 0
) -> float:
    """Nats a hidden token of one draw of a question; `ways` are the parts that a way takes to write it all."""
    total = count = 0.0
    for write in ways:
        losses, targets = losses_of(model, source, Question(*QUESTIONS[name], write), dtype, seed)
        hidden = targets != source.vocabulary.special.eop
        total, count = total + float(losses[hidden].sum()), count + int(hidden.sum())
    return total / count


def ways_of(way: str, name: str) -> list[Write]:
    """How a question is written out in a way, blanks from left to right."""
    blanks, _, high = QUESTIONS[name]
    if way == "through blanks":
        return [through_blanks(range(blanks))]
    if way == "masked, one by one":
        return [masked_after(known) for known in range(blanks * high)]
    return [masked if way == "masked" else left_to_right]


def curve_point(model: LanguageModel, source: ExampleSource, way: str, dtype: torch.dtype) -> dict[str, float]:
    """Nats a hidden token of one draw of every question."""
    return {name: round(mean_loss(model, source, name, ways_of(way, name), dtype), 4) for name in QUESTIONS}


def answers(
    model: LanguageModel, source: ExampleSource, ways: Sequence[str], dtype: torch.dtype, draws: int
) -> dict[str, dict[str, object]]:
    """Nats a hidden token of every question in all `ways`, over several draws; through blanks, of all orders too."""
    result: dict[str, dict[str, object]] = {}
    for way in ways:
        result[way] = {
            name: float(np.mean([mean_loss(model, source, name, ways_of(way, name), dtype, d) for d in range(draws)]))
            for name in QUESTIONS
        }
        if way == "through blanks":
            result[way]["orders"] = orders(model, source, dtype, draws)
    return result


def orders(model: LanguageModel, source: ExampleSource, dtype: torch.dtype, draws: int) -> Mapping[str, object]:
    """Several blanks written in all six orders.

    `by order`: nats a hidden token in every order. `by turn`: of the blanks written first, second and third, over all
    orders, so of the same blanks. `end`: nats of the end of a blank, in every order. `whole text`: -log p of all blanks
    with their ends, in nats a text, from left to right and the mean of the other orders. `spread`: the standard
    deviation of that over the orders, of the mean text.
    """
    eop = source.vocabulary.special.eop
    hidden, ends, counts = [], [], []
    for order in ORDERS:
        question = Question(*QUESTIONS["several"], through_blanks(order))
        parts = [losses_of(model, source, question, dtype, seed) for seed in range(draws)]
        losses, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
        is_end = targets == eop
        turn = np.cumsum(is_end) - is_end  # the number of the blank, text after text
        hidden.append(np.bincount(turn, losses * ~is_end).reshape(-1, 3))
        ends.append(np.bincount(turn, losses * is_end).reshape(-1, 3))
        counts.append(np.bincount(turn, ~is_end).reshape(-1, 3))
    h, e, c = np.array(hidden), np.array(ends), np.array(counts)  # [orders, texts, turns]
    whole = (h + e).sum(axis=2)
    return {
        "by order": (h.sum(axis=(1, 2)) / c.sum(axis=(1, 2))).tolist(),
        "by turn": (h.sum(axis=(0, 1)) / c.sum(axis=(0, 1))).tolist(),
        "end": e.mean(axis=(1, 2)).tolist(),
        "whole text": [float(whole[0].mean()), float(whole[1:].mean())],
        "spread": float(whole.std(axis=0).mean()),
    }


def frequency(source: ExampleSource, counts: IntArray, draws: int) -> dict[str, float]:
    """Nats a hidden token for who knows nothing but how often tokens are: `counts` of all of them in other text."""
    losses = -np.log((counts + 1) / (counts + 1).sum())
    result = {}
    for name, shape in QUESTIONS.items():
        total = []
        for seed in range(draws):
            some = replace(source, objective=Question(*shape, masked), seed=seed)
            examples = some((0, index) for index in range(len(some)))
            total += [losses[example.targets[example.weights > 0]] for example in examples]
        result[name] = float(np.concatenate(total).mean())
    return result
