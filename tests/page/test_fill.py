"""Blanks, driven in a browser."""

from typing import Any

import pytest

from tests.page.conftest import Open, until
from tests.page.stand_in import StandIn

pytestmark = pytest.mark.slow


def filled(page: Any) -> str:
    """The text of the result, without the numbers of its blanks."""
    return str(
        page.evaluate(
            """() => {
                const flow = document.querySelector(".flow").cloneNode(true);
                for (const extra of flow.querySelectorAll(".numeral, small, .alternatives")) extra.remove();
                return flow.textContent.replace(/\\s+/g, " ").trim();
            }"""
        )
    )


def start(open_page: Open, text: str, **options: Any) -> Any:
    page = open_page("fill", **options)
    page.fill("textarea", text)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("button.blank")
    return page


def asked(server: StandIn) -> list[dict[str, Any]]:
    return [body for path, body in server.requests if path == "/infill"]


def test_three_blanks_by_the_keyboard_alone(open_page: Open, server: StandIn) -> None:
    page = open_page("fill")
    page.focus("textarea")
    page.keyboard.type("She ate ")
    page.keyboard.press("Alt+b")
    page.keyboard.type(" for ")
    page.keyboard.press("Alt+b")
    page.keyboard.type(" because ____.")
    assert page.inner_text(".count") == "Blanks: 3"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("button.blank")
    assert filled(page) == "She ate lunch 1 for lunch 2 because lunch 3."
    assert [segment.get("text") for segment in asked(server)[0]["segments"]] == [
        "She ate ",
        None,
        " for ",
        None,
        " because ",
        None,
        ".",
    ]
    # The first blank has the focus: its alternatives open, the second is chosen, and the later blanks are outdated.
    until(page, "document.activeElement.matches('button.blank')")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("[role=listbox]")
    until(page, "document.activeElement.matches('[role=listbox]')")
    page.keyboard.press("ArrowDown")
    active = page.get_attribute("[role=listbox]", "aria-activedescendant")
    assert page.inner_text(f"#{active} .text") == "dinner·1"
    page.keyboard.press("Enter")
    assert filled(page) == "She ate dinner 1 for lunch 2 because lunch 3."
    assert page.locator("button.blank.stale").count() == 2
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("Blank 1 of 3: dinner 1, ")
    assert "alternatives: 3" in label
    page.keyboard.press("Control+z")
    assert filled(page) == "She ate lunch 1 for lunch 2 because lunch 3."
    assert page.locator("button.blank.stale").count() == 0
    # The arrows lead to the next blank, a digit chooses, Escape closes.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=listbox]")
    page.keyboard.press("3")
    assert filled(page) == "She ate lunch 1 for an apple 2 because lunch 3."
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=listbox]")
    page.keyboard.press("Escape")
    assert page.locator("[role=listbox]").count() == 0
    assert page.evaluate("document.activeElement.id") == "blank-b2"


def test_probabilities_are_those_of_the_server(open_page: Open, server: StandIn) -> None:
    page = start(open_page, "She ate ____.")
    page.click("button.blank")
    rows = page.locator("[role=option] .details").all_inner_texts()
    assert rows == ["p = 60.7%, log p = -0.5", "p = 22.3%, log p = -1.5", "p = 8.2%, log p = -2.5"]
    assert page.locator("[role=option] b").all_inner_texts() == ["66.5%", "24.5%", "9%"]
    assert "share of the texts shown" in page.inner_text(".alternatives .legend")


def test_with_several_blanks_the_scores_are_asked_for_with_the_rest_as_it_stands(
    open_page: Open, server: StandIn
) -> None:
    page = start(open_page, "She ate ____ for ____.")
    page.click("#blank-b2")
    page.wait_for_selector("text=log p = -1.75")
    path, body = server.requests[-1]
    assert path == "/score"
    assert [segment.get("text") for segment in body["segments"]] == ["She ate ", "lunch 1", " for ", None, "."]
    assert body["choices"] == ["lunch 2", "dinner 2", "an apple 2"]


