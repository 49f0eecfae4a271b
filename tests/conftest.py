"""What every test may ask for: the goldens, a tiny tokenizer, tiny prepared data, a tiny model."""

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings

from glmkit.data.prepare import prepare
from glmkit.data.shards import Shards, open_shards
from glmkit.infill.corruption import Vocabulary
from glmkit.kernels.library import isas, library
from glmkit.models.glm import GLM, GLMConfig
from glmkit.testing import shared_path
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.trained import train

# Where tests run in the background Ctrl-C is ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every run, so that a failure is the doing of the change that is tested. No deadline: a slow
# machine is no fault of the code.
settings.register_profile("glmkit", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("glmkit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that train come first: they take longest, and begun last they would leave the other workers idle."""
    items.sort(key=lambda item: "train" not in item.path.parts)


@pytest.fixture(scope="module", params=isas()[:-1])
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each level of the compiled kernels that this processor runs, chosen while it lasts."""
    kernels = library()
    assert kernels is not None
    before = kernels.isa
    kernels.choose(request.param)
    yield request.param
    kernels.choose(before)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The outputs of the original code, made from tiny random models."""
    path = shared_path("golden", "glm")
    if path is None:
        pytest.skip("no goldens: set GLMKIT_SHARED to the folder that holds golden/glm")
    return path


@pytest.fixture(scope="session")
def chatglm_golden() -> Path:
    """The outputs of the official ChatGLM code, made from tiny random checkpoints."""
    path = shared_path("golden", "chatglm")
    if path is None:
        pytest.skip("no goldens: set GLMKIT_SHARED to the folder that holds golden/chatglm")
    return path


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    """Documents of one to nine made-up sentences; some hold Chinese, some a line break."""
    rng = random.Random(0)
    words = ["".join(rng.choice("bdgklmnprstvz") + rng.choice("aeiou") for _ in range(1 + n % 3)) for n in range(150)]
    words += ["北京", "学习", "语言模型", "填空"]

    def sentence() -> str:
        return " ".join(rng.choices(words, k=rng.randint(2, 12))) + rng.choice(".?!。\n")

    return [" ".join(sentence() for _ in range(rng.randint(1, 9))).strip() for _ in range(120)]


@pytest.fixture(scope="session")
def tokenizer(corpus: list[str]) -> Tokenizer:
    return train(corpus, vocab_size=448, spare=56)


@pytest.fixture(scope="session")
def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    return Vocabulary(special=tokenizer.special, size=len(tokenizer), sentence_ends=tokenizer.sentence_ends)


@pytest.fixture(scope="session")
def prepared(corpus: list[str], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus as prepared data; every third document has a prompt."""
    folder = tmp_path_factory.mktemp("prepared")
    records = [
        {"text": text, "prompt": corpus[number - 1] if number % 3 == 0 else ""} for number, text in enumerate(corpus)
    ]
    source = folder / "corpus.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    prepare([source], tokenizer, folder / "data")
    return folder / "data"


@pytest.fixture(scope="session")
def shards(prepared: Path) -> Shards:
    return open_shards(prepared)


@pytest.fixture(scope="session")
def many(corpus: list[str], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data in forty shards, three documents each."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(40):
        (folder / f"{number:02d}.txt").write_text("\n\n".join(corpus[number * 3 :][:3]))
    prepare([folder], tokenizer, folder / "data", part_bytes=1)
    return folder / "data"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto.server", reason="moto's server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with open(log, "wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=file, stderr=file
        )
    try:
        for _ in range(600):
            assert server.poll() is None, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def storage(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """That server as s3fs sees it, with an empty bucket named bucket."""
    import requests
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    requests.post(f"{endpoint}/moto-api/reset", timeout=60)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    yield system
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def tiny_glm() -> GLM:
    """A GLM of random weights large enough that every input matters, in evaluation mode; not to be changed."""
    config = GLMConfig(num_layers=2, hidden_size=32, num_heads=2, vocab_size=448, max_positions=256)
    model = GLM(config).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2, generator=generator)
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.add_(1)
    return model.requires_grad_(False)
