"""Distributions of what is blanked, against 20,000 samples of the original a setting (README of the goldens, 3)."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glmkit.infill.corruption import Chunk, DocumentBlank, Objective, SingleBlank, TokenBlanks, Vocabulary
from glmkit.infill.layout import Layout
from glmkit.infill.spans import length_cdf
from glmkit.testing import DOUBLE_TOLERANCE
from glmkit.text.special import SpecialIds

SAMPLES = 2000
SPECIAL = SpecialIds(pad=0, eod=0, cls=1, mask=2, smask=6, gmask=5, sop=3, eop=4)
VOCABULARY = Vocabulary(special=SPECIAL, size=512, sentence_ends=np.zeros(512, dtype=bool))

EXPERIMENTS: dict[str, tuple[Objective, int, bool]] = {  # objective, tokens of the piece, complete
    "complete_512": (TokenBlanks(), 512, True),
    "cut_512": (TokenBlanks(), 512, False),
    "single_span_512": (SingleBlank(), 512, True),
    "short_100": (TokenBlanks(), 100, True),
    "noshuffle_512": (TokenBlanks(shuffle=False), 512, True),
}


@pytest.fixture(scope="module")
def statistics(golden: Path) -> dict[str, Any]:
    result = json.loads((golden / "statistics/token_mode.json").read_text(encoding="utf-8"))
    return result | {"experiments": {one["name"]: one for one in result["experiments"]}}


class Drawn:
    """What one setting drew, in the units of the goldens."""

    def __init__(self, objective: Objective, size: int, complete: bool, seed: int) -> None:
        rng = np.random.default_rng(seed)
        tokens = np.arange(20, 20 + size)
        piece = Chunk(tokens=tokens, first=1, complete=complete)
        blanks = [objective(piece, VOCABULARY, rng) for _ in range(SAMPLES)]
        spans = [blank.spans for blank in blanks]
        self.size = size
        self.values = {
            "masked_tokens": np.array([(s[:, 1] - s[:, 0]).sum() for s in spans]),
            "num_spans": np.array([len(s) for s in spans]),
            "span_length": np.concatenate([s[:, 1] - s[:, 0] for s in spans]),
            "gap_between_spans": np.concatenate([s[1:, 0] - s[:-1, 1] for s in spans]),
            "tokens_before_first_span": np.array([s[0, 0] for s in spans]),
            "tokens_after_last_span": np.array([size - s[-1, 1] for s in spans]),
        }
        self.values["masked_ratio"] = self.values["masked_tokens"] / size
        places = np.concatenate([np.arange(start, stop) for s in spans for start, stop in s.tolist()])
        self.coverage = np.bincount(places * 16 // size, minlength=16) / len(places)
        several = [blank.order for blank in blanks if len(blank.order) > 1]
        self.leftmost_first = np.mean([order[0] == 0 for order in several]) if several else math.nan
        self.inversions = np.array([inverted_pairs(order) for order in several])


def inverted_pairs(order: np.ndarray) -> float:
    """The share of pairs that stand in Part B the other way round than in the text."""
    pairs = len(order) * (len(order) - 1) / 2
    return float(np.triu(order[:, None] > order[None, :], 1).sum() / pairs)


def assert_same_mean(values: np.ndarray, reference: dict[str, Any], name: str) -> None:
    error = math.sqrt(reference["std"] ** 2 / reference["n"] + values.var() / len(values))
    assert abs(values.mean() - reference["mean"]) <= 5 * error, name


def assert_same_share(share: float, number: int, reference: float, of: int, name: str) -> None:
    error = math.sqrt(reference * (1 - reference) * (1 / number + 1 / of))
    assert abs(share - reference) <= 5 * error, name


def assert_same_histogram(values: np.ndarray, reference: dict[str, Any], largest: float, name: str) -> None:
    counts = Counter(np.minimum(values, reference["hist_cap"]).tolist())
    wanted = {int(value): share for value, share in reference["hist"].items()}
    distance = sum(abs(counts[v] / len(values) - wanted.get(v, 0.0)) for v in counts.keys() | wanted.keys()) / 2
    assert distance <= 1.5 * largest, name


def test_span_lengths_are_drawn_with_the_same_probabilities(statistics: dict[str, Any]) -> None:
    wanted = [statistics["span_length_draw_distribution"].get(str(length), 0.0) for length in range(1, 40)]
    drawn = np.diff(length_cdf(3.0, 39), prepend=0.0)
    np.testing.assert_allclose(drawn, wanted, atol=DOUBLE_TOLERANCE)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_token_blanks_are_distributed_as_the_originals(statistics: dict[str, Any], name: str) -> None:
    golden = statistics["experiments"][name]
    reference, tolerance = golden["stats"], golden["tolerance_from_chunks"]
    objective, size, complete = EXPERIMENTS[name]
    drawn = Drawn(objective, size, complete, seed=len(name))
    for key in drawn.values.keys() & reference.keys():
        assert_same_mean(drawn.values[key], reference[key], key)
        if "hist" in reference[key]:
            assert_same_histogram(drawn.values[key], reference[key], tolerance[key]["tv_max"], key)
    largest = tolerance["coverage_16_bins"]["max_abs_dev"]
    assert np.abs(drawn.coverage - reference["coverage_16_bins"]).max() <= 2.5 * largest
    if "order" in reference:
        order = reference["order"]
        assert_same_mean(drawn.inversions, order["inversion_fraction"], "inversions")
        first, of = order["leftmost_span_comes_first"], order["inversion_fraction"]["n"]
        assert_same_share(float(drawn.leftmost_first), len(drawn.inversions), first, of, "leftmost first")


def test_span_lengths_of_packed_documents(statistics: dict[str, Any]) -> None:
    """The original spreads one budget over all documents of a sample: the short ones get at most 15 %, the longest
    the rest, and their spans are shuffled together. Here each document is a piece of its own with its own 15 %, so
    shares, gaps, coverage and order across documents differ on purpose. What is left to compare is the length of the
    spans, and that the order inside a document is a shuffle."""
    golden = statistics["experiments"]["packed_512"]
    documents = [Drawn(TokenBlanks(), tokens + 2, complete, seed=tokens) for tokens, complete in golden["layout"]]
    lengths = np.concatenate([drawn.values["span_length"] for drawn in documents])
    assert_same_mean(lengths, golden["stats"]["span_length"], "span_length")
    largest = golden["tolerance_from_chunks"]["span_length"]["tv_max"]
    assert_same_histogram(lengths, golden["stats"]["span_length"], largest, "span_length")
    for drawn in documents:
        assert_same_mean(drawn.inversions, golden["stats"]["order"]["inversion_fraction"], "inversions")
        assert drawn.values["masked_ratio"].min() >= int(0.15 * drawn.size) / drawn.size


def test_document_blanks_are_distributed_as_the_originals(statistics: dict[str, Any]) -> None:
    """The original draws the length once a batch and glmkit once an example, from the same distribution."""
    assert len(statistics["document_mode"]) == 2
    for golden in statistics["document_mode"]:
        (size,) = golden["lengths"]
        shortest = golden["constructor"]["gpt_min_ratio"]
        # The original's "infill" probability is that of a suffix (facts 1.2); both settings have 0.5.
        objective = DocumentBlank(shortest=shortest, inner=1 - golden["constructor"]["gpt_infill_prob"])
        piece = Chunk(tokens=np.arange(20, 20 + size), first=1, complete=True)
        rng = np.random.default_rng(size)
        drawn = [objective(piece, VOCABULARY, rng) for _ in range(SAMPLES)]
        suffixes = [isinstance(one, Layout) for one in drawn]
        lengths = np.array(
            [one.weights.sum() if isinstance(one, Layout) else one.spans[0, 1] - one.spans[0, 0] for one in drawn]
        )
        reference = golden["fraction_generated"]
        assert_same_mean(lengths / size, reference, "fraction generated")
        assert lengths.min() >= int(shortest * size)
        assert lengths.max() <= size - 2
        for quantile in (0.05, 0.25, 0.5, 0.75, 0.95):
            spread = math.sqrt(quantile * (1 - quantile) * (1 / SAMPLES + 1 / reference["n"])) * (1 - shortest)
            ours = np.quantile(lengths / size, quantile)
            assert abs(ours - reference["quantiles"][str(quantile)]) <= 5 * spread + 1 / size, quantile
        texts = golden["batches"] * golden["batch_size"]
        assert_same_share(np.mean(suffixes), SAMPLES, golden["kind_share"]["suffix"], texts, "suffixes")
