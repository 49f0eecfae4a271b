"""Filling blanks: texts with [MASK], [sMASK] and [gMASK] in, whole texts out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

from glmkit.api.arguments import ARGUMENTS, checked
from glmkit.api.core import Core
from glmkit.core.errors import UserError, argument
from glmkit.core.kinds import check, whole
from glmkit.generate.beam import Beam
from glmkit.generate.fill import fill
from glmkit.generate.sampling import Strategy
from glmkit.generate.sequence import Completion, FinishReason
from glmkit.generate.settings import Settings, chosen
from glmkit.infill.position_schemes import encode_prompt
from glmkit.text.tokenizer import Tokenizer

_TAKES = ("sampling", "max_tokens", "min_tokens", "alternatives")


@dataclass(frozen=True)
class Infilling:
    """A text with its blanks filled. `logprobs`: log p of each filling, its end included, given all to its left."""

    text: str
    spans: list[str]
    logprobs: list[float]
    finish_reason: list[FinishReason]  # of each filling: "eop", "eod", or at the "length" allowed
    ids: list[list[int]]

    @property
    def ended(self) -> list[FinishReason]:
        """`finish_reason`, by its name in version 0.1."""
        return self.finish_reason

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
        **settings: Unpack[Settings],
    ) -> Infillings:
        """Fills every [MASK], [sMASK] and [gMASK] of `text`, from left to right, each seeing those before it.

        A blank gets from `min_tokens` to `max_tokens` tokens. `sampling` is `Greedy()` unless given, or said by
        keywords as those of `generate`; more than one of `alternatives` needs a random one such as `TopP()`, or a
        `Beam()` of as many beams. Raises UserError for a text without a blank or longer than the model.
        """
        checked(text=text)
        how = self._filling(sampling, settings, max_tokens, min_tokens, alternatives)
        return self._filled([text], ["text"], how, max_tokens, min_tokens, alternatives)[0]

    def infill_batch(
        self,
        texts: Sequence[str],
        sampling: Strategy | Beam | None = None,
        *,
        max_tokens: int = 64,
        min_tokens: int = 1,
        alternatives: int = 1,
        **settings: Unpack[Settings],
    ) -> list[Infillings]:
        """`infill` of several texts in one batch; what a text gets does not depend on the others."""
        checked(texts=texts)
        how = self._filling(sampling, settings, max_tokens, min_tokens, alternatives)
        names = [f"texts[{place}]" for place in range(len(texts))]
        return self._filled(texts, names, how, max_tokens, min_tokens, alternatives) if texts else []

    def _filling(
        self,
        sampling: Strategy | Beam | None,
        settings: Settings,
        max_tokens: int,
        min_tokens: int,
        alternatives: int,
    ) -> Strategy | Beam:
        """How blanks are filled, once it is known to be possible."""
        checked(max_tokens=max_tokens, min_tokens=min_tokens, alternatives=alternatives)
        check(sampling, ARGUMENTS["strategy_or_beam"], "sampling")
        if min_tokens > max_tokens:
            raise UserError(
                f"no blank holds at least {min_tokens} and at most {max_tokens} tokens; lower {argument('min_tokens')}"
            )
        return chosen("infill", sampling, settings, takes=_TAKES)

    def _filled(
        self,
        texts: Sequence[str],
        names: Sequence[str],
        how: Strategy | Beam,
        max_tokens: int,
        min_tokens: int,
        alternatives: int,
    ) -> list[Infillings]:
        prompts = [self._blanked(text, name) for text, name in zip(texts, names, strict=True)]
        check(max_tokens, whole(1, self.config.max_positions), argument("max_tokens"))  # as many as the model reads
        groups = fill(self.scheduler, self._decode_config(max_tokens, min_tokens), prompts, how, alternatives)
        infillings = []
        for text, rows in zip(texts, groups, strict=True):
            group = tuple(self._infilling(text, row) for row in rows)
            infillings.append(Infillings(**vars(group[0]), alternatives=group))
        return infillings

    def check_blanks(self, text: str, name: str = "the text") -> None:
        """Raises UserError, which calls the text `name`, unless it has a blank and the model can read it."""
        checked(text=text, name=name)
        self._blanked(text, name)

    def _blanked(self, text: str, name: str) -> list[int]:
        """Ids of a text with a blank that the model can read. Raises UserError, which calls it `name`, for others."""
        prompt, limit = self._corrupted(text), self.config.max_positions
        try:
            encode_prompt(self.position_scheme, prompt, self.tokenizer.special)
        except UserError as error:
            raise UserError(f"{name} {error}") from None
        if len(prompt) > limit:
            raise UserError(f"{name} has {len(prompt)} tokens, the model reads at most {limit}; shorten it")
        return prompt

    def _corrupted(self, text: str) -> list[int]:
        """Ids of a text with blanks, as it stands in training. Raises UserError for a model that fills none."""
        return self.prompt_format.fill(self.tokenizer.encode_marked(text))

    def _check_fillings(self, fillings: Sequence[Sequence[int]], name: str) -> None:
        limit = self.config.max_positions
        for place, filling in enumerate(fillings):
            if not 1 <= len(filling) <= limit:
                raise UserError(f"{name}[{place}] has {len(filling)} tokens; a blank holds from 1 to {limit} of them")

    def _infilling(self, text: str, row: list[Completion]) -> Infilling:
        tokenizer = self.tokenizer
        spans = [tokenizer.decode(filled.ids) for filled in row]
        return Infilling(
            text=_put_together(tokenizer, text, spans),
            spans=[span.strip() for span in spans],
            logprobs=[filled.logprob for filled in row],
            finish_reason=[filled.finish_reason for filled in row],
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
