"""What holds in every view: safety, languages, colors, phones, screen readers, input methods, a server that is away."""

from typing import Any

import pytest

from tests.page.conftest import Open, until
from tests.page.stand_in import StandIn

pytestmark = pytest.mark.slow
VIEWS = ["chat", "fill", "inside", "classify", "server"]
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}


def use(page: Any, view: str) -> None:
    """Brings a view into the state in which it has most to show."""
    if view == "chat":
        page.fill("#message", "markdown")
        page.click("button.round")
        page.wait_for_selector(".markdown math")
        until(page, "!document.querySelector('[aria-busy=true]')")
    elif view == "fill":
        page.fill("textarea", "She ate ____ for ____, and ____.")
        page.click("button.primary")
        page.wait_for_selector("button.blank")
        page.click("#blank-b1")
        page.wait_for_selector("[role=listbox]")
        page.keyboard.press("2")
        page.click("#blank-b3")
        page.wait_for_selector("[role=listbox]")
    elif view == "inside":
        page.fill("textarea", "She ate ____ for ____.")
        page.click(".tabs button >> nth=1")
        page.click("button.primary")
        page.wait_for_selector("canvas")
        page.click(".tabs button >> nth=0")
        page.click("button.primary")
        page.wait_for_selector(".heat-map .h")
    elif view == "classify":
        page.fill("textarea >> nth=0", "a text")
        page.click("button.primary")
        page.wait_for_selector(".labels li")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("language", "colors"), [("en", "light"), ("zh", "dark")])
