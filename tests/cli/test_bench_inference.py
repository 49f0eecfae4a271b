"""glmkit bench decode, batch, prefill and lookup, on models small enough for a test."""

import json
import sys

import psutil
import pytest

from glmkit.bench import inference
from glmkit.cli.main import main


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "ROUNDS", 1)
    monkeypatch.setattr(inference, "READ_BYTES", 1 << 22)


@pytest.mark.parametrize("verb", ["decode", "batch", "prefill", "lookup"])
@pytest.mark.parametrize("flags", [[], ["--quantize", "int8"], ["--quantize", "int4", "--group", "32"]], ids=str)
def test_a_report_says_what_was_measured(verb: str, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--preset", "glm-nano", "--layers", "2", "--tokens", "2"]
    assert main(["bench", verb, *size, *flags, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bench"] == verb
    assert report["config"]["quantize"] == (flags[1] if flags else "none")
    measured = [result for result in report["results"] if not result["name"].startswith("the same for all")]
    assert all(result["value"] > 0 for result in measured if result["unit"])


def test_an_adapter_takes_turns_with_none(capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--preset", "neoglm-nano", "--layers", "1", "--tokens", "2"]
    assert main(["bench", "batch", *size, "--streams", "2", "--lora", "3", "--json"]) == 0
    *_, adapted = json.loads(capsys.readouterr().out)["results"]
    assert adapted["name"] == "with LoRA of rank 3, not merged"
    assert adapted["value"] > 0
    assert adapted["limit"] > 0


def test_a_busy_program_beside_ends_with_the_bench(capsys: pytest.CaptureFixture[str]) -> None:
    size, before = ["--preset", "glm-nano", "--layers", "1", "--tokens", "2"], psutil.Process().children()
    assert main(["bench", "decode", *size, "--beside", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["beside"] == 1
    assert psutil.Process().children() == before
    assert main(["bench", "decode", *size, "--beside", "9999"]) == 2
    assert "--beside 9999 is more than the" in capsys.readouterr().err


def test_what_cannot_be_compared_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "decode", "--preset", "glm-nano", "--layers", "1", "--against", "llama.cpp"]) == 2
    assert "llama.cpp knows no glm-nano" in capsys.readouterr().err
    assert main(["bench", "decode", "--preset", "glm-nano", "--layers", "1", "--against", "openvino"]) == 2
    assert "openvino knows no glm-nano" in capsys.readouterr().err
    assert main(["bench", "lookup", "--copied", "1.5"]) == 2
    assert "1.5 is not above 0 and at most 1" in capsys.readouterr().err
    assert main(["bench", "decode", "--preset", "chatglm"]) == 2
    assert "unknown preset 'chatglm'" in capsys.readouterr().err


@pytest.mark.parametrize(("engine", "package", "extra"), [("llama.cpp", "llama_cpp", "llama"), ("openvino",) * 3])
def test_an_engine_that_is_not_installed_is_named(
    engine: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["bench", "decode", "--preset", "chatglm2-6b", "--layers", "1", "--against", engine]) == 2
    assert f'{package} is not installed; run: pip install "glmkit[{extra}]"' in capsys.readouterr().err
