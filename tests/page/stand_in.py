"""A server with scripted answers, to drive the page by: the same requests always get the same texts."""

import json
import math
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from glmkit.serve.page import answer

MODEL = {
    "id": "glm-tiny",
    "family": "glm",
    "parameters": 110_000_000,
    "context": 512,
    "dtype": "bfloat16",
    "quantized": {"bits": 4},
    "fills_blanks": True,
    "chats": True,
    "system": True,
    "tools": True,
    "labels": ["negative", "positive"],
    "adapter_of": None,
}
INFO = {"models": [MODEL, MODEL | {"id": "glm-other", "chats": False}], "version": "0", "limits": {}}
LOAD = {
    "running": 1,
    "waiting": 2,
    "cache_bytes": 2**30,
    "cache_bytes_used": 2**28,
    "tokens_per_second": 41.5,
    "loading": None,
}
MARKDOWN = """# A heading

**注意：**请看，这是 *Markdown* with `code` and <https://example.org/a?b=1>.

| left | right |
|:-----|------:|
| a<br>b | 12 |

```python
def f(x):
    return x + 1  # a comment
```

1. one
2. two

\\[ e^{i\\pi} + 1 = 0 \\]

Inline \\(x^2\\), and $5 is not a formula.
"""
ATTACK = """<script>window.attacked = 1</script><img src=x onerror="window.attacked = 1">

[a link](javascript:window.attacked=1) ![a picture](https://evil.example/?q=secret)
<svg onload=window.attacked=1></svg> <a href="https://evil.example" onclick="window.attacked=1">x</a>

```<img/onerror=window.attacked=1>
<script>window.attacked = 1</script>
```

\\[ \\href{javascript:window.attacked=1}{x} \\style{background:url(https://evil.example)}{y} \\]
"""
SCRIPTED = {
    "markdown": MARKDOWN,
    "attack": ATTACK,
    "long": "".join(f"Line {number} of a long answer.\n\n" for number in range(120)),
    "a list of 50 kB": "".join(f"- item {number} with **bold** words and some `code` in it\n" for number in range(900)),
    "a paragraph of 50 kB": "".join(f"Sentence {number} has **bold words** and `code`. " for number in range(1150)),
    "a table of 50 kB": "|a|b|\n|---|--:|\n" + "".join(f"|row {n} with `code`|**{n}**|\n" for n in range(1500)),
    "references": "A [link][later] and more.\n\nA paragraph.\n\n[later]: https://example.org/later\n",
    "a tight list": "Before:\n- one\n- two\n  - nested\n\nAfter.\n\n3. three\n4. four",
    "a loose list": "- one\n- two\n\n- three\n\n  more of three\n- four\n",
    "open code": "So:\n\n```python\ndef f():\n    pass",
}
ALTERNATIVES = [("lunch", -0.5), ("dinner", -1.5), ("an apple", -2.5)]


def letters(text: str) -> list[str]:
    """A text in pieces as a stream would bring it."""
    return re.findall(r".{1,4}", text, re.DOTALL)


def reply(messages: list[dict[str, Any]]) -> str:
    """What is answered to the last message."""
    said = messages[-1]["content"]
    for name, text in SCRIPTED.items():
        if name in said:
            return text
    if messages[-1]["role"] == "assistant":
        return " and then the rest."
    return f"You said: {said}"


