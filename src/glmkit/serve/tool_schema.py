"""Calls of tools as a JSON schema: {"name": "get_weather", "arguments": {...}}, of one tool or of any.

The schemas of several tools stand in one, so that references inside each are moved along with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from glmkit.core.errors import nearest, short
from glmkit.serve.schema_check import GrammarError, checked

_LONGEST_NAME = 64


def call_schema(tools: Sequence[Mapping[str, Any]], name: str | None = None) -> dict[str, Any]:
    """The schema of a call of the tool `name`, or of any of `tools`, which are as in OpenAI's requests:
    {"type": "function", "function": {"name", "parameters"}}, or the function alone.

    Raises GrammarError, whose pointer is into `tools`, for a tool that cannot be called or whose parameters cannot be
    held to.
    """
    parameters: dict[str, Any] = {}
    for place, tool in enumerate(tools):
        function = tool.get("function", tool) if isinstance(tool, Mapping) else None
        known = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(known, str) or not 0 < len(known) <= _LONGEST_NAME:
            wanted = f'{{"type": "function", "function": {{"name": at most {_LONGEST_NAME} characters, ...}}}}'
            raise GrammarError(f"a tool must be {wanted}, got {short(tool)}", f"/{place}")
        if known in parameters:
            raise GrammarError(f"two tools are called {short(known)}", f"/{place}")
        if name is None or name == known:
            pointer = f"/{place}{'' if function is tool else '/function'}/parameters"
            parameters[known] = _moved(function.get("parameters"), pointer, f"#/$defs/{len(parameters)}")
    if name is not None and name not in parameters:
        names = [tool.get("function", tool)["name"] for tool in tools]
        raise GrammarError(f"no tool is called {short(name)}{nearest(name, names)}")
    if not parameters:
        raise GrammarError("there is no tool to call; give some in tools")
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": known}, "arguments": {"$ref": f"#/$defs/{place}"}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for place, known in enumerate(parameters)
    ]
    definitions = {str(place): schema for place, schema in enumerate(parameters.values())}
    return {**(calls[0] if len(calls) == 1 else {"anyOf": calls}), "$defs": definitions}


def _moved(parameters: object, pointer: str, to: str) -> dict[str, Any]:
    """The schema of a tool's parameters, its references as they are where it stands at the pointer `to` of another."""
    if parameters is None:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    try:
        schema = checked(parameters)
    except GrammarError as error:
        raise GrammarError(error.reason, f"{pointer}{error.pointer}") from None
    for node in schema.nodes.values():
        reference = node.get("$ref", "")
        if reference == "#" or reference.startswith("#/"):
            node["$ref"] = to + reference[1:]
    kept = {key: value for key, value in schema.schema.items() if key not in ("$schema", "$id")}
    return kept if kept.keys() & {"type", "$ref", "allOf", "anyOf", "oneOf"} else {"type": "object", **kept}
