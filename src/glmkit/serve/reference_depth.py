"""How deep schemas lead into each other by references, whatever way they are followed.

a -> b -> c -> d      depth_bound from a: 4      circular: nothing
     ^----+                                                 [b, c]
"""

from collections.abc import Mapping, Sequence

Arrows = Mapping[str, Sequence[str]]


def circular(arrows: Arrows) -> list[str]:
    """Names that lie on a circle, in the order of `arrows`, or lead only to such; none where there is no circle."""
    left = {name: len(set(to)) for name, to in arrows.items()}
    before = reversed_arrows(arrows)
    ready = [name for name, count in left.items() if count == 0]
    while ready:
        name = ready.pop()
        del left[name]
        for other in before[name]:
            left[other] -= 1
            if left[other] == 0:
                ready.append(other)
    return [name for name in arrows if name in left]


def depth_bound(arrows: Arrows, start: str) -> int:
    """At most how many names a way from `start` holds that passes none of them twice: all of a circle count."""
    group_of = _circles(arrows)
    sizes = [0] * len(arrows)
    for group in group_of.values():
        sizes[group] += 1
    depths = list(sizes)
    # Groups are numbered from the start of the ways on: those that a group leads to come after it.
    for name in sorted(arrows, key=lambda name: -group_of[name]):
        group = group_of[name]
        further = (depths[group_of[to]] for to in arrows[name] if group_of[to] != group)
        depths[group] = max(depths[group], sizes[group] + max(further, default=0))
    return depths[group_of[start]]


def _circles(arrows: Arrows) -> dict[str, int]:
    """The number of the strongly connected component of each name, by two searches in depth (Kosaraju's algorithm)."""
    finished: list[str] = []
    seen: set[str] = set()
    for root in arrows:
        todo = [(root, False)]
        while todo:
            name, left = todo.pop()
            if left:
                finished.append(name)
            elif name not in seen:
                seen.add(name)
                todo += [(name, True), *((to, False) for to in arrows[name])]
    before, group_of, group = reversed_arrows(arrows), dict[str, int](), -1
    for root in reversed(finished):
        names = [root]
        group += root not in group_of
        while names:
            name = names.pop()
            if name not in group_of:
                group_of[name] = group
                names += before[name]
    return group_of


def reversed_arrows(arrows: Arrows) -> dict[str, list[str]]:
    """From where each name is led to."""
    before: dict[str, list[str]] = {name: [] for name in arrows}
    for name, to in arrows.items():
        for other in dict.fromkeys(to):
            before[other].append(name)
    return before
