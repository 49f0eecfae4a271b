"""Two hundred JSON schemas, drawn by families and some as people write them: whatever a model of random weights writes
under them is valid, and closed when its tokens run out."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.serve.sampled import sample

from glmkit.serve.constrained import Grammars
from glmkit.text.tokenizer import Tokenizer

jsonschema = pytest.importorskip("jsonschema")

WORDS = ["name", "age", "tags", "size", "city", "url", "note", "价格", "is_open", "x", "y", 'a"b', "路径", "n/m", "a b"]


def leaf(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        [
            {"type": "string"},
            {"type": "string", "maxLength": rng.randint(0, 9)},
            {"type": "integer"},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "null"},
            {"enum": rng.sample(["red", "green", "dark blue", "redder", 1, None, True], 3)},
            {"const": rng.choice(["yes", 0, None, [1, "a"], {"k": "v"}])},
        ]
    )


def flat_object(rng: random.Random) -> dict[str, Any]:
    names = rng.sample(WORDS, rng.randint(1, 6))
    schema: dict[str, Any] = {"type": "object", "properties": {name: leaf(rng) for name in names}}
    schema["required"] = rng.sample(names, rng.randint(0, len(names)))
    if rng.random() < 0.6:
        schema["additionalProperties"] = rng.choice([False, {"type": "integer"}])
    return schema


def array(rng: random.Random) -> dict[str, Any]:
    low = rng.randint(0, 3)
    schema = {"type": "array", "items": rng.choice([leaf, flat_object])(rng), "minItems": low}
    if rng.random() < 0.5:
        schema["maxItems"] = low + rng.randint(0, 3)
    if rng.random() < 0.3:
        schema["prefixItems"] = [leaf(rng) for _ in range(rng.randint(1, 3))]
    return schema


def values(rng: random.Random) -> dict[str, Any]:
    choices = [
        "a",
        "ab",
        "abc",
        "北京",
        "x y",
        'quo"te',
        "back\\slash",
        1,
        12,
        -1,
        1.5,
        True,
        False,
        None,
        [],
        {},
        [1, [2]],
    ]
    return rng.choice([{"enum": rng.sample(choices, rng.randint(1, 6))}, {"const": rng.choice(choices)}])


def any_of(rng: random.Random) -> dict[str, Any]:
    return {"anyOf": [rng.choice([leaf, flat_object, array])(rng) for _ in range(rng.randint(2, 4))]}


def one_of(rng: random.Random) -> dict[str, Any]:
    """Branches of which a document can fit only one: told apart by the value of a property, or by type."""
    if rng.random() < 0.4:
        kinds = rng.sample(["string", "integer", "boolean", "null", "array"], 3)
        return {"oneOf": [{"type": kind} for kind in kinds]}
    branches = [
        {
            "type": "object",
            "properties": {"kind": {"const": kind}, "value": leaf(rng)},
            "required": ["kind", "value"],
            "additionalProperties": False,
        }
        for kind in rng.sample(["circle", "square", "line", "point"], 3)
    ]
    return {"oneOf": branches}


def recursive(rng: random.Random) -> dict[str, Any]:
    child = rng.choice(
        [
            {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 3},
            {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
        ]
    )
    node = {"type": "object", "properties": {"value": leaf(rng), "next": child}, "additionalProperties": False}
    node["required"] = rng.choice([["value", "next"], ["value"], ["next"]])
    return {"$defs": {"node": node}, "$ref": "#/$defs/node"}


def number(rng: random.Random) -> dict[str, Any]:
    low = rng.randint(-50, 50)
    schema: dict[str, Any] = {"type": rng.choice(["integer", "number"])}
    schema[rng.choice(["minimum", "exclusiveMinimum"])] = low
    if rng.random() < 0.7:
        schema[rng.choice(["maximum", "exclusiveMaximum"])] = low + rng.randint(3, 400)
    if rng.random() < 0.3:
        schema["multipleOf"] = rng.choice([1, 2, 3])
    return rng.choice([schema, {"type": "array", "items": schema, "minItems": 2}])


PATTERNS = [
    "[A-Z]{3}-[0-9]+",
    "red|green",
    "^[a-z]+$",
    "^[0-9]{3}-[0-9]{4}$",
    "^(foo|bar)+$",
    "[A-Z]{2}",
    "^\\d+(\\.\\d+)?$",
    "^[^@]+@[a-z]+\\.[a-z]{2,3}$",
    "^x.{0,5}y$",
    "^#[0-9a-fA-F]{6}$",
    "^[一-龥]{2,4}$",
    "^a*b$",
]
FORMATS = ["date", "ipv4", "ipv6", "uuid", "email", "time", "date-time", "hostname", "duration", "uri"]


def string(rng: random.Random) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    kind = rng.randrange(3)
    if kind == 0:
        schema["minLength"] = rng.randint(0, 12)
        schema["maxLength"] = schema["minLength"] + rng.randint(0, 20)
    elif kind == 1:
        schema["pattern"] = rng.choice(PATTERNS)
    else:
        schema["format"] = rng.choice(FORMATS)
    return {"type": "object", "properties": {"s": schema}, "required": ["s"], "additionalProperties": False}


def nullable(rng: random.Random) -> dict[str, Any]:
    kinds = [rng.choice(["string", "integer", "array", "object", "number"]), "null"]
    return {"type": "object", "properties": {"v": {"type": kinds}, "w": {"type": kinds[::-1]}}, "required": ["v", "w"]}


def nested(rng: random.Random, depth: int = 3) -> dict[str, Any]:
    if depth == 0:
        return leaf(rng)
    names = rng.sample(WORDS, rng.randint(1, 3))
    schema = {
        "type": "object",
        "properties": {name: nested(rng, depth - 1) for name in names},
        "required": rng.sample(names, rng.randint(1, len(names))),
        "additionalProperties": False,
    }
    return rng.choice([schema, {"type": "array", "items": schema, "minItems": rng.randint(0, 2), "maxItems": 2}])


def free(rng: random.Random) -> dict[str, Any]:
    """Objects with keys of the writer's own."""
    schema: dict[str, Any] = {"type": "object", "additionalProperties": leaf(rng)}
    if rng.random() < 0.5:
        schema = {"type": "object", "patternProperties": {"^[a-z]{1,8}$": leaf(rng)}, "additionalProperties": False}
    return {"type": "array", "items": schema, "minItems": 1, "maxItems": 3}


