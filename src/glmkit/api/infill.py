"""Filling blanks: texts with [MASK], [sMASK] and [gMASK] in, whole texts out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from glmkit.infill.position_schemes import PositionScheme, SequentialInfill, encode_prompt
from glmkit.text.prompts import CausalInfillPrompt, PromptFormat
from glmkit.text.tokenizer import Tokenizer

_TAKES = ("sampling", "max_tokens", "min_tokens", "alternatives", "adapter")


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
        adapter: str | None = None,
        **settings: Unpack[Settings],
    ) -> Infillings:
        """Fills every [MASK], [sMASK] and [gMASK] of `text`, from left to right, each seeing those before it.

        A blank gets from `min_tokens` to `max_tokens` tokens. `sampling` is `Greedy()` unless given, or said by
        keywords as those of `generate`; more than one of `alternatives` needs a random one such as `TopP()`, or a
        `Beam()` of as many beams. `adapter` is the name of one that was given to `add_adapter`. Raises
        UserError for a text without a blank or longer than the model.
        """
        checked(text=text)
        how = self._filling(sampling, settings, max_tokens, min_tokens, alternatives)
        return self._filled([text], ["text"], how, max_tokens, min_tokens, alternatives, adapter)[0]

    def infill_batch(
        self,
        texts: Sequence[str],
        sampling: Strategy | Beam | None = None,
        *,
        max_tokens: int = 64,
        min_tokens: int = 1,
        alternatives: int = 1,
        adapter: str | None = None,
        **settings: Unpack[Settings],
    ) -> list[Infillings]:
        """`infill` of several texts in one batch; what a text gets does not depend on the others."""
        checked(texts=texts)
        how = self._filling(sampling, settings, max_tokens, min_tokens, alternatives)
        names = [f"texts[{place}]" for place in range(len(texts))]
        return self._filled(texts, names, how, max_tokens, min_tokens, alternatives, adapter) if texts else []

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
        adapter: str | None,
    ) -> list[Infillings]:
        self._check_adapter(adapter)
        prompts = [self._blanked(text, name) for text, name in zip(texts, names, strict=True)]
        check(max_tokens, whole(1, self.config.max_positions), argument("max_tokens"))  # as many as the model reads
        config = replace(self._decode_config(max_tokens, min_tokens), position_scheme=self.blank_format[1])
        groups = fill(self.scheduler, config, prompts, how, alternatives, adapter)
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
        prompt_format, position_scheme = self.blank_format
        prompt, limit = prompt_format.fill(self.tokenizer.encode_marked(text)), self.config.max_positions
        try:
            encoded = encode_prompt(position_scheme, prompt, self.tokenizer.special)
        except UserError as error:
            raise UserError(f"{name} {error}") from None
        # Where a span takes positions, each has its start and a token at least.
        least = 2 * len(encoded.blank_positions) if position_scheme.spans_take_positions else 0
        if len(prompt) + least > limit:
            more = f" and room for {least} in its blanks" if least else ""
            raise UserError(f"{name} has {len(prompt)} tokens{more}, the model reads at most {limit}; shorten it")
        return prompt

    @property
    def blank_format(self) -> tuple[PromptFormat, PositionScheme]:
        """How a text with blanks stood in training, and how it is numbered."""
        if self.infill_run is not None:
            return CausalInfillPrompt(self.tokenizer.special), SequentialInfill()
        return self.prompt_format, self.position_scheme

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
