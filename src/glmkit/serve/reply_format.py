"""What a reply is held to: JSON, a JSON schema, a pattern, some choices, a call of a tool.

| field | |
|---|---|
| response_format | {"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": {"schema": ...}} |
| tool_choice | "required", or a tool's name |
| guided_json, guided_regex, guided_choice; structured_outputs with json, regex or choice | as vLLM has them |
"""

from typing import TYPE_CHECKING, Any

from glmkit.core.errors import MissingExtra, short
from glmkit.core.json_types import Table
from glmkit.core.kinds import ANY, FLAG, TEXT, TEXTS, Kind, one_of, optional, record
from glmkit.core.strict_json import parse
from glmkit.serve.errors import ApiError, bad_request
from glmkit.serve.fields import TABLE, Fields, check_field, outlined
from glmkit.serve.models import ServedModel
from glmkit.serve.schema_check import GrammarError
from glmkit.serve.tools import ToolChoice

if TYPE_CHECKING:
    from glmkit.serve.grammar import Grammar

_KINDS: dict[str, Kind] = {"json": ANY, "regex": TEXT, "choice": TEXTS}
_SCHEMA = record({"schema": ANY, "strict": optional(FLAG)})
_FORMAT = record({"type": one_of("text", "json_object", "json_schema"), "json_schema": optional(_SCHEMA)})
FORMATS: dict[str, Kind] = {
    "response_format": outlined(TABLE, _FORMAT),
    **{f"guided_{name}": kind for name, kind in _KINDS.items()},
    "structured_outputs": outlined(TABLE, record({name: optional(kind) for name, kind in _KINDS.items()})),
}


def constraint_of(served: ServedModel, fields: Fields, choice: ToolChoice) -> "Grammar | None":
    """The grammar whose call gives the constraint of each sequence, if the request holds its reply to one. It may take
    a while to compile. Raises ApiError for one that cannot be held to, and where."""
    wanted = _wanted(fields)
    if choice.required:
        tools = [{"type": "function", "function": tool.table} for tool in choice.tools]
        wanted = [("tools", tools, "functions" if choice.legacy else "tools")]
    if len(wanted) > 1:
        raise bad_request(f"{wanted[0][2]} and {wanted[1][2]} hold the reply to two forms; give one", wanted[1][2])
    for kind, content, path in wanted:
        try:
            return _compiled(served, kind, content, choice.named)
        except GrammarError as error:
            raise bad_request(f"{path}{error.pointer}: {error.reason}", path) from None
        except MissingExtra as error:
            raise ApiError(501, f"{path}: {error}", param=path, code="unsupported_parameter") from None
    return None


def _compiled(served: ServedModel, kind: str, content: Any, named: str | None) -> "Grammar":
    grammars = served.grammars
    if kind == "tools":
        return grammars.tool_call(content, named)
    if kind == "json":
        return grammars.json_schema(content)
    return grammars.regex(content) if kind == "regex" else grammars.choices(content)


def _wanted(fields: Fields) -> list[tuple[str, Any, str]]:
    """What the fields hold the reply to: its kind, a schema, pattern or choices, and the field that says so."""
    wanted = []
    form = fields.get("response_format", {"type": "text"})
    kind = form.get("type")
    if kind == "json_object":
        wanted.append(("json", form.get("schema", {"type": "object"}), "response_format"))
    elif kind == "json_schema":
        wanted.append(("json", _schema(form), "response_format.json_schema.schema"))
    elif kind != "text":
        wanted_types = "text, json_object or json_schema"
        raise bad_request(f"response_format.type must be {wanted_types}, got {short(kind)}", "response_format")
    given = {f"guided_{one}": fields[f"guided_{one}"] for one in _KINDS if f"guided_{one}" in fields}
    structured: Table = fields.get("structured_outputs", {})
    given |= {f"structured_outputs.{name}": value for name, value in structured.items() if value is not None}
    for path, content in given.items():
        kind = path.replace("structured_outputs.", "guided_").removeprefix("guided_")
        if kind not in _KINDS:
            raise bad_request(f"{path} is not supported; there is json, regex and choice", path)
        if kind == "json" and isinstance(content, str):
            content = _parsed(content, path)
        content = check_field(content, _KINDS[kind], path)
        wanted.append((kind, content, path))
    return wanted


def _schema(form: Table) -> object:
    table = check_field(form.get("json_schema"), TABLE, "response_format.json_schema")
    if table.get("strict") is not None:
        check_field(table["strict"], FLAG, "response_format.json_schema.strict")
    if "schema" not in table:
        path = "response_format.json_schema.schema"
        raise bad_request(f"{path} is missing: there is nothing to hold the reply to", path)
    return table["schema"]


def _parsed(text: str, path: str) -> object:
    try:
        return parse(text)
    except ValueError as error:
        raise bad_request(f"{path} is no schema: {error}", path) from None
