"""Every flag that a text of glmkit's tells people to use is one of the command it names."""

import ast
import contextlib
import io
import re
from pathlib import Path

import pytest

import glmkit
from glmkit.cli.keys import FLAGS, NEAR_FLAGS
from glmkit.cli.main import main

ROOT = Path(glmkit.__file__).parent
FLAG = r"(?<![\w!-])--[a-z][a-z-]*(?:-\d[a-z]+|[a-z])\b(?!-*>)"  # not the arrow of a drawing, not <!--
BENCHES = ("pretrain", "data", "infill", "load", "cloze", "finetune", "decode", "batch", "prefill", "lookup", "serve")
READS = ("chat", "serve", "generate", "infill", "predict", "eval", "info", "convert", "quantize", "merge")
VERBS = (
    *("tokenizer train", "data prepare", "data show", "pretrain", "finetune", "eval", "infill", "generate", "chat"),
    *("serve", "predict", "demo", "convert", "quantize", "merge", "info", "compare", "env", "list"),
    *("download", "completion"),
    *(f"bench {name}" for name in BENCHES),
)
EVERY = {"--help", "--debug", "--version"}
KEYS = {"--key"}  # stands for any key of a training run
ANOTHERS = {"--preload"}  # gunicorn's
OTHER_PROGRAMS = "bench/other_servers.py"  # which are started with flags of their own
STYLES = "pictures/page.py"  # whose variables look like flags


def told() -> list[tuple[str, str]]:
    """(file, text) of every literal in the code: messages, helps and docstrings."""
    results = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
                results.append((str(path.relative_to(ROOT)), "".join(map(str, parts))))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                results.append((str(path.relative_to(ROOT)), node.value))
    return [(file, text) for file, text in results if "--" in text]


@pytest.fixture(scope="module")
def flags() -> dict[str, set[str]]:
    results = {}
    for verb in VERBS:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert main([*verb.split(), "--help"]) == 0, verb
        results[verb] = set(re.findall(FLAG, out.getvalue()))
    return results


def test_every_flag_that_is_named_is_one(flags: dict[str, set[str]]) -> None:
    known = set().union(*flags.values()) | EVERY | KEYS | ANOTHERS | FLAGS.keys() | NEAR_FLAGS.keys()
    ours = [(file, text) for file, text in told() if file != STYLES and (file != OTHER_PROGRAMS or " " in text)]
    named = {(file, flag) for file, text in ours for flag in re.findall(FLAG, text)}
    assert len(named) > 100
    assert not {item for item in named if item[1] not in known}


def test_a_flag_behind_a_command_is_one_of_that_command(flags: dict[str, set[str]]) -> None:
    told_of = 0
    for file, text in told():
        for verb, rest in re.findall(rf"glmkit ({'|'.join(VERBS)})\b([^`\n;]*)", text):
            for flag in set(re.findall(FLAG, rest)):
                told_of += 1
                assert flag in flags[verb] | EVERY, f"{file}: {verb} has no {flag}: {text!r}"
    assert told_of > 20


@pytest.mark.parametrize("verb", READS)
def test_what_files_do_not_tell_can_be_said_wherever_a_model_is_read(verb: str, flags: dict[str, set[str]]) -> None:
    assert {"--published", "--tokenizer", "--set"} <= flags[verb]
