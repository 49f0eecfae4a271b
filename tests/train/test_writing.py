"""Fine-tuning to write: packed as unpacked, by every method, to the same bits after a kill."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import glmkit
from glmkit.core.errors import UserError
from glmkit.data.packing import pack
from glmkit.generate.sampling import Greedy
from glmkit.tasks.config import DataConfig, FinetuneConfig
from glmkit.tasks.finetune import finetune, prepare
from glmkit.tasks.writing import Writing
from glmkit.testing import GRADIENT_TOLERANCE, tiny
from glmkit.train.logs import read_log
from glmkit.train.lora import LoraConfig
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.schedule import ScheduleConfig

TALKS = [("who?", "me"), ("where?", "here"), ("when?", "now"), ("why?", "so"), ("1+1?", "two"), ("bye", "ciao")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in TALKS]
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def config(tmp_path: Path, data: Path) -> Callable[..., FinetuneConfig]:
    def make(name: str = "chatglm2", **changes: Any) -> FinetuneConfig:
        model = tmp_path / name
        if not model.exists():
            tiny(name).save(model)
        default = FinetuneConfig(
            model=str(model),
            output=str(tmp_path / "run"),
            task="chat",
            data=DataConfig(train=str(data), dev=str(data)),
            epochs=2,
            batch_size=2,
            micro_batch_size=1,
            length=64,
            dropout=0.1,
            lora=LoraConfig(rank=4),
            ptuning=PrefixConfig(num=4),
            schedule=ScheduleConfig(peak=1e-2, shape="constant", warmup=0.0),
            precision="float32",
        )
        return replace(default, **changes)

    return make


def writing(config: FinetuneConfig) -> Writing:
    made = prepare(config)
    assert isinstance(made, Writing)
    return made


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "chatglm3", "glm"])
def test_packed_rows_teach_what_single_ones_teach(
    name: str, config: Callable[..., FinetuneConfig], tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps({"source": q, "target": a}) + "\n" for q, a in TALKS))
    chosen = config(name, task="seq2seq", data=DataConfig(train=str(pairs), dev=str(pairs)), dropout=0.0)
    made = writing(chosen)
    model, pad = made.loaded.model, made.scribe.subject.special.pad
    model.train()
    found = []
    for rows in ([made.examples[:4], made.examples[4:]], [[each] for each in made.examples]):
        model.zero_grad()
        loss = made.loss(pack(rows, pad))
        loss.backward()
        found.append((loss.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-4, rtol=1e-5)
    for key, gradient in found[0][1].items():
        scale = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(
            gradient / scale, found[1][1][key] / scale, atol=GRADIENT_TOLERANCE, rtol=GRADIENT_TOLERANCE
        )


@pytest.mark.parametrize("method", ["full", "lora", "ptuning"])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(
    method: str, config: Callable[..., FinetuneConfig], tmp_path: Path
) -> None:
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")

    class Stop(Exception):
        pass

    class Stopper:
        def on_save(self, path: Path) -> None:
            if path.name.endswith("3"):
                raise Stop

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *arguments: None

    chosen = config(method=method, evaluate_every=3, epochs=3)
    whole = finetune(chosen)
    again = replace(chosen, output=str(tmp_path / "again"))
    with pytest.raises(Stop):
        finetune(again, lambda trainer, done: [Stopper()])
    resumed = finetune(replace(again, resume="auto"))
    name = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()
    losses = [[e["loss"] for e in read_log(Path(c.output)) if e["kind"] == "heldout"] for c in (chosen, again)]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("method", ["full", "lora", "ptuning"])
def test_a_tiny_model_learns_dialogues_by_heart_and_answers_them_in_chat(
    method: str, config: Callable[..., FinetuneConfig]
) -> None:
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    peaks = {"full": 5e-3, "lora": 1e-2, "ptuning": 5e-2}
    model = finetune(memorising(config, method, 60 if method != "ptuning" else 150, peaks[method]))
    loaded = glmkit.load(model)
    said = [loaded.chat([{"role": "user", "content": q}], max_new_tokens=8, sampling=Greedy()) for q, _ in TALKS]
    assert said == [a for _, a in TALKS]


def memorising(config: Callable[..., FinetuneConfig], method: str, epochs: int, peak: float) -> FinetuneConfig:
    return config(
        method=method,
        epochs=epochs,
        evaluate_every=10**6,
        dropout=0.0,
        lora=LoraConfig(rank=16, alpha=32, dropout=0.0),
        ptuning=PrefixConfig(num=32),
        schedule=ScheduleConfig(peak=peak, shape="linear", warmup=0.05, floor=0.0),
    )
