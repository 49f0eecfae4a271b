"""A model directory to run commands on, and a way to run them."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from glmkit.cli.main import main
from glmkit.families import directory
from glmkit.families.glm import GLM_FAMILY
from glmkit.models.glm import GLM, GLMConfig
from glmkit.text.tokenizer import Tokenizer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def model_directory(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GLM of random weights with its tokenizer, as training writes it."""
    path = tmp_path_factory.mktemp("model")
    config = GLMConfig(num_layers=1, hidden_size=32, num_heads=2, vocab_size=512, max_positions=64)
    model = GLM(config)
    GLM_FAMILY.initialize(model, torch.Generator().manual_seed(0))
    directory.write(path, GLM_FAMILY, config, model, tokenizer, None)
    return path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `glmkit ARGUMENTS`; returns exit code, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def at_once() -> Iterator[None]:
    """Whatever waits for longer than thirty seconds is broken off."""

    def waited(number: int, frame: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
