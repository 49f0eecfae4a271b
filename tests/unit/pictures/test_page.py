"""A page that stands alone: nothing from elsewhere, text as text, colours that can be seen in light and in dark."""

import re

import pytest

from glmkit.core.language import language_of_environment
from glmkit.pictures import page as pages
from glmkit.pictures.page import folded, heading, page, paragraph, table
from tests.unit.pictures.test_style import contrast


def test_nothing_comes_from_elsewhere() -> None:
    text = page("a", [heading("b"), paragraph("c"), folded("d", table(("e",), [("f",)]))])
    assert not re.findall(r"<script|<link|src=|url\(|@import|https?://", text)
    assert "default-src 'none'" in text
    assert text.startswith("<!doctype html>")


def test_what_a_run_says_is_no_markup() -> None:
    evil = "<script>alert(1)</script>"
    text = page(evil, [heading(evil), paragraph(evil), table((evil,), [(evil,)]), folded(evil, "")])
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 6


def test_curves_can_be_seen_on_either_ground() -> None:
    for colours, ground in ((pages._LIGHT, "#ffffff"), (pages._DARK, "#16181b")):
        assert len(set(colours)) == len(colours)
        assert min(contrast(colour, ground) for colour in colours) > 2.2
    assert len({(dash, colour) for dash, colour in zip(pages._DASHES, pages._LIGHT, strict=True)}) == 7


@pytest.mark.parametrize(
    ("variables", "language"),
    [({"LANG": "zh_CN.UTF-8"}, "zh"), ({"LC_ALL": "C", "LANG": "zh_CN"}, "en"), ({}, "en"), ({"LC_ALL": "zh"}, "zh")],
)
def test_the_environment_says_which_language(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language_of_environment() == language
    assert f'<html lang="{language}">' in page("a", [], language_of_environment())
