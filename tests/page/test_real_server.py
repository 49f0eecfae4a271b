"""The page on the server itself, with tiny models of random weights: each view asks what the server answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

import glmkit
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.run import finetune
from glmkit.serve.models import Models, ServedModel
from glmkit.testing import tiny
from tests.page.conftest import Open, until
from tests.serve.conftest import serving, settings

pytestmark = pytest.mark.slow


def sorters(place: Path) -> list[ServedModel]:
    """A GLM fine-tuned with a head on pairs of texts, and one by cloze: for a step, their probabilities are any."""
    tiny("glm").save(place / "glm")
    rows = place / "rows.tsv"
    rows.write_text("text\tother\tlabel\n" + "she ate rice\tshe ate\tyes\nshe ate rice\the slept\tno\n" * 4)
    base = FinetuneConfig(model=str(place / "glm"), epochs=1, length=32, precision="float32")
    data = DataConfig(train=str(rows), dev=str(rows))
    configs = {
        "head": replace(base, task="classify", data=replace(data, text="text,other")),
        "cloze": replace(base, task="cloze", pattern="{text}? [MASK].", data=data),
    }
    for name, config in configs.items():
        finetune(replace(config, output=str(place / name)))
    return [ServedModel(name, glmkit.load(place / name / "model")) for name in configs]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    plain = [ServedModel(name, tiny(name)) for name in ("chatglm3", "chatglm2", "glm")]
    models = Models([*plain, *sorters(tmp_path_factory.mktemp("sorters"))])
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
    page.click("[aria-controls=settings]")
    page.fill("#seed", "1")  # random weights and no seed may end the answer at once
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


@pytest.mark.parametrize(("model", "texts"), [("head", ["she ate rice", "he slept"]), ("cloze", ["she ate rice"])])
def test_classify(open_page: Open, server: Any, model: str, texts: list[str]) -> None:
    page = open_page("classify")
    choose(page, model)
    assert "no, yes" in page.inner_text("main")
    for label, text in zip(("Text to classify", "Second text, where the task has one"), texts, strict=False):
        page.fill(f"[aria-label='{label}']", text)
    page.click("button.primary")
    page.wait_for_selector(".labels li")
    row = texts if len(texts) > 1 else texts[0]
    answer = server.ask("/classify", {"model": model, "input": [row]}).json["data"][0]
    shown = [line.split() for line in page.locator(".labels li").all_inner_texts()]
    expected = sorted(answer["probabilities"].items(), key=lambda item: -item[1])
    assert [label for label, _ in shown] == [label for label, _ in expected]
    for (_, percent), (_, probability) in zip(shown, expected, strict=True):
        assert float(percent.rstrip("%")) == pytest.approx(100 * probability, abs=0.5)


def test_what_a_classifier_cannot_read_is_said(open_page: Open) -> None:
    page = open_page("classify", allow=("400",))
    choose(page, "head")
    page.fill("[aria-label='Text to classify']", "one text alone")
    page.click("button.primary")
    assert "1 texts where the task reads 2" in page.inner_text("p.error")


def test_the_server_is_shown(open_page: Open) -> None:
    page = open_page("server")
    page.wait_for_selector("section[aria-label=glm]")
    assert page.locator("section.card").count() == 6
