"""Going on from a text: [gMASK] of a GLM, the end of the prompt of ChatGLM and CodeGeeX2."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from glmkit.api.core import Core
from glmkit.core.errors import UserError, nearest
from glmkit.generate.engine import Ending, Token, Writer, write
from glmkit.generate.sampling import Greedy, Strategy
from glmkit.generate.texts import Texts

Overflow = Literal["error", "truncate"]


@dataclass(frozen=True)
class Generation:
    """What was written behind a prompt.

    `text` ends before a stop string, `ids` with the token that completed it. `logprobs`: the model's log p of each of
    `ids`, and of the end token if there was one; `top`: the most probable ids beside each and their log p. `ended`:
    "eop", "eod" or "turn" at an end token, "stop" at a stop string, "length" at the number of tokens allowed.
    """

    text: str
    ids: list[int]
    logprobs: list[float]
    ended: Ending
    top: list[tuple[tuple[int, float], ...]]


class Generates(Core):
    """The ability to go on from a text."""

    def generate(
        self,
        prompt: str,
        max_new_tokens: int = 128,
        sampling: Strategy | None = None,
        *,
        stop: Sequence[str] = (),
        overflow: Overflow = "error",
    ) -> str:
        """Goes on from `prompt`; returns what comes after it, before the first of the strings `stop`.

        `sampling` is `Greedy()` unless given. It ends where prompt and text fill the model's context. A prompt that
        leaves no room is an error, or with `overflow` "truncate" loses its beginning.
        """
        return "".join(self.stream(prompt, max_new_tokens, sampling, stop=stop, overflow=overflow))

    def stream(
        self,
        prompt: str,
        max_new_tokens: int = 128,
        sampling: Strategy | None = None,
        *,
        stop: Sequence[str] = (),
        overflow: Overflow = "error",
    ) -> Iterator[str]:
        """`generate`, in pieces of text as they are written; half a character, or what may become a stop string, is
        held back until it is known what it is."""
        texts = Texts(self.tokenizer, 1, stop)
        ids = self._opened(prompt, 1, max_new_tokens, overflow)
        return self._pieces(texts, write(self._writing(max_new_tokens), [ids], sampling or Greedy(), watch=texts))

    def generate_batch(
        self,
        prompts: Sequence[str],
        max_new_tokens: int = 128,
        sampling: Strategy | Sequence[Strategy] | None = None,
        *,
        stop: Sequence[str] = (),
        overflow: Overflow = "error",
        top: int = 0,
    ) -> list[Generation]:
        """`generate` of several prompts in one batch, with ids and log-probabilities; what a prompt gets does not
        depend on the others. `sampling` is one for all or one for each; `top` most probable ids are told beside each.
        """
        texts = Texts(self.tokenizer, len(prompts), stop)
        ids = [self._opened(text, number, max_new_tokens, overflow) for number, text in enumerate(prompts, start=1)]
        written: list[list[Token]] = [[] for _ in prompts]
        if prompts:
            for step in write(self._writing(max_new_tokens), ids, sampling or Greedy(), top=top, watch=texts):
                for token in step:
                    written[token.row].append(token)
        return [_generation(texts.take(row), tokens) for row, tokens in enumerate(written)]

    def _writing(self, max_new_tokens: int) -> Writer:
        """A writer behind prompts: [gMASK] is the one blank, whatever masks stand in the text."""
        if max_new_tokens < 1:
            raise UserError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        writer = self._writer(min(max_new_tokens, self.config.max_positions))
        special, gmask = writer.special, writer.special.gmask
        others = (*special.other, special.mask, special.smask)
        return replace(writer, special=replace(special, mask=gmask, smask=gmask, other=others))

    def _pieces(self, texts: Texts, steps: Iterator[list[Token]]) -> Iterator[str]:
        for _ in steps:
            if piece := texts.take(0):
                yield piece

    def _opened(self, text: str, number: int, max_new_tokens: int, overflow: Overflow) -> list[int]:
        """Ids of a prompt that leaves room to write."""
        tokenizer, frame, limit = self.tokenizer, self._frame, self.config.max_positions
        blank = "sop" not in (
            *frame.before,
            *frame.after,
        )  # written in place of a blank, which has positions of its own
        ids = tokenizer.encode(tokenizer.pieces.before_mask(text) if blank else text)
        prompt = frame.ids(tokenizer, ids)
        if len(prompt) + (not blank) <= limit:
            return prompt
        if overflow not in ("error", "truncate"):
            raise UserError(f"unknown overflow {overflow!r}{nearest(overflow, ('error', 'truncate'))}")
        if overflow == "error":
            raise UserError(
                f"text {number} has {len(prompt)} tokens, the model reads at most {limit}; shorten it, or let "
                "overflow='truncate' drop its beginning"
            )
        room = 0 if blank else min(max_new_tokens, limit // 4)
        return frame.ids(tokenizer, ids[len(prompt) + room - limit :])


def _generation(text: str, tokens: list[Token]) -> Generation:
    ended = tokens[-1].ended
    assert ended is not None
    return Generation(
        text=text,
        ids=[token.id for token in tokens if token.text],
        logprobs=[token.logprob for token in tokens],
        ended=ended,
        top=[token.top for token in tokens],
    )
