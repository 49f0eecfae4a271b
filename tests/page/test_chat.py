"""The conversation, driven in a browser."""

import json
from typing import Any

import pytest

from tests.page.conftest import Open, until
from tests.page.stand_in import StandIn

pytestmark = pytest.mark.slow


def say(page: Any, text: str) -> None:
    page.fill("#message", text)
    page.press("#message", "Enter")


def finished(page: Any) -> None:
    """Waits for the end of an answer."""
    page.wait_for_selector(".message.assistant")
    until(page, "!document.querySelector('[aria-busy=true]')")


def asked(server: StandIn) -> list[dict[str, Any]]:
    return [body for path, body in server.requests if path == "/v1/chat/completions"]


def texts(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".message :is(.plain, .markdown)").all_inner_texts()]


def test_an_answer_arrives_and_is_kept(open_page: Open, server: StandIn) -> None:
    page = open_page("chat")
    say(page, "hello")
    finished(page)
    assert texts(page) == ["hello", "You said: hello"]
    assert asked(server)[0]["messages"] == [{"role": "user", "content": "hello"}]
    assert "tokens" in page.inner_text(".message.assistant .meta")
    page.reload()
    page.click(".history li .title")
    assert texts(page) == ["hello", "You said: hello"]


def test_speed_is_shown_while_an_answer_is_written(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "slow words, one after another, please")
    until(page, "/[0-9.]+ tokens.s/.test(document.querySelector('.message.assistant .meta')?.textContent)")
    finished(page)


def test_stop_keeps_what_came_and_ends_the_request(open_page: Open, server: StandIn) -> None:
    page = open_page("chat")
    say(page, "slow words, one after another, please, and many more of them")
    until(page, "document.querySelector('.markdown')?.textContent.length > 8")
    page.click("button.stop")
    page.wait_for_selector(".note")
    page.wait_for_timeout(400)
    assert server.dropped == ["/v1/chat/completions"]
    text = texts(page)[1]
    assert text.startswith("You said")
    assert not text.endswith("them")
    page.click("text=Continue")
    finished(page)
    assert asked(server)[-1]["messages"][-1] == {"role": "assistant", "content": text}
    assert texts(page)[1].startswith(text)
    assert "and then the rest" in texts(page)[1]


def test_edits_and_second_answers_are_branches(open_page: Open, server: StandIn) -> None:
    page = open_page("chat")
    say(page, "first")
    finished(page)
    page.hover(".message.user")
    page.click(".message.user [aria-label=Edit]")
    page.fill(".editor textarea", "second")
    page.press(".editor textarea", "Control+Enter")
    finished(page)
    assert texts(page) == ["second", "You said: second"]
    assert asked(server)[-1]["messages"] == [{"role": "user", "content": "second"}]
    page.click("[aria-label='Earlier version']")
    assert texts(page) == ["first", "You said: first"]
    page.click("[aria-label='Answer again']")
    page.wait_for_selector(".message.assistant .siblings")
    assert page.inner_text(".message.assistant .siblings") == "2/2"
    page.hover(".message.assistant")
    page.click(".message.assistant [aria-label=Edit]")
    page.fill(".editor textarea", "my own words")
    page.press(".editor textarea", "Control+Enter")
    assert texts(page)[1] == "my own words"
    page.click(".message.assistant [aria-label='Continue in a new conversation']")
    until(page, "document.querySelectorAll('.history li').length === 2")
    assert texts(page) == ["first", "my own words"]


def test_settings_are_sent(open_page: Open, server: StandIn) -> None:
    page = open_page("chat")
    page.click("[aria-controls=settings]")
    page.fill("#system", "Be brief.")
    page.fill("#temperature", "0.5")
    page.fill("#max_tokens", "5")
    page.fill("#stop", "END\nSTOP")
    say(page, "hello")
    finished(page)
    body = asked(server)[0]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["max_tokens"], body["stop"]) == (0.5, 5, ["END", "STOP"])
    assert "top_p" not in body
    assert "length limit" in page.inner_text(".note")


