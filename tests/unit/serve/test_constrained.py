"""Constrained output: JSON, patterns, choices and calls of tools, in every kind of vocabulary."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from tests.unit.serve.sampled import sample, write

import glmkit.serve.constrained as constrained
from glmkit.core.errors import UserError
from glmkit.serve.constrained import Grammars
from glmkit.serve.json_text import JsonText, repeated_key
from glmkit.serve.schema_check import GrammarError
from glmkit.testing import shared_path
from glmkit.text.chatglm import official
from glmkit.text.published import published
from glmkit.text.tokenizer import Tokenizer

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"$ref": "#/$defs/unit"}},
    "required": ["city", "unit"],
    "additionalProperties": False,
    "$defs": {"unit": {"enum": ["C", "F"]}},
}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "now"}},
]


@pytest.fixture(scope="module")
def grammars(tokenizer: Tokenizer) -> Grammars:
    return Grammars(tokenizer, 512)


def test_any_object_is_closed_in_time(grammars: Grammars) -> None:
    for seed in range(20):
        result = sample(grammars.json_object(), 40, seed)
        assert isinstance(json.loads(grammars.json_object().document(result.text)), dict)


def test_items_of_several_schemas_hold_together(grammars: Grammars) -> None:
    whole, text, flag = ({"type": kind} for kind in ("integer", "string", "boolean"))
    schema = {"allOf": [{"prefixItems": [whole, text]}], "prefixItems": [whole]}
    assert not write(grammars.json_schema({**schema, "items": flag}), '[1, "a"]')
    assert write(grammars.json_schema({**schema, "items": text}), '[1, "a"]')


@pytest.mark.parametrize("leading", ["", " ", "\n", " \n"])
def test_white_space_before_a_document_is_allowed_and_taken_away(grammars: Grammars, leading: str) -> None:
    grammar = grammars.json_object()
    assert write(grammar, f'{leading}{{"a": [1, {{}}], "北": null}}')
    assert grammar.document(f'{leading}{{"a": 1}}') == '{"a": 1}'
    assert not write(grammar, '   {"a": 1}')
    assert not write(grammar, '{"a":  1}')


def test_a_key_is_never_written_twice(grammars: Grammars) -> None:
    schema = {"type": "object", "patternProperties": {"^[ab]$": {"const": 1}}, "additionalProperties": False}
    grammar = grammars.json_schema({**schema, "minProperties": 2})
    assert write(grammar, '{"a": 1, "b": 1}')
    assert not write(grammar, '{"a": 1, "a": 1}')
    assert not write(grammars.json_object(), '{"k": 1, "x": {"k": 2}, "k": 3}')
    assert write(grammars.json_object(), '{"k": 1, "x": {"k": 2}, "kk": 3}')


def test_a_key_that_stands_twice_is_named(grammars: Grammars) -> None:
    with pytest.raises(GrammarError, match='the key "价" twice'):
        grammars.json_object().document('{"a": [{"价": 1, "价": 2}]}')
    with pytest.raises(GrammarError, match="cut off before its JSON was complete"):
        grammars.json_object().document('{"a": ')
    assert repeated_key('{"a": {"b": 1}, "b": [{"a": 1}, {"a": 2}]}') is None


def test_keys_are_followed_byte_by_byte() -> None:
    text = JsonText()
    text.feed(b'{"a\\"": {"a": "a", "b": ["a", {"c": 1')
    text.feed(b'}], "')
    assert text.repeats(b'a"')
    assert text.repeats(b'b": ')
    assert not text.repeats(b'c"')
    assert not text.repeats(b"a")
    text.feed(b'z": 1}, ')
    assert text.repeats(b'"a\\""')
    assert not text.repeats(b'"a"')


def test_a_pattern_matches_as_a_whole_and_its_classes_are_asciis(grammars: Grammars) -> None:
    assert write(grammars.regex(r"^\d{3}-\w+$"), "123-ab_")
    assert not write(grammars.regex(r"\d{3}"), "12")
    assert not write(grammars.regex(r"\d"), "９")
    assert not write(grammars.regex(r"\w"), "é")
    assert write(grammars.regex("[一-龥]{2}"), "北京")
    assert write(grammars.regex(r"cost\$"), "cost$")
    assert write(grammars.regex("a*"), "")
    for seed in range(10):
        assert sample(grammars.regex("(ab)+c[0-9]{2}"), 9, seed).text.lstrip(" \n").startswith("ab")


def test_white_space_of_a_pattern_stays(grammars: Grammars) -> None:
    assert grammars.regex(" ?x").document(" x") == " x"
    assert grammars.regex("x").document(" x") == "x"


@pytest.mark.parametrize("choices", [["red", "redder", "blue"], ["a|b", "(", "\\d"], ["北京", "北"], ["x" * 60, "y"]])
def test_one_of_some_choices_is_written(grammars: Grammars, choices: list[str]) -> None:
    grammar = grammars.choices(choices)
    assert all(write(grammar, choice) for choice in choices)
    results = {grammar.document(sample(grammar, 70, seed).text) for seed in range(30)}
    assert results <= set(choices)
    assert len(results) > 1
    assert grammar.document(sample(grammar, min(len(choice.encode()) for choice in choices), 3).text) in choices


@pytest.mark.parametrize(
    ("choices", "reason"),
    [([], "list of texts"), (["a", ""], "none of them empty"), (["a", 1], "texts"), (["x" * 70_000], "too many"),
     ([str(n) for n in range(10_001)], "10,001 choices")],
)  # fmt: skip
def test_choices_that_are_none(grammars: Grammars, choices: list[str], reason: str) -> None:
    with pytest.raises(GrammarError, match=reason):
        grammars.choices(choices)


def test_calls_of_tools(grammars: Grammars) -> None:
    grammar = grammars.tool_call(TOOLS)
    assert write(grammar, '{"name": "get_weather", "arguments": {"city": "北京", "unit": "C"}}')
    assert write(grammar, '{"name": "now", "arguments": {}}')
    assert not write(grammar, '{"name": "get_weather", "arguments": {}}')
    assert not write(grammars.tool_call(TOOLS, "now"), '{"name": "get_weather", "arguments": {')
    flat = [tool["function"] for tool in TOOLS]
    assert write(grammars.tool_call(flat, "now"), '{"name": "now", "arguments": {}}')
    for seed in range(10):
        call = json.loads(grammar.document(sample(grammar, 60, seed).text))
        assert call["name"] in ("get_weather", "now")


def test_tools_that_refer_to_themselves(grammars: Grammars) -> None:
    tree = {"type": "object", "properties": {"sub": {"$ref": "#"}}, "additionalProperties": False, "$id": "http://x/y"}
    grammar = grammars.tool_call([{"name": "f", "parameters": tree}])
    assert write(grammar, '{"name": "f", "arguments": {"sub": {"sub": {}}}}')


@pytest.mark.parametrize(
    ("tools", "name", "pointer", "reason"),
    [
        ([{"type": "function"}], None, "/0", "a tool must be"),
        ([*TOOLS, *TOOLS], None, "/2", "two tools"),
        (TOOLS, "get_wether", "", "no tool is called 'get_wether'; did you mean 'get_weather'"),
        ([], None, "", "there is no tool"),
        ([{"name": "f", "parameters": {"not": {}}}], None, "/0/parameters/not", "not supported"),
        ([{"type": "function", "function": {"name": "f", "parameters": {"items": {"contains": {}}}}}], "f",
         "/0/function/parameters/items/contains", "not supported"),
    ],
)  # fmt: skip
def test_tools_that_cannot_be_called(grammars: Grammars, tools: list, name: str, pointer: str, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        grammars.tool_call(tools, name)
    assert caught.value.pointer == pointer


S = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "pointer", "reason"),
    [
        ({"properties": {"a": {"oneOf": [S, {"type": "string", "maxLength": 3}]}}}, "/properties/a", "oneOf"),
        (
            {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 5, "maximum": 3}},
            "/items",
            "minimum",
        ),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "", "Unsatisfiable"),
        ({"anyOf": [S, {"type": "strin"}]}, "/anyOf/1", "Invalid type"),
        ({"const": "x", "type": "integer"}, "", "incompatible"),
        ({"enum": []}, "", "empty"),
        ({"properties": {"a": {"type": "string", "pattern": "(["}}}, "/properties/a", "regex"),
    ],
)
def test_what_the_compiler_refuses_is_located(grammars: Grammars, schema: dict, pointer: str, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        grammars.json_schema(schema)
    assert caught.value.pointer == pointer
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "([", "a" * 5000, "(a{100}){101}", "a{20000}"])
def test_patterns_that_are_refused(grammars: Grammars, pattern: str) -> None:
    with pytest.raises(GrammarError):
        grammars.regex(pattern)


BOMBS = {
    "10,000 values": {"enum": [f"value {n}" for n in range(10_000)]},
    "nested quantifiers": {"type": "string", "pattern": "^(((a+)+)+)+b$"},
    "exponential automaton": {"type": "string", "pattern": "(a|b)*a(a|b){24}"},
    "400 optional": {"type": "object", "properties": {f"p{n}": S for n in range(400)}, "additionalProperties": False},
    "3,000 required": {"properties": {f"p{n}": S for n in range(3000)}, "required": [f"p{n}" for n in range(3000)]},
    "long": {"type": "string", "maxLength": 10**9},
    "many": {"type": "array", "maxItems": 10**9},
    "multiples": {"type": "integer", "multipleOf": 9973},
    "pairs": {"allOf": [{"anyOf": [{"properties": {f"a{n}": S}}, {"properties": {f"b{n}": S}}]} for n in range(14)]},
    "word list": {"type": "string", "pattern": "|".join(f"w{n}" for n in range(700))},
    "far reference": {"$defs": {f"d{n}": {"items": {"$ref": f"#/$defs/d{n + 1}"}} for n in range(3000)} | {"d3000": S},
                      "$ref": "#/$defs/d0"},
    "far enough": {"$defs": {f"d{n}": {"items": {"$ref": f"#/$defs/d{n + 1}"}} for n in range(140)} | {"d140": S},
                   "$ref": "#/$defs/d0"},
    "never ends": {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_bounded(grammars: Grammars, bomb: str) -> None:
    begun = time.perf_counter()
    with suppress(GrammarError):
        sample(grammars.json_schema(BOMBS[bomb]), 30)
    assert time.perf_counter() - begun < 10


def test_a_document_that_cannot_be_closed_ends_by_length(grammars: Grammars) -> None:
    grammar = grammars.json_schema({"type": "array", "items": {"const": "a long text"}, "minItems": 9})
    assert grammar.shortest is not None
    assert len(grammar.shortest) > 10
    assert sample(grammar, 10).finish_reason == "length"


def test_grammars_are_kept_by_content_and_dropped_by_size(tokenizer: Tokenizer) -> None:
    grammars = Grammars(tokenizer, 512, kept_bytes=3 * constrained._BASE_BYTES)
    first = grammars.json_schema({"type": "object", "properties": {"a": S, "b": S}})
    assert grammars.json_schema({"properties": {"a": S, "b": S}, "type": "object"}) is not first
    assert grammars.json_schema({"type": "object", "properties": {"a": S, "b": S}}) is first
    assert grammars.json_schema({"type": "object", "properties": {"b": S, "a": S}}) is not first
    for length in range(5):
        grammars.json_schema({"type": "string", "maxLength": length})
    assert grammars.json_schema({"type": "object", "properties": {"a": S, "b": S}}) is not first


def test_sequences_of_a_grammar_are_apart_also_in_threads(grammars: Grammars) -> None:
    grammar = grammars.json_object()
    alone = [sample(grammar, 30, seed).text for seed in range(8)]
    results = [""] * 8

    def run(seed: int) -> None:
        results[seed] = sample(grammar, 30, seed).text

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == alone


def test_an_error_behind_the_first_token_is_one_of_the_request(grammars: Grammars) -> None:
    constraint = grammars.json_object()()
    with pytest.raises(GrammarError):
        constraint.observe(grammars.json_object().vocabulary.ids[b"x"])


def test_special_ids_are_never_written_inside(tokenizer: Tokenizer, grammars: Grammars) -> None:
    constraint = grammars.regex("(?s:.*)")()
    scores = torch.zeros(512)
    constraint.mask(scores, 100)
    special = tokenizer.special
    assert all(scores[id] == -torch.inf for id in special.never_generated)
    assert (scores[len(tokenizer) :] == -torch.inf).all()
    assert all(scores[id] == 0 for id in special.ends)
    more = Grammars(tokenizer, 512, ends=[9]).json_object()
    assert more.vocabulary.ends == sorted({*special.ends, 9})


def folder(*parts: str) -> Path:
    path = shared_path("data", "tokenizers", *parts)
    if path is None:
        pytest.skip("no published vocabularies: set GLMKIT_SHARED to the folder that holds data/tokenizers")
    return path


@pytest.mark.parametrize("name", ["chatglm2", "chatglm3", "gpt2", "chinese"])
def test_published_vocabularies(name: str) -> None:
    if name.startswith("chatglm"):
        tokenizer, rows = official(name, folder("chatglm2-3-6b")), 65024
    else:
        tokenizer, rows = published(name, folder({"gpt2": "gpt2", "chinese": "glm-chinese"}[name])), 50304
    grammars = Grammars(tokenizer, rows)
    grammar = grammars.tool_call(TOOLS)
    assert set(grammar.vocabulary.ends) >= set(tokenizer.special.ends)
    assert (64795 in grammar.vocabulary.ends) == (name == "chatglm3")
    for seed in range(5):
        result = sample(grammar, 40, seed)
        json.loads(grammar.document(result.text))
        assert (
            not grammar.json
            or json.loads(grammars.json_object().document(sample(grammars.json_object(), 30, seed).text)) is not None
        )
    if name != "chinese":  # whose normalizer changes some texts
        text = '{"name": "get_weather", "arguments": {"city"'
        assert (
            grammar.vocabulary.backend.tokenize_str(text)
            == tokenizer.pieces.encode("\n" + text)[len(tokenizer.pieces.encode("\n")) :]
        )


def test_a_vocabulary_of_lower_case_words_is_refused(tmp_path: Path) -> None:
    path = folder("bert", "bert-base-uncased-vocab.txt")
    (tmp_path / "vocab.txt").symlink_to(path)
    with pytest.raises(UserError, match=r"neither\s+capitals nor white space"):
        Grammars(published("bert", tmp_path), 30720)


def test_the_cost_of_a_token(record_property: Callable[[str, object], None]) -> None:
    """Measured, not asserted: a mask and what follows it, at ChatGLM's 65,024 ids."""
    grammar = Grammars(official("chatglm2", folder("chatglm2-3-6b")), 65024).json_schema(WEATHER)
    scores, times = torch.zeros(65024), []
    for seed in range(10):
        constraint, generator = grammar(), torch.Generator().manual_seed(seed)
        for left in range(60, 0, -1):
            scores = torch.randn(65024, generator=generator)
            begun = time.perf_counter()
            constraint.mask(scores, left)
            times.append(time.perf_counter() - begun)
            if constraint.observe(int(scores.argmax())):
                break
    record_property("milliseconds", 1000 * sum(times) / len(times))
