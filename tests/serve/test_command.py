"""glmkit serve as a command: what it says, how it ends, what the environment sets."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from glmkit.cli.environment import from_environment
from glmkit.cli.main import main
from glmkit.cli.serve import _parser, _settings
from glmkit.core.errors import UserError
from glmkit.testing import tiny


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "chatglm3"
    tiny("chatglm3").save(path)
    return path


@contextmanager
def running(*arguments: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and where it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "glmkit", "serve", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"GLMKIT_PORT": "0"} | environment,
    )
    assert process.stdout is not None
    try:
        listening, ready = process.stdout.readline(), process.stdout.readline()
        assert ready.startswith("ready: "), listening + ready
        url = re.search(r"http://\S+(?=;)", listening)
        assert url is not None
        yield process, url[0]
    finally:
        process.kill()
        process.communicate()


def ask(url: str, body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} | headers)
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.loads(reply.read())


@pytest.mark.slow
def test_it_serves_drains_and_ends_with_0(directory: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("me sk-0123456789\n", encoding="utf-8")
    named = f"second={directory}"
    with running(directory, named, "--served-model-name", "alias", GLMKIT_API_KEY_FILE=str(keys)) as (process, url):
        key = {"Authorization": "Bearer sk-0123456789"}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(f"{url}/v1/models")
        models = ask(f"{url}/v1/models", **key)["data"]
        assert [model["id"] for model in models] == ["chatglm3", "second", "alias"]
        body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, "model": "alias"}
        assert ask(f"{url}/v1/chat/completions", body, **key)["choices"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert [line.get("status") for line in lines[:3]] == [401, 200, 200]
    assert lines[1]["owner"] == "me"


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(directory: Path) -> None:
    with running(directory) as (process, url):
        body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 900, "ignore_eos": True, "n": 16}
        data = json.dumps(body | {"stream": True}).encode()
        request = urllib.request.Request(f"{url}/v1/chat/completions", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            reply.readline()
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0


@pytest.fixture
def logs() -> Iterator[None]:
    """The loggers as they were before a command set them up."""
    loggers = [logging.getLogger(name) for name in ("glmkit.serve", "uvicorn.error")]
    before = [([*one.handlers], one.propagate, one.level) for one in loggers]
    yield
    for one, (handlers, propagates, level) in zip(loggers, before, strict=True):
        one.handlers[:], one.propagate = handlers, propagates
        one.setLevel(level)


def mistake(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a mistake is answered with."""
    assert main(["serve", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_mistakes(directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], logs: None) -> None:
    import socket

    assert "no model" in mistake(capsys)
    assert "no such directory" in mistake(capsys, tmp_path / "nothing", "--port", 0)
    assert "--api-key-file FILE, or --insecure" in mistake(capsys, directory, "--host", "0.0.0.0")
    assert "write NAME=DIR" in mistake(capsys, directory, "--adapter", tmp_path)
    assert "two have that name" in mistake(capsys, directory, directory)
    assert "two models have the name" in mistake(capsys, directory, "--served-model-name", "chatglm3")
    assert "--ssl-certfile and --ssl-keyfile" in mistake(capsys, directory, "--ssl-certfile", "x")
    assert "keys" in mistake(capsys, directory, "--api-key-file", tmp_path / "keys")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen at 127.0.0.1, port {port}" in mistake(capsys, directory, "--port", port)
    tiny_without = tmp_path / "bare"
    tiny("glm").save(tiny_without)
    for file in tiny_without.glob("*token*"):
        file.unlink()
    assert "no" in mistake(capsys, tiny_without, "--port", 0)


def test_mistakes_of_draft_models(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], logs: None
) -> None:
    other, two = tmp_path / "glm", (directory, f"second={directory}", "--port", 0)
    tiny("glm").save(other)
    assert mistake(capsys, *two, "--draft", other) == (
        f"glmkit: --draft '{other}': several models are served; write MODEL=DIR: chatglm3, second\n"
    )
    assert mistake(capsys, *two, "--draft", f"third={other}") == (
        f"glmkit: --draft 'third={other}': write MODEL=DIR, where MODEL is one of chatglm3, second\n"
    )
    twice = ("--draft", f"second={directory}") * 2
    assert "second has a draft model already; give one" in mistake(capsys, *two, *twice)
    assert "no such directory" in mistake(capsys, directory, "--port", 0, "--draft", tmp_path / "nothing")
    assert mistake(capsys, directory, "--port", 0, "--draft", other).startswith("glmkit: a glm cannot draft for")
    model = tiny("chatglm3")
    model._tokenizer = tiny("chatglm2").tokenizer
    model.save(tmp_path / "apart")
    error = mistake(capsys, directory, "--port", 0, "--draft", tmp_path / "apart")
    assert re.fullmatch(r"glmkit: --draft has another tokenizer .*\n", error)


