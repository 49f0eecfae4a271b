"""Any family pretrains: ChatGLM2 from left to right and with blanks, on from a model, and from several corpora."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import glmkit
from glmkit.api.verify import verify
from glmkit.cli.main import main
from glmkit.core.errors import UserError
from glmkit.data.loader import batch
from glmkit.data.prepare import prepare
from glmkit.families import directory
from glmkit.families.conversion import convert
from glmkit.families.registry import family_of, preset
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.models.chatglm import ChatGLMConfig
from glmkit.testing import shared_path
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.trained import train
from glmkit.train.config import CorpusConfig, PretrainConfig, from_record, to_record
from glmkit.train.logs import read_log
from glmkit.train.pretrain import config_of, pretrain
from glmkit.train.schedule import ScheduleConfig
from glmkit.train.text import open_text
from tests.parity.chatglm import publish
from tests.parity.chatglm import tokenizer_of as tokenizer_official

from .conftest import Stop, StopAtSave, as_flags, elsewhere
from .test_pretrain import weights

CAUSAL = ObjectiveConfig(token=0, causal=1)
SMALL: Any = replace(
    preset("chatglm2-nano"), num_layers=2, hidden_size=64, num_heads=4, head_dim=16, intermediate_size=96
)


@pytest.fixture
def tiny_causal(tiny_run: PretrainConfig) -> PretrainConfig:
    """A run of a ChatGLM2 of two blocks on the prepared text."""
    return replace(tiny_run, model=replace(SMALL, dropout=0.1), objective=CAUSAL)


def run_as_user(config: PretrainConfig, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, "-m", "glmkit.cli.main", "pretrain", "chatglm2-nano", *as_flags(config)]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, timeout=300)


def losses(run: str | Path) -> list[float]:
    return [event["loss"] for event in read_log(Path(run)) if event["kind"] == "step"]


def test_a_causal_row_is_framed_text_and_every_token_is_predicted(
    tiny_causal: PretrainConfig, tokenizer: Tokenizer
) -> None:
    source = open_text(replace(tiny_causal, validation=0)).training
    special = tokenizer.special
    for index in range(len(source)):
        (one,) = source([(0, index)])
        assert one.tokens[:2].tolist() == [special.gmask, special.sop]
        assert one.targets[:-1].tolist() == one.tokens[1:].tolist()
        assert one.weights[0] == 0, "sop is not predicted"
        assert one.positions.tolist() == [list(range(len(one)))]
        assert one.context == 0, "nothing is read both ways"


def test_blanks_of_a_causal_row_stand_behind_the_text_in_its_order(
    tiny_causal: PretrainConfig, tokenizer: Tokenizer
) -> None:
    config = replace(tiny_causal, objective=ObjectiveConfig(token=0, infill=1, ratio=0.3), validation=0)
    source = open_text(config).training
    special = tokenizer.special
    for index in range(len(source)):
        (one,) = source([(0, index)])
        first = one.tokens[2:].tolist().index(special.sop) + 2  # behind the opening [gMASK] sop
        text, spans = one.tokens[:first].tolist(), one.tokens[first:].tolist()
        assert one.weights.tolist() == [0.0] * first + [1.0] * len(spans)
        written = [[]]
        for target in one.targets[first:].tolist():
            written[-1] += [target] if target != special.eop else []
            written += [[]] if target == special.eop else []
        filled = [id for token in text for id in (written.pop(0) if token == special.mask else [token])]
        document, start, stop = source.table.row(index)  # type: ignore[attr-defined]
        whole = [*source.shards.read(document, 0, int(source.shards.lengths[document])).tolist(), special.eod]  # type: ignore[attr-defined]
        assert filled == [special.gmask, special.sop, *whole[start:stop]]
        assert (one.context, written) == (0, [[]])


def test_packed_rows_have_the_loss_and_gradient_of_each_text_alone(tiny_causal: PretrainConfig) -> None:
    config = replace(tiny_causal, objective=replace(CAUSAL, infill=0.5), model=SMALL)
    source = open_text(config).training
    spec = family_of(SMALL)
    model = spec.build(SMALL)
    spec.initialize(model, torch.Generator().manual_seed(0))
    from glmkit.objective.loss import Loss

    def gradient(rows: list[list[tuple[int, int]]]) -> tuple[float, torch.Tensor]:
        model.zero_grad()
        value = Loss(model)(batch(source, rows))
        value.backward()
        return float(value.detach()), torch.cat([p.grad.flatten() for p in model.parameters()])

    keys = [(0, index) for index in range(6)]
    together, alone = gradient([keys[:3], keys[3:]]), gradient([[key] for key in keys])
    assert together[0] == pytest.approx(alone[0], rel=1e-5)
    torch.testing.assert_close(together[1], alone[1], atol=1e-4, rtol=1e-3)


def test_it_learns_chats_and_is_exported(tiny_causal: PretrainConfig, tmp_path: Path) -> None:
    model = pretrain(replace(tiny_causal, steps=30, objective=replace(CAUSAL, infill=0.3)))
    result = losses(tiny_causal.output)
    assert result[-1] < result[0] - 0.5
    assert {e["objective"] for e in read_log(Path(tiny_causal.output)) if e["kind"] == "heldout"} == {
        "causal",
        "infill",
    }
    loaded = glmkit.load(model)
    assert isinstance(loaded.chat([{"role": "user", "content": "ba de"}], max_new_tokens=4), str)
    assert len(loaded.infill("ba [MASK] de [MASK]", max_tokens=3).spans) == 2
    pytest.importorskip("transformers")
    convert(model, tmp_path / "hf", "glm-hf")
    assert verify(model, tmp_path / "hf", "glm-hf").same
    pytest.importorskip("gguf")
    convert(model, tmp_path / "m.gguf", "gguf")
    if subprocess.run([sys.executable, "-c", "import llama_cpp"], capture_output=True, check=False).returncode == 0:
        assert verify(model, tmp_path / "m.gguf", "gguf").same


def test_killed_and_resumed_is_bitwise_the_run_left_alone(tiny_causal: PretrainConfig, tmp_path: Path) -> None:
    config = replace(tiny_causal, objective=replace(CAUSAL, infill=0.5))
    alone = weights(pretrain(config))
    half = elsewhere(config, tmp_path / "killed", resume="auto")
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "glmkit.cli.main", "pretrain", "chatglm2-nano", *as_flags(half)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    while not list((tmp_path / "killed").glob("checkpoints/step-*")):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert weights(pretrain(half)) == alone


@pytest.mark.slow
def test_two_processes_train_as_one(tiny_causal: PretrainConfig, tmp_path: Path) -> None:
    config = replace(tiny_causal, model=SMALL)
    alone = glmkit.load(pretrain(config)).module.state_dict()
    both = elsewhere(config, tmp_path / "both")
    done = run_as_user(both, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    assert done.returncode == 0, done.stderr
    for name, tensor in glmkit.load(tmp_path / "both").module.state_dict().items():
        torch.testing.assert_close(tensor, alone[name], atol=1e-4, rtol=1e-3, msg=name)


def test_going_on_from_a_model_begins_with_its_loss(tiny_causal: PretrainConfig, tmp_path: Path) -> None:
    first = pretrain(tiny_causal)
    other_sizes = elsewhere(tiny_causal, tmp_path / "on", init_from=str(first), model=preset("chatglm2-mini"))
    pretrain(other_sizes)
    measured = [
        [e["loss"] for e in read_log(Path(run)) if e["kind"] == "heldout"]
        for run in (tiny_causal.output, tmp_path / "on")
    ]
    assert measured[1][0] == pytest.approx(measured[0][-1], abs=1e-6)
    assert config_of(tmp_path / "on").model == replace(SMALL, vocab_size=512), "the config of the model it went on from"


def test_going_on_needs_the_tokenizer_and_the_family_of_the_model(
    tiny_run: PretrainConfig, tiny_causal: PretrainConfig, corpus: list[str], tmp_path: Path
) -> None:
    first = pretrain(tiny_causal)
    with pytest.raises(UserError, match="is a chatglm2, the model of this run a glm: begin from a recipe of chatglm2"):
        pretrain(elsewhere(tiny_run, tmp_path / "on", init_from=str(first)))
    (tmp_path / "text.txt").write_text("\n\n".join(corpus), encoding="utf-8")
    prepare([tmp_path / "text.txt"], train(corpus, vocab_size=460), tmp_path / "other")
    with pytest.raises(UserError, match=r"prepared with another tokenizer.*prepare it with --tokenizer"):
        pretrain(elsewhere(tiny_causal, tmp_path / "on", init_from=str(first), data=str(tmp_path / "other")))
    mixed = (CorpusConfig(path=tiny_causal.data), CorpusConfig(path=str(tmp_path / "other")))
    with pytest.raises(UserError, match=r"other was prepared with another tokenizer than .*data; prepare it again"):
        pretrain(elsewhere(tiny_causal, tmp_path / "on", data=mixed))


def test_going_on_from_a_published_layout(tmp_path: Path) -> None:
    """The official files of a ChatGLM2, here of two narrow blocks: its tokenizer prepares the data."""
    publish("chatglm2", tmp_path / "official")
    config = replace(SMALL, vocab_size=65024, rope_scaling="positions")
    spec = family_of(config)
    model = spec.build(config)
    spec.initialize(model, torch.Generator().manual_seed(0))
    (tmp_path / "ours").mkdir()
    directory.write(tmp_path / "ours", spec, config, model, tokenizer_official("chatglm2"), None)
    convert(tmp_path / "ours", tmp_path / "published", "chatglm-hf")
    (tmp_path / "text.txt").write_text("\n\n".join(f"第{n}首：春风又绿江南岸。" for n in range(40)), encoding="utf-8")
    arguments = ["data", "prepare", tmp_path / "data", tmp_path / "text.txt", "--tokenizer", tmp_path / "published"]
    assert main([*map(str, arguments), "--workers", "1"]) == 0
    settings = {
        "steps": 2,
        "seq_length": 16,
        "batch_size": 4,
        "micro_batch_size": 4,
        "validation_every": 2,
        "threads": 1,
    }
    given = [f"{name}={value}" for name, value in settings.items()]
    run = tmp_path / "run"
    where = [f"data={tmp_path / 'data'}", f"output={run}", "--init-from", str(tmp_path / "published")]
    assert main(["pretrain", "chatglm2-6b", *where, *given, "model.dropout=0.0"]) == 0
    assert config_of(run).model == config
    assert glmkit.load(run).tokenizer.chat == "chatglm2"


@pytest.mark.parametrize("share", ["token", "sentence", "document", "single", "masked_lm"])
def test_an_objective_that_the_family_cannot_do(tiny_causal: PretrainConfig, share: str) -> None:
    with pytest.raises(
        UserError, match=rf"a chatglm2 reads from left to right alone and cannot learn objective\.{share}"
    ):
        pretrain(replace(tiny_causal, objective=replace(CAUSAL, **{share: 0.5})))


def test_blanks_behind_a_text_need_positions_of_their_own(tiny_causal: PretrainConfig) -> None:
    config = replace(tiny_causal, seq_length=400, objective=replace(CAUSAL, infill=1))
    with pytest.raises(
        UserError, match="seq_length 400 with their blanks behind them take up to 520 positions, the mod"
    ):
        pretrain(config)


def test_chatglm_pretrains_with_the_ids_of_the_tokenizer(tiny_run: PretrainConfig, tokenizer: Tokenizer) -> None:
    config: Any = ChatGLMConfig(
        num_layers=1,
        hidden_size=32,
        num_heads=2,
        intermediate_size=64,
        vocab_size=8,
        max_positions=128,
        mask=0,
        gmask=1,
        sop=2,
    )
    shares = ObjectiveConfig(token=1, document=1, causal=1, infill=1)
    loaded = glmkit.load(pretrain(replace(tiny_run, model=config, steps=3, objective=shares)))
    special = tokenizer.special
    assert (loaded.config.mask, loaded.config.gmask, loaded.config.sop) == (special.mask, special.gmask, special.sop)


def test_a_mixture_trains_logs_its_epochs_and_resumes_bitwise(
    tiny_causal: PretrainConfig, corpus: list[str], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("\n\n".join(corpus[:30]), encoding="utf-8")
    prepare([tmp_path / "text.txt"], tokenizer, tmp_path / "few")
    data = (CorpusConfig(path=tiny_causal.data), CorpusConfig(path=str(tmp_path / "few"), weight=0.75))
    config = replace(tiny_causal, data=data)
    summary: list[str] = []
    alone = weights(pretrain(config, say=summary.append))
    assert [line.split(" of the tokens")[0] for line in summary] == ["data: 25.0%", "few: 75.0%"]
    run = Path(config.output)
    steps = [event for event in read_log(run) if event["kind"] == "step"]
    assert steps[-1]["epochs"]["few"] > steps[0]["epochs"]["few"] > 0
    assert {e["objective"] for e in read_log(run) if e["kind"] == "heldout"} == {"data causal", "few causal"}
    shares = [one["share"] for one in json.loads((run / "run.json").read_text())["data"]["corpora"]]
    assert shares == pytest.approx([0.25, 0.75])
    assert config_of(run).data == data
    stopped = elsewhere(config, tmp_path / "stopped", resume="auto")
    with pytest.raises(Stop):
        pretrain(stopped, lambda trainer, done: [StopAtSave()])
    assert weights(pretrain(stopped)) == alone
    with pytest.raises(UserError, match="was started with other data"):
        pretrain(replace(stopped, data=(data[0], replace(data[1], weight=0.5))))


def test_a_record_of_this_version_and_of_the_first(tiny_causal: PretrainConfig) -> None:
    record = json.loads(json.dumps(to_record(tiny_causal)))
    assert from_record(record, "run.json") == tiny_causal
    glm = to_record(PretrainConfig(model=replace(preset("glm-mini"), dropout=0.25), init_from="x"))  # type: ignore[type-var]
    old = {key: value for key, value in glm.items() if key not in ("family", "model", "init_from")}
    old["objective"] = {k: v for k, v in old["objective"].items() if k not in ("causal", "infill")}
    old |= {"preset": "glm-mini", "dropout": 0.25, "positions": "two-channel", "init": "x"}
    assert to_record(from_record(old, "run.json")) == glm


@pytest.mark.slow
def test_the_loss_of_chinese_text_falls(tmp_path: Path) -> None:
    source = shared_path("data", "pretrain", "zh_cluecorpussmall_sample.txt")
    if source is None:
        pytest.skip("no Chinese text: set GLMKIT_SHARED to the folder that holds data/pretrain")
    lines = source.read_text(encoding="utf-8").splitlines()[:1500]
    (tmp_path / "zh.txt").write_text("\n\n".join(lines), encoding="utf-8")
    tokenizer = train(lines, vocab_size=2048)
    prepare([tmp_path / "zh.txt"], tokenizer, tmp_path / "data")
    config = PretrainConfig(
        data=str(tmp_path / "data"),
        output=str(tmp_path / "run"),
        model=SMALL,
        objective=CAUSAL,
        steps=80,
        seq_length=64,
        schedule=ScheduleConfig(peak=3e-3),
        validation_every=80,
        precision="float32",
        device="cpu",
    )
    pretrain(config)
    measured = [event["loss"] for event in read_log(tmp_path / "run") if event["kind"] == "heldout"]
    assert measured[-1] < measured[0] - 1
