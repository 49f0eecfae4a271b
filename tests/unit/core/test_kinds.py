"""What a value must be: each kind takes what it should and names what it refuses."""

from typing import Any

import jsonschema
import numpy as np
import pytest

from glmkit.core.errors import UserError
from glmkit.core.kinds import (
    FLAG,
    TEXT,
    TEXTS,
    WHOLE_64,
    Kind,
    check,
    check_fields,
    either,
    list_of,
    number,
    one_of,
    optional,
    record,
    table_of,
    whole,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (whole(low=1), [1, 10**30, np.int64(3)], [0, -1, 1.0, True, "1", None, NAN, [1]]),
        (whole(), [-5, 0], [INF, 0.5]),
        (whole(2, 4), [2, 4], [1, 5]),
        (WHOLE_64, [2**63 - 1, -(2**63)], [2**63, 1.0, True]),
        (number(), [0, -1.5, np.float32(2)], [NAN, INF, -INF, "1", True, None, 10**400, 1j]),
        (number(above=0), [1e-45, 3], [0, -1, NAN]),
        (number(low=0, high=1), [0, 1, 0.5], [-0.1, 1.1]),
        (TEXT, ["", "a", "中"], ["a\ud83d", b"a", None, 3]),
        (FLAG, [True, False], [0, 1, "true", None]),
        (one_of("a", 1), ["a", 1], ["b", True, 1.0]),
        (TEXTS, [[], ["a"], ("a", "b")], ["ab", [1], ["a", None], {"a": "b"}, 3, ["\udc00"]]),
        (list_of(TEXT, least=1), [["a"]], [[]]),
        (table_of(number()), [{}, {"a": 1.5}], [{"a": NAN}, {1: 1.0}, [], "a"]),
        (optional(whole()), [None, 3], ["3"]),
        (either(TEXT, whole(low=1)), ["a", 1], [0, None]),
        (record({"a": TEXT, "b": optional(FLAG)}), [{"a": "x"}, {"a": "x", "b": None, "c": 1}], [{}, {"a": 1}, []]),
    ],
)
def test_a_kind_takes_what_it_says(kind: Kind, taken: list[Any], refused: list[Any]) -> None:
    for value in taken:
        assert check(value, kind, "it") is value
        if not isinstance(value, np.generic):
            jsonschema.validate(list(value) if isinstance(value, tuple) else value, kind.schema)
    for value in refused:
        with pytest.raises(UserError, match=r"^it"):
            check(value, kind, "it")


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (3.5, whole(low=1), "top must be a whole number of at least 1, got 3.5"),
        (["a", 2], TEXTS, "top[1] must be text, got 2"),
        ({"b": NAN}, table_of(number()), "top['b'] must be a finite number, got nan"),
        ("abc", TEXTS, "top must be a list, each text, got 'abc'"),
        (5, number(above=0, high=1), "top must be a finite number greater than 0 and at most 1, got 5"),
        (9, number(high=1), "top must be a finite number of at most 1, got 9"),
        ("x" * 1000, whole(), f"top must be a whole number, got '{'x' * 56}..."),
        ("a\ud83d", TEXT, "top is no Unicode text (it holds half a character, a lone surrogate); decode it as UTF-8"),
    ],
)
def test_the_line_says_which_what_and_what_it_is(value: Any, kind: Kind, said: str) -> None:
    with pytest.raises(UserError) as raised:
        check(value, kind, "top")
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_a_schema_refuses_what_its_kind_does() -> None:
    kind = record({"a": list_of(one_of("x", "y"), least=1), "b": optional(number(above=0, high=1))})
    for value in ({}, {"a": []}, {"a": ["z"]}, {"a": ["x"], "b": 0}, {"a": ["x"], "b": "1"}):
        assert kind.find(value) is not None
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, kind.schema)


def test_fields_that_are_absent_or_not_named_are_left_alone() -> None:
    check_fields({"a": 1, "z": NAN}, {"a": whole(), "b": whole()}, "FILE")
    with pytest.raises(UserError, match=r"^FILE: a must be a whole number, got 'x'$"):
        check_fields({"a": "x"}, {"a": whole()}, "FILE")