@pytest.mark.slow
def test_it_writes_with_draft_models(directory: Path, tmp_path: Path) -> None:
    tiny("chatglm3", seed=1).save(tmp_path / "small")
    expected = tiny("chatglm3").generate("hello", 24)
    drafts = ("--draft", f"second={tmp_path / 'small'}", "--draft", f"chatglm3={directory}")
    with running(directory, f"second={directory}", *drafts) as (_, url):
        for name in ("chatglm3", "second"):
            body = {"model": name, "prompt": "hello", "max_tokens": 24, "temperature": 0}
            assert ask(f"{url}/v1/completions", body)["choices"][0]["text"] == expected


def test_every_flag_has_its_variable() -> None:
    parser = _parser()
    for action in parser._actions:
        if action.dest == "help":
            continue
        name = f"GLMKIT_{action.dest.upper()}"
        value = next(iter(action.choices), "1") if action.choices else "1"
        arguments = from_environment(parser, [], {name: value})
        assert arguments, name
        assert getattr(parser.parse_args([*arguments, *(["m"] if action.option_strings else [])]), action.dest), name


def test_the_command_line_counts_more_than_the_environment() -> None:
    parser = _parser()
    environment = {"GLMKIT_PORT": "1", "GLMKIT_ALLOWED_HOST": "a,b", "GLMKIT_INSECURE": "yes", "GLMKIT_MODELS": "x y"}
    options = parser.parse_args(from_environment(parser, ["m", "--port", "2"], environment))
    assert (options.port, options.allowed_host, options.insecure, options.models) == (2, ["a", "b"], True, ["m"])
    options = parser.parse_args(from_environment(parser, ["--port=3"], environment))
    assert (options.port, options.models) == (3, ["x", "y"])
    assert from_environment(parser, [], {"GLMKIT_INSECURE": "0"}) == []
    with pytest.raises(UserError, match="GLMKIT_INSECURE='perhaps': give 1 or 0"):
        from_environment(parser, [], {"GLMKIT_INSECURE": "perhaps"})


def test_flags_become_settings(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("sk-0123456789", encoding="utf-8")
    arguments = ["m", "--host", "0.0.0.0", "--api-key-file", str(keys), "--max-body", "0.5", "--compat", "chatglm"]
    settings = _settings(_parser().parse_args([*arguments, "--allowed-origin", "http://a", "--no-ui"]))
    assert (settings.host, settings.max_body, settings.compat) == ("0.0.0.0", 1 << 19, ("chatglm",))
    assert (settings.allowed_origins, settings.page, len(settings.keys.owners)) == (("http://a",), False, 1)


@pytest.mark.slow
def test_tls(directory: Path, tmp_path: Path) -> None:
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    made = [tmp_path / "key.pem", tmp_path / "cert.pem"]
    try:
        subprocess.run([*openssl, "-keyout", made[0], "-out", made[1]], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl to make a certificate with")
    import ssl

    context = ssl.create_default_context(cafile=str(made[1]))
    process = subprocess.Popen(
        [sys.executable, "-m", "glmkit", "serve", directory, "--ssl-keyfile", made[0], "--ssl-certfile", made[1]],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"GLMKIT_PORT": "0"},
    )
    assert process.stdout is not None
    url = re.search(r"https://\S+(?=;)", process.stdout.readline())
    assert url is not None
    with urllib.request.urlopen(url[0].replace("127.0.0.1", "localhost") + "/health", context=context) as reply:
        assert reply.status == 200
    process.terminate()
    assert process.wait(20) == 0
