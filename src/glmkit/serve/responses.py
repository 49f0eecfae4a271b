"""/v1/responses in its plain form: text, messages and results of calls in; text and calls out, whole or in events.

| asked | is of a chat |
|---|---|
| input, instructions | messages, a system message |
| max_output_tokens, text.format, tools | max_tokens, response_format, tools |

Nothing is kept: previous_response_id, conversation and background are refused.
"""

import re
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from starlette.responses import Response

from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import ANY, FLAG, TEXT, Kind, either, list_of, one_of, optional, record
from glmkit.serve.chat import Chat, read_chat
from glmkit.serve.errors import ApiError, bad_request, json_response
from glmkit.serve.fields import MAX_TOKENS, SAMPLING, TABLE, Fields, at_most, check_field, outlined, wants_usage
from glmkit.serve.messages import CONTENT, MAX_MESSAGES, MESSAGE
from glmkit.serve.replies import Call as ToolCall
from glmkit.serve.replies import Part
from glmkit.serve.service import Call
from glmkit.serve.sse import EventStream
from glmkit.serve.tools import TOOL_CHOICE, TOOLS

_CALL = {"type": one_of("function_call"), "call_id": TEXT, "name": TEXT, "arguments": TEXT}
_RESULT = {"type": one_of("function_call_output"), "call_id": TEXT, "output": CONTENT}
_ITEM = either(record({"type": optional(one_of("message"))} | MESSAGE), record(_CALL), record(_RESULT))
_KINDS = one_of("text", "json_object", "json_schema")
_FORMAT = record({"type": _KINDS, "schema": ANY, "strict": optional(FLAG)})
RESPONSES: dict[str, Kind] = {name: kind for name, kind in SAMPLING.items() if name != "n"} | {
    "input": outlined(ANY, either(TEXT, at_most(list_of(_ITEM, least=1), MAX_MESSAGES))),
    "instructions": TEXT,
    "max_output_tokens": MAX_TOKENS,
    "text": outlined(TABLE, record({"format": optional(_FORMAT)})),
    "tools": TOOLS,
    "tool_choice": TOOL_CHOICE,
    "parallel_tool_calls": FLAG,
    "n": one_of(1),
}
_OF_A_CHAT = {  # fields and places in them, as a chat request calls them
    "response_format.json_schema": "text.format",
    "response_format": "text.format",
    "max_tokens": "max_output_tokens",
}


@dataclass
class Item:
    """A message or a call of the output, as far as it is written."""

    table: JsonObject
    text: str = ""  # of a call its arguments

    @property
    def is_message(self) -> bool:
        return self.table["type"] == "message"

    def whole(self, status: str = "completed") -> JsonObject:
        if self.is_message:
            return self.table | {"status": status, "content": [_part(self.text)]}
        return self.table | {"status": status, "arguments": self.text}


@dataclass
class Answer:
    """A responses request at work: its events, the last of which holds the whole response."""

    call: Call
    chat: Chat
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")
    items: list[Item] = field(default_factory=list)
    count: int = 0  # of the events so far

    async def events(self) -> AsyncGenerator[JsonObject | None, None]:
        (choice,) = self.chat.choices()
        started = False
        async with aclosing(self.call.service.follow(self.call.owner, [self.chat.ticket])) as said:
            async for event in said:
                if event is None:
                    yield None
                    continue
                if not started:
                    started = True
                    for name in ("created", "in_progress"):
                        yield self._event(f"response.{name}", response=self._response("in_progress"))
                if event.token is None:
                    continue
                for part in choice.take(event, self.chat.choice.parallel):
                    if isinstance(part, ToolCall) or (isinstance(part, str) and not self._writes_message):
                        for one in [*self._end_item(), *self._begin_item(part)]:
                            yield one
                    yield self._more(part)
        if not self.items:
            for one in self._begin_item(""):
                yield one
        status = "incomplete" if self.chat.finish(choice) == "length" else "completed"
        for one in self._end_item(status):
            yield one
        used = self.chat.usage([choice])
        usage = {
            "input_tokens": used["prompt_tokens"],
            "input_tokens_details": used["prompt_tokens_details"] | {"cache_write_tokens": 0},
            "output_tokens": used["completion_tokens"],
            "output_tokens_details": used["completion_tokens_details"],
            "total_tokens": used["total_tokens"],
        }
        yield self._event(f"response.{status}", response=self._response(status, usage))

    async def whole(self) -> JsonObject:
        last: JsonObject = {}
        async with aclosing(self.events()) as events:
            async for event in events:
                last = event or last
        response: JsonObject = last["response"]
        return response

    @property
    def _writes_message(self) -> bool:
        return bool(self.items) and self.items[-1].is_message

    def _event(self, kind: str, **parts: object) -> JsonObject:
        self.count += 1
        return {"type": kind, "sequence_number": self.count - 1, **parts}

    @property
    def _place(self) -> JsonObject:
        place = {"item_id": self.items[-1].table["id"], "output_index": len(self.items) - 1}
        return place | ({"content_index": 0} if self._writes_message else {})

    def _begin_item(self, part: Part) -> list[JsonObject]:
        table: JsonObject
        if isinstance(part, ToolCall):
            named = {"call_id": part.id, "name": part.name, "arguments": ""}
            table = {"type": "function_call", "id": f"fc_{uuid.uuid4().hex}", "status": "in_progress", **named}
        else:
            table = {"type": "message", "id": f"msg_{uuid.uuid4().hex}", "status": "in_progress", "role": "assistant"}
            table["content"] = []
        self.items.append(Item(table))
        added = [self._event("response.output_item.added", output_index=len(self.items) - 1, item=table)]
        if self._writes_message:
            added.append(self._event("response.content_part.added", **self._place, part=_part("")))
        return added

    def _more(self, part: Part) -> JsonObject:
        text = part if isinstance(part, str) else part.arguments if isinstance(part, ToolCall) else part.text
        self.items[-1].text += text
        if self._writes_message:
            return self._event("response.output_text.delta", **self._place, delta=text, logprobs=[])
        return self._event("response.function_call_arguments.delta", **self._place, delta=text)

    def _end_item(self, status: str = "completed") -> list[JsonObject]:
        if not self.items:
            return []
        item = self.items[-1]
        if item.is_message:
            done = [
                self._event("response.output_text.done", **self._place, text=item.text, logprobs=[]),
                self._event("response.content_part.done", **self._place, part=_part(item.text)),
            ]
        else:
            name = item.table["name"]
            done = [self._event("response.function_call_arguments.done", **self._place, name=name, arguments=item.text)]
        item.table["status"] = status
        place = len(self.items) - 1
        return [*done, self._event("response.output_item.done", output_index=place, item=item.whole(status))]

    def _response(self, status: str, usage: JsonObject | None = None) -> JsonObject:
        fields, ended = self.call.fields, status != "in_progress"
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.chat.created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": fields.get("instructions"),
            "max_output_tokens": fields.get("max_output_tokens"),
            "model": self.chat.served.name,
            "output": [item.whole(item.table["status"]) for item in self.items] if ended else [],
            "parallel_tool_calls": self.chat.choice.parallel,
            "previous_response_id": None,
            "store": False,
            "temperature": fields.get("temperature"),
            "text": {"format": fields.get("text", {}).get("format") or {"type": "text"}},
            "tool_choice": fields.get("tool_choice", "auto"),
            "tools": [{"type": "function", "strict": False, **tool.table} for tool in self.chat.choice.tools],
            "top_p": fields.get("top_p"),
            "truncation": "disabled",
            "usage": usage,
            "metadata": {},
        }


