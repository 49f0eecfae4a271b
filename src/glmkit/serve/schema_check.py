"""JSON schemas as a user sends them: what cannot be held to while a document is written is refused by name and place.

llguidance refuses much itself, without saying where, and leaves out some keywords without a word; here the keyword and
its JSON pointer are named. Keywords that only describe (title, default, examples, ...) and unknown ones change nothing.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from glmkit.core.errors import UserError, short
from glmkit.serve.pattern_check import fault
from glmkit.serve.reference_depth import circular, depth_bound


class GrammarError(UserError):
    """A schema, pattern or list of choices that no reply can be held to. `pointer`: where in it, as a JSON pointer;
    `reason`: what is wrong there."""

    def __init__(self, reason: str, pointer: str = "") -> None:
        self.reason, self.pointer = reason, pointer
        super().__init__(f"at {pointer}: {reason}" if pointer else reason)


LARGEST = 256 << 10  # bytes of a schema
_DEEPEST = 32  # schemas inside schemas
# Schemas that lead into each other by references: llguidance follows them on the stack, where some 1,600 crash it.
_LONGEST_CHAIN = 300
_LONGEST_VALUE = 64 << 10  # bytes of one enum or const
_MOST_VALUES = 10_000
_MOST_OPTIONAL = 400  # properties of an object: llguidance fails late, after the first token, at some 500
_MOST_REQUIRED = 4096  # items, characters or properties that a document must have
_LARGEST_FACTOR = 10_000  # of multipleOf, whose automaton has as many states

_UNSUPPORTED = (
    *("contains", "minContains", "maxContains", "not", "if", "then", "else", "propertyNames"),
    *("dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"),
    *("$dynamicRef", "$recursiveRef", "contentEncoding", "contentMediaType", "contentSchema"),
)
_ONLY_FALSE = ("uniqueItems", "nullable", "exclusiveMinimum", "exclusiveMaximum")  # as flags: without effect if false
_FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"])
_NUMBER_FORMATS = frozenset(["int32", "int64", "float", "double"])  # OpenAPI's: sizes of numbers, no text
_ONE = ("items", "additionalItems", "additionalProperties")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_TABLES = ("properties", "patternProperties", "$defs", "definitions")
_COUNTS = ("minItems", "minLength", "minProperties")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


@dataclass(frozen=True)
class Checked:
    """A schema that was looked through. `schema`: without what has no effect; `nodes`: every schema in it by its
    pointer, those inside after those around; `leads_to`: the pointers of those that each holds or refers to."""

    schema: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    leads_to: dict[str, list[str]]

    def target(self, node: Mapping[str, Any]) -> str:
        """The pointer that a $ref means."""
        return _target(self.schema, self.nodes, node["$ref"], "")


def checked(schema: object) -> Checked:
    """`schema` as it can be compiled. Raises GrammarError naming what cannot be held to, and where."""
    if schema is False:
        raise GrammarError("the schema false allows no document; give one that does")
    if not isinstance(schema, dict) and schema is not True:
        raise GrammarError(f"a JSON schema must be an object, got {short(schema)}")
    try:
        text = json.dumps(schema, allow_nan=False)
        copy = json.loads(text) if isinstance(schema, dict) else {}
    except (ValueError, TypeError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise GrammarError(f"the schema is not JSON ({reason})") from None
    if len(text) > LARGEST:
        raise GrammarError(f"a schema of {len(text):,} bytes is too large; at most {LARGEST:,}")
    nodes: dict[str, dict[str, Any]] = {}
    for pointer, node in _walk(copy, nodes):
        _check(node, pointer)
    arrows = {pointer: _arrows(node, pointer, copy, nodes) for pointer, node in nodes.items()}
    if circle := circular({pointer: [to for to, inside in ways if not inside] for pointer, ways in arrows.items()}):
        pointer = next((one for one in circle if "$ref" in nodes[one]), circle[0])
        raise GrammarError("the reference leads back to itself with nothing between", f"{pointer}/$ref")
    leads_to = {pointer: [to for to, _ in ways] for pointer, ways in arrows.items()}
    if (depth := depth_bound(leads_to, "")) > _LONGEST_CHAIN:
        reason = f"references lead through {depth:,} schemas one inside the other; at most {_LONGEST_CHAIN}"
        raise GrammarError(f"{reason}: let fewer refer to each other")
    return Checked(copy, nodes, leads_to)


def _arrows(
    node: dict[str, Any], pointer: str, root: dict[str, Any], nodes: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, bool]]:
    """Where a schema leads: to those in it and the one it refers to; and whether these are of a value inside."""
    same = [place for key in ("allOf", "anyOf", "oneOf") for place in _places(node, pointer, key)]
    same += [_target(root, nodes, node["$ref"], pointer)] if "$ref" in node else []
    inside = {place: True for place, _ in _parts(node, pointer)} | dict.fromkeys(same, False)
    return [(to, of_inside) for to, of_inside in inside.items() if to in nodes]


def _places(node: Mapping[str, Any], pointer: str, key: str) -> list[str]:
    return [f"{pointer}/{key}/{place}" for place in range(len(node.get(key, [])))]


def _walk(root: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in `root` with its pointer, also those that only a $ref leads to; `nodes` grows with them."""
    todo: deque[tuple[str, Any, int]] = deque([("", root, 0)])
    references: list[tuple[dict[str, Any], str, int]] = []
    while todo or references:
        if not todo:
            holder, place, depth = references.pop()
            pointer = _target(root, nodes, holder["$ref"], place)
            if (meant := _at(root, pointer)) is False:
                raise GrammarError(f"{short(holder['$ref'])} is false, which allows no document", place)
            if meant is True:
                del holder["$ref"]
            elif pointer not in nodes:
                todo.append((pointer, meant, depth))
            continue
        pointer, node, depth = todo.popleft()
        if isinstance(node, bool) or pointer in nodes:
            continue
        if not isinstance(node, dict):
            raise GrammarError(f"a schema must be an object, true or false, got {short(node)}", pointer)
        if depth > _DEEPEST:
            raise GrammarError(f"more than {_DEEPEST} schemas inside each other; use $defs and $ref", pointer)
        nodes[pointer] = node
        yield pointer, node
        todo += [(place, part, depth + 1) for place, part in _parts(node, pointer)]
        if "$ref" in node:
            references.append((node, f"{pointer}/$ref", depth))


