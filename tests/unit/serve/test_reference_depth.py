"""How deep references lead, for any order of following them."""

import itertools
import random

import pytest

from glmkit.serve.reference_depth import circular, depth_bound


def test_the_drawing() -> None:
    arrows = {"a": ["b"], "b": ["c"], "c": ["d", "b"], "d": []}
    assert depth_bound(arrows, "a") == 4
    assert set(circular(arrows)) == {"a", "b", "c"}
    assert circular({"a": ["b", "b"], "b": []}) == []


def longest_way(arrows: dict[str, list[str]], name: str, passed: frozenset[str] = frozenset()) -> int:
    ways = (longest_way(arrows, to, passed | {name}) for to in arrows[name] if to not in passed | {name})
    return 1 + max(ways, default=0)


@pytest.mark.parametrize("seed", range(30))
def test_no_way_is_longer(seed: int) -> None:
    rng = random.Random(seed)
    names = [str(name) for name in range(7)]
    pairs = rng.sample(list(itertools.permutations(names, 2)), rng.randint(0, 12))
    arrows = {name: [to for start, to in pairs if start == name] for name in names}
    longest = longest_way(arrows, "0")
    assert depth_bound(arrows, "0") >= longest
    if not circular(arrows):
        assert depth_bound(arrows, "0") == longest