class NamedEvents(EventStream):
    """Events that say their names, with nothing behind the last of them."""

    END = ""

    def line(self, event: JsonObject) -> str:
        return f"event: {event['type']}\n{super().line(event)}"

    def fault(self, error: ApiError) -> str:
        return self.line({"type": "error", **error.table["error"], **error.table} | {"type": "error"})


def _part(text: str) -> JsonObject:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


async def responses(call: Call) -> Response:
    """Answers a request of the responses API."""
    wants_usage(call.fields)
    answer = Answer(call, await read_response(call))
    if not call.fields.get("stream"):
        return json_response(await answer.whole())
    return NamedEvents(answer.events(), stall=call.service.settings.stall_timeout)


async def read_response(call: Call) -> Chat:
    """The chat that a request asks for. Raises ApiError, which names the fields as the request does."""
    fields = call.fields
    values = {
        name: fields[name] for name in (*SAMPLING, "tools", "tool_choice", "parallel_tool_calls") if name in fields
    }
    instructions = [{"role": "system", "content": fields["instructions"]}] if "instructions" in fields else []
    values["messages"] = [*instructions, *_messages(fields["input"])]
    if "max_output_tokens" in fields:
        values["max_tokens"] = fields["max_output_tokens"]
    if (form := _format(fields)) is not None:
        values["response_format"] = form
    try:
        chat = await read_chat(replace(call, fields=Fields(values)))
    except ApiError as error:
        raise _renamed(error, len(instructions)) from None
    fields.check_rest()
    return chat


def _messages(given: object) -> list[JsonObject]:
    """The messages that an input is, one for each of its items."""
    if isinstance(given, str):
        return [{"role": "user", "content": check_field(given, TEXT, "input")}]
    if not isinstance(given, list) or not given:
        raise bad_request(f"input must be text, or a list of messages and calls, got {short(given)}", "input")
    paths = [f"input[{place}]" for place in range(len(given))]
    return [_message(check_field(item, TABLE, path), path) for item, path in zip(given, paths, strict=True)]


def _message(item: Table, path: str) -> JsonObject:
    kind = item.get("type", "message")
    if kind == "message":
        return {**item}
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        return {"role": "assistant", "content": None, "tool_calls": [{"id": item.get("call_id"), "function": function}]}
    if kind == "function_call_output":
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
    wanted = "message, function_call or function_call_output"
    raise bad_request(f"{path}.type must be {wanted}, got {short(kind)}", f"{path}.type")


def _format(fields: Fields) -> JsonObject | None:
    """The response_format of a chat that `text` asks for."""
    form = check_field(fields.get("text", {}).get("format"), optional(TABLE), "text.format")
    if form is None:
        return None
    check_field(form.get("type"), _KINDS, "text.format.type")
    if form["type"] != "json_schema":
        return {**form}
    return {"type": "json_schema", "json_schema": {key: form[key] for key in ("schema", "strict") if key in form}}


def _renamed(error: ApiError, before: int) -> ApiError:
    """An error of a chat in the words of a request whose input begins `before` messages later."""

    def rename(text: str) -> str:
        text = re.sub(r"messages\[(\d+)\]", lambda match: f"input[{int(match[1]) - before}]", text)
        for name, other in _OF_A_CHAT.items():
            text = text.replace(name, other)
        return text

    param = None if error.param is None else rename("input" if error.param == "messages" else error.param)
    return ApiError(error.status, rename(error.message), param=param, code=error.code, headers=error.headers)
