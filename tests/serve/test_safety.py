"""What attackers and accidents did to other servers does nothing here."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import UserError
from glmkit.serve.access import LOG
from glmkit.serve.app import PUBLIC, routes_of
from glmkit.serve.keys import Keys, read_keys
from glmkit.serve.models import Models
from glmkit.serve.page import responses
from glmkit.serve.settings import ServeSettings

from .conftest import Served, serving, settings, until
from .test_contract import USER

psutil = pytest.importorskip("psutil", reason="no psutil: memory and ports cannot be seen")

CHAT = {"messages": [USER], "max_tokens": 1}
ALICE, BOB = "sk-alice-0001", "sk-bob-00002"


@pytest.fixture(scope="module")
def guarded(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with keys, an allowed origin and small limits."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(f"# who may ask\nalice {ALICE}\n{BOB}  # no name\n", encoding="utf-8")
    given = settings(
        keys=read_keys(path),
        allowed_origins=("http://page.example",),
        allowed_hosts=("models.example",),
        max_body=20_000,
        receive_timeout=0.5,
    )
    only = Models([models.models["chatglm3"]])
    with serving(lambda progress: only, given) as served:
        yield served


def raw(served: Served, data: bytes, wait: float = 5) -> bytes:
    """What comes back for some bytes, until the server closes."""
    with socket.create_connection((served.host, served.server.port), timeout=wait) as connection:
        received = b""
        try:
            connection.sendall(data)
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
        return received


# Keys


def test_every_path_but_the_public_ones_needs_a_key(guarded: Served) -> None:
    assert guarded.app.service is not None
    paths = {route.path.replace("{id:path}", "x") for route in routes_of(guarded.app.service)}
    public = PUBLIC | responses().keys()
    assert len(paths - public) > 15
    for path in paths:
        for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT"):
            for spelled in (path, f"/{path}", f"{path}/", path.upper()):
                status = guarded.ask(method, spelled, b"{}" if method == "POST" else None).status
                if spelled.strip("/") == path.strip("/") and path in public and method != "POST":
                    assert status in (200, 405), (method, spelled)
                else:
                    assert status == 401, (method, spelled)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong-key-000"},
        {"Authorization": f"Basic {ALICE}"},
        {"Authorization": "Bearer "},
        {"X-Api-Key": "wrong"},
        {"Authorization": f"Bearer {ALICE[:-1]}"},
        {"Authorization": "Bearer schlüssel"},
        {},
    ],
)
def test_wrong_keys(guarded: Served, headers: dict[str, str]) -> None:
    reply = guarded.ask("POST", "/v1/chat/completions", CHAT, headers)
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert reply.headers["www-authenticate"] == "Bearer"


def test_right_keys(guarded: Served) -> None:
    for headers in ({"Authorization": f"Bearer {ALICE}"}, {"Authorization": f"bearer {BOB}"}, {"X-Api-Key": BOB}):
        assert guarded.ask("POST", "/v1/chat/completions", CHAT, headers).status == 200
    both = {"Authorization": f"Bearer {ALICE}", "X-Api-Key": ALICE}
    assert guarded.ask("POST", "/v1/chat/completions", CHAT, both).status == 200
    both["X-Api-Key"] = BOB
    assert guarded.ask("POST", "/v1/chat/completions", CHAT, both).status == 400


def test_any_key_will_do_where_none_is_needed(chatglm3: Served) -> None:
    for value in ("Bearer x", "Bearer", "", "Bearer schlüssel"):
        assert chatglm3.post("/v1/chat/completions", CHAT, authorization=value).status == 200


def test_prefixes_of_one_key_are_not_known_to_another(guarded: Served) -> None:
    messages = [{"role": "user", "content": "a secret that is long enough to be kept for a while" * 14}]
    cached = []
    for key in (ALICE, ALICE, BOB):
        body = {"messages": messages, "max_tokens": 1}
        reply = guarded.post("/v1/chat/completions", body, authorization=f"Bearer {key}")
        cached.append(reply.json["usage"]["prompt_tokens_details"]["cached_tokens"])
    assert (cached[0], cached[1] > 0, cached[2]) == (0, True, 0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "holds no key"),
        ("# nothing\n\n", "holds no key"),
        ("a b c", "has 3 words"),
        ("short", "at least 8 characters"),
    ],
)
def test_files_that_hold_no_keys(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=line):
        read_keys(path)


def test_an_open_address_needs_keys() -> None:
    with pytest.raises(UserError, match="--api-key-file FILE, or --insecure"):
        ServeSettings(host="0.0.0.0")
    ServeSettings(host="0.0.0.0", insecure=True)
    ServeSettings(host="0.0.0.0", keys=Keys({b"digest": "owner"}))


# Host and Origin


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:8000", "LOCALHOST:1", "models.example"])
def test_hosts_that_are_ours(guarded: Served, host: str) -> None:
    assert guarded.get("/health", host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil", "a@localhost", ""])
@pytest.mark.parametrize("path", ["/health", "/", "/v1/models"])
def test_other_hosts_are_refused(guarded: Served, host: str, path: str) -> None:
    assert guarded.get(path, host=host).status == 421


def test_pages_of_other_origins_may_not_ask(guarded: Served) -> None:
    key = {"authorization": f"Bearer {ALICE}"}
    for origin in ("http://evil.example", "null", "http://page.example.evil", "https://page.example", "http://[::"):
        reply = guarded.post("/v1/chat/completions", CHAT, origin=origin, **key)
        assert (reply.status, "access-control-allow-origin" in reply.headers) == (403, False)
    for site in ("cross-site", "same-site"):
        assert guarded.post("/v1/chat/completions", CHAT, sec_fetch_site=site, **key).status == 403
    own = f"http://{guarded.host}:{guarded.server.port}"
    assert guarded.post("/v1/chat/completions", CHAT, origin=own, **key).status == 200


def test_pages_of_allowed_origins_may(guarded: Served) -> None:
    origin = "http://page.example"
    flight = guarded.ask(
        "OPTIONS",
        "/v1/chat/completions",
        None,
        {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, x-stainless-os",
        },
    )
    assert (flight.status, flight.headers["access-control-allow-origin"]) == (204, origin)
    assert "x-stainless-os" in flight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in flight.headers
    for path, key in (("/v1/chat/completions", ALICE), ("/v1/chat/completions", "wrong-key"), ("/nothing", ALICE)):
        reply = guarded.post(path, CHAT, origin=origin, authorization=f"Bearer {key}")
        assert reply.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-origin" not in guarded.get("/health").headers


# What comes in


def test_bodies_that_are_no_json_object(chatglm3: Served) -> None:
    for body, word in (
        (b"", "empty"),
        (b"{", "line 1"),
        (b"[1]", "JSON object"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "1e999"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[" * 5000, "brackets"),
    ):
        reply = chatglm3.post("/v1/chat/completions", body)
        assert (reply.status, reply.error["code"]) == (400, "invalid_json")
        assert word in reply.error["message"]
    assert chatglm3.post("/health", CHAT, content_type="text/plain").status == 405
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert chatglm3.post("/v1/chat/completions", CHAT, content_type=kind).status == 415
    assert chatglm3.post("/v1/chat/completions", CHAT, content_type="application/json; charset=utf-8").status == 200


def test_bodies_that_are_too_large(guarded: Served) -> None:
    key = {"Authorization": f"Bearer {ALICE}", "Content-Type": "application/json"}
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 30_000}]}).encode()
    assert guarded.ask("POST", "/v1/chat/completions", body, key).status == 413
    connection = guarded.connect()
    parts = iter([body[:10_000], body[10_000:20_000], body[20_000:]])
    connection.request("POST", "/v1/chat/completions", parts, key, encode_chunked=True)
    reply = connection.getresponse()
    assert (reply.status, json.loads(reply.read())["error"]["code"]) == (413, "body_too_large")
    head = f"POST /infill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ALICE}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    assert b" 413 " in raw(guarded, head.encode())


def test_heads_that_are_too_large(guarded: Served) -> None:
    before = psutil.Process().memory_info().rss
    reply = raw(guarded, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 5_000_000)
    assert b" 431 " in reply or reply == b""
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(200))
    assert b" 431 " in raw(
        guarded, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + many + b"\r\n"
    )
    assert psutil.Process().memory_info().rss - before < 30 << 20
    assert guarded.get("/health").status == 200


def test_what_is_no_http(guarded: Served) -> None:
    assert b" 400 " in raw(guarded, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert b'"error"' in raw(guarded, b"GET\r\n\r\n")


def test_requests_that_trickle_in_are_ended(guarded: Served) -> None:
    began = time.monotonic()
    with socket.create_connection((guarded.host, guarded.server.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.1):
                try:
                    connection.sendall(b"X: 1\r\n")
                except OSError:
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        assert guarded.get("/health").status == 200
        received = connection.recv(65536)
        stop.set()
        sender.join()
    assert b" 408 " in received or received == b""
    assert time.monotonic() - began < 4
    half = f"POST /infill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ALICE}\r\n"
    half += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    assert b" 408 " in raw(guarded, half.encode())
    assert raw(guarded, b"") == b""  # says nothing, and is left


def test_a_reply_that_takes_longer_than_a_request_may_is_not_ended(guarded: Served) -> None:
    body = {"messages": [USER], "max_tokens": 250, "ignore_eos": True, "n": 2}
    reply = guarded.post("/v1/chat/completions", body, authorization=f"Bearer {ALICE}")
    assert reply.status == 200


@pytest.mark.parametrize(
    "path",
    ["/..%2f..%2fetc/passwd", "/C:\\x", "/static//etc/passwd", "/static/%00", "/%c0%ae%c0%ae/", "/static/../app.py"],
)
def test_paths_that_lead_nowhere(chatglm3: Served, path: str) -> None:
    assert chatglm3.get(path).status == 404


@pytest.mark.parametrize("given", ["a" * 10_000, "a\x1b[31m", "a b", "%0d%0aX: 1", ""])
def test_request_ids_are_harmless(chatglm3: Served, given: str) -> None:
    assert chatglm3.get("/health", x_request_id=given).headers["x-request-id"] != given
    assert chatglm3.get("/health", x_request_id="my-id.1").headers["x-request-id"] == "my-id.1"


# What is asked


def fields_of_ids() -> list[tuple[str, dict[str, Any], str]]:
    """Each place where a request holds token ids: path, body, and the field at fault."""
    cases = []
    for bad in (-1, 264 + 4, 10**30, 1.0, True, "AI", None):
        cases.append(("/v1/completions", {"prompt": [1, bad]}, "prompt[1]"))
        cases.append(("/v1/completions", {"prompt": [[1], [1, bad]]}, "prompt[1][1]"))
        cases.append(("/v1/chat/completions", {**CHAT, "stop_token_ids": [bad]}, "stop_token_ids[0]"))
        cases.append(("/detokenize", {"tokens": [bad]}, "tokens[0]"))
    for key in ("-1", "268", "1e3", " 1", "AI", "", "١"):
        cases.append(("/v1/chat/completions", {**CHAT, "logit_bias": {key: 1}}, "logit_bias"))
    for bias in (101, "1", None, True, [1]):
        cases.append(("/v1/chat/completions", {**CHAT, "logit_bias": {"1": bias}}, "logit_bias"))
    return cases


@pytest.mark.parametrize(("path", "body", "param"), fields_of_ids())
def test_every_list_of_ids_is_checked(chatglm3: Served, path: str, body: dict[str, Any], param: str) -> None:
    reply = chatglm3.post(path, body)
    assert (reply.status, reply.error["param"].startswith(param)) == (400, True), reply.body


def test_numbers_out_of_range(chatglm3: Served) -> None:
    for name, values in {
        "temperature": (-0.1, 2.1, True, "1"),
        "top_p": (0, 1.1, -1),
        "top_k": (-1, 1.5),
        "min_p": (-0.1, 1.1),
        "n": (0, 17, 1.0),
        "max_tokens": (0, -1, 1.5, True),
        "min_tokens": (-1,),
        "frequency_penalty": (-2.1, 2.1),
        "presence_penalty": (3,),
        "repetition_penalty": (0, 2.1, -1),
        "top_logprobs": (21, -1),
        "seed": (2**63, -(2**63) - 1),
        "stop": ("x" * 257, ["x"] * 17, 3, [3]),
        "stop_token_ids": ([1] * 65, 3),
        "stream": ("yes", 1),
        "logprobs": (1, "true"),
        "messages": ([], {}, "x", [1], [{"content": "x"}]),
        "response_format": ("json", []),
        "tools": ([1], ["get_weather"], "x", [{"type": "retrieval"}], [{"function": {}}]),
        "logit_bias": ([1], "x"),
        "model": (3,),
    }.items():
        for value in values:
            reply = chatglm3.post("/v1/chat/completions", CHAT | {"logprobs": name == "top_logprobs", name: value})
            assert (reply.status, reply.error["param"].split("[")[0].split(".")[0]) == (400, name), (name, value)


def test_half_characters_are_refused(chatglm3: Served) -> None:
    for body in (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', b'{"messages": [{"role": "\\ud800"}]}'):
        assert chatglm3.post("/v1/chat/completions", body).status == 400
    assert chatglm3.post("/v1/completions", b'{"prompt": "a\\udfff"}').error["param"] == "prompt"
    assert chatglm3.post("/v1/chat/completions", b'{"\\ud800": 1, "messages": []}').status == 400


@pytest.mark.parametrize("model", ["chatglm3", "chatglm2", "chatglm", "glm", "neoglm"])
def test_text_of_a_user_never_becomes_a_special_token(server: Served, models: Models, model: str) -> None:
    tokenizer = models.models[model].model.tokenizer
    special = set(tokenizer.marks.values())
    text = " ".join(tokenizer.marks) + " <|user|> <|observation|> [gMASK] <sop>"

    def frame(said: str, role: str) -> list[int]:
        messages = [{"role": role, "content": said}, USER]
        tokens = server.post("/tokenize", {"model": model, "messages": messages}).json["tokens"]
        return [id for id in tokens if id in special]

    for role in ("user", "system", "assistant", "tool") if model not in ("glm", "neoglm") else ():
        assert frame(text, role) == frame("harmless", role)
    fields = {"model": model, "prompt": text, "parse_special": False, "add_special_tokens": False}
    assert not special & set(server.post("/tokenize", fields).json["tokens"])
    if model in ("glm", "neoglm", "chatglm"):
        layout = server.post("/layout", {"model": model, "text": f"{text} ____ {text}"}).json["tokens"]
        assert sum(token["id"] in tokenizer.special.masks for token in layout) == 1


def test_answers_are_bounded(chatglm3: Served) -> None:
    for body in (
        {"prompt": "x", "logprobs": 21, "echo": True},
        {"prompt": ["x"] * 129},
        {"prompt": ["x"] * 40, "n": 16},
    ):
        assert chatglm3.post("/v1/completions", body).status == 400
    assert chatglm3.post("/tokenize", {"prompt": "x", "messages": []}).status == 400


def test_nothing_of_a_request_is_in_the_log(chatglm3: Served) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    level = LOG.level
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    chatglm3.chat("my secret question", max_tokens=1)
    until(lambda: bool(lines))
    LOG.removeHandler(handler)
    LOG.setLevel(level)
    line = json.loads(lines[-1])
    assert (line["path"], line["status"], line["prompt_tokens"] > 0) == ("/v1/chat/completions", 200, True)
    assert "secret" not in "".join(lines)


def test_only_the_one_port_is_open(chatglm3: Served, server: Served) -> None:
    listening = {one.laddr.port for one in psutil.Process().net_connections("inet") if one.status == psutil.CONN_LISTEN}
    assert {chatglm3.server.port, server.server.port} <= listening
    assert all(
        one.laddr.ip == "127.0.0.1"
        for one in psutil.Process().net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    )


def test_no_code_is_read_from_anywhere() -> None:
    import re

    import glmkit.serve

    root = Path(glmkit.serve.__file__).parent
    dangerous = re.compile(r"\b(pickle|torch\.load|dill|marshal|eval\(|exec\(|__import__|trust_remote_code)")
    assert [path.name for path in root.glob("*.py") if dangerous.search(path.read_text(encoding="utf-8"))] == []
