"""docs/serve.md is true: its examples run, its flags are the command's, its limits the defaults."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.cli.remote import KEY
from glmkit.cli.serve import _parser
from glmkit.serve.models import Models, ServedModel
from glmkit.serve.settings import ServeSettings

from .conftest import Served, serving, settings

DOCS = Path(__file__).parents[2] / "docs"
PAGE, CHINESE = ((DOCS / name).read_text(encoding="utf-8") for name in ("serve.md", "serve.zh.md"))


@pytest.fixture(scope="module")
def named(models: Models) -> Iterator[Served]:
    """A server with the names of the page's examples."""
    served = Models(
        [ServedModel("chatglm3-6b", models.models["chatglm3"].model), ServedModel("fill", models.models["glm"].model)]
    )
    with serving(lambda progress: served, settings()) as running:
        yield running


def test_the_examples_in_python_run(named: Served, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openai")
    for page in (PAGE, CHINESE):
        (block,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        names: dict[str, object] = {}
        exec(block.replace("http://127.0.0.1:8000", named.url), names)
        assert capsys.readouterr().out
    assert names["reply"]


def test_the_examples_of_curl_are_answered(named: Served) -> None:
    commands = re.findall(r"^    (curl (?:.*\\\n)*.*)$", PAGE + CHINESE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        _, url, _, header, _, body = shlex.split(command.replace("\\\n", " "))
        reply = named.ask(
            "POST", url.removeprefix("http://127.0.0.1:8000"), json.loads(body), dict([header.split(": ")])
        )
        assert reply.status == 200


def test_every_flag_of_the_page_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    flags = {"--model", "--model_args"}  # lm-eval's
    for verb in (["serve"], ["chat"], ["bench", "serve"]):
        assert main([*verb, "--help"]) == 0
        flags |= set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    assert set(re.findall(r"--[a-z][a-z_-]+", PAGE + CHINESE)) <= flags
    variables = {KEY} | {f"GLMKIT_{action.dest.upper()}" for action in _parser()._actions}
    assert set(re.findall(r"GLMKIT_[A-Z_]+", PAGE + CHINESE)) <= variables


def test_the_limits_are_the_defaults() -> None:
    usual = ServeSettings()
    options = _parser().parse_args(["m"])
    rows = re.findall(r"^\| `--([a-z-]+)`[^|]*\| (\d+)", PAGE + CHINESE, re.MULTILINE)
    assert len(rows) > 12
    for name, number in rows:
        field = name.replace("-", "_")
        assert float(number) == getattr(options, field), name
        if field not in ("max_body", "max_running", "kept_prefixes"):
            assert float(number) == getattr(usual, field), name


def test_every_route_is_on_the_page(chatglm3: Served) -> None:
    from glmkit.serve.app import routes_of

    assert chatglm3.app.service is not None
    for route in routes_of(chatglm3.app.service):
        if not route.path.startswith(("/static", "/v1/models/")):
            assert f"`{route.path}`" in PAGE, route.path
            assert f"`{route.path}`" in CHINESE, route.path