def _parts(node: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Any]]:
    for key in _ONE:
        if key in node and not isinstance(node[key], list):
            yield f"{pointer}/{key}", node[key]
    for key in _LISTS:
        if isinstance(node.get(key), list):
            yield from ((f"{pointer}/{key}/{place}", part) for place, part in enumerate(node[key]))
        elif key in node and key != "items":
            raise GrammarError(f"{key} must be a list of schemas, got {short(node[key])}", f"{pointer}/{key}")
    for key in _TABLES:
        if isinstance(table := node.get(key, {}), dict):
            yield from ((f"{pointer}/{key}/{_escaped(name)}", part) for name, part in table.items())
        else:
            raise GrammarError(f"{key} must be an object of schemas, got {short(table)}", f"{pointer}/{key}")


def _check(node: dict[str, Any], pointer: str) -> None:
    """Raises GrammarError for a keyword that cannot be held to; takes out what would change how it is compiled."""
    node.pop("x-guidance", None)  # options of the compiler, which are not the user's
    # Lists of items of several schemas are put together wrongly by the compiler, prefixItems rightly.
    if isinstance(node.get("items"), list) and (node.keys() & {"allOf", "$ref"} or "allOf" in pointer.split("/")[-2:]):
        raise GrammarError(
            "a list of items of one schema among several is not supported: write prefixItems", f"{pointer}/items"
        )
    for key in _ONLY_FALSE:
        if node.get(key) is True:
            raise GrammarError(f"{key} is not supported: {_REMEDIES.get(key, _REMEDY)}", f"{pointer}/{key}")
        if node.get(key) is False:
            del node[key]
    if unsupported := [key for key in _UNSUPPORTED if key in node]:
        raise GrammarError(f"{unsupported[0]} is not supported: {_REMEDY}", f"{pointer}/{unsupported[0]}")
    kinds = node.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if isinstance(form := node.get("format"), str) and form not in _FORMATS:
        if form not in _NUMBER_FORMATS or not {"integer", "number"} & {*map(str, kinds)}:
            raise GrammarError(
                f"unknown format {short(form)}; known: {', '.join(sorted(_FORMATS))}", f"{pointer}/format"
            )
        del node["format"]
    for key, pattern in patterns(node).items():
        if reason := fault(pattern):
            raise GrammarError(reason, f"{pointer}{key}")
    _check_sizes(node, pointer)


