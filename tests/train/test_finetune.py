"""Fine-tuning from beginning to end: it learns, keeps its best, stops, goes on exactly, and predicts."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import glmkit
from glmkit.conversion.weights import open_weights
from glmkit.core.config import to_mapping
from glmkit.core.errors import UserError
from glmkit.data.steps import micro_batches
from glmkit.families import directory
from glmkit.families.chatglm2 import CHATGLM2_FAMILY
from glmkit.families.conversion import convert
from glmkit.families.glm import GLM_FAMILY
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.finetune_run import Patience
from glmkit.finetuning.predictions import predict, prepare_model, saved_of
from glmkit.finetuning.run import finetune, prepare
from glmkit.models.chatglm2 import ChatGLM2, ChatGLM2Config
from glmkit.models.glm import GLM, GLMConfig
from glmkit.tasks.score import ScoringModel
from glmkit.tasks.tables import read_rows
from glmkit.text.tokenizer import Tokenizer
from glmkit.train.logs import read_log
from glmkit.train.schedule import ScheduleConfig

from .conftest import flat


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A separable set: which of two words is among others."""
    folder = tmp_path_factory.mktemp("rows")
    rng = random.Random(0)
    for split, count in (("train", 120), ("dev", 40)):
        lines = []
        for _ in range(count):
            label = rng.choice(["bad", "good"])
            words = [*rng.choices(["ba", "de", "mu", "na"], k=4), "ki" if label == "good" else "lo"]
            rng.shuffle(words)
            lines.append(f"{' '.join(words)}\t{label}")
        (folder / f"{split}.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def glm(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("glm")
    config = GLMConfig(num_layers=2, hidden_size=48, num_heads=3, vocab_size=512, max_positions=64)
    model = GLM(config)
    GLM_FAMILY.initialize(model, torch.Generator().manual_seed(0))
    directory.write(path, GLM_FAMILY, config, model, tokenizer, None)
    return path


@pytest.fixture(scope="module")
def chatglm2(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ChatGLM2 of random weights; its tokenizer begins texts with [gMASK] sop."""
    path = tmp_path_factory.mktemp("chatglm2")
    config = ChatGLM2Config(
        num_layers=2,
        hidden_size=48,
        num_heads=4,
        num_kv_heads=2,
        head_dim=12,
        intermediate_size=96,
        vocab_size=512,
        max_positions=64,
    )
    model = ChatGLM2(config)
    CHATGLM2_FAMILY.initialize(model, torch.Generator().manual_seed(0))
    special = replace(tokenizer.special, cls=None)
    directory.write(path, CHATGLM2_FAMILY, config, model, Tokenizer(tokenizer.pieces, special, tokenizer.marks), None)
    return path


@pytest.fixture
def config(glm: Path, rows: Path, tmp_path: Path) -> FinetuneConfig:
    return FinetuneConfig(
        model=str(glm),
        output=str(tmp_path / "run"),
        data=DataConfig(train=str(rows / "train.tsv"), dev=str(rows / "dev.tsv")),
        epochs=4,
        length=32,
        dropout=0.1,
        schedule=ScheduleConfig(peak=5e-3, shape="linear", warmup=0.1, floor=0.0),
        precision="float32",
        device="cpu",
    )


CLOZE: dict[str, Any] = {"task": "cloze", "pattern": "{text} de [MASK]."}


def with_words(config: FinetuneConfig, words: str) -> FinetuneConfig:
    return replace(config, data=replace(config.data, words=words), **CLOZE)


def accuracies(run: Path) -> list[float]:
    return [event["accuracy"] for event in read_log(run) if event["kind"] == "heldout"]


def answers(model: Path, file: Path) -> list[tuple[str, float]]:
    """Of `predict`, and `m.classify` says the same: from texts, from rows, and from a saved copy."""
    loaded = glmkit.load(model)
    rows = read_rows(file)
    chances = loaded.classify([row["text"] for row in rows])
    state = list(loaded.module.state_dict())
    loaded.save(model / "copy")
    torch.testing.assert_close(glmkit.load(model / "copy").classify(rows), chances)
    shutil.rmtree(model / "copy")
    assert list(loaded.module.state_dict()) == state
    scorer = ScoringModel(
        model=loaded.module,
        position_scheme=loaded.position_scheme,
        prompt=loaded.family.prompt(loaded.tokenizer.special),
        tokenizer=loaded.tokenizer,
        max_length=loaded.config.max_positions,
    )
    saved = saved_of(model)
    prepare_model(scorer, saved, model)
    predictions = predict(scorer, saved, rows)
    assert [loaded.labels[place] for place in chances.argmax(1).tolist()] == [item.label for item in predictions]
    given = torch.tensor([[item.probabilities[name] for name in loaded.labels] for item in predictions])
    torch.testing.assert_close(chances, given)
    assert all(sum(item.probabilities.values()) == pytest.approx(1, abs=1e-5) for item in predictions)
    return [(item.label, max(item.probabilities.values())) for item in predictions]


@pytest.mark.parametrize("kind", ["head", "single", "whole answers"])
def test_it_learns_and_predicts(kind: str, config: FinetuneConfig, rows: Path) -> None:
    if kind != "head":
        config = with_words(config, "bad=ba,good=de" if kind == "single" else "bad=ba de mu,good=ki lo")
    if kind == "whole answers":
        config = replace(config, epochs=8)
    model = finetune(config)
    assert max(accuracies(Path(config.output))) >= 0.95
    truth = [row["label"] for row in read_rows(rows / "dev.tsv")]
    said = answers(model, rows / "dev.tsv")
    assert np.mean([label == true for (label, _), true in zip(said, truth, strict=True)]) >= 0.95
    assert answers(Path(config.output), rows / "dev.tsv") == said
    assert glmkit.load(model).infill("ba [MASK] de.").spans  # it is still a model
    if kind == "head":
        for layout in ("megatron", "glm-hf-port"):
            with pytest.raises(UserError, match="a head of 2 classes"):
                convert(model, Path(config.output) / layout, layout)


def test_a_chatglm2_sorts_too_and_its_head_has_the_official_name(
    config: FinetuneConfig, chatglm2: Path, rows: Path
) -> None:
    model = finetune(replace(config, model=str(chatglm2), dropout=0.0))
    said = answers(model, rows / "dev.tsv")
    truth = [row["label"] for row in read_rows(rows / "dev.tsv")]
    assert np.mean([label == true for (label, _), true in zip(said, truth, strict=True)]) >= 0.95
    loaded = glmkit.load(model)
    convert(model, Path(config.output) / "official", "chatglm-hf")
    theirs = open_weights(Path(config.output) / "official")
    torch.testing.assert_close(theirs.get("classifier_head.weight"), loaded.module.classifier.weight)
    again = glmkit.load(Path(config.output) / "official").module
    torch.testing.assert_close(again.classifier.bias, loaded.module.classifier.bias)
    with pytest.raises(UserError, match="fills no blanks"):
        prepare(replace(config, model=str(chatglm2), **CLOZE))


def test_the_best_checkpoint_becomes_the_model_and_patience_ends_the_run(config: FinetuneConfig) -> None:
    config = replace(config, epochs=40, patience=2)
    model = finetune(config)
    run = Path(config.output)
    result = accuracies(run)
    assert len(result) < 41
    assert result[-3:].count(max(result)) < 3 or result.index(max(result)) == len(result) - 3
    assert max(result[-2:]) <= max(result[:-2])
    saved = json.loads((model / "task.json").read_text())
    assert saved["temperature"] > 0


def test_a_run_that_was_stopped_goes_on_exactly(config: FinetuneConfig, tmp_path: Path) -> None:
    """Weights, log and stop are those of a run that was never interrupted."""
    whole = finetune(config)

    class Stop(Exception):
        pass

    def stopping(trainer: Any, done: int) -> list[Any]:
        class Watcher:
            def on_save(self, path: Path) -> None:
                if path.name.endswith("16"):
                    raise Stop

            def __getattr__(self, name: str) -> Callable[..., None]:
                return lambda *arguments: None

        return [Watcher()]

    again = replace(config, output=str(tmp_path / "again"))
    with pytest.raises(Stop):
        finetune(again, stopping)
    record = json.loads((tmp_path / "again" / "run.json").read_text(encoding="utf-8"))
    for key in ("encoding", "header", "dev_share"):  # as version 0.1.0 began it
        del record["config"]["data"][key]
    del record["config"]["threads"]
    (tmp_path / "again" / "run.json").write_text(json.dumps(record), encoding="utf-8")
    resumed = finetune(replace(again, resume="auto"))
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert accuracies(Path(again.output)) == accuracies(Path(config.output))
    with pytest.raises(UserError, match="holds a run already"):
        finetune(again)
    with pytest.raises(UserError, match=r"started with epochs=4 \(now 5\)"):
        finetune(replace(again, resume="auto", epochs=5))


def test_a_run_whose_labels_were_called_otherwise_does_not_go_on_with_other_words(
    config: FinetuneConfig, rows: Path, tmp_path: Path
) -> None:
    """Version 0.1.0 called true and false True and False, and so filled the blank."""
    data = replace(config.data, train=str(tmp_path / "train.jsonl"), dev=str(tmp_path / "dev.jsonl"))
    for split in ("train", "dev"):
        table = [{"text": row["text"], "label": row["label"] == "good"} for row in read_rows(rows / f"{split}.tsv")]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    config = replace(config, data=data, epochs=1, **CLOZE)
    finetune(config)
    finetune(replace(config, resume="auto"))
    for path in (Path(config.output) / "checkpoints").glob("*/task.json"):
        path.write_text(path.read_text().replace('"false"', '"False"').replace('"true"', '"True"'))
    with pytest.raises(UserError, match="learned the words False, True, and the labels of the rows are false, true"):
        finetune(replace(config, resume="auto"))


def test_weights_of_classes_and_rows_a_class(config: FinetuneConfig) -> None:
    balanced = prepare(replace(config, class_weights="balanced")).dataset.train
    for gold in (0, 1):
        assert sum(row.weight for row in balanced if row.gold == gold) == pytest.approx(len(balanced) / 2)
    few = prepare(replace(config, data=replace(config.data, few=5))).dataset.train
    assert sorted(row.gold for row in few if row.gold is not None) == [0] * 5 + [1] * 5


@pytest.mark.parametrize("settings", [{}, CLOZE])
def test_a_quantized_model_is_refused(settings: dict[str, Any], config: FinetuneConfig, tmp_path: Path) -> None:
    glmkit.quantize(config.model, tmp_path / "int8", bits=8)
    with pytest.raises(UserError, match="its weights are integers; start from the original"):
        finetune(replace(config, model=str(tmp_path / "int8"), **settings))


def test_packed_rows_teach_what_single_rows_teach(config: FinetuneConfig) -> None:
    for built in (
        prepare(replace(config, dropout=0.0)),
        prepare(with_words(replace(config, dropout=0.0), "bad=ba,good=de")),
    ):
        loss, task_module = built.task_module.loss.eval(), built.task_module
        together = loss(task_module.batch(built.examples[:12]))
        alone = sum(loss(task_module.batch([example])) for example in built.examples[:12])
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-5)


def test_continuous_prompts_are_learned_alone_kept_and_gone_on_with(
    config: FinetuneConfig, glm: Path, rows: Path, tmp_path: Path
) -> None:
    config = replace(
        with_words(config, "bad=ba,good=de"),
        pattern="[P]{text}[P] de [MASK].",
        prompts=4,
        prefix=1,
        freeze=True,
        epochs=2,
        patience=1,
        schedule=ScheduleConfig(peak=1e-2),
    )
    model = finetune(config)
    for name, tensor in glmkit.load(glm).module.state_dict().items():
        torch.testing.assert_close(glmkit.load(model).module.state_dict()[name], tensor, msg=name)
    log = accuracies(Path(config.output))
    truth = [row["label"] for row in read_rows(rows / "dev.tsv")]
    said = answers(model, rows / "dev.tsv")
    assert np.mean([label == true for (label, _), true in zip(said, truth, strict=True)]) == pytest.approx(max(log[1:]))
    before = (model / "prompts.safetensors").read_bytes()
    assert finetune(replace(config, resume="auto")).joinpath("prompts.safetensors").read_bytes() == before
    with pytest.raises(UserError, match="use task=cloze"):
        replace(config, task="classify")


def test_patience_counts_from_the_best() -> None:
    patience = Patience(2, [])
    for value, exhausted in ((3.0, False), (2.0, False), (2.5, False), (2.0, True)):
        patience.take(value)
        assert patience.exhausted == exhausted
    assert not Patience(0, [1.0, 2.0, 3.0, 4.0]).exhausted


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chatglm2", "whole answers"])
def test_two_processes_teach_what_one_does(kind: str, config: FinetuneConfig, chatglm2: Path, tmp_path: Path) -> None:
    """97 rows, 16 a step: of the last step one process has the only row, the other none."""
    config = replace(config, dropout=0.0, epochs=2, micro_batch_size=4, patience=1, data=replace(config.data, limit=97))
    if kind == "chatglm2":
        config = replace(config, model=str(chatglm2))
    else:
        config = with_words(config, "bad=ba de mu,good=ki lo")
    alone = glmkit.load(finetune(config)).module.state_dict()
    flags = [
        f"--{key}={value}" for key, value in flat(to_mapping(replace(config, output=str(tmp_path / "both")))).items()
    ]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    given = [flag for flag in flags if not flag.endswith("=")]
    subprocess.run(
        [sys.executable, *torchrun, "-m", "glmkit.cli.main", "finetune", *given],
        check=True,
        capture_output=True,
        timeout=300,
    )
    for name, tensor in glmkit.load(tmp_path / "both").module.state_dict().items():
        torch.testing.assert_close(tensor, alone[name], atol=1e-4, rtol=1e-3, msg=name)
    assert accuracies(tmp_path / "both") == accuracies(Path(config.output))


def test_processes_share_the_rows_of_a_step() -> None:
    """The drawing of data/steps.py, and fewer rows a micro-batch where a process would have none."""
    rows = [[(0, index)] for index in range(5)]

    def dealt(count: int, micro_rows: int, world: int) -> list[list[list[int]]]:
        parts = [micro_batches(rows[:count], micro_rows, rank, world) for rank in range(world)]
        return [[[row[0][1] for row in micro] for micro in mine] for mine in parts]

    assert dealt(5, 2, 2) == [[[0, 1], [4]], [[2, 3], []]]
    assert dealt(4, 16, 2) == [[[0, 1]], [[2, 3]]]
    assert dealt(1, 16, 2) == [[[0]], [[]]]
    assert dealt(5, 2, 1) == [[[0, 1], [2, 3], [4]]]
