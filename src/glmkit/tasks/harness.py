"""A model as EleutherAI's lm-evaluation-harness sees it (lm-eval, the extra `eval`).

    lm_eval.simple_evaluate(model=as_lm(glmkit.load("runs/first/model")), tasks=["piqa"])

A continuation is what stands in the blank after the context: [CLS] context [gMASK] | sop continuation. The context is
read both ways unless asked otherwise, and once for all continuations of it; ChatGLM2 and 3 read one way.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from glmkit.core.errors import MissingExtra
from glmkit.core.json_types import JsonObject
from glmkit.tasks.language import windows
from glmkit.tasks.score import ScoringModel

Requests = Sequence[Any]  # lm-eval's: `args` of each is what it asks about


class GeneratedText(Protocol):
    @property
    def text(self) -> str: ...


class Model(Protocol):
    """What a model of `glmkit.load` offers the harness."""

    @property
    def scorer(self) -> ScoringModel: ...

    def generate_batch(
        self, prompts: Sequence[str], max_new_tokens: int, *, stop: Sequence[str], overflow: Literal["truncate"]
    ) -> Sequence[GeneratedText]: ...


def as_lm(model: Model, *, both_ways: bool = True, max_new_tokens: int = 256) -> Any:
    """An `lm_eval.api.model.LM`. Raises MissingExtra without lm-eval."""
    try:
        from lm_eval.api.model import LM
    except ImportError:
        raise MissingExtra("lm-eval", "eval") from None
    scorer = model.scorer

    class HarnessModel(LM):  # type: ignore[misc]
        """The three questions of the harness."""

        def loglikelihood(self, requests: Requests) -> list[tuple[float, bool]]:
            return continuations(scorer, [request.args for request in requests], both_ways)

        def loglikelihood_rolling(self, requests: Requests) -> list[float]:
            return [whole(scorer, request.args[0]) for request in requests]

        def generate_until(self, requests: Requests) -> list[str]:
            return until(model, [request.args for request in requests], max_new_tokens)

    return HarnessModel()


def continuations(scorer: ScoringModel, pairs: Sequence[tuple[str, str]], both_ways: bool) -> list[tuple[float, bool]]:
    """log p of each continuation after its context, and whether the model would write it."""
    groups: dict[str, list[int]] = {}
    for number, (context, _) in enumerate(pairs):
        groups.setdefault(context, []).append(number)
    requests = []
    for context, numbers in groups.items():
        text = context.rstrip()  # white space belongs to what follows, as words carry it on their left
        answers = scorer.tokenizer.encode_batch([context[len(text) :] + pairs[number][1] for number in numbers])
        ids = scorer.tokenizer.encode(text) if text else []
        room = max(1, scorer.max_length - 3 - max(map(len, answers)))
        requests.append(scorer.continuing(ids[-room:], answers, both_ways=both_ways))
    results: dict[int, tuple[float, bool]] = {}
    scored = scorer.answers([[request] for request in requests])
    for numbers, scores in zip(groups.values(), scored, strict=True):
        for number, total, written in zip(numbers, scores.totals(), scores.written, strict=True):
            results[number] = float(total), bool(written)
    return [results[number] for number in range(len(pairs))]


def whole(scorer: ScoringModel, text: str) -> float:
    """log p of a whole text from left to right, in windows that overlap by half."""
    size = scorer.max_length - 2
    pieces = list(windows(scorer, scorer.tokenizer.encode(text), size, size // 2, left_to_right=True, first=0))
    return sum(float(scores.logprobs[0].sum()) for scores in scorer.answers([[piece] for piece in pieces]))


def until(model: Model, requests: Sequence[tuple[str, JsonObject]], max_new_tokens: int) -> list[str]:
    """What the model writes after each context, up to the first of its stop strings; those alike in one batch. A
    context that is too long loses its beginning."""
    groups: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for number, (_, options) in enumerate(requests):
        stops = options.get("until") or []
        stop = tuple(one for one in ([stops] if isinstance(stops, str) else stops) if one)
        groups.setdefault((int(options.get("max_gen_toks") or max_new_tokens), stop), []).append(number)
    written: dict[int, str] = {}
    for (most, stop), numbers in groups.items():
        contexts = [requests[number][0] for number in numbers]
        batch = model.generate_batch(contexts, most, stop=stop, overflow="truncate")
        written |= {number: one.text for number, one in zip(numbers, batch, strict=True)}
    return [written[number] for number in range(len(requests))]
