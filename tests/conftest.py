"""What every test may ask for: the goldens, a tiny tokenizer, tiny prepared data, a tiny model."""

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path

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
