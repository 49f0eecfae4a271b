"""A mask of many tokens is drawn as zones: each pair is seen whole, not at all, or up to what stands before."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from glmkit.core.types import AttentionMask, Example
from glmkit.infill.layout import Layout, blank_layouts, blanked, prompt_layout
from glmkit.infill.mask_picture import draw_mask, zones
from glmkit.infill.position_schemes import Sequential, TwoChannel, example

SPELLING = SimpleNamespace(decode=lambda ids: " ".join(f"w{id}" for id in ids))


def long_example(spans: int) -> tuple[Layout, Example]:
    """400 tokens of which `spans` pairs are blanked, written in another order."""
    starts = np.linspace(2, 390, spans).astype(int)
    special = SimpleNamespace(sop=901, eop=902)
    order = np.random.default_rng(0).permutation(spans)
    (layout,) = blank_layouts([blanked(np.arange(400), np.stack([starts, starts + 2], 1), order, special, 900)], 902)
    return layout, example(layout, TwoChannel())


def test_zones_are_the_text_and_its_spans_in_the_order_written() -> None:
    layout, shown = long_example(5)
    parts = zones(layout, shown, SPELLING)
    assert [part.name for part in parts] == ["text", "1", "2", "3", "4", "5"]
    assert (parts[0].start, parts[0].stop) == (0, shown.context)
    assert [part.stop for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert parts[-1].stop == len(shown)
    first = layout.tokens[shown.context + 1]
    assert parts[1].words == f"“w{first} w{first + 1}”, for the blank at {layout.position_ids[shown.context]}"


def test_of_many_spans_the_middle_ones_share_a_zone() -> None:
    layout, shown = long_example(40)
    parts = zones(layout, shown, SPELLING)
    assert len(parts) == 15
    assert (parts[-2].name, parts[-2].words) == ("…", "27 more, 81 tokens")
    assert parts[-1].name == "40"
    assert [part.stop for part in parts[:-1]] == [part.start for part in parts[1:]]


@pytest.mark.parametrize("spans", [5, 40])
def test_fields_say_what_the_mask_says(spans: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    saved = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), saved(self, *a, **k))[1])
    layout, shown = long_example(spans)
    draw_mask(layout, shown, tmp_path / "mask.png", SPELLING)
    (axes,) = figures[0].axes
    fields = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    parts = zones(layout, shown, SPELLING)
    visible = AttentionMask.prefix([shown.context]).visible(0, len(shown))[0, 0].numpy()
    pairs = [visible[q.start : q.stop, k.start : k.stop] for q in parts for k in parts]
    assert len(fields) == len(pairs)
    seen = [field.get_facecolor()[2] > 0.9 and field.get_facecolor()[0] < 0.5 for field in fields]
    assert seen == [bool(pair.all()) for pair in pairs]
    diagonal = [patch for patch in axes.patches if isinstance(patch, Polygon)]
    assert len(diagonal) == len(parts) - 1  # every span sees what stands before in itself
    assert axes.get_title() == f"corrupted text of {shown.context} tokens, read both ways, then {spans} spans"


def test_a_causal_text_is_one_zone(tmp_path: Path) -> None:
    layout = prompt_layout(np.arange(60))
    shown = example(layout, Sequential())
    assert [part.name for part in zones(layout, shown, SPELLING)] == ["text"]
    draw_mask(layout, shown, tmp_path / "mask.png", SPELLING)
    assert (tmp_path / "mask.png").read_bytes().startswith(b"\x89PNG")