def test_a_word_of_ones_own_is_scored_and_a_blank_written_again(open_page: Open, server: StandIn) -> None:
    page = start(open_page, "She ate ____ for ____.")
    page.click("#blank-b2")
    page.wait_for_selector("text=log p = -1.75")
    page.fill(".own input", "tea")
    page.press(".own input", "Enter")
    page.wait_for_selector("text=yours")
    assert filled(page) == "She ate lunch 1 for tea."
    assert page.locator("[role=option][aria-selected=true] .details").inner_text() == "p = 47.2%, log p = -0.75 · yours"
    page.click("text=Refill this blank")
    until(page, "!document.querySelector('.alternatives').textContent.includes('yours')")
    assert filled(page) == "She ate lunch 1 for lunch."
    body = asked(server)[-1]
    assert [segment.get("text") for segment in body["segments"]] == ["She ate ", "lunch 1", " for ", None, "."]


def test_a_locked_blank_stays_when_the_rest_is_filled_again(open_page: Open, server: StandIn) -> None:
    page = start(open_page, "She ate ____ for ____.")
    page.click("#blank-b1")
    page.wait_for_selector("text=log p = -1.75")
    page.keyboard.press("2")
    page.click("#blank-b1")
    page.click("text=Lock")
    page.keyboard.press("Escape")
    page.click("text=Fill again")
    until(page, "document.querySelector('#blank-b2')?.textContent.endsWith('lunch')")
    assert filled(page) == "She ate dinner 1 for lunch."
    assert asked(server)[-1]["segments"][1] == {"text": "dinner 1"}


def test_texts_arrive_and_stop_keeps_them(open_page: Open, server: StandIn) -> None:
    page = open_page("fill")
    page.fill("textarea", "slow: She ate ____ for ____.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".blank.arriving >> text=lun")
    page.click("text=Stop")
    page.wait_for_selector("button.blank")
    assert filled(page).startswith("slow: She ate lunc")
    page.wait_for_timeout(900)
    assert server.dropped == ["/infill"]


def test_words_are_clicked_and_compared_with_the_original(open_page: Open, server: StandIn) -> None:
    page = open_page("fill")
    page.fill("textarea", "She ate an apple at noon.")
    page.click("button:has-text('Click words')")
    page.click(".word:text-is('an')")
    page.click(".word:text-is('apple')")
    page.click(".word:text-is('noon')")
    assert page.locator(".word.blanked").all_inner_texts() == ["an apple", "noon"]
    assert page.text_content(".words") == "She ate an apple at noon."
    page.click(".word.blanked:text-is('noon')")
    page.click("button:has-text('Click words')")
    assert page.input_value("textarea") == "She ate ____ at noon."
    page.click("button.primary")
    page.wait_for_selector("button.blank")
    page.select_option("[aria-label='Compare with']", "original")
    assert page.text_content(".difference ins") == "lunch "
    assert page.locator(".difference del").all_text_contents() == ["an apple "]


def test_words_are_blanked_and_filled_from_the_keyboard(open_page: Open, server: StandIn) -> None:
    page = open_page("fill")
    page.fill("textarea", "She ate an apple, at noon.")
    page.focus("button:has-text('Click words')")
    page.keyboard.press("Enter")
    page.focus(".word >> nth=0")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator(".word.blanked").all_inner_texts() == ["apple"]
    assert page.inner_text(".unbroken:has(.blanked)") == "apple,"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("button.blank")
    assert page.text_content(".flow") == "She ate an 1lunch, at noon."


def test_lengths_are_part_of_the_text(open_page: Open, server: StandIn) -> None:
    page = open_page("fill")
    page.fill("textarea", "春风又＿＿＿江南岸，____{30}。")
    page.select_option("[aria-label='Length of blank 1']", "word")
    assert page.input_value("textarea") == "春风又＿＿＿{word}江南岸，____{30}。"
    page.click("button.primary")
    page.wait_for_selector("button.blank")
    blanks = [segment["blank"] for segment in asked(server)[0]["segments"] if "blank" in segment]
    assert blanks == [{"id": "b1", "max_tokens": 4}, {"id": "b2", "max_tokens": 30}]


def test_examples_in_both_languages(open_page: Open) -> None:
    page = open_page("fill", language="zh")
    page.select_option("[aria-label=示例]", label="春风又____江南岸，明月何时照我还。")
    assert page.inner_text(".count") == "空：1"
    page.select_option("[aria-label=示例]", index=1)
    assert page.input_value("textarea").startswith("She ate")


def test_the_layout_of_a_filling_is_one_step_away(open_page: Open, server: StandIn) -> None:
    page = start(open_page, "She ate ____ for ____.")
    page.click("text=Show the layout")
    page.wait_for_selector("canvas")
    assert server.requests[-1][1]["fillings"] == ["lunch 1", "lunch 2"]