def chat(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The chunks of an answer."""
    said = body["messages"][-1]["content"]
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}

    def chunk(delta: dict[str, Any], finish: str | None = None, tokens: int = 0) -> dict[str, Any]:
        usage = {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens}
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage}

    yield chunk({"role": "assistant", "content": ""})
    if "weather" in said and body.get("tools"):
        name = "<img src=x onerror=window.attacked=1>" if "attack" in said else "get_weather"
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
        yield chunk({"tool_calls": [call]})
        for piece in ('{"city": "<b>', "Bei", 'jing</b>"}'):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield chunk({}, "tool_calls", 9)
        return
    pieces = letters(reply(body["messages"]))
    for count, piece in enumerate(pieces, 1):
        if "slow" in said:
            time.sleep(0.1)
        yield chunk({"content": piece}, tokens=count)
        if "broken" in said and count == 2:
            yield {"error": {"message": "the engine stopped", "type": "server_error", "param": None, "code": None}}
            return
    if "cut" in said:
        return
    yield chunk({}, "length" if body.get("max_tokens") == 5 else "stop", len(pieces))


def tokens(text: str, logprob: float) -> list[dict[str, Any]]:
    """A text as tokens, words with the space before them, that share its log-probability."""
    words = re.findall(r"\s*\S+", text) or [text]
    return [
        {
            "token": word,
            "id": 100 + len(word),
            "logprob": logprob / len(words),
            "bytes": list(word.encode()),
            "top_logprobs": [
                {"token": word, "logprob": logprob / len(words), "bytes": list(word.encode())},
                {"token": " other", "logprob": -4.0, "bytes": list(b" other")},
            ],
        }
        for word in words
    ]


def fillings(segments: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Whole fillings, best first: blank k of filling j gets the alternative j, and the number of the blank."""
    blanks = [segment["blank"] for segment in segments if "blank" in segment]
    result = []
    for word, logprob in ALTERNATIVES[:count]:
        texts = [word if len(blanks) == 1 else f"{word} {number}" for number in range(1, len(blanks) + 1)]
        left = iter(texts)
        result.append(
            {
                "text": "".join(segment["text"] if "text" in segment else next(left) for segment in segments),
                "logprob": logprob * len(blanks),
                "blanks": [
                    {
                        "id": blank["id"],
                        "text": text,
                        "logprob": logprob,
                        "finish_reason": "end",
                        "tokens": tokens(text, logprob),
                    }
                    for blank, text in zip(blanks, texts, strict=True)
                ],
            }
        )
    return result


def infill(body: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    filled = fillings(body["segments"], body.get("n", 1))
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    base = {"object": "infill", "id": "infill-1", "created": 1, "model": body["model"]}
    return {**base, "fillings": filled, "candidates": [], "usage": usage}


def score(body: dict[str, Any]) -> dict[str, Any]:
    """Choices for the one blank, scored by their length."""
    scores = [{"text": text, "logprob": -len(text) / 4} for text in body["choices"]]
    total = sum(math.exp(-len(text) / 4) for text in body["choices"])
    rows = [one | {"share": math.exp(one["logprob"]) / total} for one in scores]
    return {"object": "score", "model": body["model"], "scores": rows}


def infill_stream(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The best filling letter by letter, then the whole answer."""
    whole = infill(body)
    slow = any("slow" in segment.get("text", "") for segment in body["segments"])
    for number, blank in enumerate(whole["fillings"][0]["blanks"]):
        for piece in letters(blank["text"]):
            time.sleep(0.4 if slow else 0.01)
            base = {"object": "infill.chunk", "id": "infill-1", "created": 1, "model": body["model"]}
            yield {**base, "filling": 0, "blank": number, "delta": piece, "tokens": [], "finish_reason": None}
    yield whole


def layout(body: dict[str, Any]) -> dict[str, Any]:
    """The text with its blanks masked, then the spans, each behind a start token."""
    names: list[str] = []
    outer: list[int] = []
    masks: list[int] = []
    for segment in body["segments"]:
        words = re.findall(r"\s*\S+", segment["text"]) if "text" in segment else ["[MASK]"]
        for word in words:
            if word == "[MASK]":
                masks.append(len(names))
            outer.append(len(names))
            names.append(word)
    context = len(names)
    inner = [0] * context
    for at, text in zip(masks, body["fillings"], strict=True):
        span = ["<|startofpiece|>", *re.findall(r"\s*\S+", text)]
        names += span
        outer += [at] * len(span)
        inner += range(1, len(span) + 1)
    ends = [*names[context + 1 :], "<|endofpiece|>"]
    targets = [None] * context + [{"text": name, "id": number} for number, name in enumerate(ends)]
    return {
        "tokens": [{"text": name, "id": number} for number, name in enumerate(names)],
        "positions": [outer, inner],
        "context": context,
        "targets": targets,
        "mask_rule": "prefix",
    }


def logprobs(body: dict[str, Any]) -> dict[str, Any]:
    """A log-probability for each word that falls with its length, and a character in two tokens at the end."""
    text = body.get("text") or " ".join(message["content"] for message in body["messages"])
    rows = tokens(text, 0.0)
    for number, row in enumerate(rows):
        row["logprob"] = None if number == 0 else -0.6 * len(row["token"])
        row["top_logprobs"] = [] if number == 0 else [{**row["top_logprobs"][0], "logprob": row["logprob"]}]
    for part in (b"\xe4\xbd", b"\xa0"):
        rows.append({"token": "\ufffd", "id": 1, "logprob": -1.0, "bytes": list(part), "top_logprobs": []})
    return {"tokens": rows}


class Handler(BaseHTTPRequestHandler):
    """Answers the page and the endpoints that it calls."""

    protocol_version = "HTTP/1.1"
    server: "StandIn"

    def log_message(self, *_: object) -> None:
        """Tests are silent."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/info", "/load"):
            if self.server.key and self.headers["authorization"] != f"Bearer {self.server.key}":
                self.refuse(401, "a key is needed")
            else:
                self.send_json({"/info": self.server.info, "/load": LOAD}[path])
            return
        status, headers, body = answer("GET", path, {name.lower(): value for name, value in self.headers.items()})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "content-length" not in headers:
            self.send_header("content-length", "0")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, body))
        if self.server.key and self.headers["authorization"] != f"Bearer {self.server.key}":
            self.refuse(401, "a key is needed")
        elif "busy once" in json.dumps(body) and self.server.requests.count((self.path, body)) == 1:
            self.refuse(429, "the queue is full.", {"retry-after": "1"})
        elif "busy always" in json.dumps(body):
            self.refuse(429, "the queue is full.", {"retry-after": "7"})
        elif self.path == "/v1/chat/completions":
            self.send_stream(chat(body), done="cut" not in body["messages"][-1]["content"])
        elif self.path == "/infill":
            if body.get("stream"):
                self.send_stream(infill_stream(body))
            else:
                self.send_json(infill(body))
        elif self.path == "/score":
            self.send_json(score(body))
        elif self.path == "/layout":
            self.send_json(layout(body))
        elif self.path == "/logprobs":
            self.send_json(logprobs(body))
        elif self.path == "/classify":
            self.send_json({"data": [{"index": 0, "label": "positive", "probs": [0.1, 0.9], "num_classes": 2}]})
        else:
            self.refuse(404, "no such path")

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.send_json({"error": {"message": message, "type": "error", "param": None, "code": None}}, status, headers)

    def send_json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_stream(self, events: Iterator[dict[str, Any]], done: bool = True) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for event in events:
                self.wfile.write(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
                self.wfile.flush()
            if done:
                self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.server.dropped.append(self.path)


class StandIn(ThreadingHTTPServer):
    """The server, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.dropped: list[str] = []
        self.key = ""
        self.info: dict[str, Any] = INFO
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A browser that closes a connection is no error of a test."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"
