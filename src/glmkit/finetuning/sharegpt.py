"""ShareGPT's rows as messages.

    {"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}], "tools": []}

| from | role |
|---|---|
| human, user | user |
| gpt, assistant, chatgpt, bing, bard | assistant |
| system | system; the row's `system` and `tools` go into this message |
| observation, tool | observation |
| function_call | the assistant calls a tool, as ChatGLM3 writes it |
"""

from collections.abc import Mapping, Sequence

from glmkit.core.errors import UserError, nearest, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.strict_json import parse
from glmkit.tasks.cells import Row, as_text
from glmkit.text.roles import call_parameters

_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard"), "assistant"),
    **dict.fromkeys(("observation", "tool"), "observation"),
    "system": "system",
}
_CALL = "function_call"
_WITH_TOOLS = "Answer the following questions as best as you can. You have access to the following tools:"  # ChatGLM3's


def is_shared(messages: Sequence[Table]) -> bool:
    """Whether messages say `from` where others say `role`."""
    return any("from" in message and "role" not in message for message in messages)


def unshared(row: Row, messages: Sequence[Table]) -> list[JsonObject]:
    """ShareGPT's messages of a row as everybody's. Raises UserError naming row and message."""
    results = [_message(message, f"{row.where}: message {number}") for number, message in enumerate(messages, start=1)]
    system = as_text(row.get("system"), f"{row.where}: column 'system'")
    tools = row.get("tools") or []
    tools = _parsed(tools, f"{row.where}: column 'tools'") if isinstance(tools, str) else tools
    if system and results and results[0]["role"] == "system":
        raise UserError(f"{row.where}: a system message and a column 'system': leave one of them out")
    if results and results[0]["role"] == "system":
        system, results = results[0]["content"], results[1:]
    if not system and not tools:
        return results
    first = {"role": "system", "content": system or _WITH_TOOLS}
    return [{**first, "tools": tools} if tools else first, *results]


def _message(message: Table, where: str) -> JsonObject:
    for key in ("from", "value"):
        if key not in message:
            raise UserError(f"{where} has no {key!r}: {short(dict(message))}")
    role = message["from"]
    if role == _CALL:
        return _call(message["value"], where)
    if not isinstance(role, str) or role not in _ROLES:
        raise UserError(f"{where} is from {short(role)}{nearest(str(role), [*_ROLES, _CALL])}")
    return {"role": _ROLES[role], "content": as_text(message["value"], f"{where} ({role})")}


def _call(value: object, where: str) -> JsonObject:
    call = _parsed(value, where) if isinstance(value, str) else value
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise UserError(f'{where} ({_CALL}) must be {{"name": ..., "arguments": {{...}}}}, got {short(value)}')
    given = call.get("arguments", call.get("parameters", {}))
    given = _parsed(given, where) if isinstance(given, str) else given
    written = isinstance(given, Mapping) and f"tool_call({', '.join(f'{k}={v!r}' for k, v in given.items())})"
    if not written or call_parameters(written) != given:
        raise UserError(f"{where} ({_CALL}): arguments must be a table of plain values by names, got {short(given)}")
    return {"role": "assistant", "metadata": call["name"], "content": f"```python\n{written}\n```"}


def _parsed(text: str, where: str) -> object:
    try:
        return parse(text)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
