"""log p of what may stand in a blank, or behind a text."""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from glmkit.api.arguments import checked
from glmkit.api.infill import Infills, split_at_blanks
from glmkit.core.errors import UserError, short
from glmkit.objective.choices import choice_logprobs
from glmkit.objective.spans import LogProb, span_logprob


class Scores(Infills):
    """The ability to say how probable a text is."""

    def logprob(
        self,
        text: str,
        spans: Sequence[str] | Sequence[tuple[int, int]],
        order: Literal["given", "sampled"] | int | Sequence[int] = "given",
        seed: int = 0,
    ) -> LogProb:
        """log p of `spans` given the rest of the text (paper, equation 2).

        `spans`: the filling of each blank of `text` in text order, or places (start, end) of `text` to blank, in
        characters. `order`: "given" writes them from left to right, a permutation in that order, "sampled" in one
        random order, a number k in k random orders, whose mean has a standard error.

        ChatGLM2 and 3 write from left to right: of them it is log p of one span, which goes on from the end of `text`
        or is its end. Nothing is added for the end of the text. Raises UserError for spans that do not fit the text.
        """
        checked(text=text, spans=spans, order=order, seed=seed)
        tokenizer = self.tokenizer
        if not self.prompt_format.fills_blanks:
            return self._of_continuation(*_as_continuation(text, spans))
        text, fillings = _as_fillings(text, spans)
        prompt = self._blanked(text, "text")
        ids = [tokenizer.encode(filling) for filling in self._spaced(text, fillings)]
        self._check_fillings(ids, "spans")
        orders = _orders(order, len(ids), seed)
        return span_logprob(self.reader, self.position_scheme, tokenizer.special, prompt, ids, orders)

    def score(
        self, context: str, choices: Sequence[str], *, ended: bool = True, length_penalty: float = 0.0
    ) -> list[float]:
        """log p of each choice as the filling of the last blank of `context`; the context is read once for all. Of a
        model that was trained to go on from a text, and where there is no blank, each choice goes on from `context`.

        `ended`: whether the end of a choice counts, as it does in generation; one-word labels are compared without.
        `length_penalty` a divides by (tokens scored) ** a. Choices may have different lengths. Raises UserError for one
        without a token, NotFinite for a model whose scores are NaN or infinite.
        """
        checked(context=context, choices=choices, ended=ended, length_penalty=length_penalty)
        if not choices:
            return []
        tokenizer = self.tokenizer
        parts = split_at_blanks(tokenizer, context) if self.prompt_format.fills_blanks else [context]
        if not self.prompt_format.writes_in_blank and len(parts) == 1:
            prompt, ids = self._continued(context, choices)
        else:
            prompt = self._blanked(context, "context")
            before = parts[-2] if len(parts) > 1 else ""
            space = tokenizer.space_before_blank(before)
            ids = [tokenizer.encode(space + choice) for choice in choices]
            self._check_fillings(ids, "choices")
        (scored,) = choice_logprobs(self.reader, self.position_scheme, tokenizer.special, [prompt], [ids])
        counted = [logprobs if ended else logprobs[:-1] for logprobs in scored]
        return [sum(logprobs) / len(logprobs) ** length_penalty for logprobs in counted]

    def _of_continuation(self, context: str, continuation: str) -> LogProb:
        (value,) = self.score(context, [continuation], ended=False)
        return LogProb(value, None, [value], [value])

    def _continued(self, context: str, choices: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """Ids of the prompt, and of each choice behind it.

        Where the choices follow the text itself, they are encoded together with it, so that the pieces at the border
        are those that such a text has.
        """
        tokenizer, frame = self.tokenizer, self.prompt_format
        shared = tokenizer.encode(context)
        if frame.bidirectional:  # [gMASK] stands between them
            ids = [tokenizer.encode(choice) for choice in choices]
        else:
            whole = [tokenizer.encode(context + choice) for choice in choices]
            shared = shared[: min(_common(shared, ids) for ids in whole)] if whole else shared
            ids = [one[len(shared) :] for one in whole]
        prompt = frame.continuation(shared)
        length, limit = len(prompt) + max(map(len, ids), default=0), self.config.max_positions
        if length > limit:
            raise UserError(f"context and choice have {length} tokens, the model reads at most {limit}; shorten them")
        if empty := [place for place, one in enumerate(ids) if not one]:
            raise UserError(f"choices[{empty[0]}] adds no token to the context; give at least one character")
        return prompt, ids

    def _spaced(self, text: str, fillings: Sequence[str]) -> list[str]:
        """The fillings with the white space that stood before their blank, which belongs to them."""
        parts = split_at_blanks(self.tokenizer, text)
        spaces = [self.tokenizer.space_before_blank(part) for part in parts[:-1]]
        return [space + filling for space, filling in zip(spaces, fillings, strict=False)] + list(
            fillings[len(spaces) :]
        )


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the common beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _as_continuation(text: str, spans: Sequence[str] | Sequence[tuple[int, int]]) -> tuple[str, str]:
    """A text and what goes on from it."""
    span = spans[0] if len(spans) == 1 else ""
    if isinstance(span, str) and span:
        return text, span
    if span and 0 <= span[0] < span[1] == len(text):
        return text[: span[0]], text[span[0] :]
    raise UserError(
        f"this model writes from left to right: spans must be one, a text or the end of the {len(text)} "
        f"characters, got {short(list(spans))}"
    )


def _as_fillings(text: str, spans: Sequence[Any]) -> tuple[str, list[str]]:
    """Places in a text as a text with [MASK]s and their fillings; fillings stay what they are."""
    if all(isinstance(span, str) for span in spans):
        return text, list(spans)
    places = [(int(start), int(end)) for start, end in spans]
    if places != sorted(places) or any(not 0 <= start < end <= len(text) for start, end in places):
        raise UserError(f"spans {places} must be in text order and inside the {len(text)} characters of the text")
    if any(before[1] > after[0] for before, after in itertools.pairwise(places)):
        raise UserError(f"spans {places} overlap")
    corrupted, last = "", 0
    for start, end in places:
        corrupted += text[last:start] + "[MASK]"
        last = end
    return corrupted + text[last:], [text[start:end] for start, end in places]


def _orders(order: str | int | Sequence[int], count: int, seed: int) -> list[list[int]]:
    if order == "given":
        return [list(range(count))]
    if not isinstance(order, Sequence) or isinstance(order, str):
        number = 1 if order == "sampled" else int(order)
        rng = np.random.default_rng(seed)
        return [rng.permutation(count).tolist() for _ in range(number)]
    return [list(order)]
