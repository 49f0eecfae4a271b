"""/infill: a text with blanks in, the whole text filled out, as many times as asked, best first.

{"segments": [{"text": "She ate "}, {"blank": {"max_tokens": 4, "candidates": ["lunch", "rice"]}}], "n": 3}
{"text": "She ate ____ for ____."}
"""

import math
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from starlette.responses import Response

from glmkit.api import Model
from glmkit.core import kinds
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import TEXT, Kind, whole
from glmkit.generate.beam import Beam
from glmkit.generate.sequence import Completion, Token
from glmkit.objective.choices import ScoringRequest
from glmkit.serve.blank_limits import BlankLimits
from glmkit.serve.blanks import SEGMENTS, Blank, Filling, Segment, blanked_ids, blanks_of, read_segments, texts_of
from glmkit.serve.engine_thread import Event, Ticket
from glmkit.serve.errors import bad_request, json_response
from glmkit.serve.fields import MAX_TOKENS, MAX_TOP, SAMPLING
from glmkit.serve.generation import read_generation, usage_table
from glmkit.serve.models import ServedModel
from glmkit.serve.service import Call
from glmkit.serve.sse import EventStream
from glmkit.serve.token_text import logprob_table

MAX_ALTERNATIVES, MAX_BEAMS, USUAL_LENGTH = 20, 32, 64
_NOT_HERE = ("stop", "stop_token_ids", "include_stop_str_in_output", "ignore_eos", "min_tokens")
INFILL: dict[str, Kind] = {name: kind for name, kind in SAMPLING.items() if name not in _NOT_HERE} | {
    "segments": SEGMENTS,
    "text": TEXT,
    "marker": TEXT,
    "n": whole(1, MAX_ALTERNATIVES),
    "max_tokens": MAX_TOKENS,
    "top_logprobs": whole(0, MAX_TOP),
    "beams": whole(1, MAX_BEAMS),
    "length_penalty": kinds.number(-50, 50),
    "no_repeat_ngram_size": whole(0, 1024),
}


@dataclass
class Filled:
    """A filling of all blanks, as far as it is written."""

    limits: Sequence[Blank]
    texts: list[Filling]
    tokens: list[list[Token]]

    def take(self, event: Event) -> str:
        token = event.token
        assert token is not None
        self.tokens[token.blank].append(token)
        return self.texts[token.blank].feed(event.text)

    def reason(self, blank: int) -> str | None:
        """How a blank ended: "length" where its own limit ended it, which is then no end that the model chose."""
        tokens = self.tokens[blank]
        if not tokens or tokens[-1].finish_reason is None:
            return None
        most = self.limits[blank].max_tokens
        full = most is not None and len(tokens) > most
        return "length" if full or tokens[-1].finish_reason == "length" else "end"

    def logprob(self, blank: int) -> float:
        """log p of a blank's tokens, and of its end where the model chose it."""
        tokens = self.tokens[blank]
        if self.reason(blank) == "length":
            tokens = [token for token in tokens if token.is_text]
        return sum(token.logprob for token in tokens)


