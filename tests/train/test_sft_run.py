"""Fine-tuning to write: packed as unpacked, by every method, to the same bits after a kill."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import glmkit
from glmkit.core.config import to_mapping
from glmkit.core.errors import TrainingDiverged, UserError
from glmkit.data.packing import pack
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.forgetting import change_lines
from glmkit.finetuning.run import finetune, prepare
from glmkit.finetuning.sft_run import SFTRun
from glmkit.generate.sampling import Greedy
from glmkit.testing import GRADIENT_TOLERANCE, tiny
from glmkit.train.logs import read_log
from glmkit.train.lora import LoraConfig
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.schedule import ScheduleConfig

from .conftest import flat
from .test_pretrain import wait_for_checkpoint

TALKS = [("name", "me"), ("place?", "here"), ("date", "now"), ("cause?", "so"), ("1+1", "two"), ("bye", "ciao")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in TALKS]
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def config(tmp_path: Path, data: Path) -> Callable[..., FinetuneConfig]:
    def make(name: str = "chatglm2", **change_lines: Any) -> FinetuneConfig:
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
        return replace(default, **change_lines)

    return make


def writing(config: FinetuneConfig) -> SFTRun:
    built = prepare(config)
    assert isinstance(built, SFTRun)
    return built


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "chatglm3", "glm", "neoglm"])
def test_packed_rows_teach_what_single_ones_teach(
    name: str, config: Callable[..., FinetuneConfig], tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps({"source": q, "target": a}) + "\n" for q, a in TALKS))
    chosen = config(name, task="seq2seq", data=DataConfig(train=str(pairs), dev=str(pairs)), dropout=0.0)
    built = writing(chosen)
    model, pad = built.loaded.model, built.encoder.scorer.special.pad
    model.train()
    results = []
    for rows in ([built.examples[:4], built.examples[4:]], [[example] for example in built.examples]):
        model.zero_grad()
        loss = built.loss(pack(rows, pad))
        loss.backward()
        results.append((loss.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-4, rtol=1e-5)
    for key, gradient in results[0][1].items():
        scale = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(
            gradient / scale, results[1][1][key] / scale, atol=GRADIENT_TOLERANCE, rtol=GRADIENT_TOLERANCE
        )


@pytest.mark.parametrize("method", ["ptuning", *(pytest.param(x, marks=pytest.mark.slow) for x in ("full", "lora"))])
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


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora", "ptuning"])
def test_a_process_killed_in_the_middle_of_an_epoch_goes_on_to_the_same_bits(
    method: str, config: Callable[..., FinetuneConfig], tmp_path: Path
) -> None:
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    rows = tmp_path / "many.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"q{i}?", "response": f"a{i}"}) + "\n" for i in range(60)))
    data = DataConfig(train=str(rows), dev=str(rows), dev_limit=2)
    chosen = config(method=method, data=data, evaluate_every=3, epochs=6, samples=1)
    whole = finetune(chosen)
    steps = [event["step"] for event in read_log(Path(chosen.output)) if event["kind"] == "save"]
    killed = replace(chosen, output=str(tmp_path / "killed"), resume="auto")
    flags = [f"{key}={value}" for key, value in flat(to_mapping(killed)).items() if value != ""]
    command = [sys.executable, "-m", "glmkit.cli.main", "finetune", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(Path(killed.output), process)
    process.kill()
    process.communicate()
    kept = max(Path(killed.output).glob("checkpoints/step-????????"))  # the one before it may not be gone yet
    assert 0 < int(kept.name.removeprefix("step-")) < steps[-1], "it was killed before its end"
    resumed = finetune(killed)
    name = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()
    logs = [[e for e in read_log(Path(c.output)) if e["kind"] == "heldout"] for c in (chosen, killed)]
    assert logs[0] == logs[1]
    written = [(Path(c.output) / "samples.jsonl").read_bytes() for c in (chosen, killed)]
    assert written[0] == written[1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora", "ptuning"])
def test_a_tiny_model_learns_dialogues_by_heart_and_answers_them_in_chat(
    method: str, config: Callable[..., FinetuneConfig], tmp_path: Path
) -> None:
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    chosen = memorizing(config, method)
    if method == "ptuning":
        chosen = replace(chosen, model=str(speaking(chosen, tmp_path)))
    model = finetune(chosen)
    loaded = glmkit.load(model)
    said = [loaded.chat([{"role": "user", "content": q}], max_new_tokens=8, sampling=Greedy()) for q, _ in TALKS]
    assert said == [a for _, a in TALKS]


def memorizing(config: Callable[..., FinetuneConfig], method: str, **change_lines: Any) -> FinetuneConfig:
    """A run that ends with its rows known by heart."""
    epochs, peak = {"full": (60, 5e-3), "lora": (60, 1e-2), "ptuning": (600, 0.1)}[method]
    return config(
        method=method,
        epochs=epochs,
        evaluate_every=10**6,
        dropout=0.0,
        lora=LoraConfig(rank=16, alpha=32, dropout=0.0),
        ptuning=PrefixConfig(num=64),
        optimizer=OptimizerConfig(weight_decay=0.0),
        schedule=ScheduleConfig(peak=peak, shape="linear", warmup=0.05, floor=0.0),
        **change_lines,
    )


def speaking(config: FinetuneConfig, tmp_path: Path) -> Path:
    """A model that knows how to answer something else: adapters steer a model, they do not make one."""
    others = tmp_path / "others.jsonl"
    words = ["red", "blue", "one", "six", "dog", "cat", "sun", "sky"]
    others.write_text("".join(json.dumps({"prompt": f"q{i}", "response": a}) + "\n" for i, a in enumerate(words)))
    data = DataConfig(train=str(others), dev=str(others))
    schedule = replace(config.schedule, peak=5e-3)
    output = str(tmp_path / "speaking")
    rows = {"batch_size": 2, "micro_batch_size": 2, "samples": 0}
    return finetune(replace(config, **rows, method="full", epochs=60, data=data, output=output, schedule=schedule))


def test_what_is_learned_is_shown_and_counted(config: Callable[..., FinetuneConfig], data: Path) -> None:
    built = writing(config(method="ptuning"))
    assert "numbers are trained" in built.summary
    assert "learn   me<eod>   (3 tokens)" in built.shown(0)
    assert sum(p.numel() for p in built.loaded.model.parameters() if p.requires_grad) == 4 * 2 * 2 * 2 * 16


def test_samples_and_general_text_are_measured_from_the_beginning(
    config: Callable[..., FinetuneConfig], tmp_path: Path, data: Path
) -> None:
    text = tmp_path / "general.txt"
    text.write_text("Some text that the model is to keep knowing.\n\nAnd more of it.\n")
    chosen = config(data=DataConfig(train=str(data), dev=str(data), general=str(text), mix=str(text), mix_share=0.5))
    assert writing(chosen).mixed
    finetune(chosen)
    measured = [(e["step"], e["objective"]) for e in read_log(Path(chosen.output)) if e["kind"] == "heldout"]
    assert measured[:2] == [(0, "dev"), (0, "general")]
    assert measured[-1][1] == "general"
    lines = (Path(chosen.output) / "samples.jsonl").read_text().splitlines()
    samples = [json.loads(line) for line in lines]
    assert [sample["step"] for sample in samples[:3]] == [0, 0, 0]
    assert samples[0]["wanted"] == "me"
    assert samples[-1]["step"] == measured[-1][0]
    summary = change_lines(Path(chosen.output))
    assert [line.split(":")[0] for line in summary] == ["dev", "general"]
    first = next(e["loss"] for e in read_log(Path(chosen.output)) if e["kind"] == "heldout")
    assert f"loss {first:.3f} before, " in summary[0]


def test_a_rate_that_makes_the_first_losses_explode_stops_the_run(config: Callable[..., FinetuneConfig]) -> None:
    with pytest.raises(TrainingDiverged, match=r"rows: .*talks\.jsonl:\d.*; lower schedule\.peak"):
        finetune(config(schedule=ScheduleConfig(peak=1e3, shape="constant", warmup=0.0), epochs=20))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, r"talks\.jsonl:7: the last message is the user's"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, r":7: message 1 is the assistant's"),
        ({"messages": "hi"}, r":7: messages must be a list"),
        ({"prompt": "hi"}, r":7: no column 'response'"),
        ({"prompt": "hi", "response": ""}, r":7: column 'response' holds ''"),
        ({"prompt": "hi", "response": "ho", "history": ["a"]}, r":7: history must be pairs"),
        ({"question": "hi", "response": "ho"}, r":7: nothing in column 'prompt'"),
    ],
)
def test_rows_that_teach_nothing_are_named(
    row: dict[str, Any], said: str, config: Callable[..., FinetuneConfig], data: Path
) -> None:
    with open(data, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(UserError, match=said):
        prepare(config())


def test_answers_without_room_are_counted_and_refused_above_a_share(
    config: Callable[..., FinetuneConfig], data: Path
) -> None:
    with open(data, "a", encoding="utf-8") as file:
        file.write(json.dumps({"prompt": "x" * 100, "response": "ho"}) + "\n")
    with pytest.raises(UserError, match=r"no room for the answer in 1 of 7 rows \(first .*talks\.jsonl:7\)"):
        prepare(config())
    built = writing(config(max_lost=0.2))
    assert "1 without room" in built.summary
    assert built.cut == 1


def test_what_a_model_cannot_do_is_said_before_anything_starts(
    config: Callable[..., FinetuneConfig], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="not trained to chat"):
        prepare(config("glm"))
    with pytest.raises(UserError, match="cannot be trained in full"):
        prepare(config(quantize="int4"))
    with pytest.raises(UserError, match="trains in full"):
        config(task="cloze", method="lora")
    adapter = finetune(config(method="ptuning", epochs=1))
    with pytest.raises(UserError, match="glmkit merge"):
        prepare(config(model=str(adapter)))
