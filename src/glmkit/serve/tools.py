"""The tools of a request: what they are, and which of them must be called.

| as it is sent | |
|---|---|
| [{"type": "function", "function": {"name", "description", "parameters"}}] | OpenAI's form |
| [{"name", "description", "parameters"}] | its `functions`, and how ChatGLM3 was trained |
| {name: {"name", "description", "params": [{"name", "description", "type", "required"}]}} | ChatGLM3's own registry |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import ANY, TEXT, either, list_of, one_of, optional, record, table_of
from glmkit.serve.errors import bad_request
from glmkit.serve.fields import ARRAY, TABLE, Fields, at_most, check_field, outlined

MAX_TOOLS, MAX_NAME = 128, 64
_FUNCTION = record({"name": TEXT, "description": optional(TEXT), "parameters": optional(TABLE)})
_TOOL = either(record({"type": optional(one_of("function")), "function": _FUNCTION}), _FUNCTION)
TOOLS = outlined(either(ARRAY, TABLE), either(at_most(list_of(_TOOL), MAX_TOOLS), table_of(_TOOL)))
_CHOICES = one_of("none", "auto", "required", "any")
TOOL_CHOICE = outlined(ANY, either(_CHOICES, record({"function": record({"name": TEXT})}), record({"name": TEXT})))
_SHAPE = 'a list of {"type": "function", "function": {"name": ..., "parameters": {...}}}'


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: JsonObject

    @property
    def table(self) -> JsonObject:
        """As it stands in the prompt."""
        return {"name": self.name, "description": self.description, "parameters": self.parameters}


@dataclass(frozen=True)
class ToolChoice:
    """What of `tools` is called: `required` one of them, `named` this one. `legacy`: the reply has `function_call`, as
    the request had `functions`; `both`: `tool_calls` beside it."""

    tools: tuple[Tool, ...] = ()
    required: bool = False
    named: str | None = None
    legacy: bool = False
    both: bool = False
    parallel: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(tool.name for tool in self.tools)


def read_tools(fields: Fields, *, official: bool = False) -> ToolChoice:
    """The tools of a chat request; those inside a system message, as ChatGLM3's first server had them, where it has no
    others. `official`: calls are said as its later servers did, too. Raises ApiError for what is none, or a choice that
    there is not."""
    if not {"tools", "functions"} & fields.values.keys():
        inside = [_inside(message) for message in fields.get("messages", [])]
        fields = Fields(fields.values | next(({"functions": tools} for tools in inside if tools), {}))
    legacy = "functions" in fields and "tools" not in fields
    source, choice_name = ("functions", "function_call") if legacy else ("tools", "tool_choice")
    tools = tuple(_tools(fields.get(source, []), source))
    choice = fields.get(choice_name, "auto")
    named = _named(choice, choice_name)
    if named is None and _CHOICES.find(choice) is not None:
        raise bad_request(
            f'{choice_name} must be "none", "auto", "required" or '
            f'{{"type": "function", "function": {{"name": ...}}}}, got {short(choice)}',
            choice_name,
        )
    required = named is not None or choice in ("required", "any")
    if required and not tools:
        raise bad_request(f"{choice_name} asks for a call, and there are no {source}", choice_name)
    if named is not None and named not in [tool.name for tool in tools]:
        raise bad_request(f"{choice_name} names {short(named)}, which is none of the {source}", choice_name)
    if choice == "none":
        tools = ()
    both = official and not legacy
    return ToolChoice(tools, required, named, legacy or official, both, fields.get("parallel_tool_calls", True))


def _inside(message: object) -> object:
    return message.get("tools") if isinstance(message, Mapping) and message.get("role") == "system" else None


def _named(choice: object, name: str) -> str | None:
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function", choice)
    named = function.get("name") if isinstance(function, Mapping) else None
    return str(check_field(named, TEXT, f"{name}.function.name"))


def _tools(given: object, source: str) -> Sequence[Tool]:
    items = list(given.values()) if isinstance(given, Mapping) else given
    if not isinstance(items, list):
        raise bad_request(f"{source} must be {_SHAPE}, got {short(given)}", source)
    if len(items) > MAX_TOOLS:
        raise bad_request(f"{source} may be {MAX_TOOLS} at most, got {len(items)}", source)
    tools = [_tool(item, f"{source}[{place}]") for place, item in enumerate(items)]
    names = [tool.name for tool in tools]
    if twice := [name for name in names if names.count(name) > 1]:
        raise bad_request(f"{source} holds {short(twice[0])} twice", source)
    return tools


def _tool(item: object, path: str) -> Tool:
    if not isinstance(item, Mapping):
        raise bad_request(f"{path} must be an object: the whole is {_SHAPE}, got {short(item)}", path)
    if item.get("type", "function") != "function":
        raise bad_request(f"{path}.type must be function, got {short(item['type'])}", f"{path}.type")
    function = item.get("function", item)
    if function is not item:
        path += ".function"
        check_field(function, TABLE, path)
    name = check_field(function.get("name"), TEXT, f"{path}.name")
    if not 1 <= len(name) <= MAX_NAME or name != name.strip() or not name.isprintable():
        raise bad_request(
            f"{path}.name must be one line of 1 to {MAX_NAME} characters, got {short(name)}", f"{path}.name"
        )
    description = check_field(function.get("description"), optional(TEXT), f"{path}.description") or ""
    parameters = function.get("parameters")
    if parameters is None:
        parameters = _registry_parameters(function.get("params") or [], f"{path}.params")
    return Tool(name, description, dict(check_field(parameters, TABLE, f"{path}.parameters")))


def _registry_parameters(params: object, path: str) -> JsonObject:
    """The schema of parameters as ChatGLM3's registry lists them."""
    if not isinstance(params, list) or not all(isinstance(one, Mapping) and "name" in one for one in params):
        raise bad_request(f"{path} must be a list of {{name, description, type, required}}", path)
    properties = {str(one["name"]): {key: one[key] for key in ("type", "description") if key in one} for one in params}
    required = [str(one["name"]) for one in params if one.get("required")]
    return {"type": "object", "properties": properties, "required": required}
