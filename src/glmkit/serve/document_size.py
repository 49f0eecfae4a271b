"""How much of a document a schema requires, in bytes: what a budget must leave to close what was begun.

{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]}

least                                       {"name": ""}                 12
growth: a token may begin `age`, too        , "age": 0                    3 + 6 and 1 for the value
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from glmkit.serve.pattern_check import size_of
from glmkit.serve.reference_depth import reversed_arrows
from glmkit.serve.schema_check import Checked

_AROUND = 6  # bytes around a property's name: `, "` and `": `
_MOST_ROUNDS = 20  # in which each schema is looked at once, on average


class DocumentSize:
    """Of a schema that was checked. `least`: the bytes of its shortest document, infinite where every document holds
    another, 0 where it would take too long to tell. `growth`: the bytes that one decision (a branch, a value, a
    property) may add to what must follow."""

    def __init__(self, schema: Checked) -> None:
        self._schema = schema
        self._sizes: dict[str, float] = dict.fromkeys(schema.nodes, math.inf)
        # Sizes become shorter as those they are made of become known; what stays infinite has no end.
        before, todo = reversed_arrows(schema.leads_to), dict.fromkeys(reversed(schema.nodes))
        work = _MOST_ROUNDS * sum(1 + len(to) for to in schema.leads_to.values())
        while todo and work > 0:
            pointer = next(iter(todo))
            del todo[pointer]
            work -= 1 + len(schema.leads_to[pointer])
            size = self._least(schema.nodes[pointer], pointer)
            if size != self._sizes[pointer]:
                self._sizes[pointer] = size
                todo.update(dict.fromkeys(before[pointer]))
        self.least = 0 if todo else self._sizes[""]
        decisions = (self._decision(node, pointer) for pointer, node in schema.nodes.items())
        self.growth = int(max((size for size in decisions if math.isfinite(size)), default=0))

    def _least(self, node: Mapping[str, Any], pointer: str) -> float:
        sizes = [0.0]  # everything that is said must hold, so that the largest counts
        if "const" in node:
            return float(_length(node["const"]))
        if isinstance(values := node.get("enum"), list):
            return float(min(map(_length, values), default=0))
        if "$ref" in node:
            sizes.append(self._sizes[self._schema.target(node)])
        for key in ("anyOf", "oneOf"):
            if node.get(key):
                sizes.append(min(self._part(f"{pointer}/{key}/{place}") for place in range(len(node[key]))))
        for place in range(len(node.get("allOf", []))):
            sizes.append(self._part(f"{pointer}/allOf/{place}"))
        kinds = node.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if kinds != [None]:
            sizes.append(min((self._of_kind(str(kind), node, pointer) for kind in kinds), default=0))
        elif "properties" in node or "required" in node:
            sizes.append(self._of_kind("object", node, pointer))
        return max(sizes)

    def _of_kind(self, kind: str, node: Mapping[str, Any], pointer: str) -> float:
        if kind == "object":
            required = node.get("required")
            names = [str(name) for name in required] if isinstance(required, list) else []
            more = max(0, _count(node, "minProperties") - len(names))
            return sum(self._property(pointer, name) for name in names) + more * (_AROUND + 4) + (0 if names else 2)
        if kind == "array":
            count = _count(node, "minItems")
            first = [self._part(f"{pointer}/prefixItems/{place}") for place in range(len(node.get("prefixItems", [])))]
            rest = max(0, count - len(first))
            return sum(first[:count]) + 2 * max(1, count) + (rest * self._part(f"{pointer}/items") if rest else 0)
        if kind == "string":
            pattern = node.get("pattern")
            matched = size_of(pattern).least if isinstance(pattern, str) else 0
            return 2 + max(_count(node, "minLength"), matched, _FORMATS.get(str(node.get("format")), 0))
        if kind in ("integer", "number"):
            bounds = [
                node[key] for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if key in node
            ]
            return max((len(str(bound)) for bound in bounds), default=1)
        return 4 if kind in ("null", "boolean") else 0

    def _property(self, pointer: str, name: str) -> float:
        escaped = name.replace("~", "~0").replace("/", "~1")
        return _AROUND + _length(name) - 2 + self._part(f"{pointer}/properties/{escaped}")

    def _part(self, pointer: str) -> float:
        """The least size of the schema at `pointer`; of one that is not there, or says true or false, any value's."""
        return self._sizes.get(pointer, 1)

    def _decision(self, node: Mapping[str, Any], pointer: str) -> float:
        values = node["enum"] if isinstance(node.get("enum"), list) else []
        properties = node.get("properties", {})
        sizes = [self._sizes[pointer], *map(_length, values), *(self._property(pointer, name) for name in properties)]
        return max((size for size in sizes if math.isfinite(size)), default=0)


_FORMATS = {
    "date-time": 20,
    "date": 10,
    "time": 9,
    "duration": 3,
    "email": 5,
    "ipv4": 7,
    "ipv6": 2,
    "uuid": 36,
    "uri": 3,
}


def _count(node: Mapping[str, Any], key: str) -> int:
    count = node.get(key, 0)
    return count if isinstance(count, int) else 0


def _length(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))
