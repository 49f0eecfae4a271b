"""Going on from a text: [gMASK] of a GLM, the end of the prompt of ChatGLM and CodeGeeX2."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal, Unpack

from glmkit.api.arguments import ARGUMENTS, checked
from glmkit.api.core import Core
from glmkit.core.errors import UserError, argument
from glmkit.core.kinds import check
from glmkit.generate.follow import follow, run
from glmkit.generate.request import Request
from glmkit.generate.sampling import Strategy
from glmkit.generate.sequence import FinishReason, Token
from glmkit.generate.session import DecodeConfig
from glmkit.generate.settings import Settings, chosen
from glmkit.generate.texts import Texts

Overflow = Literal["error", "truncate"]
_TAKES = ("max_new_tokens", "sampling", "stop", "overflow", "top", "adapter")


@dataclass(frozen=True)
class Generation:
    """What was written behind a prompt.

    `text` ends before a stop string, `ids` with the token that completed it. `logprobs`: the model's log p of each of
    `ids`, and of the end token if there was one; `top`: the most probable ids beside each and their log p.
    `finish_reason`: "eop", "eod" or "turn" at an end token, "stop" at a stop string, "length" at the number of tokens
    allowed.
    """

    text: str
    ids: list[int]
    logprobs: list[float]
    finish_reason: FinishReason
    top: list[tuple[tuple[int, float], ...]]

    @property
    def ended(self) -> FinishReason:
        """`finish_reason`, by its name in version 0.1."""
        return self.finish_reason


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
        adapter: str | None = None,
        **settings: Unpack[Settings],
    ) -> str:
        """Goes on from `prompt`; returns what comes after it, before the first of the strings `stop`.

        `sampling` is `Greedy()` unless given, or said by keywords instead: temperature=0.7, top_p=0.9, top_k, min_p,
        seed, repetition_penalty, presence_penalty, frequency_penalty, logit_bias; temperature=0 is greedy. It ends
        where prompt and text fill the model's context. A prompt that leaves no room is an error, or with `overflow`
        "truncate" loses its beginning. `adapter` is the name of one that was given to `add_adapter`. Raises UserError
        for arguments out of range, NotFinite for a model whose scores are NaN or infinite.
        """
        pieces = self.stream(
            prompt, max_new_tokens, sampling, stop=stop, overflow=overflow, adapter=adapter, **settings
        )
        return "".join(pieces)

    def stream(
        self,
        prompt: str,
        max_new_tokens: int = 128,
        sampling: Strategy | None = None,
        *,
        stop: Sequence[str] = (),
        overflow: Overflow = "error",
        adapter: str | None = None,
        **settings: Unpack[Settings],
    ) -> Iterator[str]:
        """`generate`, in pieces of text as they are written; half a character, or what may become a stop string, is
        held back until it is known what it is."""
        checked(prompt=prompt, max_new_tokens=max_new_tokens, sampling=sampling, stop=stop, overflow=overflow)
        self._check_adapter(adapter)
        how = chosen("generate", sampling, settings, takes=_TAKES)
        texts = Texts(self.tokenizer, 1, stop)
        ids = self._opened(prompt, "prompt", max_new_tokens, overflow)
        config = self._continuation_config(max_new_tokens)
        return self._pieces(texts, Request(config=config, prompt=ids, strategy=how, watch=texts, adapter=adapter))

    def generate_batch(
        self,
        prompts: Sequence[str],
        max_new_tokens: int = 128,
        sampling: Strategy | Sequence[Strategy] | None = None,
        *,
        stop: Sequence[str] = (),
        overflow: Overflow = "error",
        top: int = 0,
        adapter: str | None = None,
        **settings: Unpack[Settings],
    ) -> list[Generation]:
        """`generate` of several prompts in one batch, with ids and log-probabilities; what a prompt gets does not
        depend on the others. `sampling` is one for all or one for each; `top` most probable ids are returned beside
        each.
        """
        checked(prompts=prompts, max_new_tokens=max_new_tokens, stop=stop, overflow=overflow, top=top)
        self._check_adapter(adapter)
        check(sampling, ARGUMENTS["samplings"], "sampling")
        how: Strategy | Sequence[Strategy] = chosen("generate_batch", sampling, settings, takes=_TAKES)
        if isinstance(how, Sequence) and len(how) != len(prompts):
            raise UserError(f"sampling must be one for all or one for each of {len(prompts)} prompts, got {len(how)}")
        ids = [self._opened(text, f"prompts[{i}]", max_new_tokens, overflow) for i, text in enumerate(prompts)]
        config = self._continuation_config(max_new_tokens)
        texts = [Texts(self.tokenizer, 1, stop) for _ in prompts]
        requests = [
            Request(
                config=config,
                prompt=prompt,
                strategy=strategy,
                top=top,
                watch=watch,
                adapter=adapter,
                name=f"prompts[{i}]",
            )
            for i, (prompt, strategy, watch) in enumerate(
                zip(ids, how if isinstance(how, Sequence) else [how] * len(ids), texts, strict=True)
            )
        ]
        written = run(self.scheduler, requests)
        return [_generation(text.take(0), [*group.inbox]) for text, group in zip(texts, written, strict=True)]

    def _continuation_config(self, max_new_tokens: int) -> DecodeConfig:
        """For what is written behind prompts: [gMASK] is the one blank, whatever masks stand in the text."""
        config = self._decode_config(min(max_new_tokens, self.config.max_positions))
        special, gmask = config.special, config.special.gmask
        others = (*special.other, special.mask, special.smask)
        return replace(config, special=replace(special, mask=gmask, smask=gmask, other=others))

    def _pieces(self, texts: Texts, request: Request) -> Iterator[str]:
        with closing(follow(self.scheduler, request)) as steps:
            for _ in steps:
                if piece := texts.take(0):
                    yield piece

    def _opened(self, text: str, name: str, max_new_tokens: int, overflow: Overflow) -> list[int]:
        """Ids of a prompt that leaves room to write."""
        tokenizer, frame, limit = self.tokenizer, self.prompt_format, self.config.max_positions
        ids = tokenizer.encode(tokenizer.pieces.before_mask(text) if frame.writes_in_blank else text)
        prompt = frame.continuation(ids)
        if len(prompt) + (not frame.writes_in_blank) <= limit:
            return prompt
        if overflow == "error":
            raise UserError(
                f"{name} has {len(prompt)} tokens, the model reads at most {limit}; shorten it, or let "
                f"{argument('overflow', 'truncate')} drop its beginning"
            )
        room = 0 if frame.writes_in_blank else min(max_new_tokens, limit // 4)
        return frame.continuation(ids[len(prompt) + room - limit :])


def _generation(text: str, tokens: list[Token]) -> Generation:
    reason = tokens[-1].finish_reason
    assert reason is not None
    return Generation(
        text=text,
        ids=[token.id for token in tokens if token.is_text],
        logprobs=[token.logprob for token in tokens],
        finish_reason=reason,
        top=[token.top for token in tokens],
    )
