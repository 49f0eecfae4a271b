"""Filling blanks: texts with [MASK], [sMASK] and [gMASK] in, whole texts out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glmkit.api.core import Core
from glmkit.core.errors import UserError, short
from glmkit.generate.beam import Beam
from glmkit.generate.engine import Ending, Filled
from glmkit.generate.fill import fill
from glmkit.generate.sampling import Greedy, Strategy
from glmkit.infill.geometry import opened
from glmkit.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Infilling:
    """A text with its blanks filled. `logprobs`: log p of each filling, its end included, given all to its left."""

    text: str
    spans: list[str]
    logprobs: list[float]
    ended: list[Ending]  # how each filling ended: "eop", "eod", or at the "length" allowed
    ids: list[list[int]]

    @property
    def logprob(self) -> float:
        """log p of all fillings together."""
        return sum(self.logprobs)


@dataclass(frozen=True)
class Infillings(Infilling):
    """The best filling, and in `alternatives` all that were asked for, best first."""

    alternatives: tuple[Infilling, ...] = ()


class Infills(Core):
    """The ability to fill blanks."""

    def infill(
        self,
        text: str,
        sampling: Strategy | Beam | None = None,
        *,
        max_tokens: int = 64,
        min_tokens: int = 1,
        alternatives: int = 1,
    ) -> Infillings:
        """Fills every [MASK], [sMASK] and [gMASK] of `text`, from left to right, each seeing those before it.

        A blank gets from `min_tokens` to `max_tokens` tokens. `sampling` is `Greedy()` unless given; more than one of
        `alternatives` needs a random one such as `TopP()`, or a `Beam()` of as many beams. Raises UserError for a
        text without a blank or longer than the model.
        """
        if not isinstance(text, str):
            raise UserError(f"infill fills one text, got {short(text)}; for several there is infill_batch")
        return self.infill_batch(
            [text], sampling, max_tokens=max_tokens, min_tokens=min_tokens, alternatives=alternatives
        )[0]

    def infill_batch(
        self,
        texts: Sequence[str],
        sampling: Strategy | Beam | None = None,
        *,
        max_tokens: int = 64,
        min_tokens: int = 1,
        alternatives: int = 1,
    ) -> list[Infillings]:
        """`infill` of several texts in one batch; what a text gets does not depend on the others."""
        if isinstance(texts, str):
            raise UserError("infill_batch fills a list of texts; for one there is infill")
        if min_tokens > max_tokens:
            raise UserError(f"no blank holds at least {min_tokens} and at most {max_tokens} tokens; lower min_tokens")
        how = sampling or Greedy()
        prompts = [self._corrupted(text) for text in texts]
        self._check_lengths(prompts, max_tokens)
        groups = fill(self._writer(max_tokens, min_tokens), prompts, how, alternatives)
        found = []
        for text, rows in zip(texts, groups, strict=True):
            group = tuple(self._infilling(text, row) for row in rows)
            found.append(Infillings(**vars(group[0]), alternatives=group))
        return found

    def check_blanks(self, text: str, name: str = "the text") -> None:
        """Raises UserError, which calls the text `name`, unless it has a blank and the model can read it."""
        prompt = self._corrupted(text)
        try:
            opened(self.geometry, prompt, self.tokenizer.special)
        except UserError as error:
            raise UserError(f"{name} {error}") from None
        self._check_length(prompt, name)

    def _corrupted(self, text: str) -> list[int]:
        """[CLS] text <eod>, as a whole document stands in training; a text that ends with [gMASK] goes on instead, and
        ChatGLM-6B was trained on text alone.

        Raises UserError for a model that does not fill blanks.
        """
        if not self.geometry.blanks:
            raise UserError(
                f"a model of family {self.family.name} writes from left to right and fills no blanks; "
                "use generate or chat, or load a GLM"
            )
        special, marked = self.tokenizer.special, self.tokenizer.encode_marked(text)
        if self.tokenizer.chat is not None:
            return marked
        ids = [special.begin, *marked]
        return ids if ids[-1] == special.gmask and special.gmask != special.mask else [*ids, special.eod]

    def _check_lengths(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
        for number, prompt in enumerate(prompts, start=1):
            self._check_length(prompt, f"text {number}")
        limit = self.config.max_positions
        if not 1 <= max_tokens <= limit:
            raise UserError(f"a blank holds from 1 to {limit} tokens in this model, asked for {max_tokens}")

    def _check_length(self, prompt: Sequence[int], name: str) -> None:
        limit = self.config.max_positions
        if len(prompt) > limit:
            raise UserError(f"{name} has {len(prompt)} tokens, the model reads at most {limit}; shorten it")

    def _infilling(self, text: str, row: list[Filled]) -> Infilling:
        tokenizer = self.tokenizer
        spans = [tokenizer.decode(filled.ids) for filled in row]
        return Infilling(
            text=_put_together(tokenizer, text, spans),
            spans=[span.strip() for span in spans],
            logprobs=[filled.logprob for filled in row],
            ended=[filled.ended for filled in row],
            ids=[filled.ids for filled in row],
        )


def split_at_blanks(tokenizer: Tokenizer, text: str) -> list[str]:
    """The text before, between and after its blanks."""
    return re.split("|".join(map(re.escape, tokenizer.blanks)), text)


def _put_together(tokenizer: Tokenizer, text: str, spans: Sequence[str]) -> str:
    """The user's text, unchanged, with `spans` in its blanks; where it has white space, a span brings none."""
    before, *rest = split_at_blanks(tokenizer, text)
    for span, after in zip(spans, rest, strict=True):
        before += (span.lstrip() if not before or before[-1].isspace() else span) + after
    return before
