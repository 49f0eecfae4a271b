"""A causal model that was pretrained with the objective `infill` fills blanks, as it was trained to."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import glmkit
from glmkit import Beam, Model, TopP
from glmkit.cli.main import main
from glmkit.core.errors import UserError
from glmkit.data.prepare import prepare
from glmkit.families.registry import preset
from glmkit.infill.layout import Layout, blank_layouts, blanked
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.testing import tiny
from glmkit.text.tokenizer import Tokenizer
from glmkit.train.config import PretrainConfig
from glmkit.train.pretrain import pretrain
from glmkit.train.schedule import ScheduleConfig

TEXT = "lo ba de mu ki sa to."


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> PretrainConfig:
    """A run of a small ChatGLM2 on one sentence, over and over."""
    folder = tmp_path_factory.mktemp("infill")
    (folder / "text.txt").write_text(f"{TEXT}\n" * 64, encoding="utf-8")
    prepare([folder / "text.txt"], tokenizer, folder / "data", split="line")
    sizes: Any = replace(preset("chatglm2-nano"), num_layers=2, hidden_size=64, num_heads=4, head_dim=16)
    return PretrainConfig(
        data=str(folder / "data"),
        output=str(folder / "run"),
        model=replace(sizes, intermediate_size=96, max_positions=64, dropout=0.0),
        objective=ObjectiveConfig(token=0, infill=1, ratio=0.3),
        schedule=ScheduleConfig(peak=3e-3),
        steps=150,
        seq_length=32,
        validation=0,
        precision="float32",
        device="cpu",
    )


@pytest.fixture(scope="module")
def trained(config: PretrainConfig) -> Path:
    return pretrain(config)


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    return glmkit.load(trained)


@pytest.fixture
def reads(model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[np.ndarray]]:
    """What the model reads while it fills: ids and positions, [2, T] each time, of one row."""
    results: list[np.ndarray] = []

    def watch(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        ids, positions = inputs[:2]
        results.append(np.stack([ids[0].numpy(), positions[0, 0].numpy()]))

    hook = model.module.register_forward_pre_hook(watch)
    yield results
    hook.remove()


def training_layout(model: Model, corrupted: list[int], fillings: list[list[int]]) -> Layout:
    """A document with these fillings where `corrupted` has masks, blanked there as the objective does it."""
    special = model.tokenizer.special
    tokens, spans, rest = [special.gmask, special.sop], [], iter(fillings)
    for id in corrupted:
        part = next(rest) if id == special.mask else [id]
        if id == special.mask:
            spans.append((len(tokens), len(tokens) + len(part)))
        tokens += part
    text = blanked(np.array([*tokens, special.eod]), np.array(spans), np.arange(len(spans)), special, special.mask)
    (layout,) = blank_layouts([text], special.eop)
    return layout


def test_it_fills_two_blanks_with_what_it_learned(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled = glmkit.load(trained).infill("lo ba [MASK] mu ki [MASK] to.")
    assert (filled.text, filled.finish_reason) == (TEXT, ["eop", "eop"])
    assert main(["infill", str(trained.parent), "lo [MASK] de mu [MASK] sa to."]) == 0
    assert capsys.readouterr().out.splitlines()[0] == TEXT


def test_what_it_reads_is_what_it_learned_from(model: Model, reads: list[np.ndarray]) -> None:
    """Ids, positions and log p of a filling are those of the training layout of the filled text."""
    for how in (None, TopP(p=1.0, temperature=3.0, seed=2), Beam(beams=1)):
        reads.clear()
        filled = model.infill("lo [MASK] de mu [MASK] sa", how, max_tokens=5)
        layout = training_layout(model, model.tokenizer.encode_marked("lo [MASK] de mu [MASK] sa"), filled.ids)
        ids, positions = np.concatenate(reads, axis=1)
        read = len(ids) if filled.finish_reason[1] == "eop" else len(ids) + 1  # nothing is read behind the last token
        np.testing.assert_array_equal(ids, layout.tokens[: len(ids)])
        assert read == len(layout.tokens)
        np.testing.assert_array_equal(positions, np.arange(len(ids)))
        logprobs = model.logits(layout.tokens[None].tolist())[0].log_softmax(-1)
        spans = np.split(np.flatnonzero(layout.weights), np.cumsum([len(one) + 1 for one in filled.ids])[:-1])
        for places, reason, logprob in zip(spans, filled.finish_reason, filled.logprobs, strict=True):
            counted = places if reason == "eop" else places[:-1]
            expected = sum(float(logprobs[place, layout.targets[place]]) for place in counted)
            assert logprob == pytest.approx(expected, abs=1e-3)


def test_texts_of_a_batch_do_not_disturb_each_other(model: Model) -> None:
    texts, how = ["lo [MASK] de mu [MASK] sa to.", "[MASK] ba de", "de mu ki [MASK]"], TopP(p=0.9, seed=1)
    batch = model.infill_batch(texts, how, max_tokens=6)
    assert [one.ids for one in batch] == [model.infill(text, how, max_tokens=6).ids for text in texts]


def test_fillings_stay_within_the_positions_of_the_model(model: Model) -> None:
    long = "ba " * 45 + "[MASK] de [MASK]"
    filled = model.infill(long, TopP(p=1.0, temperature=50.0, seed=0), max_tokens=64, min_tokens=64)
    written = len(model.tokenizer.encode_marked(long)) + 3 + sum(len(ids) + 1 for ids in filled.ids)
    assert written <= model.config.max_positions
    with pytest.raises(
        UserError, match=r"text has \d+ tokens and room for 2 in its blanks, the model reads at most 64"
    ):
        model.infill("ba " * 60 + "[MASK]")


def test_copies_fill_too(model: Model, trained: Path, tmp_path: Path) -> None:
    text = "lo ba [MASK] mu ki [MASK] to."
    wanted = model.infill(text).ids
    model.save(tmp_path / "saved")
    glmkit.convert(trained, tmp_path / "converted")
    glmkit.quantize(tmp_path / "saved", tmp_path / "int8", bits=8)
    for name in ("saved", "converted", "int8"):
        assert glmkit.load(tmp_path / name).infill(text).ids == wanted, name
    assert pickle.loads(pickle.dumps(model)).infill(text).ids == wanted


def test_other_blanks_are_refused(model: Model) -> None:
    with pytest.raises(UserError, match="text has no blank to fill; write"):
        model.infill("lo ba de")
    with pytest.raises(UserError, match=r"text has a blank that this model has not learned to fill; write \[MASK\]"):
        model.infill("lo ba [gMASK]")


@pytest.mark.parametrize("objective", [{"infill": 0, "causal": 1}, {"marks": "sentinel"}])
def test_a_model_that_learned_otherwise_is_refused(
    objective: dict[str, Any], config: PretrainConfig, tmp_path: Path
) -> None:
    other = replace(config.objective, **objective)
    path = pretrain(replace(config, objective=other, steps=1, output=str(tmp_path / "run")))
    with pytest.raises(UserError, match="this model writes from left to right and fills no blanks; use generate"):
        glmkit.load(path).infill("lo [MASK]")


def test_a_chat_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny("chatglm2").save(tmp_path / "chat")
    assert main(["infill", str(tmp_path / "chat"), "lo [MASK]"]) == 2
    line = "glmkit: this model writes from left to right and fills no blanks; use generate or chat, or load a GLM\n"
    assert capsys.readouterr().err == line
