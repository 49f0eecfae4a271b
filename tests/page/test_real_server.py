"""The page on the server itself, with tiny models of random weights: each view asks what the server answers."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from glmkit.serve.models import Models, ServedModel
from glmkit.testing import tiny
from tests.page.conftest import Open, until
from tests.serve.conftest import serving, settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    models = Models([ServedModel(name, tiny(name)) for name in ("chatglm3", "chatglm2", "glm")])
    with serving(lambda progress: models, settings()) as served:
        yield SimpleNamespace(address=f"{served.url}/", ask=served.post)


@pytest.fixture
def server(running: Any) -> Any:
    """In place of the scripted one."""
    return running


def choose(page: Any, model: str) -> None:
    page.wait_for_selector(".top select")
    page.select_option(".top select", model)


@pytest.mark.parametrize("model", ["chatglm3", "chatglm2"])
def test_chat(open_page: Open, model: str) -> None:
    page = open_page("chat")
    choose(page, model)
    page.click("[aria-controls=settings]")
    page.fill("#max_tokens", "30")
    page.fill("#seed", "1")
    if model == "chatglm3":
        page.fill("#system", "Be brief.")
    page.fill("#message", "hello")
    page.press("#message", "Enter")
    page.wait_for_selector(".message.assistant .actions .meta")
    assert page.locator("p.error").count() == 0
    first = page.text_content(".message.assistant .markdown")
    assert first
    page.click("[aria-label='Answer again']")
    until(page, "!document.querySelector('[aria-busy=true]') && document.querySelector('.siblings')")
    assert page.text_content(".message.assistant .markdown") == first  # the same seed
    page.fill("#message", "and then?")
    page.press("#message", "Enter")
    until(page, "document.querySelectorAll('.message').length === 4 && !document.querySelector('[aria-busy=true]')")
    assert page.locator("p.error").count() == 0
    page.locator("[aria-label='Look inside']").last.click()
    page.wait_for_selector(".heat-map .h")


def test_stop_and_continue(open_page: Open) -> None:
    page = open_page("chat")
    choose(page, "chatglm3")
    page.fill("#message", "hello")
    page.press("#message", "Enter")
    until(page, "document.querySelector('.message.assistant .markdown')?.textContent.length > 3")
    page.evaluate("document.querySelector('button.stop')?.click()")  # unless the model was faster
    until(page, "!document.querySelector('[aria-busy=true]')")
    assert page.locator("p.error").count() == 0


@pytest.mark.parametrize("beams", [False, True])
def test_fill(open_page: Open, beams: bool) -> None:
    page = open_page("fill")
    choose(page, "glm")
    page.fill("textarea", "She ate ____{word} for ____{word}.")
    if beams:
        page.check("input[type=checkbox]")
    page.keyboard.press("Tab")
    page.click("button.primary")
    page.wait_for_selector("button.blank")
    assert page.locator("p.error").count() == 0
    page.click("#blank-b2")
    page.wait_for_selector("[role=option]")
    until(page, "!document.querySelector('.alternatives button:disabled:not(.own button)')")
    page.fill(".own input", "lunch")
    page.press(".own input", "Enter")
    page.wait_for_selector("text=yours")
    page.click("text=Refill this blank")
    until(page, "!document.querySelector('.alternatives')?.textContent.includes('yours')")
    assert page.locator("p.error").count() == 0
    page.keyboard.press("Escape")
    page.click("text=Show the layout")
    page.wait_for_selector("canvas")
    assert page.locator(".order li").count() == 2


def test_probabilities_are_those_of_the_server(open_page: Open, server: Any) -> None:
    page = open_page("inside")
    choose(page, "chatglm2")
    page.fill("textarea", "one two")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".heat-map .h")
    tokens = server.ask("/logprobs", {"model": "chatglm2", "text": "one two"}).json["tokens"]
    page.click("text=As a table")
    shown = page.locator("tbody td:nth-child(4)").all_inner_texts()
    assert shown == [
        "–" if one["logprob"] is None else f"{one['logprob']:.3f}".rstrip("0").rstrip(".") for one in tokens
    ]


def test_the_layout_of_a_model_that_reads_from_left_to_right(open_page: Open) -> None:
    page = open_page("inside")
    choose(page, "chatglm2")
    page.click("button:text-is('Layout')")
    page.fill("textarea", "one two")
    page.click("button.primary")
    page.wait_for_selector("canvas")
    assert page.locator(".layout tr").count() == 4
    assert page.locator(".order").count() == 0


def test_the_server_is_shown(open_page: Open) -> None:
    page = open_page("server")
    page.wait_for_selector("section[aria-label=glm]")
    assert page.locator("section.card").count() == 4
