"""Requests that begin alike, read as one: solved examples, or a passage with several questions, are read once.

    request 1   shots | A1 | yes | no          read as     shots | A1 yes | A1 no | A2 yes | A2 no
    request 2   shots | A2 | yes | no          segments      0       1        2       3        4

None sees another, so each gets what it gets alone. What is seen both ways (`context`) is shared whole or not at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from torch import Tensor

from glmkit.objective.read_request import ReadRequest, TargetScores

MIN_SHARED = 16  # tokens; fewer are not worth attention over what others read
MAX_TOKENS = 4096  # behind what is shared


@dataclass(frozen=True)
class SharedRead:
    """A request that stands for those with these `numbers`, whose results [n, 2] follow each other in its own; `sizes`
    are their n."""

    request: ReadRequest
    numbers: Sequence[int]
    sizes: Sequence[int]

    def results(self, result: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The number of each request, and its result."""
        return zip(self.numbers, result.split(list(self.sizes)), strict=True)


def share_prefixes(requests: Sequence[ReadRequest]) -> list[SharedRead]:
    """What is read in place of requests: those for `TargetScores` that begin alike are one where that saves tokens."""
    members = [_Member(number, request) for number, request in enumerate(requests)]
    shared: list[SharedRead] = []
    group: list[_Member] = []
    common = 0  # tokens with which all of the group begin
    for member in sorted(members, key=lambda one: one.request.tokens.tolist()):
        alike = min(common, group[0].alike(member)) if group else 0
        if _saves(group, common, member, alike):
            group, common = [*group, member], alike
        else:
            shared += [_joined(group, common)] if group else []
            group, common = [member], member.own
    return [*shared, _joined(group, common)] if group else []


class _Member:
    """A request whose `table` [1 + P, T] are tokens and positions; its choices stand between the `borders`, behind
    what is its `own`. Without choices it has one, which begins at its first place."""

    def __init__(self, number: int, request: ReadRequest) -> None:
        self.number, self.request = number, request
        self.table = np.concatenate((request.tokens[None], request.positions))
        apart = np.zeros_like(request.tokens) if request.segments is None else request.segments
        self.borders = [*(np.flatnonzero(np.diff(apart, prepend=0)).tolist()), len(apart)]
        if len(self.borders) == 1:
            self.borders = [int(request.places[0]) if len(request.places) else len(apart), len(apart)]
        self.own = self.borders[0]
        self.shares = type(request.reduce) is TargetScores and bool((request.places >= self.own).all())

    def alike(self, other: "_Member") -> int:
        """How many tokens both may share."""
        one, two = self.request, other.request
        if not (self.shares and other.shares) or any(getattr(one, name) != getattr(two, name) for name in _SAME):
            return 0
        most = min(self.own, other.own)
        differ = np.flatnonzero((self.table[:, :most] != other.table[:, :most]).any(0))
        count = int(differ[0]) if len(differ) else most
        return count if one.context <= count else 0

    def length(self, common: int) -> int:
        """How many tokens are read of it behind so many that are shared."""
        return self.borders[-1] - self.own + (self.own - common) * (len(self.borders) - 1)


_SAME = ("context", "priority", "owner", "adapter")


def _saves(group: Sequence[_Member], common: int, member: _Member, alike: int) -> bool:
    """Whether fewer tokens are read when `member` joins a group, which then shares `alike` in place of `common`."""
    if alike < MIN_SHARED:
        return False
    together = _tokens([*group, member], alike)
    return together - alike <= MAX_TOKENS and together < _tokens(group, common) + len(member.request.tokens)


def _tokens(group: Sequence[_Member], common: int) -> int:
    """How many tokens are read of a group that shares so many."""
    if len(group) == 1:
        return len(group[0].request.tokens)
    return common + sum(one.length(common) for one in group)


def _joined(group: Sequence[_Member], common: int) -> SharedRead:
    """A group as one request."""
    numbers, sizes = [one.number for one in group], [len(one.request.places) for one in group]
    first = group[0].request
    if len(group) == 1:
        return SharedRead(first, numbers, sizes)
    tables, places, ends = [group[0].table[:, :common]], [], [common]
    for one in group:
        wanted = one.request.places
        for begin, end in pairwise(one.borders):
            tables += [one.table[:, common : one.own], one.table[:, begin:end]]
            behind = ends[-1] + one.own - common
            places.append(wanted[(wanted >= begin) & (wanted < end)] - begin + behind)
            ends.append(behind + end - begin)
    table = np.concatenate(tables, axis=1)
    request = replace(
        first,
        tokens=table[0],
        positions=table[1:],
        segments=np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0)),
        places=np.concatenate(places),
        reduce=TargetScores(np.concatenate([one.request.reduce.targets for one in group])),  # type: ignore[union-attr]
    )
    return SharedRead(request, numbers, sizes)
