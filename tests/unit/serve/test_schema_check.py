"""What of a schema cannot be held to is refused by name, with its JSON pointer."""

import pytest

from glmkit.core.errors import UserError
from glmkit.serve.document_size import DocumentSize
from glmkit.serve.pattern_check import Size, size_of
from glmkit.serve.schema_check import GrammarError, checked

S = {"type": "string"}


def test_a_reference_to_true_is_none() -> None:
    assert checked({"$defs": {"any": True}, "items": {"$ref": "#/$defs/any"}}).nodes["/items"] == {}


def deep(levels: int) -> dict:
    schema: dict = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


REFUSED = [
    (False, "", "false allows no document"),
    ([], "", "must be an object"),
    ("string", "", "must be an object"),
    ({"const": float("nan")}, "", "not JSON"),
    ({"type": "array", "uniqueItems": True}, "/uniqueItems", "uniqueItems is not supported"),
    ({"type": "array", "contains": S}, "/contains", "contains is not supported"),
    ({"properties": {"a": {"minContains": 1}}}, "/properties/a/minContains", "not supported"),
    ({"items": {"maxContains": 1}}, "/items/maxContains", "not supported"),
    ({"$defs": {"x/y": {"not": S}}}, "/$defs/x~1y/not", "not is not supported"),
    ({"if": S, "then": S}, "/if", "not supported"),
    ({"else": S}, "/else", "not supported"),
    ({"dependentRequired": {}}, "/dependentRequired", "not supported"),
    ({"dependentSchemas": {}}, "/dependentSchemas", "not supported"),
    ({"propertyNames": S}, "/propertyNames", "not supported"),
    ({"unevaluatedProperties": False}, "/unevaluatedProperties", "not supported"),
    ({"unevaluatedItems": False}, "/unevaluatedItems", "not supported"),
    ({"$dynamicRef": "#a"}, "/$dynamicRef", "not supported"),
    ({"prefixItems": [S, {"contentEncoding": "base64"}]}, "/prefixItems/1/contentEncoding", "not supported"),
    ({"contentMediaType": "text/html"}, "/contentMediaType", "not supported"),
    ({"anyOf": [S, {"type": "string", "nullable": True}]}, "/anyOf/1/nullable", r'"type": \["...", "null"\]'),
    ({"exclusiveMinimum": True}, "/exclusiveMinimum", "the bound itself"),
    ({"properties": {"a": {"$ref": "other.json#/a"}}}, "/properties/a/$ref", "leads outside"),
    ({"$ref": "#/$defs/absent"}, "/$ref", "not in the schema"),
    ({"$defs": {"no": False}, "items": {"$ref": "#/$defs/no"}}, "/items/$ref", "is false, which allows no document"),
    ({"allOf": [{"items": [S]}]}, "/allOf/0/items", "write prefixItems"),
    ({"items": [S], "allOf": [{"type": "array"}]}, "/items", "write prefixItems"),
    ({"$ref": "#"}, "/$ref", "back to itself"),
    ({"anyOf": [{"$ref": "#"}, S]}, "/anyOf/0/$ref", "back to itself"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "/$defs/a/$ref", "back to itself"),
    ({"type": "string", "format": "colour"}, "/format", "unknown format 'colour'; known: date, date-time"),
    ({"type": "string", "format": "int32"}, "/format", "unknown format"),
    ({"type": "string", "pattern": "a(?=b)"}, "/pattern", "look-ahead"),
    ({"type": "string", "pattern": "(?<!b)a"}, "/pattern", "look-behind"),
    ({"type": "string", "pattern": r"(a)\1"}, "/pattern", "back-reference"),
    ({"type": "string", "pattern": r"\bword"}, "/pattern", "word boundary"),
    ({"patternProperties": {"^(?!x)/": S}}, "/patternProperties/^(?!x)~1", "look-ahead"),
    ({"type": "string", "pattern": "a" * 5000}, "/pattern", "5,000 characters is too long"),
    ({"type": "string", "pattern": "((a{1,100}){1,100}){1,100}"}, "/pattern", "repeats"),
    ({"type": "array", "minItems": 10**6}, "/minItems", "more than a reply can hold"),
    ({"type": "string", "minLength": 10**6}, "/minLength", "more than a reply can hold"),
    ({"type": "object", "minProperties": 10**5}, "/minProperties", "more than a reply can hold"),
    ({"type": "integer", "maximum": 2**63}, "/maximum", "64 bits"),
    ({"type": "integer", "minimum": -1e300}, "/minimum", "64 bits"),
    ({"type": "integer", "multipleOf": 1_000_003}, "/multipleOf", "too many states"),
    ({"type": "number", "multipleOf": 0.000123457}, "/multipleOf", "too many states"),
    ({"enum": list(range(10_001))}, "/enum", "10,001 values are too many"),
    ({"const": "a" * 70_000}, "/const", "too long"),
    ({"enum": ["a", "a" * 70_000]}, "/enum", "too long"),
    ({"description": "a" * 300_000}, "", "too large"),
    ({"properties": {f"p{n}": S for n in range(401)}}, "/properties", "401 optional properties"),
    ({"properties": []}, "/properties", "must be an object of schemas"),
    ({"anyOf": {}}, "/anyOf", "must be a list of schemas"),
    ({"items": 3}, "/items", "a schema must be an object, true or false"),
    (deep(40), "/items" * 33, "more than 32 schemas inside each other"),
    (deep(100_000 // 4), "", "nested too deep"),
    ({"$ref": "#/outside/a", "outside": {"a": {"uniqueItems": True}}}, "/outside/a/uniqueItems", "not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "pointer", "reason"), REFUSED)
def test_what_cannot_be_held_to_is_refused_where_it_stands(schema: object, pointer: str, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        checked(schema)
    assert caught.value.pointer == pointer
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"at {pointer}: ") or not pointer


def test_options_of_the_compiler_are_not_the_users() -> None:
    schema = {"x-guidance": {"lenient": True}, "properties": {"x-guidance": S, "a": {"x-guidance": {}, **S}}}
    assert checked(schema).schema == {"properties": {"x-guidance": S, "a": S}}
    assert "x-guidance" in schema, "the caller's own is left alone"


def test_what_changes_nothing_is_no_fault() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "T", "description": "d", "default": {"contains": 1}, "examples": [{"not": 1}], "deprecated": True,
        "x-order": 1, "uniqueItems": False, "nullable": False,
        "properties": {"not": S, "n": {"type": "integer", "format": "int32"}},
        "enum": [{"uniqueItems": True}],
    }  # fmt: skip
    assert "uniqueItems" not in checked(schema).schema


def test_every_schema_has_its_pointer() -> None:
    schema = checked({"$defs": {"a~b": S}, "properties": {"x": {"$ref": "#/$defs/a~0b"}}, "items": [S, True]})
    assert list(schema.nodes) == ["", "/items/0", "/properties/x", "/$defs/a~0b"]
    assert schema.target(schema.nodes["/properties/x"]) == "/$defs/a~0b"


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("[a-z]{2,4}@(x|yz)+", Size("aa@x", 8)),
        ("(?:\\d{3}-){2}\\d{4}", Size("111-111-1111", 12)),
        ("[\\]a]{3}(?P<n>a|bc)?$", Size("aaa", 6)),
        ("a*|b{7}", Size("", 8)),
        ("", Size("", 0)),
        ("[^a-zA-Z0-9]\\s\\w\\.[一-龥]", Size("  a.一", 5)),
        ("((", Size("", 0)),
        ("\\{2}", Size("{2}", 3)),
    ],
)
def test_the_size_of_a_pattern(pattern: str, size: Size) -> None:
    assert size_of(pattern) == size


def test_the_drawing_of_sizes() -> None:
    person = {"type": "object", "properties": {"name": S, "age": {"type": "integer"}}, "required": ["name"]}
    size = DocumentSize(checked(person))
    assert size.least == len('{"name": ""}')
    assert DocumentSize(checked({"anyOf": [person, {"enum": ["a", "b" * 90]}]})).growth == 92


def test_a_schema_without_end_has_no_size() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert DocumentSize(checked(endless)).least == float("inf")
