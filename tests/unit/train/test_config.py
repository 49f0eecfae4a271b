"""Settings are what they must be however they were given: from a file, from the command line, in Python."""

import dataclasses
import math
import typing
from typing import Any

import pytest

from glmkit.core.errors import UserError
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.train.config import PretrainConfig
from glmkit.train.lora import LoraConfig
from glmkit.train.optimizer import MuonConfig, OptimizerConfig
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.schedule import ScheduleConfig

CONFIGS = {
    PretrainConfig: "",
    FinetuneConfig: "",
    DataConfig: "data.",
    ObjectiveConfig: "objective.",
    ScheduleConfig: "schedule.",
    OptimizerConfig: "optimizer.",
    MuonConfig: "optimizer.muon.",
    LoraConfig: "lora.",
    PrefixConfig: "ptuning.",
}
WRONG = {
    float: (math.nan, math.inf, -math.inf, "0.5", None, True, 10**400),
    int: (math.nan, 1.5, "3", None, True, 10**30, -(10**30)),
    str: (3, None, ["a"], "a\ud800"),
    bool: (1, "true", None),
    typing.get_type_hints(PretrainConfig)["data"]: (3, None, math.nan),  # any text is a directory's name
}
CASES = [
    (config, name, value)
    for config in CONFIGS
    for name, hint in typing.get_type_hints(config).items()
    for value in WRONG.get(hint, ("no such", math.nan))
]


@pytest.mark.parametrize(
    ("config", "name", "value"), CASES, ids=[f"{config.__name__}.{name}={value!r:.9}" for config, name, value in CASES]
)
def test_a_setting_of_another_kind_is_refused_by_its_name(config: type, name: str, value: Any) -> None:
    with pytest.raises(UserError) as raised:
        config(**{name: value})
    assert str(raised.value).startswith((f"{CONFIGS[config]}{name} must be ", f"{CONFIGS[config]}{name} is no Unicode"))
    assert "\n" not in str(raised.value)


def test_the_defaults_are_what_they_must_be() -> None:
    for config in CONFIGS:
        assert dataclasses.replace(config()) == config()
