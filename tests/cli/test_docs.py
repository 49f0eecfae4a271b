"""The commands of docs/finetune-chatglm.md do what the page says, on a tiny model and tiny files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.testing import tiny

PAGE = Path(__file__).parents[2] / "docs/finetune-chatglm.md"
SMALL = {
    "finetune": ["epochs=1", "precision=float32", "samples=1", "data.target_length=8"],
    "eval": ["--max-tokens", "4"],
}


def commands(text: str) -> list[list[str]]:
    """Indented commands, continued lines joined, what is said of them left out."""
    lines = re.findall(r"^    (glmkit (?:.*\\\n)*.*)$", text, re.MULTILINE)
    return [re.split(r"\s{3,}", re.sub(r"\s*\\\n\s*", " ", line))[0].split() for line in lines]


@pytest.mark.slow
def test_every_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("peft", reason="LoRA needs peft")
    pytest.importorskip("rouge_score", reason="ROUGE needs rouge-score")
    monkeypatch.chdir(tmp_path)
    tiny("chatglm2").save(Path("chatglm2-6b"))
    talks = [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"{i}"}]} for i in range(6)
    ]
    pairs = [{"source": f"a long text {i}", "target": f"text {i}"} for i in range(6)]
    given = commands(PAGE.read_text(encoding="utf-8"))
    assert [command[1] for command in given] == ["finetune", "chat", "chat", "merge", "finetune", "eval"]
    for verb, *arguments in (command[1:] for command in given):
        arguments = ["chatglm2-6b" if argument == "MODEL" else argument for argument in arguments]
        written = talks if "chat" in arguments else pairs
        for name in ("talks", "train", "dev", "test"):
            Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
        if verb == "chat":
            command = [sys.executable, "-m", "glmkit.cli.main", verb, *arguments]
            done = subprocess.run(command, input="Hi\n", capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            continue
        assert main([verb, *arguments, *SMALL.get(verb, [])]) == 0, capsys.readouterr().err
        if "--dry-run" in arguments:
            summary = capsys.readouterr().out
            assert all(word in summary for word in ("numbers are trained", "steps of", "memory: estimated"))
            assert not Path("runs/talks").exists()
            assert main([verb, *(item for item in arguments if item != "--dry-run"), *SMALL[verb]]) == 0
    assert (tmp_path / "chatglm2-6b-talks" / "model.safetensors").is_file()
    assert len(Path("written.jsonl").read_text().splitlines()) == 6
