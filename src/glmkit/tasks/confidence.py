"""How sure a measured number is: intervals by resampling, two results compared row by row."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.kinds import FLAG, TEXT
from glmkit.core.strict_json import read_lines

Row = TypeVar("Row")
RESAMPLES = 1000


def interval(
    rows: Sequence[Row], metric: Callable[[Sequence[Row]], float], groups: Sequence[str], level: float = 0.95
) -> tuple[float, float]:
    """The bootstrap interval of a metric: the middle `level` of its values over rows drawn with replacement.

    Rows of one group (all answers of a question) are drawn together.
    """
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group or f"row {number}", []).append(number)
    blocks = list(members.values())
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(blocks), len(blocks))
        values.append(metric([rows[number] for block in drawn for number in blocks[block]]))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def share_interval(hits: Sequence[bool], level: float = 0.95) -> tuple[float, float]:
    """As `interval` gives it for the share of rows that are right, each drawn by itself: how many of them are drawn
    again follows the binomial distribution, so that no row need be."""
    counts = np.random.default_rng(0).binomial(len(hits), sum(hits) / len(hits), RESAMPLES)
    low, high = np.quantile(counts / len(hits), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p value that two models do equally well: of the rows that only one of them has right, half
    are expected for each (McNemar 1947, by the binomial distribution)."""
    differing = only_first + only_second
    tail = sum(math.comb(differing, k) for k in range(min(only_first, only_second) + 1)) / 2**differing
    return min(1.0, 2 * tail)


@dataclass(frozen=True)
class Comparison:
    """Two results over the same rows of one task. `p`: of McNemar's exact test."""

    task: str
    rows: int
    first: float
    second: float
    only_first: int
    only_second: int
    p: float


def compare(first: Path, second: Path) -> list[Comparison]:
    """Two logs of examples (as `glmkit eval --log` writes them), task by task. Raises UserError when they do not hold
    the same rows."""
    one, other = read_log(first), read_log(second)
    if one.keys() != other.keys():
        raise UserError(f"{first} and {second} hold other rows: compare results of the same tasks and the same --limit")
    results = []
    for task in dict.fromkeys(task for task, _ in one):
        keys = [key for key in one if key[0] == task]
        pairs = [(one[key], other[key]) for key in keys]
        only_first, only_second = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
        share = [sum(column) / len(pairs) for column in zip(*pairs, strict=True)]
        results.append(
            Comparison(task, len(pairs), share[0], share[1], only_first, only_second, mcnemar(only_first, only_second))
        )
    return results


def read_log(path: Path) -> dict[tuple[str, str], bool]:
    """(task, row) -> whether it was right, from a log of examples."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; `glmkit eval --log FILE` writes one")
    schema = {"task": TEXT, "row": TEXT, "right": FLAG}
    return {(event["task"], event["row"]): event["right"] for event in read_lines(path, schema)}
