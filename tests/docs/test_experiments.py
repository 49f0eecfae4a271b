"""Every figure of the experiments can be drawn again from the numbers beside it, with nothing else."""

import importlib
import re
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs/experiments"


@pytest.mark.slow
def test_figures_are_drawn_from_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    names = importlib.import_module("draw").NAMES
    assert {path.stem for path in FOLDER.glob("*.json")} == set(names)
    for name in names:
        shutil.copy(FOLDER / f"{name}.json", tmp_path)
        importlib.import_module(name).redraw(tmp_path)
    pages = [*FOLDER.glob("*.md"), FOLDER.parent / "precision.md", FOLDER.parent / "speed.md"]
    shown = {Path(name).name for page in pages for name in re.findall(r"\(([\w/]+\.png)\)", page.read_text("utf-8"))}
    assert shown == {path.name for path in tmp_path.glob("*.png")}
