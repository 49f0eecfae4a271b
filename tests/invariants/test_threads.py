"""Models in threads of one process: whoever computes beside them, texts and logits are those of one alone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.generate.scheduler import Scheduler
from glmkit.testing import tiny

TEXTS = [
    f"Open the {word} and [MASK] it" for word in ("door", "a window over there", "b", "file that was written last")
]
CALLERS = 8


def calls(model: glmkit.Model) -> list[Callable[[], object]]:
    """Of all kinds: fills, continuations by sampling, logits outside of the engine."""

    def go_on(seed: int) -> str:
        return model.generate(f"A text {seed}", max_new_tokens=8, sampling=glmkit.TopP(p=0.9, seed=seed))

    def logits() -> list[float]:
        return model.logits(torch.arange(3, 20)[None], context=0).flatten().tolist()

    texts = TEXTS if model.prompt_format.fills_blanks else []
    fills = [partial(model.infill, text, max_tokens=6) for text in texts]
    return [*((lambda fill=fill: fill().text) for fill in fills), logits, *(partial(go_on, seed) for seed in range(5))]


def together(work: list[Callable[[], object]]) -> list[object]:
    """What the calls give in as many threads, which begin at once."""
    begin = threading.Barrier(len(work))

    def call(one: Callable[[], object]) -> object:
        begin.wait()
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(call, work))


def saved(name: str, folder: Path) -> Path:
    path = folder / name
    if not path.exists():
        tiny(name).save(path)
    return path


@pytest.mark.parametrize("kind", ["float32", "int4"])
@pytest.mark.parametrize("name", ["glm", "chatglm2", "neoglm"])
def test_one_model_called_from_eight_threads(name: str, kind: str, tmp_path: Path) -> None:
    model = loaded(saved(name, tmp_path), kind)
    work = (calls(model) * CALLERS)[:CALLERS]
    alone = [call() for call in work]
    for _ in range(3):
        assert together(work) == alone


@pytest.mark.parametrize("kind", ["float32", "int4"])
def test_two_models_in_two_threads(kind: str, tmp_path: Path) -> None:
    """Their kernels share the pool of threads and each thread's scratch memory."""
    models = [loaded(saved(name, tmp_path), kind) for name in ("glm", "chatglm2")]
    work = [lambda one=one: [call() for call in calls(one)] for one in models]
    alone = [call() for call in work]
    for _ in range(3):
        assert together(work) == alone


def loaded(path: Path, kind: str) -> glmkit.Model:
    """In 4 bits as a server would be that promises one answer to one question."""
    if kind == "float32":
        return glmkit.load(path)
    model = glmkit.load(path, dtype="bfloat16", quantize="int4")
    model._scheduler = Scheduler(model.module, deterministic=True)
    return model
