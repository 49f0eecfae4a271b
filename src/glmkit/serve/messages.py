"""Messages as clients of OpenAI's API send them, made a conversation that the model's chat format knows.

| sent | becomes |
|---|---|
| system, developer | one system message, at the beginning; where a format has none, text before the first question |
| content: text, null, a list of text parts | text |
| tool_calls, function_call of the assistant | messages that call, as ChatGLM3 writes them; elsewhere their JSON |
| tool, function, observation | observation; elsewhere a message of the user |
| several of one role after another; an answer without a question | joined; an empty question before it |
| an assistant's message at the end | is what the reply goes on from |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import TEXT, either, list_of, one_of, optional, record
from glmkit.core.strict_json import dumps
from glmkit.serve.errors import bad_request
from glmkit.serve.fields import ARRAY, TABLE, at_most, check_field, outlined
from glmkit.serve.tool_arguments import written_call
from glmkit.serve.tools import ToolChoice
from glmkit.text.conversation import ChatFormat
from glmkit.text.roles import CHATGLM3

MAX_MESSAGES = 4096
_ROLES = {"developer": "system", "tool": "observation", "function": "observation"}
_ROLE = one_of("system", "developer", "user", "assistant", "tool", "function", "observation")
_TEXTS = ("text", "input_text", "output_text")
CONTENT = either(TEXT, list_of(record({"type": optional(one_of(*_TEXTS)), "text": TEXT})))
_FUNCTION = record({"name": TEXT, "arguments": optional(either(TEXT, TABLE))})
MESSAGE = {
    "role": _ROLE,
    "content": optional(CONTENT),
    "tool_calls": optional(list_of(record({"function": _FUNCTION}))),
    "function_call": optional(_FUNCTION),
}
MESSAGES = outlined(ARRAY, at_most(list_of(record(MESSAGE), least=1), MAX_MESSAGES))
_TOOLS_FOLLOW = (
    "Answer the following questions as best as you can. You have access to the following tools:"  # as it was trained
)
_TOOLS_IN_JSON = (
    "You can call the following tools. To call one, reply with nothing but "
    '{"name": its name, "arguments": {...}}; otherwise reply to the user.'
)


@dataclass(frozen=True)
class Conversation:
    """Messages of a chat format, and the beginning of the reply to them that is there already."""

    messages: list[JsonObject]
    prefill: str = ""


def read_messages(value: object, form: ChatFormat, choice: ToolChoice) -> Conversation:
    """The conversation that a request's messages are, with its tools. Raises ApiError naming the message at fault."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_MESSAGES:
        raise bad_request(f"messages must be a list of 1 to {MAX_MESSAGES:,} messages, got {short(value)}", "messages")
    roles = form.name == CHATGLM3.name
    turns: list[JsonObject] = []
    system: list[str] = []
    for place, message in enumerate(value):
        path = f"messages[{place}]"
        check_field(message, TABLE, path)
        role = check_field(message.get("role"), _ROLE, f"{path}.role")
        role = _ROLES.get(role, role)
        text = _text(message, path, role)
        if role == "system":
            system.append(text)
        elif role == "assistant":
            turns += _said(message, text, path, roles)
        else:
            turns.append({"role": role if roles else "user", "content": text})
    beginning: list[str] = []
    while turns and turns[-1]["role"] == "assistant" and "called" not in turns[-1]:
        beginning.insert(0, turns.pop()["content"])
    if turns and "called" in turns[-1]:
        raise bad_request("the last call has no result: send it in a message of role tool", "messages")
    head = _head([text for text in system if text], [tool.table for tool in choice.tools], roles)
    return Conversation([*head, *_in_order(turns, roles)], "\n".join(beginning))


def _text(message: Table, path: str, role: str) -> str:
    content = message.get("content")
    if content is None:
        if role in ("assistant", "observation"):
            return ""
        raise bad_request(f"{path} ({message['role']}) has no content", f"{path}.content")
    if isinstance(content, list):
        return "".join(_part(part, f"{path}.content[{place}]") for place, part in enumerate(content))
    return str(check_field(content, TEXT, f"{path}.content"))


def _part(part: object, path: str) -> str:
    kind = part.get("type", "text") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping) or kind not in _TEXTS:
        raise bad_request(f"{path} must be a part of text, this model reads nothing else; got {short(kind)}", path)
    return str(check_field(part.get("text"), TEXT, f"{path}.text"))


def _said(message: Table, text: str, path: str, roles: bool) -> list[JsonObject]:
    """An assistant's message: its text, and the calls it holds."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise bad_request(f"{path}.tool_calls must be a list, got {short(calls)}", f"{path}.tool_calls")
    functions = [
        (check_field(call, TABLE, f"{path}.tool_calls[{n}]").get("function"), f"{path}.tool_calls[{n}].function")
        for n, call in enumerate(calls)
    ]
    if message.get("function_call"):
        functions.append((message["function_call"], f"{path}.function_call"))
    metadata = check_field(message.get("metadata") or "", TEXT, f"{path}.metadata") if roles else ""
    turns: list[JsonObject] = []
    if text or not functions:
        turns.append({"role": "assistant", "content": text} | ({"metadata": metadata} if metadata else {}))
    for function, place in functions:
        check_field(function, TABLE, place)
        name = check_field(function.get("name"), TEXT, f"{place}.name")
        arguments = check_field(_as_text(function.get("arguments")), TEXT, f"{place}.arguments")
        if roles:
            turn = {"metadata": name, "content": written_call(name, arguments)}
        else:
            turn = {"content": f'{{"name": {dumps(name)}, "arguments": {arguments or "{}"}}}'}
        turns.append({"role": "assistant", "called": True} | turn)
    return turns


def _as_text(arguments: object) -> object:
    """Arguments are a JSON text; some clients send the object itself."""
    return dumps(arguments) if isinstance(arguments, dict) else "" if arguments is None else arguments


def _head(system: list[str], tools: Sequence[JsonObject], roles: bool) -> list[JsonObject]:
    """The system message, with the tools."""
    if not tools:
        return [{"role": "system", "content": "\n".join(system)}] if system else []
    if roles:
        return [{"role": "system", "content": "\n".join([*system, _TOOLS_FOLLOW]), "tools": tools}]
    return [{"role": "system", "content": "\n".join([*system, _TOOLS_IN_JSON, dumps(tools)]) + "\n"}]


def _in_order(turns: Sequence[JsonObject], roles: bool) -> list[JsonObject]:
    """Turns in an order that the format knows, ending where the model is to answer."""
    ordered: list[JsonObject] = []
    for turn in turns:
        turn = {key: value for key, value in turn.items() if key != "called"}
        before = ordered[-1]["role"] if ordered else ""
        if turn["role"] == before == "user" or (turn["role"] == before == "assistant" and not roles):
            ordered[-1] = ordered[-1] | {"content": f"{ordered[-1]['content']}\n{turn['content']}"}
            continue
        if turn["role"] != "user" and before == "":
            ordered.append({"role": "user", "content": ""})
            before = "user"
        if turn["role"] == "observation" and before == "user":
            ordered.append({"role": "assistant", "content": ""})
        ordered.append(turn)
    if not ordered or ordered[-1]["role"] == "assistant":
        ordered.append({"role": "user", "content": ""})
    return ordered
