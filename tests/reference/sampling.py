"""Penalties and what may be drawn, by their definitions: a Python loop over the ids."""

import math
from collections.abc import Mapping, Sequence


def penalized(
    scores: Sequence[float],
    prompt: Sequence[int],
    written: Sequence[int],
    repetition: float,
    presence: float,
    frequency: float,
    bias: Mapping[int, float],
) -> list[float]:
    results = []
    for id, score in enumerate(scores):
        if id in prompt or id in written:
            score = score / repetition if score > 0 else score * repetition
        if id in written:
            score -= presence
        score -= frequency * list(written).count(id)
        results.append(score + bias.get(id, 0.0))
    return results


def kept(scores: Sequence[float], p: float, k: int | None, min_p: float) -> dict[int, float]:
    """Ids that may be drawn and their probabilities among one another: top-k, of these the fewest that hold p, of
    these the ones at least min_p times as probable as the best."""
    order = sorted(range(len(scores)), key=lambda id: -scores[id])[:k]
    masses = {id: math.exp(scores[id] - scores[order[0]]) for id in order}
    total = sum(masses.values())
    nucleus: list[int] = []
    for id in order:
        if sum(masses[i] for i in nucleus) / total < p:
            nucleus.append(id)
    ids = [id for id in nucleus if masses[id] >= min_p]
    return {id: masses[id] / sum(masses[i] for i in ids) for id in ids}