def test_axe_finds_no_serious_fault(open_page: Open, view: str, language: str, colors: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = open_page(view, language=language, color_scheme=colors)
    use(page, view)
    page.wait_for_timeout(300)  # transitions of colors
    found = axe.Axe().run(page).response["violations"]
    serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert [(fault["id"], [node["html"] for node in fault["nodes"]][:3]) for fault in serious] == []


def test_axe_finds_no_serious_fault_in_the_dialog_and_the_settings(open_page: Open) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = open_page("chat")
    page.click("[aria-controls=settings]")
    assert [f for f in axe.Axe().run(page).response["violations"] if f["impact"] in ("serious", "critical")] == []
    page.click("text=Preferences")
    page.wait_for_timeout(200)
    assert [f for f in axe.Axe().run(page).response["violations"] if f["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(open_page: Open, view: str) -> None:
    page = open_page(view, language="zh", **PHONE)
    use(page, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        """() => [...document.querySelectorAll("main :is(button, select), .top :is(button, select)")].filter(one => {
            const {width, height} = one.getBoundingClientRect();
            return height > 0 && height < 32 && !one.matches(".blank, .word, .link");
        }).map(one => one.outerHTML)"""
    )
    assert small == []
    page.keyboard.press("Escape")
    page.click(".top .narrow")
    until(page, "getComputedStyle(document.querySelector('.side')).visibility === 'visible'")
    page.click("nav a >> nth=4")
    until(page, "getComputedStyle(document.querySelector('.side')).visibility === 'hidden'")
    assert page.inner_text("h1") == "服务器"


@pytest.mark.parametrize("text", ["attack", "attack weather"])
def test_attacks_in_answers_calls_and_history_do_nothing(open_page: Open, server: StandIn, text: str) -> None:
    attack = "<img src=x onerror=window.attacked=1>"
    server.info = {**server.info, "models": [{**server.info["models"][0], "id": attack, "labels": [attack]}]}
    page = open_page("chat")
    page.click("[aria-controls=settings]")
    page.fill("#tools", '[{"type": "function", "function": {"name": "get_weather"}}]')
    page.fill("#message", f"{text} {attack}")
    page.press("#message", "Enter")
    page.wait_for_selector(".message.assistant :is(.tool, figure)")
    page.wait_for_timeout(500)
    page.reload()
    page.click(".history li .title")
    page.wait_for_selector(".message.assistant")
    for view in VIEWS:
        page.goto(f"{server.address}#/{view}")
        page.wait_for_selector("main")
    page.goto(server.address + "#/chat")
    page.wait_for_timeout(500)
    assert page.evaluate("window.attacked") is None
    assert page.locator("main img, main script, main iframe, main [onerror], main a[href^=javascript]").count() == 0


def test_language_and_colors_are_chosen_and_kept(open_page: Open) -> None:
    page = open_page("chat", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("text=Preferences")
    page.click("dialog >> text=中文")
    page.click("dialog >> text=深色")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.evaluate(ground) != light
    page.reload()
    page.wait_for_selector("text=偏好设置")
    assert page.evaluate(ground) != light
    assert page.title() == "对话 · glmkit"


def test_the_system_says_which_language_and_colors(open_page: Open) -> None:
    page = open_page("chat", language="zh", color_scheme="dark")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(23, 24, 27)"


@pytest.mark.parametrize(
    ("view", "before", "field"),
    [
        ("chat", None, "#message"),
        ("fill", None, "textarea"),
        ("fill", "alternatives", ".own input"),
        ("chat", "rename", ".history input"),
    ],
)
def test_enter_in_an_input_method_sends_nothing(
    open_page: Open, server: StandIn, view: str, before: str | None, field: str
) -> None:
    page = open_page(view)
    if before == "alternatives":
        page.fill("textarea", "她吃了____。")
        page.click("button.primary")
        page.click("button.blank")
    elif before == "rename":
        page.fill("#message", "hello")
        page.press("#message", "Enter")
        page.click(".history li [aria-label^=Rename]")
    page.focus(field)
    count = len(server.requests)
    keys = page.context.new_cdp_session(page)
    keys.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    for combination in ("Enter", "Control+Enter"):
        page.keyboard.press(combination)
    keys.send(
        "Input.dispatchKeyEvent",
        {
            "type": "rawKeyDown",
            "key": "Process",
            "code": "Enter",
            "windowsVirtualKeyCode": 229,
            "nativeVirtualKeyCode": 229,
        },
    )
    page.wait_for_timeout(150)
    assert len(server.requests) == count
    keys.send("Input.insertText", {"text": "你"})
    assert "你" in page.input_value(field)
    if field == "#message":
        page.keyboard.press("Enter")
        page.wait_for_selector(".message.assistant .markdown p")
        assert len(server.requests) == count + 1


def test_on_a_phone_enter_makes_a_new_line(open_page: Open, server: StandIn) -> None:
    page = open_page("chat", **PHONE)
    page.fill("#message", "one")
    page.press("#message", "Enter")
    assert page.input_value("#message") == "one\n"
    assert server.requests == []


def test_a_key_is_asked_for_and_stays_in_the_tab(open_page: Open, server: StandIn) -> None:
    server.key = "secret"
    page = open_page("chat", allow=("401",))
    page.click(".banner button")
    page.fill("#key", "secret")
    page.click("text=Use")
    page.wait_for_selector("select >> text=glm-tiny", state="attached")
    page.fill("#message", "hello")
    page.press("#message", "Enter")
    page.wait_for_selector(".message.assistant .markdown p")
    assert "secret" not in page.evaluate("JSON.stringify(localStorage) + location.href")
    page.reload()
    page.wait_for_selector("select >> text=glm-tiny", state="attached")


def test_the_page_lives_while_the_server_is_away(open_page: Open, server: StandIn) -> None:
    page = open_page("chat", allow=("ERR_FAILED", "ERR_INTERNET_DISCONNECTED", "Failed to load"))
    page.fill("#message", "hello")
    page.press("#message", "Enter")
    page.wait_for_selector(".message.assistant .markdown p")
    page.context.set_offline(True)
    page.wait_for_selector(".banner")
    page.click("text=New conversation")
    page.click(".history li .title")
    page.wait_for_selector("text=You said: hello")
    page.fill("#message", "again")
    page.press("#message", "Enter")
    page.wait_for_selector(".message .error")
    page.context.set_offline(False)
    page.wait_for_selector(".banner", state="detached")
    page.click("[aria-label='Answer again'] >> nth=-1")
    page.wait_for_selector("text=You said: again")


def test_the_first_view_is_what_the_model_is_for(open_page: Open, server: StandIn) -> None:
    only = {**server.info["models"][0], "chats": False}
    server.info = {**server.info, "models": [only]}
    page = open_page()
    page.wait_for_selector("h1:text-is('Fill blanks')")


def test_a_screen_reader_is_told_when_an_answer_ends(open_page: Open) -> None:
    page = open_page("chat")
    assert page.get_attribute("[role=log]", "aria-live") == "off"
    page.fill("#message", "hello")
    page.press("#message", "Enter")
    page.wait_for_selector("[role=status] >> text=The answer is finished", state="attached")
    assert page.get_attribute(".message.assistant", "aria-label") == "Model"
