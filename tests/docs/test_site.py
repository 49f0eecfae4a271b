"""`make docs` builds both languages without a warning, for reading without a network."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from .test_twins import DOCS, ROOT

CHROMIUM = Path("/usr/bin/chromium")
pytest.importorskip("mkdocs", reason='the site needs pip install -e ".[docs]"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "docs/stage.py"], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # what Material says of mkdocs's future
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return target


class Fetched(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag in ("script", "img", "iframe", "source", "video") and values.get("src"):
            self.addresses.append(values["src"] or "")
        if tag == "link" and values.get("rel") not in ("canonical", "alternate", "next", "prev"):
            self.addresses.append(values.get("href") or "")


@pytest.mark.slow
def test_every_page_is_there_in_both_languages(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        if page.name.endswith(".zh.md"):
            continue
        name = page.relative_to(DOCS).as_posix().replace("README.md", "index.md").replace(".md", ".html")
        for language, built in (("en", site / name), ("zh", site / "zh" / name)):
            assert built.is_file(), built
            assert f'<html lang="{language}"' in built.read_text(encoding="utf-8")
    for folder in (site, site / "zh"):
        for name in ("reference/commands.html", "source/CONTRIBUTING.html"):
            assert (folder / name).is_file()


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        reader = Fetched()
        reader.feed(page.read_text(encoding="utf-8"))
        assert not [address for address in reader.addresses if re.match(r"(https?:)?//", address)], page
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\([\"']?https?:", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.slow
def test_the_reference_is_of_docstrings_and_help(site: Path) -> None:
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    assert all(f"glmkit {verb}" in commands for verb in ("infill", "data prepare", "bench", "finetune"))
    reference = (site / "reference/python.html").read_text(encoding="utf-8")
    assert all(f'id="glmkit.api.load.{name}"' in reference for name in ("load", "Model", "Model.infill", "Model.chat"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "words", "found"), [("index", "infilling", "method"), ("zh/index", "填空", "zh/method")]
)
def test_search_works_in_pages_opened_from_a_file(site: Path, page: str, words: str, found: str) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser: {CHROMIUM} is not there")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        requests: list[str] = []
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto((site / f"{page}.html").as_uri())
        field = tab.locator(".md-search__input")
        field.focus()
        field.press_sequentially(words)
        tab.keyboard.press("Shift")  # what it searches at
        results = tab.locator("a.md-search-result__link")
        results.first.wait_for(state="attached")
        addresses = [link.get_attribute("href") or "" for link in results.all()]
        browser.close()
    assert any(f"/{found}.html" in address for address in addresses)
    assert all(address.startswith("file:") for address in requests)