def merged(rng: random.Random) -> dict[str, Any]:
    parts = [{"properties": {name: leaf(rng)}, "required": [name]} for name in rng.sample(WORDS, 2)]
    return {"type": "object", "allOf": parts}


def as_people_write_them() -> Iterator[dict[str, Any]]:
    """As pydantic, zod and tools of agents give them."""
    text, whole, many = {"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"type": "string"}}

    def record(properties: dict[str, Any], *optional: str, **more: Any) -> dict[str, Any]:
        required = [name for name in properties if name not in optional]
        return {"type": "object", "properties": properties, "required": required, **more}

    closed = {"additionalProperties": False}
    yield record(
        {"location": {**text, "description": "City and country"}, "unit": {"enum": ["celsius", "fahrenheit"]}}, "unit"
    )
    yield {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **record({"query": text, "top_k": {**whole, "minimum": 1, "maximum": 20, "default": 5}}, **closed),
    }
    yield {
        "title": "Person",
        "$defs": {
            "Address": {"title": "Address", **record({"street": text, "zip": {**text, "pattern": "^[0-9]{5}$"}})}
        },
        **record({"name": {"title": "Name", **text}, "address": {"$ref": "#/$defs/Address"}}),
    }
    yield record(
        {
            "steps": {"type": "array", "items": record({"explanation": text, "output": text}, **closed)},
            "final_answer": text,
        },
        **closed,
    )
    yield record(
        {
            "sentiment": {"enum": ["positive", "negative", "neutral"]},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
        **closed,
    )
    yield record(
        {
            "entities": {
                "type": "array",
                "items": record(
                    {"text": text, "label": {"enum": ["PER", "ORG", "LOC"]}, "start": {**whole, "minimum": 0}}
                ),
            }
        }
    )
    yield record(
        {
            "title": {**text, "minLength": 1, "maxLength": 80},
            "ingredients": {**many, "minItems": 1},
            "minutes": {**whole, "exclusiveMinimum": 0},
        },
        **closed,
    )
    yield record(
        {
            "sql": text,
            "parameters": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
        },
        "parameters",
    )
    yield record(
        {"id": {**text, "format": "uuid"}, "created": {**text, "format": "date"}, "ip": {**text, "format": "ipv4"}},
        **closed,
    )
    yield {
        "anyOf": [
            record({"type": {"const": "text"}, "text": text}, **closed),
            record({"type": {"const": "image"}, "url": text, "width": whole}, "width", **closed),
        ]
    }
    yield {
        "definitions": {"item": record({"sku": text, "quantity": {**whole, "minimum": 1}})},
        **record({"order": {"type": "array", "items": {"$ref": "#/definitions/item"}}}),
    }
    yield {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "array",
        "items": [text, whole],
        "additionalItems": False,
        "minItems": 2,
    }
    yield record({"path": text, "content": text, "mode": {"type": ["string", "null"], "enum": ["w", "a", None]}})
    yield record(
        {
            "from": {**text, "format": "date"},
            "to": {**text, "format": "date"},
            "guests": {**whole, "minimum": 1, "maximum": 9},
        },
        "to",
    )
    yield record({"answer": {"enum": ["A", "B", "C", "D"]}, "why": {**text, "maxLength": 40}}, **closed)
    yield {
        "$ref": "#/$defs/expression",
        "$defs": {
            "expression": {
                "anyOf": [
                    {"type": "number"},
                    record(
                        {
                            "op": {"enum": ["+", "*"]},
                            "args": {"type": "array", "items": {"$ref": "#/$defs/expression"}, "minItems": 2},
                        },
                        **closed,
                    ),
                ]
            }
        },
    }
    yield {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "name": text},
        "required": ["name"],
        "additionalProperties": False,
    }
    yield record(
        {"姓名": text, "年龄": {**whole, "minimum": 0, "maximum": 150}, "城市": {"enum": ["北京", "上海"]}}, **closed
    )
    yield record(
        {"rating": {"type": "number", "multipleOf": 0.5, "minimum": 0, "maximum": 5}, "verified": {"type": "boolean"}}
    )
    yield record(
        {
            "matrix": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                "minItems": 2,
            }
        }
    )
    yield {"type": "object", "patternProperties": {"^x-": text}, **closed}
    yield True  # type: ignore[misc]
    yield {}
    yield {"type": "array"}


