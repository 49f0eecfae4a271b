"""docs/install.md names extras, commands and environments that there are, in both languages alike."""

import re
import tomllib
from pathlib import Path

import pytest

import glmkit
from glmkit.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / name for name in ("install.md", "install.zh.md")]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [extra for group in re.findall(r"(?:glmkit|\.)\[([a-z,]+)\]", text) for extra in group.split(",")]
    assert set(named) <= EXTRAS.keys()
    rows = re.findall(r"^\| (`[a-z]+`(?:[,、] ?`[a-z]+`)*) \|", text, re.MULTILINE)
    assert set(re.findall(r"[a-z]+", " ".join(rows))) == EXTRAS.keys() - {"dev", "docs"}
    assert set(re.findall(r"(?<![\w/])glmkit ([a-z]+)\b(?=[ `])", text)) <= VERBS.keys()
    assert glmkit.__version__ in text


def test_both_languages_show_the_same_commands() -> None:
    commands = [re.findall(r"^    (glmkit .*?)(?:\s{2,}#.*)?$", page.read_text(), re.MULTILINE) for page in PAGES]
    assert commands[0] == commands[1]


@pytest.mark.parametrize("place", ["src", "docs", "recipes"])
def test_every_extra_that_a_text_tells_people_to_install_is_one(place: str) -> None:
    files = [path for kind in ("*.py", "*.md", "*.yaml", "*.service") for path in (ROOT / place).rglob(kind)]
    texts = "\n".join(path.read_text(encoding="utf-8") for path in files)
    named = {extra for group in re.findall(r"glmkit\[([a-z,]+)\]", texts) for extra in group.split(",")}
    assert named
    assert named <= EXTRAS.keys()
