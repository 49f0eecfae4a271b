"""Programs of others against the server, and what lasts: lm-eval, Node, a thousand idle connections, a soak."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from glmkit.serve.models import Models, ServedModel

from .conftest import Served, serving, settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def single(models: Models) -> Iterator[Served]:
    only = Models([ServedModel("m", models.models["chatglm2"].model)])
    with serving(lambda progress: only, settings()) as served:
        yield served


def test_lm_eval_scores_as_the_model_does(single: Served, models: Models) -> None:
    api = pytest.importorskip("lm_eval.models.openai_completions", reason="no lm-eval")
    pytest.importorskip("tenacity", reason="lm-eval[api] is not installed")
    from lm_eval.api.instance import Instance

    lm = api.LocalCompletionsAPI(
        base_url=f"{single.url}/v1/completions", model="m", tokenizer_backend="remote", batch_size=2, max_length=1000
    )
    pairs = [("The capital of France is", " Paris"), ("The capital of France is", " Rome"), ("a", " b")]
    requests = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]
    expected = [models.models["chatglm2"].model.score(context, [answer], ended=False)[0] for context, answer in pairs]
    assert [value for value, _ in lm.loglikelihood(requests)] == pytest.approx(expected, abs=1e-3)
    until_ = Instance("generate_until", {}, ("hello", {"until": ["\x00"], "max_gen_toks": 6, "temperature": 0.0}), 0)
    (text,) = lm.generate_until([until_])
    assert text == models.models["chatglm2"].model.generate("hello", 6, stop=["\x00"])


SCRIPT = """
const answer = await fetch(process.argv[1] + "/v1/chat/completions", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ messages: [{ role: "user", content: "hi" }], max_tokens: 5, stream: true }),
});
let text = "", decoder = new TextDecoder();
for await (const chunk of answer.body) text += decoder.decode(chunk, { stream: true });
const events = text.split("\\n\\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
if (events.at(-1) !== "[DONE]") throw new Error("no end");
console.log(JSON.stringify(events.slice(0, -1).map((event) => JSON.parse(event).choices[0].finish_reason)));
"""


def test_node(single: Served) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    command = [node, "--input-type=module", "-e", SCRIPT, "--", single.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    reasons = json.loads(run.stdout)
    assert (reasons[-1] in ("stop", "length"), set(reasons[:-1])) == (True, {None})


def test_langchain(single: Served) -> None:
    openai = pytest.importorskip("langchain_openai", reason="no langchain-openai")
    chat = openai.ChatOpenAI(base_url=f"{single.url}/v1", api_key="x", model="m", max_tokens=6)
    assert chat.invoke("hi").usage_metadata["input_tokens"] > 0
    assert len(list(chat.stream("hi"))) > 1


def test_a_thousand_idle_connections(single: Served) -> None:
    psutil = pytest.importorskip("psutil")
    process = psutil.Process()
    before, connections = process.memory_info().rss, []
    for _ in range(1000):
        connection = socket.create_connection((single.host, single.server.port), timeout=10)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connections.append(connection)
    began = time.monotonic()
    assert single.chat(max_tokens=50, ignore_eos=True).status == 200
    assert time.monotonic() - began < 10
    assert process.memory_info().rss - before < 100 << 20
    for connection in connections:
        connection.close()


def test_a_soak_leaves_nothing_behind(single: Served) -> None:
    """For 20 seconds; `make soak` for longer."""
    pytest.importorskip("psutil")
    from .soak import faults, soak

    single.chat(max_tokens=5)
    assert faults(*soak(single, 20)) == []
    assert not single.app.metrics._last