def patterns(node: Mapping[str, Any]) -> dict[str, str]:
    """The patterns of a schema by their pointers in it: of its text, and of names of its properties."""
    of_names = {f"/patternProperties/{_escaped(name)}": name for name in sorted(_names(node, "patternProperties"))}
    pattern = node.get("pattern")
    return {**of_names, "/pattern": pattern} if isinstance(pattern, str) else of_names


def _names(node: Mapping[str, Any], key: str) -> set[str]:
    table = node.get(key)
    return set(table) if isinstance(table, dict) else set()


def _check_sizes(node: Mapping[str, Any], pointer: str) -> None:
    for key in _COUNTS:
        if isinstance(count := node.get(key), int) and count > _MOST_REQUIRED:
            raise GrammarError(
                f"{count:,} is more than a reply can hold; at most {_MOST_REQUIRED:,}", f"{pointer}/{key}"
            )
    for key in _BOUNDS:
        if isinstance(bound := node.get(key), int | float) and abs(bound) >= 2**63:
            raise GrammarError(f"{short(bound)} is beyond whole numbers of 64 bits", f"{pointer}/{key}")
    if isinstance(factor := node.get("multipleOf"), int | float):
        digits = f"{factor:.12g}".split("e")[0].replace(".", "")
        if int(digits.lstrip("-")) > _LARGEST_FACTOR or not 1e-9 < abs(factor) <= _LARGEST_FACTOR:
            reason = (
                f"multiples of {short(factor)} are too many states; at most four digits, at most {_LARGEST_FACTOR:,}"
            )
            raise GrammarError(reason, f"{pointer}/multipleOf")
    if isinstance(values := node.get("enum"), list) and len(values) > _MOST_VALUES:
        raise GrammarError(f"{len(values):,} values are too many; at most {_MOST_VALUES:,}", f"{pointer}/enum")
    for key in ("enum", "const"):
        if (
            key in node
            and (size := max(map(_size, node[key] if key == "enum" else [node[key]]), default=0)) > _LONGEST_VALUE
        ):
            raise GrammarError(f"a value of {size:,} bytes is too long; at most {_LONGEST_VALUE:,}", f"{pointer}/{key}")
    required = node.get("required")
    required = set(map(str, required)) if isinstance(required, list) else set()
    if (optional := len(_names(node, "properties") - required)) > _MOST_OPTIONAL:
        reason = f"{optional:,} optional properties in one object are too many; at most {_MOST_OPTIONAL}"
        raise GrammarError(f"{reason}: make some required, or nest them", f"{pointer}/properties")


def _target(root: Any, nodes: Mapping[str, Mapping[str, Any]], reference: object, place: str) -> str:
    """The pointer of what a reference means, as `_walk` spells it. Raises GrammarError for one that leads outside."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise GrammarError(f"{short(reference)} leads outside the schema; copy what it means into $defs", place)
    pointer = unquote(reference[1:])
    if pointer and not pointer.startswith("/"):
        places = {node["$anchor"]: where for where, node in nodes.items() if "$anchor" in node}
        if pointer not in places:
            raise GrammarError(f"{short(reference)} is not in the schema", place)
        return places[pointer]
    try:
        _at(root, pointer)
    except (KeyError, IndexError, ValueError, TypeError):
        raise GrammarError(f"{short(reference)} is not in the schema", place) from None
    return pointer


def _at(root: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        root = root[int(name)] if isinstance(root, list) else root[name]
    return root


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


_REMEDY = "a document cannot be held to it while it is written; leave it out and check the reply"
_REMEDIES = {
    "nullable": 'write "type": ["...", "null"]',
    "exclusiveMinimum": "give the bound itself as a number",
    "exclusiveMaximum": "give the bound itself as a number",
}
