"""What README.md says is run: each command on tiny stand-ins, the example in Python, the server."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.testing import tiny

from .test_twins import ROOT, commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = {
    "demo": ["--steps", "2"],
    "pretrain": ["steps=2", "seq_length=32", "batch_size=2", "micro_batch_size=2", "model.num_layers=1"],
    "finetune": ["epochs=1", "length=128", "batch_size=4", "precision=float32"],
}
GLMKIT = [sys.executable, "-m", "glmkit.cli.main"]


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with tiny models under the names of the page, and rows for each task."""
    monkeypatch.chdir(tmp_path)
    tiny("neoglm").save(Path("runs/demo/model"))
    tiny("chatglm2").save(Path("chatglm2-6b"))
    tiny("glm").save(Path("glm-10b"))
    Path("books").mkdir()
    Path("books/method.txt").write_text((ROOT / "docs/method.md").read_text(encoding="utf-8"), encoding="utf-8")
    talk = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    Path("talks.jsonl").write_text(f"{json.dumps(talk)}\n" * 20)
    reviews = "text\tlabel\n" + "a joy\tpos\ndull\tneg\n" * 8
    for name in ("train", "dev", "new"):
        Path(f"{name}.tsv").write_text(reviews)
    rows = [
        {"premise": "It rains.", "hypothesis": "It is wet.", "label": label, "idx": n}
        for n, label in enumerate(["entailment", "not_entailment"] * 4)
    ]
    Path("superglue/RTE").mkdir(parents=True)
    for split in ("train", "val"):
        Path(f"superglue/RTE/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.slow
def test_every_command_runs(stand_ins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft", reason="LoRA needs peft")
    run = 0
    for command in commands(README):
        if not command.startswith("glmkit ") or command.startswith(("glmkit serve", "glmkit bench")):
            continue
        verb, *arguments = re.findall(r'"[^"]*"|\S+', command)[1:]
        arguments = [argument.strip('"') for argument in arguments]
        if verb == "chat":
            done = subprocess.run(
                [*GLMKIT, verb, *arguments], input="Hi\n", capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        else:
            code = main([verb, *arguments, *SMALL.get(verb, [])])
            assert code == 0, f"{command}: {capsys.readouterr().err}"
        run += 1
    assert run == 20
    for path in (
        "mask.png",
        "runs/nano/loss.png",
        "runs/talks/model",
        "runs/rte/model",
        "glm-10b-port",
        "chatglm2-6b-int4",
    ):
        assert Path(path).exists(), path


def test_the_example_in_python_runs(stand_ins: Path) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(block, names)
    assert len(names["filled"].spans) == 2


@pytest.mark.slow
def test_the_server_starts_and_ends(stand_ins: Path) -> None:
    pytest.importorskip("starlette", reason="serving needs starlette")
    (command,) = [command for command in commands(README) if command.startswith("glmkit serve")]
    server = subprocess.Popen([*GLMKIT, *command.split()[1:], "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.findall(r"http://[\w.:]+", line)))
        for _ in range(600):
            try:
                if urllib.request.urlopen(f"{address}/ready").status == 200:
                    break
            except OSError:
                time.sleep(0.1)
        page = urllib.request.urlopen(address).read()
        assert b"<html" in page
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def test_the_commands_of_its_figures_exist(capsys: pytest.CaptureFixture[str]) -> None:
    benches = re.findall(r"^    glmkit bench (\w+) (.*)", README, re.MULTILINE)
    assert len(benches) == 3
    for name, arguments in benches:
        assert main(["bench", name, "--help"]) == 0
        printed = capsys.readouterr().out
        assert all(flag in printed for flag in re.findall(r"--[a-z-]+", arguments))
    for script in re.findall(r"`python (docs/\S+\.py)", README):
        assert (ROOT / script).is_file()


def test_its_links_and_pictures_are_there() -> None:
    for name in ("README.md", "README.zh.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert os.path.exists(ROOT / link), link


def test_demo_and_test_come_first() -> None:
    for name in ("README.md", "README.zh.md"):
        assert commands((ROOT / name).read_text(encoding="utf-8"))[:2] == ["make demo", "make test"]
