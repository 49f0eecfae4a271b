"""Fonts are found by the glyphs they have; what none has is an escape or an id in a picture, never a box."""

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from glmkit.infill.layout import prompt_layout
from glmkit.infill.mask_picture import draw_mask
from glmkit.infill.position_schemes import TwoChannel, example
from glmkit.pictures import fonts
from glmkit.pictures.fonts import FONT, fonts_for
from glmkit.train.curves import draw_curve


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No font but matplotlib's own default."""
    monkeypatch.delenv(FONT, raising=False)
    monkeypatch.setattr(fonts, "_installed", list)


@pytest.fixture
def rare() -> tuple[str, str]:
    """A character that the default font lacks and another of matplotlib's has, and that one's file."""
    base = set(FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap())
    path = font_manager.findfont("STIXGeneral")
    return chr(min(c for c in set(FT2Font(path).get_charmap()) - base if chr(c).isprintable())), path


@pytest.mark.usefixtures("alone")
def test_what_no_font_has_is_written_otherwise() -> None:
    result = fonts_for(["床 a$", "é⏎·"])
    assert (result.families, result.missing) == (["DejaVu Sans"], {"床"})
    assert result.drawn("床", "17") == "17"
    assert result.drawn("$a", "17") == r"\$a"
    assert result.drawn("run 床") == "run \\u5e8a"
    assert "no font on this machine has 床" in result.note
    assert FONT in result.note
    assert fonts_for(["abc"]).note == ""


def test_a_font_is_found_by_its_glyphs(rare: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FONT, raising=False)
    result = fonts_for([rare[0]])
    assert result.missing == frozenset()
    assert len(result.families) == 2
    assert fonts_for(["ab"]).families == ["DejaVu Sans"]


def test_fonts_that_draw_a_box_for_everything_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FONT, raising=False)
    assert fonts_for([chr(0x378)]).missing == {chr(0x378)}


@pytest.mark.usefixtures("alone")
def test_a_font_file_by_name(rare: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fonts_for([rare[0]]).missing == {rare[0]}
    monkeypatch.setenv(FONT, rare[1])
    assert fonts_for([rare[0]]).families == ["DejaVu Sans", "STIXGeneral"]
    for name in (tmp_path / "none.ttf", Path(__file__), tmp_path):
        monkeypatch.setenv(FONT, str(name))
        result = fonts_for([rare[0]])
        assert result.missing == {rare[0]}
        assert f"{FONT}={name} is no font file" in result.note


@pytest.mark.parametrize("installed", [True, False])
def test_no_picture_has_a_box(installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        monkeypatch.setattr(fonts, "_installed", list)
    monkeypatch.delenv(FONT, raising=False)
    run = tmp_path / "中文 $x"
    run.mkdir()
    events = [
        {"kind": "step", "step": 1, "tokens": 10, "loss": 3.0, "tokens_per_second": 5.0},
        {"kind": "heldout", "step": 1, "objective": "dev", "loss": 2.5, "accuracy": 0.5, "tokens": 10},
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    layout = prompt_layout(np.arange(4))
    spelling = SimpleNamespace(decode=lambda ids: "床前 a"[ids[0]])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing from font.*")
        draw_curve(run)
        note = draw_mask(layout, example(layout, TwoChannel()), tmp_path / "mask.png", spelling)
    assert bool(note) == bool(fonts_for(["床前"]).missing)
    assert (tmp_path / "mask.png").read_bytes().startswith(b"\x89PNG")
