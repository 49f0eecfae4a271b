"""How fast choices are scored: after one reading of their context, rows together, against each choice alone."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from glmkit.bench.pretrain import SPECIAL
from glmkit.bench.report import Report, Result
from glmkit.core import machine
from glmkit.families.glm import GLM_FAMILY, preset
from glmkit.generate.follow import read
from glmkit.generate.scheduler import Scheduler
from glmkit.infill.position_schemes import TwoChannel
from glmkit.models.glm import GLM
from glmkit.objective.choices import ScoringRequest, of_choices


@dataclass(frozen=True)
class Shape:
    """Examples of a task: tokens of a context, choices of an example, tokens of a choice with its end."""

    context: int
    choices: int
    tokens: int
    examples: int


SHAPES = {"copa": Shape(40, 2, 8, 64), "record": Shape(300, 12, 5, 8)}


def bench_cloze(name: str, dtype: torch.dtype, rounds: int) -> Report:
    """Examples a second on COPA- and ReCoRD-like shapes. The limit column is the baseline: a forward for every
    choice."""
    config = preset(name)
    device = machine.default_device()
    model = GLM(config).to(device)
    GLM_FAMILY.initialize(model, torch.Generator(device).manual_seed(0))
    model = model.to(dtype).eval()
    engine = Scheduler(model)
    results = []
    for task, shape in SHAPES.items():
        examples = random_examples(shape, config.vocab_size)
        single = [_one(example, answer) for example in examples for answer in example.answers]

        def score(requests: list[ScoringRequest]) -> None:
            read(engine, [of_choices(TwoChannel(), SPECIAL, request) for request in requests])

        def shared(examples: list[ScoringRequest] = examples) -> None:
            score(examples)

        def alone(single: list[ScoringRequest] = single) -> None:
            for item in single:
                score([item])

        def in_batches(single: list[ScoringRequest] = single) -> None:
            score(single)

        times: dict[str, list[float]] = {"shared": [], "batches": [], "alone": []}
        shared()
        for _ in range(rounds):
            for kind, run in (("shared", shared), ("alone", alone), ("batches", in_batches)):
                times[kind].append(_seconds(run))
        rate = {kind: shape.examples / median(values) for kind, values in times.items()}
        results.append(Result(f"{task}: one reading, against each alone", rate["shared"], "examples/s", rate["alone"]))
        results.append(
            Result(f"{task}: one reading, against choices in batches", rate["shared"], "examples/s", rate["batches"])
        )
    return Report("cloze", {"preset": name, "dtype": str(dtype).removeprefix("torch.")}, results)


def random_examples(shape: Shape, vocab_size: int) -> list[ScoringRequest]:
    """Random contexts with a blank three quarters in, and their choices."""
    rng = np.random.default_rng(0)
    results = []
    for _ in range(shape.examples):
        context = rng.integers(64, vocab_size, shape.context)
        blank = shape.context * 3 // 4
        context[0], context[blank], context[-1] = SPECIAL.begin, SPECIAL.mask, SPECIAL.eod
        choices = rng.integers(64, vocab_size, (shape.choices, shape.tokens))
        results.append(ScoringRequest(context=context.tolist(), blank=blank, answers=choices.tolist()))
    return results


def _one(example: ScoringRequest, answer: Sequence[int]) -> ScoringRequest:
    return ScoringRequest(context=example.context, blank=example.blank, answers=[answer])


def _seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
