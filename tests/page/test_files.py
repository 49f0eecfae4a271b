"""The page's files: fresh, whole, small, and nothing in them that its policy forbids."""

import asyncio
import gzip
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from glmkit.serve.page import CONTENT_SECURITY_POLICY, accepts_gzip, answer, page, responses

WEB = Path(__file__).parents[2] / "web"
STATIC = Path(str(files("glmkit.serve").joinpath("static")))
SOURCES = sorted(path for path in (WEB / "src").rglob("*") if path.is_file())
SCRIPTS = [path for path in SOURCES if path.suffix == ".js"]
BUDGET = 120_000  # bytes on the wire before the first formula


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_bundle_is_of_these_sources() -> None:
    """If this fails: `npm ci --ignore-scripts && npm run build` in web/."""
    record = json.loads((STATIC / "BUILD.json").read_text())
    sources = [*SOURCES, WEB / "build.mjs", WEB / "package.json", WEB / "package-lock.json"]
    assert record["sources"] == {path.relative_to(WEB).as_posix(): sha256(path) for path in sources}
    outputs = sorted(path for path in STATIC.iterdir() if path.name != "BUILD.json")
    assert record["outputs"] == {path.name: sha256(path) for path in outputs}


def test_versions_are_exact_and_the_lock_names_no_registry() -> None:
    package = json.loads((WEB / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = [entry for name, entry in lock["packages"].items() if name]
    assert all("integrity" in entry and "resolved" not in entry for entry in packages)


def test_index_names_only_files_that_exist_by_their_content() -> None:
    index = (STATIC / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', index)
    assert named
    for address in named:
        name, version = re.fullmatch(r"static/([\w.]+)\?v=(\w+)", address).groups()  # type: ignore[union-attr]
        assert sha256(STATIC / name).startswith(version)
    math = re.findall(r"math\.js\?v=(\w+)", (STATIC / "app.js").read_text())
    assert math
    assert sha256(STATIC / "math.js").startswith(math[0])
    assert "<script>" not in index
    assert "style=" not in index


def test_nothing_is_loaded_from_elsewhere() -> None:
    loads = re.compile(r"""(?:src|href|import|url|fetch)\s*[=(]\s*["'`]?https?://""")
    for path in [*SOURCES, STATIC / "index.html", STATIC / "app.css"]:
        assert not loads.search(path.read_text()), path.name
    assert not re.search(r"https?://|@import", (STATIC / "app.css").read_text())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(WEB / "src").as_posix())
def test_no_script_makes_code_or_markup_of_text(path: Path) -> None:
    forbidden = r"\beval\s*\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|cssText"
    text = path.read_text()
    assert not re.search(forbidden + r"|DangerouslySet|dangerouslySet|setAttribute\(\s*[\"']style|\sstyle=", text)
    assert len(text.splitlines()) <= 260


def test_every_handler_of_enter_asks_whether_an_input_method_is_composing() -> None:
    for path in SCRIPTS:
        text = path.read_text()
        if re.search(r"key [!=]== \"Enter\"|\bEnter:", text):
            assert "isComposing(event)" in text, path.name
            handlers = re.findall(r"const on\w*Key\w* = .*?\n  };", text, re.DOTALL)
            asked = [one for one in handlers if "Enter" in one]
            assert all("isComposing(event)" in one for one in asked), path.name


def test_both_languages_have_the_same_words() -> None:
    en, zh = (json.loads((WEB / "src/i18n" / f"{name}.json").read_text()) for name in ("en", "zh"))
    assert en.keys() == zh.keys()
    for key in en:
        assert sorted(re.findall(r"\{\w+\}", en[key])) == sorted(re.findall(r"\{\w+\}", zh[key])), key
    used = {key for path in SCRIPTS for key in re.findall(r"\bt\(\"([^\"]+)\"", path.read_text())}
    assert used <= en.keys()


def test_the_page_is_small() -> None:
    sent = [path for path in STATIC.iterdir() if path.name not in ("math.js", "LICENSES.txt", "BUILD.json")]
    assert sum(len(gzip.compress(path.read_bytes(), 9, mtime=0)) for path in sent) < BUDGET


def test_each_package_in_the_bundle_is_named_with_its_license() -> None:
    licenses = (STATIC / "LICENSES.txt").read_text()
    for name in ("preact", "htm", "@preact/signals", "markdown-it", "lowlight", "highlight.js", "temml", "diff", "idb"):
        assert re.search(rf"^{re.escape(name)} \d", licenses, re.MULTILINE), name


def test_answers_with_the_policy_and_the_content() -> None:
    status, headers, body = answer("GET", "/", {"accept-encoding": "br, gzip"})
    assert status == 200
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "trusted-types 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert headers["content-encoding"] == "gzip"
    assert headers["cache-control"] == "no-cache"
    assert gzip.decompress(body) == (STATIC / "index.html").read_bytes()
    assert answer("GET", "/static/app.js", {})[2] == (STATIC / "app.js").read_bytes()
    assert "immutable" in answer("GET", "/static/app.js", {})[1]["cache-control"]
    assert answer("GET", "/", {"if-none-match": f'"x", W/{headers["etag"]}'})[::2] == (304, b"")
    head = answer("HEAD", "/static/app.css", {})
    assert head[2] == b""
    assert head[1]["content-length"] == str((STATIC / "app.css").stat().st_size)
    assert answer("POST", "/", {})[0] == 405


@pytest.mark.parametrize(
    "path", ["/static/BUILD.json", "/static/", "/static/../page.py", "/static//app.js", "/x\0", "/C:\\x"]
)
def test_no_other_path_is_a_file(path: str) -> None:
    assert answer("GET", path, {})[::2] == (404, b"")
    assert "/static/app.js" in responses()


def test_gzip_only_for_who_takes_it() -> None:
    assert [accepts_gzip(text) for text in ("", "br", "gzip;q=0", "gzip; q=0.000", "gzip;q=0.5", "*", "GZIP")] == [
        False,
        False,
        False,
        False,
        True,
        True,
        True,
    ]


def test_is_an_asgi_application() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/static/theme.js", "headers": [(b"Accept-Encoding", b"gzip")]}
    asyncio.run(page(scope, receive, send))
    assert sent[0]["status"] == 200
    assert (b"content-encoding", b"gzip") in sent[0]["headers"]
    assert gzip.decompress(sent[1]["body"]) == (STATIC / "theme.js").read_bytes()
