"""/v1/completions: texts in, what follows each of them out; or, of a model that fills blanks, what stands in them.

| asked | a GLM | the others |
|---|---|---|
| prompt | goes on from it | goes on from it |
| prompt with [MASK] | fills them | text as any other (ChatGLM-6B fills them) |
| prompt and suffix | fills the blank between them | refused (ChatGLM-6B fills it) |
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from starlette.responses import Response

from glmkit.api import Model
from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import ANY, FLAG, TEXT, Kind, either, list_of, whole
from glmkit.generate.sequence import Token
from glmkit.serve.blanks import Blank, Filling, Segment, blanked_ids, marked_segments, texts_of
from glmkit.serve.completion_logprobs import CompletionLogprobs
from glmkit.serve.engine_thread import Event, Ticket
from glmkit.serve.errors import bad_request, json_response
from glmkit.serve.fields import (
    ID,
    MAX_CHOICES,
    MAX_TOP,
    SAMPLING,
    Fields,
    at_most,
    check_field,
    outlined,
    token_ids,
    wants_usage,
)
from glmkit.serve.generation import MAX_ANSWER, Generation, finish_reason, read_generation, usage_table
from glmkit.serve.models import ServedModel
from glmkit.serve.prompt_scores import TokenScore, framed_by_itself, score_prompt
from glmkit.serve.reply_format import FORMATS, constraint_of
from glmkit.serve.service import Call
from glmkit.serve.sse import EventStream
from glmkit.serve.tools import ToolChoice

MAX_PROMPTS, MAX_SEQUENCES = 128, 256
_IDS = list_of(ID, least=1)
_SEVERAL = [at_most(list_of(kind, least=1), MAX_PROMPTS) for kind in (TEXT, _IDS)]
PROMPT = outlined(ANY, either(TEXT, _IDS, *_SEVERAL))
COMPLETIONS: dict[str, Kind] = (
    SAMPLING
    | FORMATS
    | {
        "prompt": PROMPT,
        "max_tokens": whole(0, 2**31 - 1),
        "logprobs": whole(0, MAX_TOP),
        "echo": FLAG,
        "best_of": whole(1, MAX_CHOICES),
        "suffix": TEXT,
    }
)


@dataclass(frozen=True)
class Prompt:
    """A prompt as it is read: its ids; `text` is how echo shows it, `text_ids` the ids that it shows. `segments` has
    the blanks that are filled, if any are."""

    ids: list[int]
    text: str
    text_ids: list[int]
    segments: Sequence[Segment] = ()


@dataclass
class Choice:
    """A completion as far as it is written."""

    index: int
    prompt: Prompt
    logprobs: CompletionLogprobs | None
    fillings: list[Filling] = field(default_factory=list)
    bare: bool = False  # without white space before it, which a model writes before a document
    text: str = ""
    tokens: list[Token] = field(default_factory=list)

    def take(self, event: Event) -> str:
        """The text that a token made certain."""
        token = event.token
        assert token is not None
        self.tokens.append(token)
        new = event.text.lstrip(" \n") if self.bare and not self.text else event.text
        if self.fillings:
            first = token.blank and not self.fillings[token.blank].text
            new = self.fillings[token.blank].feed(new)
            new = f"\n{new}" if first and new else new
        self.text += new
        return new

    @property
    def logprob(self) -> float:
        """The mean over its tokens: what the best of several is chosen by."""
        return sum(token.logprob for token in self.tokens) / max(1, len(self.tokens))


@dataclass(frozen=True)
class Completion:
    """A completions request at work."""

    call: Call
    served: ServedModel
    prompts: list[Prompt]
    generation: Generation
    count: int  # choices of each prompt
    top: int | None
    echo: bool
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def tickets(self) -> list[Ticket]:
        return [
            self.generation.ticket(self.call, self.served, prompt.ids, number, fills=bool(prompt.segments))
            for number, prompt in enumerate(self.prompts)
        ]

    def choices(self) -> list[list[Choice]]:
        return [
            [self._choice(number, n, prompt) for n in range(self.generation.count)]
            for number, prompt in enumerate(self.prompts)
        ]

    def _choice(self, number: int, n: int, prompt: Prompt) -> Choice:
        logprobs = None if self.top is None else CompletionLogprobs(self.served.model.tokenizer, self.top)
        fillings = [Filling(text) for text in texts_of(prompt.segments)[:-1]] if prompt.segments else []
        bare = self.generation.constraint is not None
        return Choice(number * self.count + n, prompt, logprobs, fillings, bare)

    async def scores(self) -> list[list[TokenScore]]:
        """The log-probabilities of the prompts, where they are shown."""
        if not self.echo or self.top is None:
            return [[] for _ in self.prompts]
        top = self.top
        return [
            await self.call.read(self.served, partial(_shown_scores, self.served, ids=prompt.text_ids, top=top))
            for prompt in self.prompts
        ]

    async def whole(self) -> JsonObject:
        scores, groups = await self.scores(), self.choices()
        tickets = [] if self.generation.max_tokens == 0 else self.tickets
        if tickets:
            async with aclosing(self.call.service.follow(self.call.owner, tickets)) as events:
                async for event in events:
                    if event is not None and event.token is not None:
                        groups[event.number][event.token.row].take(event)
        tables = []
        for number, group in enumerate(groups):
            best = sorted(group, key=lambda choice: -choice.logprob)[: self.count]
            for n, choice in enumerate(best if self.generation.count > self.count else group):
                tables.append(self._table(choice, number * self.count + n, scores[number]))
        usage = self.usage(tickets, [choice for group in groups for choice in group])
        return self._head() | {"choices": tables, "usage": usage}

    def _table(self, choice: Choice, index: int, scores: list[TokenScore]) -> JsonObject:
        text = self._echoed(choice) + choice.text if not (self.echo and choice.fillings) else self._filled(choice)
        logprobs = None
        if choice.logprobs is not None:
            choice.logprobs.prompt(scores)
            for token in choice.tokens:
                choice.logprobs.take(token)
            logprobs = choice.logprobs.table
        reason = finish_reason(choice.tokens[-1].finish_reason) if choice.tokens else "length"
        table = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}
        return table | ({"blanks": [filling.text for filling in choice.fillings]} if choice.fillings else {})

    def _echoed(self, choice: Choice) -> str:
        return choice.prompt.text if self.echo else ""

    def _filled(self, choice: Choice) -> str:
        """The text with its blanks filled."""
        first, *after = texts_of(choice.prompt.segments)
        return first + "".join(filling.text + text for filling, text in zip(choice.fillings, after, strict=True))

    async def events(self, usage: bool) -> AsyncGenerator[JsonObject | None, None]:
        scores, groups, tickets = await self.scores(), self.choices(), self.tickets

        def chunk(choice: Choice, text: str, reason: str | None, fresh: bool) -> JsonObject:
            logprobs = choice.logprobs.fresh() if choice.logprobs is not None and fresh else None
            table = {"index": choice.index, "text": text, "logprobs": logprobs, "finish_reason": reason}
            return self._head() | {"choices": [table]} | ({"usage": None} if usage else {})

        if self.echo:
            for number, group in enumerate(groups):
                for choice in group:
                    if choice.logprobs is not None:
                        choice.logprobs.prompt(scores[number])
                    yield chunk(choice, choice.prompt.text, None, True)
        async with aclosing(self.call.service.follow(self.call.owner, tickets)) as said:
            async for event in said:
                if event is None or event.token is None:
                    if event is None:
                        yield None
                    continue
                choice = groups[event.number][event.token.row]
                text, reason = choice.take(event), _last_reason(choice, event.token)
                if choice.logprobs is not None:
                    choice.logprobs.take(event.token)
                if text or reason is not None or choice.logprobs is not None:
                    yield chunk(choice, text, reason, True)
        used = self.usage(tickets, [choice for group in groups for choice in group])
        if usage:
            yield self._head() | {"choices": [], "usage": used}

    def usage(self, tickets: Sequence[Ticket], choices: Sequence[Choice]) -> JsonObject:
        used = usage_table(
            sum(len(prompt.ids) for prompt in self.prompts),
            sum(len(choice.tokens) for choice in choices),
            sum(ticket.group.cached_tokens for ticket in tickets if ticket.group is not None),
        )
        self.call.log.update({name: used[name] for name in ("prompt_tokens", "completion_tokens")})
        return used

    def _head(self) -> JsonObject:
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.served.name}


async def completions(call: Call) -> Response:
    """Answers a completions request."""
    fields, served = call.fields, call.served()
    usage = wants_usage(fields)
    completion = await read_completion(call, served)
    if not fields.get("stream"):
        return json_response(await completion.whole())
    if completion.generation.count > completion.count:
        raise bad_request("best_of above n cannot be streamed: which is the best shows at the end", "best_of")
    if any(completion.echo and prompt.segments for prompt in completion.prompts):
        raise bad_request("a text whose blanks are filled cannot be streamed with echo: use /infill", "echo")
    return EventStream(completion.events(usage), stall=call.service.settings.stall_timeout)


async def read_completion(call: Call, served: ServedModel) -> Completion:
    """The completions request that the fields ask for. Raises ApiError."""
    fields = call.fields
    count, best_of = fields.get("n", 1), fields.get("best_of", fields.get("n", 1))
    echo, top = fields.get("echo", False), fields.get("logprobs")
    if best_of < count:
        raise bad_request(f"best_of {best_of} is less than n {count}", "best_of")
    if fields.get("max_tokens") == 0 and (not echo or fields.get("stream")):
        raise bad_request("max_tokens 0 writes nothing: it needs echo, and no stream", "max_tokens")
    given = prompts_of(fields["prompt"], served)
    if len(given) * best_of > MAX_SEQUENCES:
        raise bad_request(f"{len(given)} prompts times {best_of} are more than {MAX_SEQUENCES} sequences", "prompt")
    size = sum(map(len, given))
    prompts = await call.text_work(lambda: [_prompt(served, one, fields) for one in given], size)
    if echo and top and sum(len(prompt.text_ids) for prompt in prompts) * (top + 1) > MAX_ANSWER:
        raise bad_request(f"logprobs {top} of such prompts are too many numbers for a reply; ask for fewer", "logprobs")
    generation = read_generation(fields, served, served.usual, top or 0, draws=best_of > 1)
    constraint = await asyncio.to_thread(constraint_of, served, fields, ToolChoice())
    fields.check_rest()
    if call.service.settings.log_prompts:
        call.log["prompt"] = fields["prompt"]
    generation = replace(generation, count=best_of, constraint=constraint)
    if fields.get("max_tokens") == 0:
        generation = replace(generation, max_tokens=0)
    return Completion(call, served, prompts, generation, count, top, echo)


def prompts_of(value: object, served: ServedModel) -> list[str | list[int]]:
    """The prompts of a request: a text, ids, or a list of either. Raises ApiError."""
    if isinstance(value, str):
        return [check_field(value, TEXT, "prompt")]
    if not isinstance(value, list) or not value:
        raise bad_request(f"prompt must be text, ids, or a list of either, not empty; got {short(value)}", "prompt")
    if type(value[0]) is int:
        return [token_ids(value, "prompt", served.vocabulary)]
    if len(value) > MAX_PROMPTS:
        raise bad_request(f"there may be {MAX_PROMPTS} prompts at most, got {len(value)}", "prompt")
    if isinstance(value[0], str):
        return [check_field(one, TEXT, f"prompt[{place}]") for place, one in enumerate(value)]
    prompts: list[str | list[int]] = []
    for place, one in enumerate(value):
        prompts.append(token_ids(one, f"prompt[{place}]", served.vocabulary))
        if not one:
            raise bad_request(f"prompt[{place}] is empty", f"prompt[{place}]")
    return prompts


def _prompt(served: ServedModel, given: str | list[int], fields: Fields) -> Prompt:
    """One prompt as it is read."""
    tokenizer, frame = served.model.tokenizer, served.model.prompt_format
    suffix = fields.get("suffix", "")
    if isinstance(given, list):
        if suffix:
            raise bad_request("suffix goes with a prompt of text", "suffix")
        ids = given if framed_by_itself(served, given) else frame.continuation(given)
        fills = frame.writes_in_blank and any(id in frame.special.masks for id in given)
        if fills:
            raise bad_request("a prompt of ids with blanks: use /infill, or give it as text", "prompt")
        return Prompt(ids, tokenizer.decode(given), given)
    segments: list[Segment] = []
    if suffix:
        segments = [given, Blank("0"), suffix]
    elif served.fills_blanks and any(mark in given for mark in tokenizer.blanks):
        segments = marked_segments(tokenizer, given)
    if segments:
        if not served.fills_blanks:
            raise bad_request("suffix: this model writes from left to right and fills no blanks", "suffix")
        return Prompt(blanked_ids(served, segments), given, tokenizer.encode(given), segments)
    ids = tokenizer.encode(tokenizer.pieces.before_mask(given) if frame.writes_in_blank else given)
    return Prompt(frame.continuation(ids), given, ids)


def _shown_scores(served: ServedModel, model: Model, ids: Sequence[int], top: int) -> list[TokenScore]:
    """The scores of a prompt's tokens; the first has none, as everywhere."""
    scores = score_prompt(served, model, ids, top)
    return [TokenScore(scores[0].id), *scores[1:]] if scores else []


def _last_reason(choice: Choice, token: Token) -> str | None:
    """How the choice ended with a token: of several blanks with the last."""
    if token.finish_reason is None or (choice.fillings and token.blank < len(choice.fillings) - 1):
        return None
    return finish_reason(token.finish_reason)
