"""The demo's run: what a recipe trains, how long, and the loss of whoever knows frequencies alone."""

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from glmkit.api.demo import DemoConfig, demo, demo_run
from glmkit.api.demo_words import frequency_loss
from glmkit.data.chunks import ExampleSource
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.recipes.pretraining import glm_nano, neoglm_nano
from glmkit.train.config import PretrainConfig
from glmkit.train.text import open_text


def targets(source: ExampleSource) -> list[int]:
    examples = source((0, index) for index in range(len(source)))
    return [int(t) for e in examples for t, weight in zip(e.targets, e.weights, strict=True) if weight > 0]


def test_the_loss_of_frequency_alone(tiny_run: PretrainConfig) -> None:
    text = open_text(tiny_run)
    (heldout,) = text.validation.values()
    assert isinstance(text.training, ExampleSource)
    counts = Counter(targets(replace(text.training, objective=heldout.objective)))
    total = sum(counts.values()) + heldout.vocabulary.size
    surprise = [-math.log((counts[target] + 1) / total) for target in targets(heldout)]
    assert frequency_loss(text.training, heldout, 64) == pytest.approx(sum(surprise) / len(surprise))


def test_the_recipes(tmp_path: Path) -> None:
    old, new = demo_run(tmp_path, "2021", 800), demo_run(tmp_path, "modern", 300)
    assert old.model == glm_nano().model
    assert old.objective == ObjectiveConfig()
    assert (old.optimizer, old.schedule.peak) == (glm_nano().optimizer, 2e-3)
    assert new.model == neoglm_nano().model
    assert new.optimizer.name == "muon"
    assert new.objective == replace(neoglm_nano().objective, mean_length=1.5)
    assert (old.steps, new.steps) == (800, 300)


@pytest.mark.slow
def test_a_demo_by_the_clock_goes_on_with_the_steps_it_planned(tmp_path: Path) -> None:
    """Whatever the machine has to do by then."""
    config, said = DemoConfig(seconds=1), list[str]()

    class Stop:
        def __init__(self, at: int) -> None:
            self.at = at

        def on_step(self, record: object) -> None: ...
        def on_measure(self, step: int, measures: object) -> None:
            if step == self.at:
                raise KeyboardInterrupt

        def on_save(self, path: Path) -> None: ...
        def close(self) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        demo(tmp_path / "demo", config, said.append, lambda trainer, done: [Stop(trainer.validation_every)])
    steps = json.loads((tmp_path / "demo/run.json").read_text())["config"]["steps"]
    assert said[-1] == f"{steps} steps, which this machine does in about 1 s"
    result = demo(tmp_path / "demo", config, said.append, lambda trainer, done: [])
    assert len(said) == 4  # nothing was prepared or rehearsed again
    assert result["recipe"] == "modern"
    assert (tmp_path / f"demo/checkpoints/step-{steps:08d}").is_dir()
