"""Configs from plain values: strict about names and types, and back without loss."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from glmkit.core.config import from_mapping, overridden, to_mapping
from glmkit.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1
    shape: Literal["cosine", "linear"] = "cosine"

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise UserError(f"inner.rate must be positive, got {self.rate}")


@dataclass(frozen=True, kw_only=True)
class Outer:
    steps: int
    name: str = ""
    fast: bool = False
    inner: Inner = field(default_factory=Inner)
    other: Inner | None = None
    places: tuple[int, ...] = ()


FULL = Outer(steps=3, name="n", fast=True, inner=Inner(rate=0.5), other=Inner(shape="linear"), places=(1, 2))


@pytest.mark.parametrize("config", [Outer(steps=1), FULL])
def test_a_config_survives_json(config: Outer) -> None:
    assert from_mapping(Outer, json.loads(json.dumps(to_mapping(config))), "file") == config


def test_missing_keys_take_their_defaults_and_whole_numbers_become_floats() -> None:
    built = from_mapping(Outer, {"steps": 5, "inner": {"rate": 2}}, "file")
    assert built == Outer(steps=5, inner=Inner(rate=2.0))
    assert isinstance(built.inner.rate, float)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stesp": 1}, ["run.json", "unknown key 'stesp'", "did you mean 'steps'?"]),
        ({"steps": 1, "zzz": 1}, ["unknown key 'zzz'", "known: fast, inner, name, other, places, steps"]),
        ({"steps": 1, "inner": {"raet": 1.0}}, ["run.json: inner", "unknown key 'raet'", "'rate'"]),
        ({"steps": 1, "other": {"raet": 1.0}}, ["run.json: other", "unknown key 'raet'", "'rate'"]),
        ({"name": "n"}, ["run.json", "missing 'steps'"]),
        ({"steps": "many"}, ["run.json: steps must be a whole number of 64 bits, got 'many'"]),
        ({"steps": 1.5}, ["steps must be a whole number of 64 bits, got 1.5"]),
        ({"steps": True}, ["steps must be a whole number of 64 bits, got True"]),
        ({"steps": 1, "fast": 1}, ["fast must be true or false, got 1"]),
        ({"steps": 1, "name": None}, ["name must be text, got None"]),
        ({"steps": 1, "inner": {"rate": "0.1"}}, ["run.json: inner: rate must be a finite number, got '0.1'"]),
        ({"steps": 1, "inner": {"rate": True}}, ["rate must be a finite number, got True"]),
        ({"steps": 1, "inner": 3}, ["inner must be a table, got 3"]),
        ({"steps": 1, "inner": {"rate": -1.0}}, ["inner.rate must be positive, got -1.0"]),
    ],
)
def test_a_mistake_is_named(values: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(UserError) as raised:
        from_mapping(Outer, values, "run.json")
    for part in said:
        assert part in str(raised.value)


def test_settings_take_the_place_of_fields() -> None:
    wanted = replace(FULL, steps=4, name="a/b", inner=replace(FULL.inner, rate=2.0), places=(3,))
    for inner in ({"inner": {"rate": 2}}, {"inner.rate": 2}, {"inner": Inner(rate=2.0)}):
        assert overridden(FULL, {"steps": 4, "name": Path("a/b"), "places": [3], **inner}, "call") == wanted
    both = overridden(FULL, {"inner": {"rate": 2}, "inner.shape": "linear"}, "call")
    assert both.inner == Inner(rate=2.0, shape="linear")
    assert overridden(FULL, {}, "call") == FULL
    for settings, said in (
        ({"stesp": 1}, "call: unknown key 'stesp'; did you mean 'steps'?"),
        ({"inner": {"raet": 1}}, "call: inner: unknown key 'raet'; did you mean 'rate'?"),
        ({"inner.raet": 1}, "call: inner: unknown key 'raet'; did you mean 'rate'?"),
        ({"steps.more": 1}, "call: unknown key 'steps.more': steps has no keys of its own"),
        ({"steps": "many"}, "call: steps must be"),
        ({"inner": 3}, "call: inner must be a table, got 3"),
    ):
        with pytest.raises(UserError) as error:
            overridden(FULL, settings, "call")
        assert said in str(error.value)
