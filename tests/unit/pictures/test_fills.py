"""The picture of a filled text: every word of it, inside its frame, with bars as long as probabilities say."""

import xml.etree.ElementTree as ElementTree

import pytest

from glmkit.pictures.fills import FilledBlank, fill_picture

SVG = "{http://www.w3.org/2000/svg}"
BLANK = FilledBlank("明月", (("明月", 0.75), ("a <b>", 0.125), ("", 0.0625)))


@pytest.mark.parametrize("text", ["床前", "Return the " * 30, "x" * 40 + " "])
def test_words_stay_inside_the_frame(text: str) -> None:
    root = ElementTree.fromstring(fill_picture([text, "光，疑是地上霜。"], [BLANK]))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for word in root.iter(f"{SVG}text"):
        x, y, length = (float(word.get(name, 0)) for name in ("x", "y", "textLength"))
        assert 0 <= x <= x + length <= width
        assert 0 < y < height
    written = "".join(word.text or "" for word in root.iter(f"{SVG}text"))
    assert "".join(f"{text}明月光，疑是地上霜。".split()) in written.replace(" ", "")


def test_bars_are_as_long_as_probabilities_say() -> None:
    root = ElementTree.fromstring(fill_picture(["a ", " b ", ""], [BLANK, BLANK]))
    tracks = [float(part.get("width", 0)) for part in root.iter(f"{SVG}rect") if part.get("class") == "track"]
    bars = [float(part.get("width", 0)) for part in root.iter(f"{SVG}rect") if part.get("height") == "12"]
    bars = [bar for bar in bars if bar not in tracks]
    assert bars == pytest.approx(2 * [tracks[0] * p for _, p in BLANK.likely], abs=0.06)
    assert [t.text for t in root.iter(f"{SVG}text") if (t.text or "").endswith("%")] == 2 * ["75%", "12%", "6%"]