@dataclass(frozen=True)
class Infill:
    """An infill request at work."""

    call: Call
    served: ServedModel
    segments: list[Segment]
    ticket: Ticket
    prompt: list[int]
    count: int
    id: str = field(default_factory=lambda: f"infill-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def blanks(self) -> list[Blank]:
        return blanks_of(self.segments)

    def rows(self) -> list[Filled]:
        texts, blanks = texts_of(self.segments), self.blanks
        return [
            Filled(blanks, [Filling(text) for text in texts[:-1]], [[] for _ in blanks])
            for _ in range(self.ticket.request.num_return_sequences)
        ]

    async def whole(self) -> JsonObject:
        rows = self.rows()
        async with aclosing(self.call.service.follow(self.call.owner, [self.ticket])) as events:
            async for event in events:
                if event is not None and event.token is not None:
                    rows[event.token.row].take(event)
        return await self.reply(rows)

    async def events(self) -> AsyncGenerator[JsonObject | None, None]:
        rows = self.rows()
        async with aclosing(self.call.service.follow(self.call.owner, [self.ticket])) as said:
            async for event in said:
                if event is None:
                    yield None
                elif event.token is not None:
                    token, row = event.token, rows[event.token.row]
                    delta = row.take(event)
                    yield self._head("infill.chunk") | {
                        "filling": token.row,
                        "blank": token.blank,
                        "delta": delta,
                        "tokens": [self._token(token)] if token.is_text else [],
                        "finish_reason": row.reason(token.blank),
                    }
        yield await self.reply(rows)

    async def reply(self, rows: list[Filled]) -> JsonObject:
        group = self.ticket.group
        if group is not None and group.hypotheses:
            rows = [self._of_beam(hypothesis.blanks) for hypothesis in group.hypotheses[: self.count]]
            tables = [self._table(row) for row in rows]
        else:
            tables = sorted(map(self._table, rows), key=lambda table: -float(table["logprob"]))
        written = sum(len(tokens) for row in rows for tokens in row.tokens)
        used = usage_table(len(self.prompt), written, group.cached_tokens if group is not None else 0)
        self.call.log.update({name: used[name] for name in ("prompt_tokens", "completion_tokens")})
        return self._head("infill") | {"fillings": tables, "candidates": await self._candidates(), "usage": used}

    def _of_beam(self, blanks: Sequence[Completion]) -> Filled:
        """A hypothesis as if it had been written token by token."""
        tokenizer, row = self.served.model.tokenizer, self.rows()[0]
        for number, blank in enumerate(blanks):
            row.texts[number].feed(tokenizer.decode(blank.ids))
            ids = [*blank.ids, *([tokenizer.special.eop] * (len(blank.logprobs) - len(blank.ids)))]
            for place, (id, logprob) in enumerate(zip(ids, blank.logprobs, strict=True), start=1):
                row.tokens[number].append(
                    Token(0, number, id, logprob, blank.finish_reason if place == len(ids) else None)
                )
        return row

    def _table(self, row: Filled) -> JsonObject:
        texts = texts_of(self.segments)
        blanks = [
            {
                "id": blank.id,
                "text": row.texts[number].text,
                "logprob": row.logprob(number),
                "finish_reason": row.reason(number),
                "tokens": [self._token(token) for token in row.tokens[number] if token.is_text],
            }
            for number, blank in enumerate(self.blanks)
        ]
        filled = texts[0] + "".join(f"{blank['text']}{after}" for blank, after in zip(blanks, texts[1:], strict=True))
        return {"text": filled, "logprob": sum(row.logprob(n) for n in range(len(blanks))), "blanks": blanks}

    def _token(self, token: Token) -> JsonObject:
        tokenizer = self.served.model.tokenizer
        table = logprob_table(tokenizer, token.id, token.logprob) | {"id": token.id}
        return table | {"top_logprobs": [logprob_table(tokenizer, id, logprob) for id, logprob in token.top]}

    async def _candidates(self) -> list[JsonObject]:
        """How probable the user's own fillings are, each blank by itself, the others still blank."""
        tables = []
        for number, blank in enumerate(self.blanks):
            if blank.candidates:
                logprobs = await self.call.read(
                    self.served, partial(score_blank, self.served, segments=self.segments, number=number)
                )
                tables.append({"blank": blank.id, "scores": scores_table(blank.candidates, logprobs)})
        return tables

    def _head(self, kind: str) -> JsonObject:
        return {"object": kind, "id": self.id, "created": self.created, "model": self.served.name}


def score_blank(
    served: ServedModel,
    model: Model,
    segments: Sequence[Segment],
    number: int,
    candidates: Sequence[str] = (),
    *,
    ended: bool = True,
) -> list[list[float]]:
    """log p, by the served `model`, of each token of each candidate in blank `number`, and of its end where `ended`.
    Raises ApiError."""
    tokenizer = served.model.tokenizer
    blank, before = blanks_of(segments)[number], texts_of(segments)[number]
    space = tokenizer.space_before_blank(before)
    candidates = candidates or blank.candidates
    ids = [tokenizer.encode(space + candidate) for candidate in candidates]
    for candidate, some in zip(candidates, ids, strict=True):
        if not 1 <= len(some) <= served.limit:
            raise bad_request(f"the candidate {candidate[:40]!r} has {len(some)} tokens", "candidates")
    prompt = blanked_ids(served, segments)
    place = [at for at, id in enumerate(prompt) if id == tokenizer.special.mask][number]
    answers = [[*some, tokenizer.special.eop] for some in ids]
    (scores,) = model.scorer.answers([[ScoringRequest(context=prompt, blank=place, answers=answers)]])
    return [(one if ended else one[:-1]).tolist() for one in scores.logprobs]


def scores_table(texts: Sequence[str], logprobs: Sequence[Sequence[float]]) -> list[JsonObject]:
    """Texts with log p, and the share of each among those given."""
    totals = [sum(one) for one in logprobs]
    weights = [math.exp(total - max(totals)) for total in totals]
    return [
        {"text": text, "logprob": total, "share": weight / sum(weights)}
        for text, total, weight in zip(texts, totals, weights, strict=True)
    ]


async def infill(call: Call) -> Response:
    """Answers an infill request."""
    request = await read_infill(call)
    if call.fields.get("stream"):
        return EventStream(request.events(), stall=call.service.settings.stall_timeout)
    return json_response(await request.whole())


async def read_infill(call: Call) -> Infill:
    """The infill request that the fields ask for. Raises ApiError, UserError for a model that fills no blanks."""
    fields, served = call.fields, call.served()
    segments = read_segments(fields)
    prompt = await call.text_work(lambda: blanked_ids(served, segments), sum(map(len, texts_of(segments))))
    count, beams = fields.get("n", 1), fields.get("beams")
    usual = min(fields.get("max_tokens", USUAL_LENGTH), served.limit)
    blanks = [replace(blank, max_tokens=min(blank.max_tokens or usual, served.limit)) for blank in blanks_of(segments)]
    most = max(blank.max_tokens or 0 for blank in blanks)
    generation = replace(read_generation(fields, served, None, fields.get("top_logprobs", 0)), max_tokens=most)
    fields.check_rest()
    alike = {(blank.max_tokens, blank.min_tokens) for blank in blanks} == {(most, 1)}
    if beams is not None:
        if not alike:
            raise bad_request("beams: blanks have one max_tokens then, and no min_tokens", "beams")
        if count > beams:
            raise bad_request(f"n {count} is more than {beams} beams", "n")
    elif not alike:
        generation = replace(generation, constraint=lambda: BlankLimits(blanks, served.model.tokenizer.special, most))
    if call.service.settings.log_prompts:
        call.log["segments"] = texts_of(segments)
    generation = replace(generation, min_tokens=1 if alike else 0)
    ticket = generation.ticket(call, served, prompt, fills=True)
    if beams is not None:
        beam = Beam(
            beams=beams,
            length_penalty=fields.get("length_penalty", 1.0),
            no_repeat_ngram=fields.get("no_repeat_ngram_size", 0),
        )
        ticket.request = replace(ticket.request, strategy=beam, num_return_sequences=1)
    named = iter(blanks)
    segments = [next(named) if isinstance(segment, Blank) else segment for segment in segments]
    return Infill(call, served, segments, ticket, prompt, count)
