"""Objectives by share, and settings that are refused."""

import numpy as np
import pytest

from glmkit.core.errors import UserError
from glmkit.infill.corruption import Chunk, SentinelBlanks, TokenBlanks, Vocabulary
from glmkit.infill.layout import Blanked, Layout
from glmkit.infill.mixture import ObjectiveConfig, mixture, objectives
from glmkit.text.special import SpecialIds

SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)
VOCABULARY = Vocabulary(special=SPECIAL, size=64, sentence_ends=np.arange(64) % 7 == 0)


def test_only_objectives_with_a_share_are_there() -> None:
    assert list(objectives(ObjectiveConfig())) == ["token"]
    config = ObjectiveConfig(token=0, sentence=1, document=0.5, left_to_right=2)
    assert list(objectives(config)) == ["sentence", "document", "left_to_right"]


def test_settings_reach_their_objective() -> None:
    result = objectives(ObjectiveConfig(ratio=0.3, mean_length=5.0, order="left-to-right"))["token"]
    assert result == TokenBlanks(ratio=0.3, mean_length=5.0, shuffle=False)
    assert isinstance(objectives(ObjectiveConfig(marks="sentinel"))["token"], SentinelBlanks)


def test_numbers_that_change_over_a_run() -> None:
    config = ObjectiveConfig(ratio=0.3, ratio_end=0.15, mean_length=2.0)
    assert config.changes
    assert not ObjectiveConfig().changes
    assert config.at(0) == ObjectiveConfig(ratio=0.3, mean_length=2.0)
    assert config.at(0.5).ratio == pytest.approx(0.225)
    assert config.at(0.5).mean_length == 2.0, "an end of 0 leaves it as it is"
    assert ObjectiveConfig(mean_length=1.0, mean_length_end=3.0).at(1).mean_length == 3.0


def test_examples_are_drawn_with_the_shares() -> None:
    draw = mixture(ObjectiveConfig(token=2, sentence=1, left_to_right=1, document=0))
    chunk = Chunk(tokens=np.array([2, *range(20, 50), 1]), first=1, complete=True)
    rng = np.random.default_rng(0)
    counts = {SPECIAL.mask: 0, SPECIAL.smask: 0, None: 0}
    for _ in range(4000):
        drawn = draw(chunk, VOCABULARY, rng)
        counts[int(drawn.masks[0]) if isinstance(drawn, Blanked) else None] += 1
        assert isinstance(drawn, Blanked | Layout)
    assert abs(counts[SPECIAL.mask] - 2000) < 5 * np.sqrt(4000 * 0.5 * 0.5)
    assert abs(counts[SPECIAL.smask] - 1000) < 5 * np.sqrt(4000 * 0.25 * 0.75)


def test_sentinels_need_spare_ids() -> None:
    chunk = Chunk(tokens=np.array([2, *([20] * 60), 1]), first=1, complete=True)
    with pytest.raises(UserError, match=r"need [0-9]+ spare ids, the tokenizer has 0; train it with --spare"):
        mixture(ObjectiveConfig(marks="sentinel", ratio=0.5))(chunk, VOCABULARY, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"token": -1.0}, "must not be negative"),
        ({"token": 0.0}, "one must be positive"),
        ({"ratio": 1.5}, "objective.ratio must be a finite number of at least 0 and at most 1, got 1.5"),
        ({"shortest_document": -0.1}, "objective.shortest_document must be"),
        ({"inner_document": 2.0}, "objective.inner_document must be"),
        ({"short": 1.1}, "objective.short must be"),
        ({"mean_length": 0.0}, "objective.mean_length must be a finite number greater than 0"),
        (
            {"mean_length": 40.0},
            "objective.mean_length must be a finite number greater than 0 and at most 39, got 40.0",
        ),
        ({"mean_length_end": -1.0}, "objective.mean_length_end must be"),
        ({"ratio_end": 1.1}, "objective.ratio_end must be"),
        ({"order": "random"}, "objective.order must be"),
        ({"marks": "t5"}, "objective.marks must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(UserError) as raised:
        ObjectiveConfig(**settings)  # type: ignore[arg-type]
    assert said in str(raised.value)
