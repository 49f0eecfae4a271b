"""Fifty dialogues known by heart, by every method, asked through `glmkit chat`."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from glmkit.api import Model
from glmkit.cli.main import main
from glmkit.families.registry import family
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.run import finetune
from glmkit.testing import tiny
from glmkit.testing.models import byte_tokenizer
from glmkit.train.lora import LoraConfig
from glmkit.train.methods import Name
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.schedule import ScheduleConfig

WORDS = ["ash", "bay", "cow", "day", "ear", "fig", "gum", "hat", "ink", "jar"]


@pytest.fixture(scope="module")
def converser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny ChatGLM2 that knows 100 other dialogues of the kind by heart.

    A prefix changes what is attended to and nothing else, so the model below it must read questions already. Each
    group of heads looks a question up among the prefix's keys, so eight narrow heads hold more than four wide ones.
    """
    folder = tmp_path_factory.mktemp("converser")
    spec, tokenizer = family("chatglm2"), byte_tokenizer("chatglm2")
    sizes = {"num_heads": 8, "num_kv_heads": 4, "head_dim": 8, "intermediate_size": 128}
    shape = replace(tiny("chatglm2").config, **sizes)
    module = spec.build(shape)
    spec.initialize(module, torch.Generator().manual_seed(0))
    Model(spec, shape, module, tokenizer).save(folder / "random")
    rng = random.Random(0)
    words = [*WORDS, "kit", "log", "map", "net", "oak", "pea", "rib", "sea", "tin", "urn"]
    requests = [f"{word} {n}?" for word in words for n in range(5, 10)]
    others = [(question, f"{rng.choice(words)}{rng.randrange(10)}") for question in requests]
    finetune(by_heart(folder / "random", folder / "run", others, method="full", epochs=500, peak=3e-3))
    return folder / "run" / "model"


def by_heart(model: Path, output: Path, talks: list[tuple[str, str]], **how: Any) -> FinetuneConfig:
    """A run over all of `talks` a step."""
    rows = output.with_suffix(".jsonl")
    rows.write_text("".join(json.dumps({"prompt": q, "response": a}) + "\n" for q, a in talks))
    peak = how.pop("peak")
    return FinetuneConfig(
        model=str(model),
        output=str(output),
        task="chat",
        data=DataConfig(train=str(rows), dev=str(rows)),
        batch_size=16,
        micro_batch_size=16,
        length=128,
        evaluate_every=10**6,
        dropout=0.0,
        samples=0,
        optimizer=OptimizerConfig(weight_decay=0.0),
        schedule=ScheduleConfig(peak=peak, shape="linear", warmup=0.05, floor=0.0),
        precision="float32",
        **how,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "epochs", "peak"),
    [("full", 300, 3e-3), ("lora", 300, 5e-3), ("ptuning", 2500, 0.3)],
)
def test_fifty_dialogues_are_known_by_heart(
    method: Name, epochs: int, peak: float, converser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is answered in `glmkit chat`, over a model that knows how to answer something else."""
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    fifty = [(f"{word} {n}?", f"{WORDS[(i + n) % 10]}{n}") for i, word in enumerate(WORDS) for n in range(5)]
    how = {"lora": LoraConfig(rank=32, alpha=64.0, dropout=0.0), "ptuning": PrefixConfig(num=64, dropout=0.0)}
    chosen = by_heart(converser, tmp_path / "run", fifty, method=method, epochs=epochs, peak=peak, **how)
    model = finetune(chosen)
    laid = [str(model)] if method == "full" else [str(converser), "--adapter", str(model)]
    capsys.readouterr()
    said = []
    for question, _ in fifty:
        assert main(["chat", *laid, "--prompt", question, "--temperature", "0", "-n", "8"]) == 0
        said.append(capsys.readouterr().out.strip())
    known = sum(reply == answer for reply, (_, answer) in zip(said, fifty, strict=True))
    assert known >= 48, f"{known} of 50"
    command = [sys.executable, "-m", "glmkit.cli.main", "chat", *laid, "--temperature", "0"]
    piped = subprocess.run(command, input=f"{fifty[7][0]}\n", capture_output=True, text=True, check=True)
    assert piped.stdout.strip() == said[7]
