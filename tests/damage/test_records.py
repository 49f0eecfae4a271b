"""Files that runs, data and people leave beside models, damaged: prepared data, checkpoints, logs, conversations."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from glmkit.checkpoint.store import CheckpointStore
from glmkit.cli.dialogue import Dialogue
from glmkit.cli.main import main
from glmkit.core.errors import UserError
from glmkit.data.shards import open_shards
from glmkit.families import directory
from glmkit.families.glm import GLM_FAMILY
from glmkit.models.glm import GLM, GLMConfig
from glmkit.tasks.confidence import read_log as read_answers
from glmkit.testing import tiny
from glmkit.train.logs import read_log, read_record
from glmkit.train.optimizer import OptimizerConfig, adamw

from .values import WRONG, Damage, bit_flips, file_damages, json_damages

CONFIG = GLMConfig(num_layers=1, hidden_size=8, num_heads=2, vocab_size=32, max_positions=16)


def told(call: Callable[[], Any]) -> str:
    """The line of the UserError that a call raises; "" when it raises none."""
    try:
        call()
    except UserError as error:
        return str(error)
    return ""


def wrong(path: Path, damage: Damage, read: Callable[[], Any], before: Any) -> str:
    """What is wrong with how `read` takes a damage: it raises UserError in one line, or gives what it gave."""
    content = (path / damage.file).read_bytes()
    damage.do(path)
    try:
        return "" if read() == before else "gives something else"
    except UserError as error:
        return "" if "\n" not in str(error) and len(str(error)) < 1000 else f"no line: {error}"
    finally:
        (path / damage.file).write_bytes(content)


def refused(path: Path, every: Iterator[Damage], read: Callable[[], Any]) -> None:
    before = read()
    results = [(damage, wrong(path, damage, read, before)) for damage in every]
    assert len(results) > 10
    assert not (faults := [f"{damage.file}, {damage.what}: {fault}" for damage, fault in results if fault]), faults


@pytest.mark.slow
def test_prepared_data(prepared: Path, tmp_path: Path) -> None:
    path = tmp_path / "data"
    shutil.copytree(prepared, path)

    def read() -> Any:
        shards = open_shards(path)
        return [ids.tolist() for ids in shards.documents()], shards.prompts.tolist(), shards.manifest["tokenizer"]

    def every() -> Iterator[Damage]:
        text = (path / "manifest.json").read_bytes()
        yield from json_damages("manifest.json", text.decode(), {})
        yield from bit_flips("manifest.json", text, len(text))
        for name in ("00000.tokens", "00000.documents"):
            yield from file_damages(name, (path / name).read_bytes())
            yield from bit_flips(name, (path / name).read_bytes(), 1 << 20)

    refused(path, every(), read)


def test_prepared_data_by_the_command(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data"
    shutil.copytree(prepared, path)
    every = list(json_damages("manifest.json", (path / "manifest.json").read_text(), {}))
    for damage in every[:: len(every) // 8]:
        damage.do(path)
        assert main(["data", "show", str(path)]) == 2, damage
        assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep_last=2)
    model = GLM(CONFIG)
    GLM_FAMILY.initialize(model, torch.Generator().manual_seed(0))
    optimizer = adamw(model, OptimizerConfig())
    write = partial(directory.write, spec=GLM_FAMILY, config=CONFIG, model=model, tokenizer=None, run=None)
    state = {"step": 3, "tokens": 9, "data": {"epoch": 1, "cursor": 2, "waiting": [[0, 3]]}, "rank": 0.5}
    path = store.save(state | {"heldout": {"token": {"loss": 0.5, "tokens": 3}}}, model, optimizer, write)
    text = (path / "training/state.json").read_bytes()

    def read() -> Any:
        return {name: value for name, value in store.restore(path, model, optimizer).items() if name != "sha256"}

    def every() -> Iterator[Damage]:
        yield from json_damages("training/state.json", text.decode(), {})
        yield from bit_flips("training/state.json", text, len(text))

    refused(path, every(), read)
    for damage in every():  # a damaged checkpoint does not keep a run from finding its best one
        damage.do(path)
        assert store.best() in (None, path)
    (path / "training/state.json").write_bytes(text)
    assert store.best() == path


def test_the_record_and_the_log_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"config": {"a": 1}, "data": {}}))
    before = read_record(tmp_path)
    for damage in json_damages("run.json", (tmp_path / "run.json").read_text(), {}):
        fault = wrong(tmp_path, damage, lambda: sorted(read_record(tmp_path)["config"]), sorted(before["config"]))
        assert not fault or damage.what.startswith(("config: an empty table", "config.a: absent")), (damage, fault)

    validation = {"kind": "heldout", "step": 1, "objective": "token", "loss": 0.5, "accuracy": 0.5, "tokens": 3}
    step = {"kind": "step", "step": 1, "tokens": 4, "loss": 1.0, "tokens_per_second": 9.0, "peak_share": 0.1}
    for event in (validation, step):
        first = json.dumps(event)
        (tmp_path / "log.jsonl").write_text(f"{first}\n{first}\n")
        for key in event.keys() - {"peak_share"}:
            for what, value in WRONG.items():
                line = json.dumps(event | {key: "HERE"}).replace('"HERE"', value)
                (tmp_path / "log.jsonl").write_text(f"{first}\n{line}\n{first}\n")
                if line := told(lambda: read_log(tmp_path)):
                    assert line.startswith(f"{tmp_path / 'log.jsonl'}:2")
                    assert line.endswith("; remove that line")
                else:
                    assert key in ("objective", "loss", "accuracy", "tokens_per_second", "tokens", "step"), what
                    assert len(read_log(tmp_path)) == 3


def test_a_last_line_cut_off_by_a_kill_is_left_out_and_no_other(tmp_path: Path) -> None:
    line = json.dumps({"kind": "save", "step": 1, "path": "p"})
    (tmp_path / "log.jsonl").write_text(f"{line}\n{line[:-4]}")
    assert len(read_log(tmp_path)) == 1
    (tmp_path / "log.jsonl").write_text(f"{line}\n{line[:-4]}\n{line}\n")
    with pytest.raises(UserError, match=r"log\.jsonl:2 is damaged \(not JSON"):
        read_log(tmp_path)


def test_the_log_of_an_evaluation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    row = {"task": "t", "row": "1", "right": True}
    for key in row:
        for value in WRONG.values():
            log.write_text(json.dumps(row | {key: "HERE"}).replace('"HERE"', value) + "\n")
            if line := told(lambda: read_answers(log)):
                assert line.startswith(f"{log}:1")
            else:
                assert value in ('"4"', '""', "true")


def test_a_saved_conversation(tmp_path: Path) -> None:
    dialogue = Dialogue(tiny("chatglm2"), {}, system=None, overflow="error", max_new_tokens=4, notes=False)
    text = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    (tmp_path / "saved").write_text(text)
    for damage in json_damages("saved", text, {}):
        damage.do(tmp_path)
        line = told(lambda: dialogue.take(f"/load {tmp_path / 'saved'}"))
        assert "\n" not in line
        assert not line or str(tmp_path / "saved") in line
        assert line or all(isinstance(message["content"], str) for message in dialogue.messages)
