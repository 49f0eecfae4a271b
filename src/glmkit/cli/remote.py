"""A model that a server has, asked over HTTP: what `glmkit chat --url` talks to."""

import http.client
import json
import os
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.generate.sampling import Greedy, SamplingParams, Strategy
from glmkit.text.conversation import Message, Reply

KEY = "GLMKIT_API_KEY"  # the environment variable that holds a server's key; OPENAI_API_KEY where it is not set
_PATIENCE = 600.0  # seconds without a byte
_USUAL = SamplingParams(p=0.8, temperature=0.8)  # of a server that does not say how it draws


class RemoteAnswer:
    """A reply while it is written, as `glmkit.Answer`; iterate over it for pieces of text."""

    def __init__(self, connection: http.client.HTTPConnection, lines: http.client.HTTPResponse, dropped: int) -> None:
        self._connection, self._lines, self.dropped = connection, lines, dropped
        self.finish_reason: str | None = None
        self.ids: list[int] = []  # one of each token; the server does not say which
        self.prompt_length = self.cached_tokens = 0
        self._text = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            data = line.decode("utf-8").strip().removeprefix("data:").strip()
            if not data or data.startswith(":"):
                continue
            if data == "[DONE]":
                return
            event = json.loads(data)
            if event.get("error"):
                raise UserError(f"the server failed: {event['error'].get('message', event['error'])}")
            if event.get("usage"):
                self._used(event["usage"])
            for choice in event["choices"][:1]:
                self.finish_reason = choice["finish_reason"] or self.finish_reason
                if piece := choice["delta"].get("content"):
                    self._text += piece
                    self.ids.append(0)
                    yield piece

    def _used(self, usage: JsonObject) -> None:
        self.ids = [0] * usage["completion_tokens"]
        self.prompt_length = usage["prompt_tokens"]
        self.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)

    def close(self) -> None:
        """Ends it here; the server notices."""
        self._connection.close()

    @property
    def reply(self) -> Reply:
        return Reply(content=self._text, messages=[{"role": "assistant", "content": self._text}])


class RemoteModel:
    """The model called `name` of the server at `url`, or its first. Raises UserError for one that does not answer."""

    tokenizer: Any = None  # the server has it

    def __init__(self, url: str, name: str | None) -> None:
        self._url = _parsed(url)
        self._key = os.environ.get(KEY) or os.environ.get("OPENAI_API_KEY")
        models = self._ask("GET", "/v1/models")["data"]
        known = [model["id"] for model in models]
        if name is not None and name not in known:
            raise UserError(f"the server at {url} has no model {name!r}; it has {', '.join(known)}")
        self.name = name or known[0]
        table = next(model for model in models if model["id"] == self.name)
        self.config = SimpleNamespace(max_positions=table.get("max_model_len") or 0)
        self.chat_format = SimpleNamespace(prompt=lambda tokenizer, messages: [])  # the server says what is wrong
        sampling = table.get("sampling") or {}
        self.chat_sampling = (
            SamplingParams(p=sampling["top_p"], temperature=sampling["temperature"]) if sampling else _USUAL
        )

    def free(self) -> None:
        """Nothing of a conversation is kept here."""

    def stream_chat(
        self, messages: Sequence[Message], *, sampling: Strategy, max_new_tokens: int | None, overflow: str
    ) -> RemoteAnswer:
        """The reply to a conversation, which loses its oldest rounds until the model can read it, unless `overflow` is
        "error"."""
        body = _fields(sampling) | {"model": self.name, "max_tokens": max_new_tokens, "stream": True}
        body["stream_options"] = {"include_usage": True}
        kept, dropped = list(messages), 0
        while True:
            connection, reply = self._send("POST", "/v1/chat/completions", body | {"messages": kept})
            if reply.status == 200:
                return RemoteAnswer(connection, reply, dropped)
            error = _error(reply)
            connection.close()
            starts = [place for place, message in enumerate(kept) if message["role"] == "user"]
            if error.get("code") != "context_length_exceeded" or overflow == "error" or len(starts) < 2:
                raise UserError(f"the server answers: {error.get('message', reply.status)}")
            kept = [*(message for message in kept[: starts[0]]), *kept[starts[1] :]]
            dropped += 1

    def _ask(self, method: str, path: str) -> Any:
        connection, reply = self._send(method, path, None)
        if reply.status != 200:
            remedy = f"; glmkit sends the key that {KEY} holds" if reply.status == 401 else ""
            raise UserError(f"the server answers: {_error(reply).get('message', reply.status)}{remedy}")
        try:
            return json.loads(reply.read())
        except ValueError:
            raise UserError(f"what answers at {self._url.geturl()} is no server of models") from None
        finally:
            connection.close()

    def _send(
        self, method: str, path: str, body: JsonObject | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=_PATIENCE)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, self._url.path + path, data, headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException, UnicodeEncodeError) as error:
            raise UserError(
                f"no answer from {self._url.geturl()}: {getattr(error, 'strerror', None) or error}; is it started?"
            ) from None


def _parsed(url: str) -> SplitResult:
    """The address of a server, with or without /v1. Raises UserError for what is none."""
    try:
        parsed = urlsplit(url if "//" in url else f"http://{url}")
        if parsed.scheme not in ("http", "https") or not parsed.hostname or parsed.port == 0:
            raise ValueError
    except ValueError:
        raise UserError(f"--url {url!r}: write it as http://127.0.0.1:8000") from None
    return parsed._replace(path=quote(parsed.path.rstrip("/").removesuffix("/v1"), safe="/%"))


def _fields(sampling: Strategy) -> JsonObject:
    """A strategy as the fields of a request."""
    assert isinstance(sampling, Greedy | SamplingParams)
    penalties = sampling.penalties
    fields: JsonObject = {"temperature": 0}
    if isinstance(sampling, SamplingParams):
        fields = {"temperature": sampling.temperature, "top_p": sampling.p, "top_k": sampling.k}
        fields |= {"min_p": sampling.min_p or None, "seed": sampling.seed}
    named = {"repetition_penalty": penalties.repetition, "presence_penalty": penalties.presence}
    named |= {"frequency_penalty": penalties.frequency}
    fields |= {name: value for name, value in named.items() if value != (1 if name.startswith("rep") else 0)}
    if penalties.bias:
        fields["logit_bias"] = {str(id): bias for id, bias in penalties.bias.items()}
    return fields


def _error(reply: http.client.HTTPResponse) -> JsonObject:
    """The error object of a reply, as far as there is one."""
    try:
        error = json.loads(reply.read()).get("error", {})
    except (ValueError, AttributeError):
        return {}
    return error if isinstance(error, dict) else {"message": str(error)}
