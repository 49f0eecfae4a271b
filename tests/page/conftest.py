"""A browser on the page, and a watch for what must never happen there."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")

from tests.page.stand_in import INFO, StandIn

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")  # no longer: playwright runs an event loop, and other tests start their own
def browser() -> Iterator[Any]:
    """Debian's Chromium; the tests that ask for it are skipped where it, or playwright, is not there."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    with api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def started() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.shutdown()


@pytest.fixture
def server(started: StandIn) -> StandIn:
    """The scripted server, as if nothing had been asked yet."""
    started.requests.clear()
    started.dropped.clear()
    started.key = ""
    started.info = INFO
    return started


Open = Callable[..., Any]


def until(page: Any, expression: str) -> Any:
    """Waits for a JavaScript expression to be true; playwright's own way needs `eval`, which the policy forbids."""
    end = time.monotonic() + 30  # a busy machine, never a measure
    while not (value := page.evaluate(expression)):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(20)
    return value


@pytest.fixture
def open_page(browser: Any, server: StandIn) -> Iterator[Open]:
    """Opens the page at a view. At the end no policy may have been violated, and nothing fetched from elsewhere."""
    contexts, wrong = [], []

    def new(view: str = "", language: str = "en", allow: tuple[str, ...] = (), **options: Any) -> Any:
        context = browser.new_context(locale="zh-CN" if language == "zh" else "en-US", **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and not any(text in message.text for text in allow)
                and wrong.append(f"console: {message.text}")
            ),
        )
        page.on(
            "request",
            lambda request: (
                not request.url.startswith((server.address, "blob:", "data:"))
                and wrong.append(f"request: {request.url}")
            ),
        )
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('violated: ' + e.violatedDirective))"
        )
        page.goto(server.address + (f"#/{view}" if view else ""))
        page.wait_for_selector("main h1, .composer")
        return page

    yield new
    for context in contexts:
        context.close()
    assert wrong == []
