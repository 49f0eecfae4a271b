"""/v1/chat/completions: a conversation in, the next message out, whole or while it is written."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from starlette.responses import Response

from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import FLAG, Kind, whole
from glmkit.generate.constraint import Constraint
from glmkit.generate.sequence import Token
from glmkit.serve.engine_thread import Event, Ticket
from glmkit.serve.errors import bad_request, json_response
from glmkit.serve.fields import MAX_TOKENS, MAX_TOP, SAMPLING, Fields, wants_usage
from glmkit.serve.generation import finish_reason, read_generation, usage_table
from glmkit.serve.messages import MESSAGES, Conversation, read_messages
from glmkit.serve.models import ServedModel
from glmkit.serve.replies import (
    Call as ToolCall,
)
from glmkit.serve.replies import ChatGLM3Reply, HeldCall, JsonReply, Part, PlainReply, Reply, call_table
from glmkit.serve.reply_format import FORMATS, constraint_of
from glmkit.serve.service import Call
from glmkit.serve.sse import EventStream
from glmkit.serve.token_text import chat_logprobs
from glmkit.serve.tools import TOOL_CHOICE, TOOLS, ToolChoice, read_tools
from glmkit.text.chat import joints
from glmkit.text.conversation import ChatFormat
from glmkit.text.roles import CHATGLM3

CHAT: dict[str, Kind] = (
    SAMPLING
    | FORMATS
    | {
        "messages": MESSAGES,
        "max_tokens": MAX_TOKENS,
        "max_completion_tokens": MAX_TOKENS,
        "logprobs": FLAG,
        "top_logprobs": whole(0, MAX_TOP),
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": FLAG,
        "functions": TOOLS,
        "function_call": TOOL_CHOICE,
        "continue_final_message": FLAG,
        "add_generation_prompt": FLAG,
    }
)


@dataclass
class Choice:
    """One of the replies of a request, as far as it is written."""

    index: int
    reply: Reply
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    dropped: bool = False  # further calls, as the request wants one
    tokens: list[Token] = field(default_factory=list)

    def take(self, event: Event, parallel: bool) -> list[Part]:
        """The parts of the reply that a token made certain."""
        assert event.token is not None
        self.tokens.append(event.token)
        parts = self.reply.feed(event.text)
        if event.token.finish_reason is not None:
            parts += self.reply.end()
        kept: list[Part] = []
        for part in parts:
            if isinstance(part, str):
                self.text += part
            elif not parallel and (self.dropped or (self.calls and isinstance(part, ToolCall))):
                self.dropped = True
                continue
            elif isinstance(part, ToolCall):
                self.calls.append(part)
            else:
                self.calls[-1] = replace(self.calls[-1], arguments=self.calls[-1].arguments + part.text)
            kept.append(part)
        return kept


@dataclass(frozen=True)
class Chat:
    """A chat request at work."""

    call: Call
    served: ServedModel
    ticket: Ticket
    choice: ToolChoice
    new_reply: Callable[[], Reply]
    logprobs: bool
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def choices(self) -> list[Choice]:
        return [Choice(index, self.new_reply()) for index in range(self.ticket.request.num_return_sequences)]

    def finish(self, choice: Choice) -> str | None:
        reason = finish_reason(choice.tokens[-1].finish_reason)
        if reason == "stop" and choice.calls and self.choice.named is None:
            return "function_call" if self.choice.legacy else "tool_calls"
        return reason

    def usage(self, choices: list[Choice]) -> JsonObject:
        group = self.ticket.group
        used = usage_table(
            len(self.ticket.request.prompt),
            sum(len(choice.tokens) for choice in choices),
            group.cached_tokens if group is not None else 0,
        )
        self.call.log.update({name: used[name] for name in ("prompt_tokens", "completion_tokens")})
        return used

    async def whole(self) -> JsonObject:
        choices = self.choices()
        async with aclosing(self.call.service.follow(self.call.owner, [self.ticket])) as events:
            async for event in events:
                if event is not None and event.token is not None:
                    choices[event.token.row].take(event, self.choice.parallel)
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.served.name,
            "choices": [
                {
                    "index": choice.index,
                    "message": self.message(choice),
                    "logprobs": self._logprobs(choice.tokens),
                    "finish_reason": self.finish(choice),
                }
                for choice in choices
            ],
            "usage": self.usage(choices),
            "system_fingerprint": None,
        }

    def message(self, choice: Choice) -> JsonObject:
        message: JsonObject = {"role": "assistant", "content": choice.text, "refusal": None}
        if not choice.calls:
            return message
        message["content"] = choice.text or None
        if self.choice.legacy:
            (first, *_) = choice.calls
            message["function_call"] = {"name": first.name, "arguments": first.arguments}
            if not self.choice.both:
                return message
        return message | {"tool_calls": [call_table(call) for call in choice.calls]}

    async def events(self, usage: bool, every: bool) -> AsyncGenerator[JsonObject | None, None]:
        choices = self.choices()
        started = False

        def chunk(index: int, delta: JsonObject, tokens: list[Token], finish: str | None = None) -> JsonObject:
            choice = {"index": index, "delta": delta, "logprobs": self._logprobs(tokens), "finish_reason": finish}
            return self._chunk([choice]) | ({"usage": self.usage(choices) if every else None} if usage else {})

        async with aclosing(self.call.service.follow(self.call.owner, [self.ticket])) as said:
            async for event in said:
                if event is None:
                    yield None
                    continue
                if not started:
                    started = True
                    for choice in choices:
                        yield chunk(choice.index, {"role": "assistant", "content": ""}, [])
                if event.token is None:
                    continue
                choice, before = choices[event.token.row], len(choices[event.token.row].calls)
                tokens = [event.token] if self.logprobs and event.token.is_text else []
                for part in choice.take(event, self.choice.parallel):
                    before += isinstance(part, ToolCall)
                    for delta in self._deltas(part, before - 1):
                        yield chunk(choice.index, delta, tokens)
                        tokens = []
                if tokens:
                    yield chunk(choice.index, {"content": ""}, tokens)
                if event.token.finish_reason is not None:
                    yield chunk(choice.index, {}, [], self.finish(choice))
        used = self.usage(choices)
        if usage:
            yield self._chunk([]) | {"usage": used}

    def _deltas(self, part: Part, number: int) -> list[JsonObject]:
        """What a stream says of a part: of call `number` first its name, then its arguments."""
        if isinstance(part, str):
            return [{"content": part}]
        deltas: list[JsonObject] = []
        if isinstance(part, ToolCall):
            named = {"function_call": {"name": part.name, "arguments": ""}}
            first = replace(part, arguments="")
            deltas.append(named if self.choice.legacy else {"tool_calls": [call_table(first, number)]})
        arguments = {"arguments": part.arguments if isinstance(part, ToolCall) else part.text}
        more = {"index": number, "function": arguments}
        deltas.append({"function_call": arguments} if self.choice.legacy else {"tool_calls": [more]})
        return deltas

    def _chunk(self, choices: list[JsonObject]) -> JsonObject:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.served.name,
            "choices": choices,
            "system_fingerprint": None,
        }

    def _logprobs(self, tokens: list[Token]) -> JsonObject | None:
        if not self.logprobs or not tokens:
            return None
        return chat_logprobs(self.served.model.tokenizer, tokens)


async def chat_completions(call: Call) -> Response:
    """Answers a chat request."""
    usage = wants_usage(call.fields)
    chat = await read_chat(call)
    if not call.fields.get("stream"):
        return json_response(await chat.whole())
    every = bool(call.fields.get("stream_options", {}).get("continuous_usage_stats"))
    return EventStream(chat.events(usage, every), stall=call.service.settings.stall_timeout)


async def read_chat(call: Call) -> Chat:
    """The chat request that the fields ask for. Raises ApiError, UserError for a model that was not trained to chat."""
    fields, served = call.fields, call.served()
    form, official = served.chat_format, "chatglm" in call.service.settings.compat
    choice = read_tools(fields, official=official)
    conversation = read_messages(fields.get("messages"), form, choice)
    _check_end(fields, conversation)
    top, logprobs = fields.get("top_logprobs", 0), fields.get("logprobs", False)
    if top and not logprobs:
        raise bad_request("top_logprobs needs logprobs: true", "top_logprobs")
    generation = read_generation(fields, served, served.usual, top)
    constraint = await asyncio.to_thread(constraint_of, served, fields, choice)
    size = sum(len(message["content"]) for message in conversation.messages)
    fields.check_rest()
    ids, boundaries = await call.text_work(lambda: prompt_ids(served, form, conversation), size)
    if call.service.settings.log_prompts:
        call.log["messages"] = conversation.messages
    ticket = replace(generation, constraint=constraint).ticket(
        call, served, ids, stop_ids=form.stop_ids(served.model.tokenizer), boundaries=boundaries
    )
    return Chat(call, served, ticket, choice, _replies(form, choice, conversation, constraint), logprobs)


def prompt_ids(served: ServedModel, form: ChatFormat, conversation: Conversation) -> tuple[list[int], list[int]]:
    """Ids of a conversation up to where the model goes on, and where others may go on otherwise."""
    tokenizer, messages = served.model.tokenizer, conversation.messages
    prompt = form.prompt(tokenizer, messages)
    boundaries = joints(form, tokenizer, messages, prompt) if form.causal else []
    if conversation.prefill:
        prompt += form.written(tokenizer, [{"role": "assistant", "content": conversation.prefill}])
    return prompt, boundaries


def _check_end(fields: Fields, conversation: Conversation) -> None:
    if fields.get("continue_final_message") and not conversation.prefill:
        raise bad_request("continue_final_message: the last message is not the assistant's", "continue_final_message")
    if fields.get("add_generation_prompt") is False and not conversation.prefill:
        raise bad_request(
            "add_generation_prompt: a reply begins behind its prompt; a last message of the assistant is continued",
            "add_generation_prompt",
        )


def _replies(
    form: ChatFormat, choice: ToolChoice, conversation: Conversation, constraint: Callable[[], Constraint] | None
) -> Callable[[], Reply]:
    """How the replies of a request are taken apart."""
    if constraint is not None:
        return HeldCall if choice.required else lambda: PlainReply(bare=True)
    continued = bool(conversation.prefill)
    if form.name == CHATGLM3.name:
        return lambda: ChatGLM3Reply(choice.names, continued=continued)
    if choice.tools:
        return lambda: JsonReply(choice.names, form.live())
    return PlainReply if continued else lambda: PlainReply(form.live())
