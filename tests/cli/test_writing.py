"""From rows to a model that writes, at the command line."""

import json
from pathlib import Path

import pytest
import yaml

from glmkit.cli.main import main
from glmkit.testing import tiny


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny("chatglm2").save(tmp_path / "model")
    return tmp_path / "model"


def test_from_rows_to_an_answer(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"source": f"s{i}", "target": f"t{i}"}) + "\n" for i in range(6)))
    run = tmp_path / "run"
    given = ["finetune", str(model), "--task", "seq2seq", "--method", "ptuning", f"data.train={rows}"]
    given += [f"data.dev={rows}", f"output={run}", "length=64", "epochs=1", "ptuning.num=4", "precision=float32"]
    assert main([*given, "--dry-run"]) == 0
    summary = capsys.readouterr().out
    assert "numbers are trained" in summary
    assert "memory" in summary
    assert main(given) == 0
    config = json.loads((run / "run.json").read_text())["config"]
    assert config["schedule"]["peak"] == 5e-3
    assert main(["generate", str(run), "Hello", "-n", "3"]) == 0
    written, result = tmp_path / "written.jsonl", tmp_path / "result.json"
    flags = ["--max-tokens", "4", "--beams", "2", "--output", str(written), "--json", str(result)]
    capsys.readouterr()
    assert main(["eval", str(run), "--seq2seq", str(rows), *flags]) == 0
    assert capsys.readouterr().out.startswith("exact ")
    assert [json.loads(line)["wanted"] for line in written.read_text().splitlines()] == [[f"t{i}"] for i in range(6)]
    assert json.loads(result.read_text())["rows"] == 6
    assert main(["merge", str(run), str(tmp_path / "merged")]) == 0
    assert main(["chat", str(tmp_path / "merged"), "--prompt", "Hello", "-n", "3"]) == 0
    assert main(["data", "show", str(run), "--index", "2"]) == 0
    assert "learn   t2" in capsys.readouterr().out
    for seed, name, said in (
        (1, "chatglm2", "trained on other weights than those of"),
        (0, "glm", "of family chatglm2"),
    ):
        tiny(name, seed=seed).save(tmp_path / name)
        for verb in (["generate", "Hello"], ["chat", "--prompt", "Hello"], ["eval", "--seq2seq", str(rows)]):
            other = [verb[0], str(tmp_path / name), *verb[1:], "--adapter", str(run / "model")]
            assert main(other) == 2
            error = capsys.readouterr().err
            assert said in error
            assert f"use its base, {model}" in error
            assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ({"instruction": "a", "input": 3, "output": "b"}, "read as Alpaca's columns instruction, input, output"),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            "read as ShareGPT's conversations (from, value)",
        ),
    ],
)
def test_known_columns_are_read_and_said(
    row: dict[str, object], form: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([row] * 8))
    given = ["finetune", str(model), "--task", "chat", f"data.train={rows}", "data.dev_share=0.25", "length=64"]
    assert main([*given, f"output={tmp_path / 'run'}", "precision=float32", "--dry-run"]) == 0
    summary = capsys.readouterr().out
    assert form in summary
    assert "6 rows to learn from" in summary
    assert "no data.dev: 2 of the 8 rows" in summary


@pytest.mark.slow
def test_an_adapter_of_a_glm_fills_blanks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft", reason="LoRA needs peft")
    tiny("glm").save(tmp_path / "glm")
    rows, run = tmp_path / "rows.jsonl", tmp_path / "run"
    rows.write_text("".join(json.dumps({"source": f"s{i} [MASK]", "target": "yes"}) + "\n" for i in range(6)))
    given = ["finetune", str(tmp_path / "glm"), "--task", "seq2seq", "--method", "lora", "data.form=fill"]
    given += [f"data.train={rows}", f"data.dev={rows}", f"output={run}", "length=64", "epochs=60", "precision=float32"]
    assert main([*given, "schedule.peak=0.02", "samples=0", "evaluate_every=1000"]) == 0
    for base, adapter in ((run, []), (tmp_path / "glm", ["--adapter", str(run)])):
        capsys.readouterr()
        assert main(["infill", str(base), "s3 [MASK]", *adapter]) == 0
        assert capsys.readouterr().out.splitlines()[0] == "s3 yes"
        assert main(["eval", str(base), "--seq2seq", str(rows), *adapter]) == 0
        assert "exact 100.00" in capsys.readouterr().out


def test_mistakes_are_one_line(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a"}\n')
    given = [
        "finetune",
        str(model),
        "--task",
        "chat",
        f"data.train={rows}",
        f"data.dev={rows}",
        f"output={tmp_path / 'r'}",
    ]
    for changes, said in (
        ([], "rows.jsonl:2: no column 'response'"),
        (["--method", "lor"], "did you mean 'lora'"),
        (["--method", "ptuning", "ptuning.num=0"], "ptuning.num"),
        (["quantize=int4"], "cannot be trained in full"),
        (["data.dev="], "no dev rows: give data.dev=FILE"),
        (["data.encoding=gkb"], "data.encoding: unknown encoding 'gkb'"),
        (["data.dev_share=1.5", "data.dev="], "data.dev_share must be a finite number of at least 0 and less than 1"),
    ):
        assert main([*given, *changes]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    rows.write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a", "response": "b\\ud83d"}\n')
    assert main(given) == 2
    assert "rows.jsonl:2: column 'response' is no Unicode text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "changes", "peak"),
    [
        ("method: lora", [], 2e-4),
        ("method: lora", ["--method", "ptuning"], 5e-3),
        ("method: lora\nschedule:\n  peak: 0.01", [], 0.01),
        ("method: lora", ["schedule.peak=0.5"], 0.5),
        ("epochs: 2", [], 2e-5),
    ],
)
def test_a_method_brings_its_rate_from_a_file_too(
    settings: str, changes: list[str], peak: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"task: chat\n{settings}\n")
    assert main(["finetune", "MODEL", "--config", str(file), *changes, "--print_config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["schedule"]["peak"] == peak


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("method: lor", "unknown method 'lor'; did you mean 'lora'?"),
        ("epochs: many", "epochs must be a whole number, got 'many'"),
        ("epochs: 0", "epochs must be a whole number of at least 1, got 0"),
        ("lora:\n  rank: 0", "lora.rank must be a whole number of at least 1, got 0"),
        ("data:\n  trian: x", "unknown key 'data.trian'; did you mean 'data.train'?"),
    ],
)
def test_a_mistake_in_a_file_names_the_file(
    settings: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(settings + "\n")
    assert main(["finetune", "MODEL", "--config", str(file), "seed=1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"glmkit: {file}: ")
    assert said in error
    file.write_text("epochs: 2\n")
    assert main(["finetune", "MODEL", "--config", str(file), "lora.rank=0"]) == 2
    assert str(file) not in capsys.readouterr().err
