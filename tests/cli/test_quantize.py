"""glmkit quantize."""

import json
from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.cli.main import main
from glmkit.families.inspect import inspect
from glmkit.testing import tiny

TEXT = "Rain falls on the town, and the town sleeps. A cat sat on the mat; the mat was red, the cat was not. " * 4


@pytest.fixture(params=["glm", "neoglm", "chatglm", "chatglm2"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    tiny(request.param).save(tmp_path / "model")
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path / "model"


@pytest.mark.parametrize(
    "flags",
    [
        ["--bits", "8"],
        ["--bits", "4", "--group", "32", "--output", "16", "--calibrate", "TEXT"],
        ["--bits", "4", "--group", "32", "--scheme", "gptq", "--calibrate", "TEXT"],
    ],
    ids=str,
)
def test_a_model_is_written_that_every_verb_reads(
    model: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = str(model.parent / "text.txt")
    flags = [text if flag == "TEXT" else flag for flag in flags]
    assert main(["quantize", str(model), str(model.parent / "small"), *flags, "--text", text]) == 0
    said = capsys.readouterr().out
    assert f"linear layers in {flags[1]} bits" in said
    assert "mlp.down" in said
    assert "KL divergence" in said
    table = json.loads((model.parent / "small" / "config.json").read_text())
    assert table["quantization"]["bits"] == int(flags[1])
    assert inspect(model.parent / "small")["parameters"] == inspect(model)["parameters"]
    back = glmkit.load(model.parent / "small", device="cpu")
    ids = torch.tensor([[5, 6, 259, 261, 7]])
    assert torch.isfinite(back.logits(ids)).all()


def test_mistakes_are_named(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model.parent
    (folder / "short.txt").write_text("no")
    assert main(["quantize", str(model), str(model)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["quantize", str(model), str(folder / "a"), "--text", str(folder / "short.txt")]) == 2
    assert "at least 32 are needed" in capsys.readouterr().err
    gptq = ["quantize", str(model), str(folder / "a"), "--scheme", "gptq"]
    assert main(gptq) == 2
    assert "give a text by --calibrate FILE" in capsys.readouterr().err
    (folder / "short.txt").write_text(TEXT[:200])
    assert main([*gptq, "--calibrate", str(folder / "short.txt")]) == 2
    assert "at least 256 are needed" in capsys.readouterr().err
    for scheme in (["--bits", "8"], ["--bits", "4", "--scheme", "rtn"]):
        idle = [*scheme, "--calibrate", str(folder / "text.txt")]
        assert main(["quantize", str(model), str(folder / "a"), *idle]) == 2
        assert "--calibrate changes nothing when weights are rounded to nearest" in capsys.readouterr().err
    assert main(["quantize", str(model), str(folder / "a")]) == 0
    assert main(["quantize", str(folder / "a"), str(folder / "b")]) == 2
    assert "quantized already, in 8 bits" in capsys.readouterr().err
    assert not (folder / "b").exists()
