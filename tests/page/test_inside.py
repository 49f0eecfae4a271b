"""The looks inside, and the views of labels and of the server."""

import pytest

from tests.page.conftest import Open
from tests.page.stand_in import StandIn

pytestmark = pytest.mark.slow


def test_the_heat_map_is_one_stop_and_says_what_the_server_said(open_page: Open, server: StandIn) -> None:
    page = open_page("inside")
    page.fill("textarea", "one three seventeen")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".heat-map .h")
    tokens = page.locator(".heat-map .h")
    assert tokens.all_inner_texts() == ["one", " three", " seventeen", "你"]
    classes = [item.get_attribute("class") for item in tokens.all()]
    assert classes == ["h", "h h5", "h h9", "h h3"]  # log p of null, -3.6, -6 and -2 on sixteen steps of ten nats
    assert page.locator(".heat-map [tabindex='0']").count() == 1
    tokens.first.focus()
    page.keyboard.press("ArrowRight")
    assert "log p -3.6" in page.inner_text(".detail")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.textContent") == "你"
    page.select_option("[aria-label=Scale]", "rank")
    assert page.locator(".heat-map .rank0").count() == 2
    page.click("text=As a table")
    assert page.locator("tbody tr").count() == 4
    assert "perplexity" in page.inner_text(".toolbar .meta")


def test_a_conversation_can_be_looked_into(open_page: Open, server: StandIn) -> None:
    page = open_page("chat")
    page.fill("#message", "hello")
    page.press("#message", "Enter")
    page.wait_for_selector("[aria-label='Look inside']")
    page.click("[aria-label='Look inside']")
    page.wait_for_selector(".heat-map .h")
    path, body = server.requests[-1]
    assert path == "/logprobs"
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]


def test_the_layout_shows_both_positions_the_order_and_the_mask(open_page: Open, server: StandIn) -> None:
    page = open_page("inside")
    page.click("button:text-is('Layout')")
    page.fill("textarea", "She ate ____ for ____.")
    page.fill(".fillings input >> nth=0", "cold rice")
    page.fill(".fillings input >> nth=1", "lunch")
    page.click("button.primary")
    page.wait_for_selector("canvas")
    rows = page.locator(".layout tr").all()
    assert [row.locator("th").inner_text() for row in rows] == [
        "Index",
        "Token",
        "Position in the text",
        "Position in the span",
        "Target",
    ]
    assert rows[3].locator("td").all_inner_texts() == [*"000000", "1", "2", "3", "1", "2"]
    assert rows[2].locator("td").all_inner_texts()[6:] == ["2", "2", "2", "4", "4"]
    assert "cold" in page.locator(".order li").first.inner_text()
    page.focus("canvas")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert "does not see" in page.inner_text("#mask-cell")
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    assert "does not see" not in page.inner_text("#mask-cell")
    assert page.locator(".sentences li").count() == 3
    with page.expect_download() as waiting:
        page.click("text=CSV")
    assert len(waiting.value.path().read_text().splitlines()) == 11


def test_the_spans_can_be_written_in_another_order(open_page: Open) -> None:
    page = open_page("inside")
    page.click("button:text-is('Layout')")
    page.fill("textarea", "She ate ____ for ____.")
    page.fill(".fillings input >> nth=0", "cold rice")
    page.fill(".fillings input >> nth=1", "lunch")
    page.click("button.primary")
    page.click("text=Shuffle")
    assert "lunch" in page.inner_text(".order li >> nth=0")
    inner = page.locator(".layout tr >> nth=3").locator("td").all_inner_texts()
    assert inner == [*"000000", "1", "2", "1", "2", "3"]
    page.click("text=As in the text")
    assert "cold" in page.inner_text(".order li >> nth=0")


def test_a_layout_too_long_for_a_square_a_token_has_squares_of_several(open_page: Open) -> None:
    page = open_page("inside")
    page.click("button:text-is('Layout')")
    page.fill("textarea", "word " * 600 + "____.")
    page.fill(".fillings input", "more " * 100)
    page.click("button.primary")
    page.wait_for_selector("canvas")
    assert "each square stands for 2 × 2" in page.inner_text("main")
    assert page.evaluate("document.querySelector('canvas').width") == 352
    page.focus("canvas")
    assert "0–1 sees 0–1" in page.inner_text("#mask-cell")
    page.hover("canvas", position={"x": 340.6, "y": 20.6})
    assert "40–41 does not see 680–681" in page.inner_text("#mask-cell")


def test_labels_have_their_probabilities(open_page: Open, server: StandIn) -> None:
    page = open_page("classify")
    page.fill("[aria-label='Text to classify']", "a good film")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".labels li")
    assert page.locator(".labels li").first.inner_text().split() == ["positive", "90%"]


def test_the_server_says_what_it_has_and_does(open_page: Open, server: StandIn) -> None:
    page = open_page("server")
    page.wait_for_selector("meter")
    assert "41.5" in page.inner_text(".gauges")
    assert "110M" in page.inner_text("main")
    assert "256 MiB / 1,024 MiB" in page.inner_text("main")
    page.click("section[aria-label=glm-other] button")
    page.click("nav >> text=Chat")
    assert "not trained to chat" in page.inner_text(".bottom")
