"""A pipe, a socket or a directory where a file is wanted, and the other way round: one line, at once."""

import contextlib
import os
import socket
from pathlib import Path

import pytest

import glmkit
from glmkit.core.errors import UserError
from glmkit.data.shards import open_shards
from glmkit.data.sources import documents
from glmkit.families.conversion import convert
from glmkit.train.config import PretrainConfig
from glmkit.train.pretrain import pretrain

from .conftest import Run

COMMANDS = [
    "infill AT [MASK]",
    "generate AT text",
    "chat AT --prompt text",
    "info AT",
    "convert AT OUT",
    "convert MODEL OUT --tokenizer AT",
    "quantize AT OUT",
    "quantize MODEL OUT --text AT.txt",
    "quantize MODEL OUT --scheme gptq --calibrate AT.txt",
    "merge AT OUT",
    "chat MODEL --adapter AT --prompt text",
    "predict AT ROWS",
    "eval AT --perplexity rows.tsv",
    "eval MODEL --task AT.yaml",
    "eval MODEL --perplexity AT.txt",
    "eval MODEL --accuracy AT.txt",
    "eval MODEL --seq2seq AT.jsonl",
    "eval --compare AT AT",
    "data prepare OUT AT.txt --tokenizer MODEL",
    "data prepare OUT AT.jsonl.gz --tokenizer MODEL",
    "data prepare OUT ROWS --tokenizer AT",
    "data show AT",
    "tokenizer train OUT AT.txt",
    "pretrain glm-nano --config AT.yaml",
    "pretrain glm-nano data=AT output=OUT",
    "pretrain glm-nano data=DATA validation_data=AT output=OUT",
    "pretrain glm-nano data=DATA init_from=AT output=OUT",
    "finetune AT data.train=ROWS data.dev=ROWS output=OUT",
    "finetune MODEL --config AT.yaml",
    "finetune MODEL data.train=AT.tsv data.dev=ROWS output=OUT",
    "finetune MODEL data.train=ROWS data.dev=AT.csv output=OUT",
    "finetune MODEL data.name=AT.yaml data.train=ROWS data.dev=ROWS output=OUT",
    "finetune MODEL --task seq2seq data.train=ROWS data.dev=ROWS length=64 data.mix=AT.txt output=OUT",
    "finetune MODEL --task seq2seq data.train=ROWS data.dev=ROWS length=64 data.general=AT.txt output=OUT",
]
INSIDE = [
    "config.json",
    "model.safetensors",
    "special_tokens.json",
    "tokenizer.json",
    "run.json",
    "manifest.json",
    "adapter.json",
    "adapter_config.json",
    "latest",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "tokenizer_config.json",
    "task.json",
    "00000.tokens",
    "tokenizer",
]


def put(kind: str, path: Path) -> None:
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        # By its name alone: the whole path may be longer than an address can be.
        with socket.socket(socket.AF_UNIX) as built, contextlib.chdir(path.parent):
            built.bind(path.name)
    elif kind == "a directory":
        path.mkdir()
    elif kind == "a file":
        path.write_text("a file\n")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a directory", "nothing"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_file_is_one_line_at_once(
    command: str,
    kind: str,
    run: Run,
    model_directory: Path,
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.tsv").write_text("text\tlabel\tsource\ttarget\nba da\t0\tba\tda\nda ba\t1\tda\tba\n")
    words = [word for word in command.split() if word != "OUT"]
    name = next(word for word in words if "AT" in word and "DATA" not in word).split("=")[-1].split("/")[0]
    put(kind, Path(name.replace("AT", "strange")))
    before = sorted(path.name for path in tmp_path.iterdir())
    places = {"DATA": str(prepared), "MODEL": str(model_directory), "ROWS": "rows.tsv", "OUT": "out", "AT": "strange"}
    if command.startswith("data prepare OUT ROWS"):
        Path("rows.txt").write_text("text")
        places["ROWS"] = "rows.txt"
        before.append("rows.txt")
    arguments = []
    for word in command.split():
        for short, long in places.items():
            word = word.replace(short, long)
        arguments.append(word)
    code, _, errors = run(*arguments)
    assert code == 2, errors
    assert errors.count("\n") == 1, errors
    assert "strange" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(before)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a directory"])
@pytest.mark.parametrize("name", INSIDE)
def test_a_directory_that_holds_what_is_no_file_is_one_line_at_once(
    name: str, kind: str, run: Run, model_directory: Path, prepared: Path, tmp_path: Path
) -> None:
    for place, command in (
        (model_directory, ("info", "--verify")),
        (model_directory, ("infill", "a [MASK]", "--max-tokens", "1")),
        (prepared, ("data", "show")),
    ):
        copy = tmp_path / command[0]
        copy.mkdir()
        for path in place.iterdir():
            if path.name != name:
                os.symlink(path, copy / path.name)
        put(kind, copy / name)
        words = [*command[:1], copy, *command[1:]] if command[0] != "data" else [*command, copy]
        code, _, errors = run(*words)
        assert code in (0, 2), errors
        assert code == 0 or errors.count("\n") == 1, errors


def test_a_zero_byte_in_a_name_is_one_line(prepared: Path, model_directory: Path, tmp_path: Path) -> None:
    name, there = f"{tmp_path}/a\0b", str(prepared)
    for call in (
        lambda: glmkit.load(name),
        lambda: glmkit.load(model_directory).save(name),
        lambda: convert(model_directory, Path(name)),
        lambda: open_shards(Path(name)),
        lambda: pretrain(PretrainConfig(data=name, output=f"{tmp_path}/o")),
        lambda: pretrain(PretrainConfig(data=there, output=name)),
        lambda: pretrain(PretrainConfig(data=there, output=f"{tmp_path}/o", init_from=name)),
        lambda: list(documents(Path(f"{name}.txt"), "line")),
    ):
        with pytest.raises(UserError):
            call()
    assert list(tmp_path.iterdir()) == []
