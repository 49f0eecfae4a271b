"""Runs from beginning to end: they learn, stop in order, go on exactly, and say what went wrong."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.core.errors import CorruptFile, TrainingDiverged, UserError
from glmkit.core.types import AttentionMask, Batch
from glmkit.data.prepare import prepare
from glmkit.families.registry import preset
from glmkit.infill.layout import Blanked
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.models.glm import GLM, initialize
from glmkit.objective.loss import Loss
from glmkit.text.tokenizer import Tokenizer
from glmkit.train.config import PretrainConfig
from glmkit.train.logs import read_log
from glmkit.train.model import build_model
from glmkit.train.optimizer import OptimizerConfig, optimizer_flops
from glmkit.train.pretrain import PretrainRun, pretrain
from glmkit.train.schedule import ScheduleConfig
from glmkit.train.step import autocast, step_alone
from glmkit.train.text import open_text

from .conftest import as_flags, elsewhere


def weights(model: Path) -> str:
    return hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()


def start(config: PretrainConfig, **environment: str) -> subprocess.Popen[str]:
    """The run as its own process, as a user starts it."""
    flags = as_flags(config)
    return subprocess.Popen(
        [sys.executable, "-m", "glmkit.cli.main", "pretrain", "glm-nano", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def wait_for_checkpoint(run: Path, process: subprocess.Popen[str]) -> None:
    while not list(run.glob("checkpoints/step-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def kill_behind_a_checkpoint(config: PretrainConfig) -> None:
    """Starts a run in a process of its own, and kills it before it has a model."""
    process = start(config)
    wait_for_checkpoint(Path(config.output), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (Path(config.output) / "model").exists()


def test_a_run_leaves_a_model_a_log_and_a_curve(tiny_run: PretrainConfig) -> None:
    model = pretrain(tiny_run)
    run = Path(tiny_run.output)
    assert glmkit.load(model).infill("ba [MASK] de.").text.startswith("ba ")
    for other in (run, run / "checkpoints/step-00000012"):
        assert weights(glmkit_directory(other)) == weights(model)
    events = read_log(run)
    assert [event["step"] for event in events if event["kind"] == "heldout"] == [0, 6, 12]
    assert [event["tokens"] for event in events if event["kind"] == "step"][-1] == sum_of_tokens(run)
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG")
    samples = [json.loads(line) for line in (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in samples if line["where"].startswith("token: ")] == [0, 6, 12]
    assert len({(line["asked"], line["wanted"]) for line in samples}) == 1, "the same blanks every time"
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "step 12 of 12" in report
    assert samples[-1]["wanted"] in report
    record = json.loads((model / "run.json").read_text())
    assert record["config"]["steps"] == 12
    assert record["versions"]["torch"] == torch.__version__


def glmkit_directory(path: Path) -> Path:
    from glmkit.families.detect import detect

    return detect(path).directory


def sum_of_tokens(run: Path) -> int:
    return json.loads((run / "checkpoints/step-00000012/training/state.json").read_text())["tokens"]


def test_it_learns_a_small_text_by_heart(tiny_run: PretrainConfig, tokenizer: Tokenizer, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(
        "\n\n".join(f"{a} {b} {a} {b} {a} {b} {a}." for a, b in [("ba", "de"), ("ki", "lo"), ("mu", "na")] * 2)
    )
    prepare([text], tokenizer, tmp_path / "data")
    config = replace(
        tiny_run,
        data=str(tmp_path / "data"),
        model=preset("glm-nano"),
        steps=60,
        batch_size=2,
        micro_batch_size=2,
        validation=0.0,
        save_every=60,
        schedule=ScheduleConfig(peak=3e-3),
    )
    pretrain(config)
    losses = [event["loss"] for event in read_log(Path(config.output)) if event["kind"] == "step"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_does_not(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    first = weights(pretrain(tiny_run))
    assert weights(pretrain(elsewhere(tiny_run, tmp_path / "again"))) == first
    assert weights(pretrain(elsewhere(tiny_run, tmp_path / "other", seed=1))) != first


@pytest.mark.slow
def test_accumulation_is_one_big_batch(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    """The loss weighs every target of a step alike, so cutting a step into micro-batches changes rounding only."""
    config = replace(tiny_run, model=preset("glm-nano"), micro_batch_size=8)
    whole = glmkit.load(pretrain(config)).module.state_dict()
    parts = glmkit.load(pretrain(elsewhere(config, tmp_path / "parts", micro_batch_size=2))).module.state_dict()
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.slow
def test_activation_checkpointing_changes_nothing(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    assert weights(pretrain(tiny_run)) == weights(
        pretrain(elsewhere(tiny_run, tmp_path / "c", checkpoint_activations=True))
    )


@pytest.mark.slow
def test_every_objective_trains_together(tiny_run: PretrainConfig) -> None:
    shares = ObjectiveConfig(token=1, sentence=1, document=1, single=1, masked_lm=1, left_to_right=1, short=0.5)
    pretrain(replace(tiny_run, objective=shares))
    measured = {event["objective"] for event in read_log(Path(tiny_run.output)) if event["kind"] == "heldout"}
    assert measured == {"token", "sentence", "document", "single", "masked_lm", "left_to_right"}


@pytest.mark.slow
def test_killed_and_resumed_is_bitwise_the_run_left_alone(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    config = replace(tiny_run, steps=40)
    alone = weights(pretrain(config))
    killed = elsewhere(config, tmp_path / "killed", resume="auto")
    kill_behind_a_checkpoint(killed)
    assert weights(pretrain(killed)) == alone
    steps = [event["step"] for event in read_log(Path(killed.output)) if event["kind"] == "step"]
    assert steps == sorted(set(steps)), "the log tells one story"


def test_the_arithmetic_of_a_run_is_that_of_model_and_optimizer(tiny_run: PretrainConfig) -> None:
    text = open_text(tiny_run)
    model, model_config = build_model(tiny_run, text.tokenizer)
    adamw = replace(tiny_run, model=model_config)
    muon = replace(adamw, optimizer=OptimizerConfig(name="muon"))
    one, other = (PretrainRun(config=config, text=text, model=model).compute() for config in (adamw, muon))
    wanted = optimizer_flops(model, muon.optimizer) / (tiny_run.batch_size * tiny_run.seq_length)
    assert other.flops_per_token - one.flops_per_token == pytest.approx(wanted) != 0


def test_muon_goes_on_bit_for_bit(tiny_run: PretrainConfig) -> None:
    muon = OptimizerConfig(name="muon")
    config = replace(tiny_run, optimizer=muon, schedule=ScheduleConfig(peak=8e-3, shape="wsd"), keep_last=4)
    alone = weights(pretrain(config))
    go_back(Path(config.output), 6)
    assert weights(pretrain(replace(config, resume="auto"))) == alone
    go_back(Path(config.output), 6)
    with pytest.raises(UserError, match=r"started with optimizer.name='muon' \(now 'adamw'\)"):
        pretrain(replace(config, resume="auto", optimizer=OptimizerConfig()))


def test_a_run_of_before_there_was_a_choice_goes_on_with_its_own_optimizer(tiny_run: PretrainConfig) -> None:
    config = replace(tiny_run, keep_last=4)
    alone = weights(pretrain(config))
    run = Path(config.output)
    go_back(run, 6)
    record = json.loads((run / "run.json").read_text())
    del record["config"]["optimizer"]["name"], record["config"]["optimizer"]["muon"]
    del record["config"]["schedule"]["decay"]
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"started with optimizer.name='adamw' \(now 'muon'\)"):
        pretrain(replace(config, resume="auto", optimizer=OptimizerConfig(name="muon")))
    assert weights(pretrain(replace(config, resume="auto"))) == alone


def test_blanks_that_change_over_a_run_and_go_on_bit_for_bit(tiny_run: PretrainConfig) -> None:
    changing = ObjectiveConfig(token=1, left_to_right=1, ratio=0.1, ratio_end=0.6, mean_length=1.0, mean_length_end=4.0)
    config = replace(tiny_run, objective=changing, keep_last=4)
    alone = weights(pretrain(config))
    go_back(Path(config.output), 6)
    assert weights(pretrain(replace(config, resume="auto"))) == alone

    source = open_text(config).training
    order = source.order(0).tolist()
    first, last = (
        [draw for draw in (source.draw(epoch, index) for index in order) if isinstance(draw, Blanked)]
        for epoch in (0, 100)  # the hundredth reading comes after the run's end
    )

    def blanked(drawn: list[Blanked]) -> float:
        return sum(int((draw.spans[:, 1] - draw.spans[:, 0]).sum()) for draw in drawn) / sum(
            len(draw.tokens) for draw in drawn
        )

    assert blanked(first[:5]) < 0.5 * blanked(last)
    assert blanked(first[-5:]) == pytest.approx(0.6, abs=0.15), "the run ends within its first epoch"


def test_micro_batches_of_bfloat16_share_the_casts_of_weights(tiny_run: PretrainConfig) -> None:
    model = GLM(replace(tiny_run.model, vocab_size=32, dropout=0.0, num_layers=1))
    initialize(model, torch.Generator().manual_seed(0))
    tokens = torch.randint(0, 32, (4, 16), generator=torch.Generator().manual_seed(1))
    parts = [
        Batch(
            tokens=rows,
            targets=rows.flip(1),
            weights=torch.ones(2, 16),
            positions=torch.arange(16).expand(2, 2, 16),
            mask=AttentionMask.prefix([3, 4]),
        )
        for rows in tokens.split(2)
    ]
    apart = [torch.zeros_like(parameter) for parameter in model.parameters()]
    for part in parts:
        with autocast(torch.device("cpu"), torch.bfloat16):
            wanted = torch.autograd.grad(Loss(model)(part) / 64, [*model.parameters()])
        apart = [one + other for one, other in zip(apart, wanted, strict=True)]
    optimizer = torch.optim.SGD(model.parameters())
    step_alone(
        Loss(model),
        optimizer,
        parts,
        learning_rate=0.0,
        grad_clip=1e9,
        dtype=torch.bfloat16,
    )
    assert all(torch.equal(one, p.grad) for one, p in zip(apart, model.parameters(), strict=True) if p.grad is not None)


def go_back(run: Path, step: int) -> None:
    """Leaves of a run what it had after `step`."""
    shutil.rmtree(run / "model", ignore_errors=True)
    for path in run.glob("checkpoints/step-*"):
        if int(path.name.removeprefix("step-")) > step:
            shutil.rmtree(path)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_exits(tiny_run: PretrainConfig, number: signal.Signals, code: int) -> None:
    config = replace(tiny_run, steps=100_000, save_every=100_000, log_every=1)
    process = start(config)
    run = Path(config.output)
    while len(read_log(run)) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "; go on with --resume auto" in errors
    (saved,) = run.glob("checkpoints/step-*")
    assert json.loads((saved / "training/state.json").read_text())["step"] == int(saved.name.removeprefix("step-"))
    glmkit.load(saved)


def test_a_finished_run_is_not_overwritten_nor_continued_differently(tiny_run: PretrainConfig) -> None:
    pretrain(tiny_run)
    with pytest.raises(UserError, match="holds a run already; give resume='auto' to go on"):
        pretrain(tiny_run)
    again = start(tiny_run)
    assert "holds a run already; give --resume auto to go on" in again.communicate()[1]
    assert again.returncode == 2
    with pytest.raises(UserError, match=r"started with schedule.peak=0.001 \(now 0.0005\).*only .*data, .* may change"):
        pretrain(replace(tiny_run, resume="auto", schedule=ScheduleConfig(peak=5e-4)))


def test_resuming_a_finished_run_changes_nothing(tiny_run: PretrainConfig) -> None:
    before = weights(pretrain(tiny_run))
    assert weights(pretrain(replace(tiny_run, resume="auto"))) == before


def test_a_damaged_checkpoint_is_named_with_its_checksum(tiny_run: PretrainConfig) -> None:
    pretrain(tiny_run)
    path = Path(tiny_run.output) / "checkpoints/step-00000012/model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match=r"step-00000012.*SHA-256.*remove .*step-00000012 to go on"):
        pretrain(replace(tiny_run, resume="auto"))


def test_a_loss_that_is_not_finite_stops_with_step_examples_and_checkpoint(tiny_run: PretrainConfig) -> None:
    """A rate far too high makes the weights overflow; what was saved before stays."""
    config = replace(
        tiny_run, steps=200, save_every=1, schedule=ScheduleConfig(peak=1e30, warmup=0.0, shape="constant")
    )
    with pytest.raises(
        TrainingDiverged, match=r"step \d+: loss .*examples \(epoch, index\): \(0, \d+\).*step-\d+"
    ) as caught:
        pretrain(config)
    saved = str(caught.value).split("the last good checkpoint is ")[1].split(";")[0]
    assert Path(saved).is_dir()


def test_too_few_documents_for_a_batch(tiny_run: PretrainConfig) -> None:
    with pytest.raises(UserError, match=r"hold \d+ chunks of text.*fewer than the 4096 rows of a batch"):
        pretrain(replace(tiny_run, batch_size=4096, micro_batch_size=4))


def test_blanks_longer_than_the_text(tiny_run: PretrainConfig) -> None:
    with pytest.raises(UserError) as raised:
        replace(tiny_run, seq_length=16, objective=ObjectiveConfig(mean_length_end=30))
    assert str(raised.value) == "objective.mean_length_end 30 leaves nothing of texts of seq_length 16: lower it"


def test_a_text_longer_than_the_positions_of_the_model(tiny_run: PretrainConfig) -> None:
    with pytest.raises(UserError, match="seq_length 1000 is longer than the 512 positions"):
        pretrain(replace(tiny_run, seq_length=1000))


def test_continued_from_another_model(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    first = pretrain(tiny_run)
    second = pretrain(elsewhere(tiny_run, tmp_path / "second", init_from=str(first)))
    start_loss = next(e["loss"] for e in read_log(tmp_path / "second") if e["kind"] == "heldout")
    end_loss = [e["loss"] for e in read_log(Path(tiny_run.output)) if e["kind"] == "heldout"][-1]
    assert start_loss == pytest.approx(end_loss, abs=1e-6)
    assert weights(second) != weights(first)


@pytest.mark.slow
def test_two_processes_train_as_one(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    config = replace(tiny_run, model=preset("glm-nano"))
    alone = glmkit.load(pretrain(config)).module.state_dict()
    both = elsewhere(config, tmp_path / "both")
    flags = as_flags(both)
    torchrun = ["--standalone", "--nproc_per_node=2"]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            *torchrun,
            "-m",
            "glmkit.cli.main",
            "pretrain",
            "glm-nano",
            *flags,
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    for name, tensor in glmkit.load(tmp_path / "both").module.state_dict().items():
        torch.testing.assert_close(tensor, alone[name], atol=1e-4, rtol=1e-3, msg=name)


def test_a_directory_of_something_else_is_refused(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else than a run"):
        pretrain(elsewhere(tiny_run, tmp_path / "mine"))


HOLD = """
import sys
from pathlib import Path
from glmkit.core.files import hold_directory

with hold_directory(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_program_is_told_who_trains_into_the_run(tiny_run: PretrainConfig) -> None:
    command = [sys.executable, "-c", HOLD, tiny_run.output]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"run is being written by process {other.pid} on .*; wait"):
            pretrain(tiny_run)
        other.stdin.close()
    assert list(Path(tiny_run.output).iterdir()) == []


KILLED = """
import os, signal, sys
from glmkit.core import files
from glmkit.cli.main import main

rename = os.replace

def replace(old, new):
    rename(old, new)
    if ".model.old-" in str(new):
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = replace
files._exchange = lambda one, other: False
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_killed_between_two_renames_the_model_is_there_again(tiny_run: PretrainConfig) -> None:
    """Where a file system cannot exchange two names: the run is finished again and killed while it swaps the model."""
    model = pretrain(tiny_run)
    before = weights(model)
    config = replace(tiny_run, resume="auto")
    flags = as_flags(config)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "pretrain", "glm-nano", *flags], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not model.exists()
    assert glmkit_directory(Path(tiny_run.output)) == model, "whoever reads the run next puts it back"
    assert weights(model) == before
    assert weights(pretrain(config)) == before
    assert not list(Path(tiny_run.output).glob(".model*"))
