"""A family is a few small files: it pretrains, generates, scores and fine-tunes without an edit anywhere else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.families.registry import register
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.run import finetune
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.testing import MODEL_TOLERANCE
from glmkit.train.config import PretrainConfig
from glmkit.train.logs import measures_of, read_log
from glmkit.train.pretrain import pretrain
from glmkit.train.schedule import ScheduleConfig

from .family import NANO, TOY_FAMILY

register(TOY_FAMILY)


@pytest.fixture(scope="module")
def run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("toy") / "run"
    config = PretrainConfig(
        data=str(prepared),
        output=str(output),
        model=NANO,
        objective=ObjectiveConfig(causal=1.0, token=0.0),
        schedule=ScheduleConfig(peak=1e-2),
        steps=40,
        seq_length=64,
        batch_size=4,
        micro_batch_size=4,
        precision="float32",
        validation=0.1,
        validation_every=40,
        save_every=40,
        log_every=1,
    )
    pretrain(config)
    return output


def test_it_pretrains(run: Path) -> None:
    losses = [event["loss"] for event in read_log(run) if event["kind"] == "step"]
    assert losses[-1] < 0.8 * losses[0]


def test_it_generates_and_scores_with_the_same_numbers_as_one_forward(run: Path) -> None:
    model = glmkit.load(run / "model")
    assert model.family is TOY_FAMILY
    (written,) = model.generate_batch(["ba de"], max_new_tokens=6)
    prompt = model.prompt_format.continuation(model.tokenizer.encode("ba de"))
    logits = model.logits([[*prompt, *written.ids[:-1]]])[0, len(prompt) - 1 :].log_softmax(-1)
    expected = logits.gather(1, torch.tensor(written.ids)[:, None])[:, 0]
    torch.testing.assert_close(
        torch.tensor(written.logprobs[: len(written.ids)]), expected, atol=MODEL_TOLERANCE, rtol=0
    )
    one, two = model.score("ba", [" de", " ki"])
    assert one != two


def test_it_learns_rows(run: Path, tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps({"source": f"q{n}", "target": f"a{n}"}) + "\n" for n in range(12)))
    config = FinetuneConfig(
        model=str(run / "model"),
        output=str(tmp_path / "tuned"),
        task="seq2seq",
        data=DataConfig(train=str(data), dev=str(data)),
        epochs=6,
        batch_size=4,
        micro_batch_size=4,
        length=64,
        dropout=0.0,
        schedule=ScheduleConfig(peak=1e-2, shape="constant", warmup=0.0),
        precision="float32",
    )
    finetune(config)
    measured = [result.loss for _, result in measures_of(Path(config.output), "dev")]
    assert measured[-1] < 0.7 * measured[0]


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="a family called glm already"):
        register(replace(TOY_FAMILY, name="glm"))
