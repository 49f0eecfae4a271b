"""glmkit infill demo, and --picture: the filled text with the most probable fillings of each blank."""

import io
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.testing import tiny


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory in which a demo has been."""
    monkeypatch.chdir(tmp_path)
    tiny("glm").save(Path("runs/demo/model"))


@pytest.mark.usefixtures("demo")
def test_the_demo_is_called_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infill", "demo", "a [MASK].", "-n", "3"]) == 0
    named = capsys.readouterr().out
    assert main(["infill", "runs/demo/model", "a [MASK].", "-n", "3"]) == 0
    assert capsys.readouterr().out == named
    tiny("glm", seed=1).save(Path("demo"))
    assert main(["infill", "demo", "a [MASK].", "-n", "3"]) == 0
    assert capsys.readouterr().out != named, "a directory of that name comes first"


def test_without_a_demo_there_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["infill", "demo", "a [MASK]."]) == 2
    line = "no runs/demo/model in this directory: `glmkit demo` trains it in a few minutes"
    assert capsys.readouterr().err == f"glmkit: {line}\n"


@pytest.mark.usefixtures("demo")
def test_a_picture_of_the_filled_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infill", "demo", "a [MASK] b [sMASK].", "-n", "4", "--picture", "new/fill.svg"]) == 0
    captured = capsys.readouterr()
    assert captured.err.endswith("picture: new/fill.svg\n")
    root = ElementTree.parse("new/fill.svg").getroot()
    svg = "{http://www.w3.org/2000/svg}"
    (title,) = root.iter(f"{svg}title")
    assert "".join((title.text or "").split()) == "".join(captured.out.splitlines()[0].split())
    assert len([part for part in root.iter(f"{svg}rect") if part.get("class") == "track"]) == 6


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("picture", "texts", "line"),
    [
        ("fill.png", "a [MASK].", "fill.png: the picture is an SVG; give it a name that ends in .svg"),
        ("fill.svg", "a [MASK].\nb [MASK].", "--picture shows one text, and 2 were given: fill one at a time"),
    ],
)
def test_a_mistake_is_one_line_and_no_file(
    picture: str, texts: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(texts.encode())))
    assert main(["infill", "demo", "--picture", picture]) == 2
    assert capsys.readouterr().err == f"glmkit: {line}\n"
    assert not Path(picture).exists()
