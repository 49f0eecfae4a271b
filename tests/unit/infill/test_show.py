"""Labels of a picture: text that its fonts have, else the id."""

from glmkit.infill.show import label


def test_what_no_font_draws_is_its_id() -> None:
    assert label("ab·", 7, chinese=False) == "ab·"
    assert label("$x$", 7, chinese=False) == r"\$x\$"
    assert label("中文", 7, chinese=False) == "7"
    assert label("中文。", 7, chinese=True) == "中文。"
    assert label("🙂", 7, chinese=True) == "7"