def test_tool_calls_are_shown_and_answered(open_page: Open, server: StandIn) -> None:
    page = open_page("chat")
    page.click("[aria-controls=settings]")
    page.fill("#tools", '[{"type": "function", "function": {"name": "get_weather"}}]')
    say(page, "weather?")
    page.wait_for_selector(".results")
    assert page.inner_text(".tool summary") == "Calls get_weather"
    assert json.loads(page.inner_text(".tool pre")) == {"city": "<b>Beijing</b>"}
    page.fill(".results textarea", "sunny")
    page.click("text=Give the results")
    page.wait_for_selector(".message.tool")
    finished(page)
    messages = asked(server)[1]["messages"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == "call_1"
    assert messages[2]["content"] == "sunny"


def test_history_goes_out_and_comes_back(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "keep me")
    finished(page)
    page.click("text=Preferences")
    with page.expect_download() as waiting:
        page.click("text=Export")
    path = waiting.value.path()
    assert json.loads(path.read_text())["format"] == "glmkit-chats"
    page.set_input_files("dialog input[type=file]", str(path))
    until(page, "document.querySelectorAll('.history li').length === 2")
    page.click("text=Delete all")
    until(page, "document.querySelectorAll('.history li').length === 0")
    page.keyboard.press("Escape")
    page.click(".notice button")
    until(page, "document.querySelectorAll('.history li').length === 2")
    page.hover(".history li")
    page.click(".history li [aria-label^=Delete]")
    until(page, "document.querySelectorAll('.history li').length === 1")


def test_conversations_are_renamed(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "hello")
    finished(page)
    for name, key, expected in (
        ("", "Escape", "hello"),
        ("Greetings", "Enter", "Greetings"),
        ("No", "Escape", "Greetings"),
    ):
        page.click(".history li [aria-label^=Rename]")
        until(page, "document.activeElement.matches('.history input')")
        page.fill(".history input", name)
        page.press(".history input", key)
        page.wait_for_selector(f".history .title:text-is('{expected}')")


def test_a_damaged_history_does_not_stop_the_page(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "sound")
    finished(page)
    page.evaluate(
        """new Promise(done => indexedDB.open("glmkit").onsuccess = event => {
            const transaction = event.target.result.transaction("conversations", "readwrite");
            transaction.objectStore("conversations").put({id: "bad", title: {}});
            transaction.oncomplete = done;
        })"""
    )
    for name, text in (("sampling", "{"), ("info", '{"models": [null]}'), ("model", "nobody"), ("language", "")):
        page.evaluate("([name, text]) => localStorage.setItem('glmkit.' + name, text)", [name, text])
    page.reload()
    page.wait_for_selector(".history li")
    assert page.locator(".history li").count() == 1
    page.click("text=Preferences")
    assert "Damaged records" in page.inner_text("dialog")


def test_a_busy_server_is_asked_again_when_it_said(open_page: Open, server: StandIn) -> None:
    page = open_page("chat", allow=("429",))
    say(page, "busy once")
    page.wait_for_selector("text=the queue is full. Trying again in 1 s.")
    finished(page)
    assert page.inner_text(".markdown") == "You said: busy once"
    assert page.locator(".banner").count() == 0
    assert len(server.requests) == 2


def test_nobody_has_to_wait_for_a_busy_server(open_page: Open, server: StandIn) -> None:
    page = open_page("chat", allow=("429",))
    say(page, "busy always")
    page.wait_for_selector("text=Trying again in 7 s.")
    page.wait_for_selector("text=Trying again in 6 s.")
    page.click("text=Try now")
    page.wait_for_selector("text=Trying again in 7 s.")
    page.click(".banner >> text=Cancel")
    page.wait_for_selector("text=the queue is full. Try again in 7 s.")
    assert page.is_enabled("#message")
    page.click("[aria-label='Answer again']")
    page.wait_for_selector("text=Trying again in 7 s.")
    page.click("[aria-label=Stop]")
    page.wait_for_selector("text=Stopped.")
    assert page.locator(".banner").count() == 0
    assert len(server.requests) == 3


@pytest.mark.parametrize(("text", "expected"), [("broken", "the engine stopped"), ("cut off", "was cut off")])
def test_what_goes_wrong_is_said(open_page: Open, text: str, expected: str) -> None:
    page = open_page("chat")
    say(page, text)
    page.wait_for_selector(f"text={expected}")
    assert page.is_enabled("#message")


def test_markdown_as_it_comes_and_as_it_stays(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "markdown")
    page.wait_for_selector(".markdown math")
    finished(page)
    first = page.inner_html(".markdown")
    assert page.inner_text(".markdown strong") == "注意："
    assert page.locator(".markdown td.align-right").inner_text() == "12"
    assert page.locator(".markdown .hljs-keyword").count() == 2
    assert page.locator(".markdown math").count() == 2
    page.reload()
    page.click(".history li .title")
    page.wait_for_selector(".markdown math")
    until(page, "document.querySelectorAll('.markdown math').length === 2")
    assert page.inner_html(".markdown") == first


def test_code_is_copied(open_page: Open, server: StandIn) -> None:
    page = open_page("chat")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    say(page, "markdown")
    finished(page)
    page.click(".markdown [data-copy]")
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "def f(x):\n    return x + 1  # a comment\n"


def test_code_is_copied_where_there_is_no_clipboard(open_page: Open) -> None:
    """Browsers give it to pages of https and of this machine alone."""
    page = open_page("chat")
    page.evaluate("Object.defineProperty(window, 'isSecureContext', {value: false})")
    say(page, "markdown")
    finished(page)
    page.click(".markdown [data-copy]")
    page.wait_for_selector("text=Copied")
    page.fill("#message", "")
    page.focus("#message")
    page.keyboard.press("Control+v")
    assert page.input_value("#message") == "def f(x):\n    return x + 1  # a comment\n"


def test_a_page_that_is_closed_keeps_what_came(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "slow words, one after another, please, " * 10)
    # Forty letters a second at most: it is kept every two seconds, and would have ended after ten.
    until(page, "document.querySelector('.markdown')?.textContent.length > 120")
    page.reload()
    page.click(".history li .title")
    page.wait_for_selector(".note")
    assert texts(page)[1].startswith("You said: slow words")


def test_an_answer_that_is_left_keeps_what_came(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "slow words, one after another, please, and many more of them")
    until(page, "document.querySelector('.markdown')?.textContent.length > 12")
    page.click("text=New conversation")
    page.wait_for_selector(".welcome")
    page.click(".history li .title")
    page.wait_for_selector(".markdown p")
    assert texts(page)[1].startswith("You said")
    assert "Stopped" in page.inner_text(".note")


def test_two_tabs_know_of_each_other(open_page: Open) -> None:
    page = open_page("chat")
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(".composer")
    say(page, "hello")
    finished(page)
    other.click(".history li .title")
    other.wait_for_selector(".markdown p")
    assert texts(other) == ["hello", "You said: hello"]


def test_a_file_that_is_no_history_is_refused(open_page: Open) -> None:
    page = open_page("chat")
    page.click("text=Preferences")
    for text in ("", "{}", '{"format": "glmkit-chats", "version": 1, "chats": [{"conversation": {}}]}'):
        page.set_input_files(
            "dialog input[type=file]", {"name": "x.json", "mimeType": "application/json", "buffer": text.encode()}
        )
        page.wait_for_selector("text=could not be imported")
    assert page.locator(".history li").count() == 0


def test_a_draft_stays_while_one_looks_elsewhere(open_page: Open) -> None:
    page = open_page("chat")
    page.fill("#message", "half a thought")
    page.click("nav >> text=Server")
    page.click("nav >> text=Chat")
    assert page.input_value("#message") == "half a thought"


def test_a_reader_who_scrolled_up_is_left_there(open_page: Open) -> None:
    page = open_page("chat")
    say(page, "long")
    finished(page)
    end = "(t => t.scrollHeight - t.scrollTop - t.clientHeight)(document.querySelector('.transcript'))"
    assert page.evaluate(end) < 48
    page.hover(".transcript")
    page.mouse.wheel(0, -600)
    page.wait_for_selector(".to-end")
    say(page, "slow hello")
    page.wait_for_timeout(300)
    page.hover(".transcript")
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(200)
    away = page.evaluate(end)
    finished(page)
    assert page.evaluate(end) >= away
    page.click(".to-end")
    assert page.evaluate(end) < 48


def longest_task(page: Any, text: str) -> float:
    """Says something; how long the page's thread computed at a stretch until the answer was there, in milliseconds."""
    browser = page.context.browser
    browser.start_tracing(page=page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline"])
    say(page, text)
    until(page, "document.querySelector('.message.assistant .actions .meta')")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [event for event in events if event["name"] == "RunTask" and (event["pid"], event["tid"]) in threads]
    assert len(tasks) > 10
    return max(event.get("tdur", 0) for event in tasks) / 1000


COUNT_NODES = """
window.drawn = 0;
new MutationObserver((changes) => {
  for (const { addedNodes } of changes)
    for (const node of addedNodes) window.drawn += 1 + (node.querySelectorAll?.("*").length ?? 0);
}).observe(document.querySelector(".transcript"), {childList: true, subtree: true});
"""


@pytest.mark.parametrize(("kind", "items"), [("list", "ul > li"), ("paragraph", "p > strong"), ("table", "tbody > tr")])
def test_a_long_answer_streams_without_holding_up_the_page(open_page: Open, kind: str, items: str) -> None:
    """What is drawn stays: hardly a node is made twice. `pytest -s` shows the longest task."""
    page = open_page("chat")
    page.evaluate(COUNT_NODES)
    longest = longest_task(page, f"a {kind} of 50 kB")
    print(f"a {kind} of 50 kB: at most {longest:.0f} ms of computing at a stretch")
    count = {"list": 900, "paragraph": 1150, "table": 1500}[kind]
    assert page.locator(f".markdown > {items}, .markdown > .table > table > {items}").count() == count
    present = page.evaluate("document.querySelectorAll('.markdown *').length")
    assert page.evaluate("window.drawn") < 4 * present


def test_what_grew_is_what_the_whole_text_gives(open_page: Open) -> None:
    """Links that are defined after their use, lists, code that ends with the answer."""
    page = open_page("chat")
    for text in ("references", "a tight list", "a loose list", "open code"):
        say(page, text)
        finished(page)
    grown = page.locator(".markdown").evaluate_all("all => all.map(one => one.innerHTML)")
    page.reload()
    page.click(".history li .title")
    page.wait_for_selector(".markdown")
    until(page, "[...document.querySelectorAll('.markdown')].every(one => one.firstChild)")
    assert page.locator(".markdown").evaluate_all("all => all.map(one => one.innerHTML)") == grown
    assert page.get_attribute(".markdown a", "href") == "https://example.org/later"
    assert page.locator(".hljs-keyword").all_inner_texts() == ["def", "pass"]