FAMILIES = {
    flat_object: 25, array: 20, values: 15, any_of: 20, one_of: 12, recursive: 18, number: 20, string: 30, nullable: 6,
    nested: 15, free: 10, merged: 4,
}  # fmt: skip


def schemas() -> list[tuple[str, Any]]:
    results = []
    for family, count in FAMILIES.items():
        rng = random.Random(family.__name__)
        results += [(f"{family.__name__}-{place}", family(rng)) for place in range(count)]
    return results + [(f"people-{place}", schema) for place, schema in enumerate(as_people_write_them())]


@pytest.fixture(scope="module")
def grammars(tokenizer: Tokenizer) -> Grammars:
    return Grammars(tokenizer, 512)


def test_there_are_two_hundred() -> None:
    assert len({json.dumps(schema) for _, schema in schemas()}) >= 200


@pytest.mark.parametrize(("name", "schema"), schemas(), ids=[name for name, _ in schemas()])
def test_documents_are_valid_and_closed_in_time(name: str, schema: Any, grammars: Grammars) -> None:
    grammar = grammars.json_schema(schema)
    assert grammar.shortest is not None
    checker = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    validator = checker(schema, format_checker=checker.FORMAT_CHECKER)
    for seed, budget in enumerate([len(grammar.shortest), len(grammar.shortest) + 3, 60, 60, 250]):
        budget = max(budget, len(grammar.shortest))
        result = sample(grammar, budget, seed)
        document = json.loads(grammar.document(result.text))
        validator.validate(document)
        assert result.num_tokens <= budget
