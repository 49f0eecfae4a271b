"""What a placement of spans must obey, and what a sentence is, checked token by token."""

import itertools
from collections.abc import Sequence


def placement_faults(spans: Sequence[tuple[int, int]], begin: int, end: int, apart: int = 1) -> list[str]:
    """What is wrong with spans that must lie in tokens begin .. end-1, in text order, `apart` kept tokens between
    neighbours at least; nothing for a right placement."""
    faults = []
    if not spans:
        faults.append("no span at all")
    for span in spans:
        if span[1] <= span[0]:
            faults.append(f"{span} is empty")
        if span[0] < begin or span[1] > end:
            faults.append(f"{span} leaves {begin} .. {end - 1}")
    for before, after in itertools.pairwise(spans):
        if after[0] - before[1] < apart:
            faults.append(f"{before} and {after} are not {apart} apart")
    return faults


def sentences(ends: Sequence[bool], begin: int, end: int, complete: bool) -> list[tuple[int, int]]:
    """Maximal runs that stop with a token that ends a sentence. The run after the last such token is a sentence only
    where the text was cut, not at the end of a complete document."""
    results = []
    start = begin
    for index in range(begin, end):
        if ends[index]:
            results.append((start, index + 1))
            start = index + 1
    if start < end and not complete:
        results.append((start, end))
    return results
