"""NeoGLM from text to a model that is tuned: it learns, goes on exactly, and what each way of tuning writes loads."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import glmkit
from glmkit.cli.main import main
from glmkit.core.errors import UserError
from glmkit.data.loader import batch
from glmkit.families.registry import family_of, preset
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.run import finetune
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.models.neoglm import MLPConfig
from glmkit.objective.loss import Loss
from glmkit.recipes.pretraining import RECIPES
from glmkit.testing import GRADIENT_TOLERANCE, tiny
from glmkit.train.config import PretrainConfig, from_record, to_record
from glmkit.train.logs import measures_of, read_log
from glmkit.train.pretrain import pretrain
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.schedule import ScheduleConfig
from glmkit.train.text import open_text

from .conftest import Stop, StopAtSave, elsewhere
from .test_pretrain import weights

SMALL: Any = replace(
    preset("neoglm-nano"), hidden_size=64, num_heads=4, num_kv_heads=2, mlp=MLPConfig(intermediate_size=128)
)


@pytest.fixture
def neo_run(tiny_run: PretrainConfig) -> PretrainConfig:
    return replace(
        tiny_run, model=replace(SMALL, dropout=0.1), objective=ObjectiveConfig(token=1, document=0.5, left_to_right=0.5)
    )


def test_it_learns_and_every_verb_reads_it(neo_run: PretrainConfig) -> None:
    model = glmkit.load(pretrain(replace(neo_run, steps=40, schedule=ScheduleConfig(peak=1e-2))))
    losses = [event["loss"] for event in read_log(Path(neo_run.output)) if event["kind"] == "step"]
    assert losses[-1] < losses[0] - 1
    assert len(model.infill("ba [MASK] de [MASK]", max_tokens=3).spans) == 2
    assert isinstance(model.generate("ba", 4), str)
    one, two = model.score("ba [MASK]", ["de", "ki"])
    assert one != two
    assert model.logprob("ba [MASK] [MASK]", ["de", "ki"], order=[0, 1]) != model.logprob(
        "ba [MASK] [MASK]", ["de", "ki"], order=[1, 0]
    )


def test_stopped_and_resumed_is_bitwise_the_run_left_alone(neo_run: PretrainConfig, tmp_path: Path) -> None:
    alone = weights(pretrain(neo_run))
    stopped = elsewhere(neo_run, tmp_path / "stopped", resume="auto")
    with pytest.raises(Stop):
        pretrain(stopped, lambda trainer, done: [StopAtSave()])
    assert weights(pretrain(stopped)) == alone
    with pytest.raises(UserError, match=r"model\.norm\.qk|model"):
        pretrain(replace(stopped, steps=20, model=replace(SMALL, residual_init="scaled")))


def test_packed_rows_have_the_loss_and_gradient_of_each_text_alone(neo_run: PretrainConfig) -> None:
    source = open_text(replace(neo_run, model=SMALL)).training
    spec = family_of(SMALL)
    model = spec.build(SMALL)
    spec.initialize(model, torch.Generator().manual_seed(0))

    def gradient(rows: list[list[tuple[int, int]]]) -> tuple[float, torch.Tensor]:
        model.zero_grad()
        value = Loss(model)(batch(source, rows))
        value.backward()
        return float(value.detach()), torch.cat([p.grad.flatten() for p in model.parameters()])

    keys = [(0, index) for index in range(6)]
    together, alone = gradient([keys[:3], keys[3:]]), gradient([[key] for key in keys])
    assert together[0] == pytest.approx(alone[0], rel=1e-5)
    scale = alone[1].abs().max()
    torch.testing.assert_close(together[1] / scale, alone[1] / scale, atol=GRADIENT_TOLERANCE, rtol=GRADIENT_TOLERANCE)


def test_its_config_is_recorded_and_read(neo_run: PretrainConfig) -> None:
    record = json.loads(json.dumps(to_record(neo_run)))
    assert (record["family"], record["model"]["rope"]) == ("neoglm", {"base": 300.0, "place_share": 0.75})
    assert from_record(record, "run.json") == neo_run


@pytest.fixture
def tuning(tmp_path: Path) -> Callable[..., FinetuneConfig]:
    tiny("neoglm").save(tmp_path / "base")
    (tmp_path / "pairs.jsonl").write_text(
        "".join(json.dumps({"source": f"q{n}", "target": f"a{n % 3}"}) + "\n" for n in range(12))
    )
    rows = [("good fun", "yes"), ("bad end", "no"), ("good day", "yes"), ("bad luck", "no")] * 3
    (tmp_path / "labels.tsv").write_text("text\tlabel\n" + "".join(f"{a} {n}\t{b}\n" for n, (a, b) in enumerate(rows)))

    def make(task: Any, **changed: Any) -> FinetuneConfig:
        file = str(tmp_path / ("pairs.jsonl" if task == "seq2seq" else "labels.tsv"))
        words = {"yes": "y", "no": "n"} if task == "cloze" else None
        data = DataConfig(train=file, dev=file, words=",".join(f"{k}={v}" for k, v in words.items()) if words else "")
        default = FinetuneConfig(
            model=str(tmp_path / "base"),
            output=str(tmp_path / "run"),
            task=task,
            data=data,
            epochs=4,
            batch_size=4,
            micro_batch_size=4,
            length=48,
            dropout=0.0,
            schedule=ScheduleConfig(peak=5e-3, shape="constant", warmup=0.0),
            ptuning=PrefixConfig(num=4, dropout=0.0),
            precision="float32",
        )
        return replace(default, **changed)

    return make


@pytest.mark.parametrize("method", ["full", "lora", "ptuning"])
def test_it_learns_pairs(method: Any, tuning: Callable[..., FinetuneConfig]) -> None:
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    config = tuning("seq2seq", method=method)
    finetune(config)
    measured = [result.loss for _, result in measures_of(Path(config.output), "dev")]
    assert measured[-1] < measured[0]
    model = glmkit.load(config.output)
    assert isinstance(model.infill("q1 [MASK]", max_tokens=3).text, str)


@pytest.mark.parametrize(
    "changed",
    [
        {"task": "classify"},
        {"task": "cloze", "pattern": "{text} [MASK]"},
        {"task": "cloze", "pattern": "{text} [P] [MASK]", "prompts": 1, "freeze": True},
    ],
    ids=["head", "cloze", "continuous prompts"],
)
def test_it_sorts_texts(changed: dict[str, Any], tuning: Callable[..., FinetuneConfig]) -> None:
    config = tuning(**changed)
    finetune(config)
    chances = glmkit.load(config.output).classify(["good fun", "bad luck"])
    assert chances.shape == (2, 2)
    torch.testing.assert_close(chances.sum(-1), torch.ones(2))


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("neoglm")])
def test_recipes_read_rows_that_their_models_hold(name: str) -> None:
    config = RECIPES[name]()
    assert family_of(config.model).name == "neoglm"
    assert config.seq_length <= config.model.max_positions


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["model.num_heads=7"], "hidden_size 256 must be a multiple of num_heads 7: heads are equally wide"),
        (["model.num_kv_heads=3"], "num_heads 4 must be a multiple of num_kv_heads 3"),
        (["model.rope.place_share=0.7"], "rope.place_share 0.7 is 44.8 of the 64 elements of a head"),
        (["model.mlp.kind=relu"], "kind must be one of relu2, swiglu, gelu, got 'relu'"),
        (["model.rope.theta=1"], "unknown key"),
        (["model.norm=rms"], "model.norm"),
    ],
)
def test_bad_sizes_are_one_line(settings: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "neoglm-nano", "data=d", "output=o", *settings]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_an_unknown_recipe_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "neoglm-nan", "data=d", "output=o"]) == 2
    assert "did you mean 'neoglm-nano'" in capsys.readouterr().err
