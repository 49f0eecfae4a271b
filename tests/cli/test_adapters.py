"""Adapters at the command line: each command says what it was given and names flags that it has."""

import json
from pathlib import Path

import pytest

import glmkit
from glmkit.cli.main import main
from glmkit.families.conversion import convert
from glmkit.testing import tiny

peft = pytest.importorskip("peft", reason="LoRA needs peft")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a model `base` and a LoRA adapter `lora` of peft, which does not name it."""
    monkeypatch.chdir(tmp_path)
    tiny("chatglm2").save("base")
    model = glmkit.load("base").module
    peft.get_peft_model(model, peft.LoraConfig(target_modules=["attention.qkv"])).save_pretrained("lora")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["info", "lora"], "merge it first: glmkit merge lora OUT --base MODEL"),
        (["convert", "lora", "out"], "merge it first: glmkit merge lora OUT --base MODEL"),
        (["quantize", "lora", "out"], "merge it first: glmkit merge lora OUT --base MODEL"),
        (["generate", "lora", "hi"], "give the model and --adapter lora"),
        (["generate", "base", "hi", "--adapter", "base"], "base is a model, not an adapter"),
        (["generate", "base", "hi", "--adapter", "no/such/dir"], "no/such/dir: no such directory"),
        (["merge", "lora", "out"], "give --base DIR"),
        (["merge", "base", "out"], "base is a model, not an adapter"),
        (["merge", "nowhere", "out"], "nowhere: no such directory"),
        (["merge", "lora", "base"], "base exists already"),
    ],
)
def test_one_line_says_what_to_do(
    arguments: list[str], line: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("\n") == 1
    assert not (there / "out").exists()


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        (["info", "lora"], "a LoRA adapter of base, not a model; merge it first: glmkit merge lora OUT\n"),
        (
            ["generate", "lora", "hi"],
            "a LoRA adapter of base, not a model; give base as the model and --adapter lora, or merge it first: glmkit "
            "merge lora OUT\n",
        ),
    ],
)
def test_a_base_that_is_named_is_said_and_what_is_said_works(
    verb: list[str], line: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = there / "lora/adapter_config.json"
    table = json.loads(file.read_text()) | {"base_model_name_or_path": "base"}
    file.write_text(json.dumps(table))
    assert main(verb) == 2
    assert capsys.readouterr().err.endswith(line)
    assert main(["generate", "base", "hi", "-n", "1", "--adapter", "lora"]) == 0
    assert main(["merge", "lora", "OUT"]) == 0
    assert main(["generate", "OUT", "hi", "-n", "1"]) == 0
    file.write_text(json.dumps(table | {"base_model_name_or_path": "THUDM/chatglm2-6b"}))
    assert main(verb) == 2
    assert "adapter of THUDM/chatglm2-6b, not a model" in (said := capsys.readouterr().err)
    assert said.endswith("merge it first: glmkit merge lora OUT --base MODEL\n")


@pytest.mark.parametrize(
    "verb", [["generate", "base", "hi"], ["chat", "base", "--prompt", "hi"], ["infill", "base", "x"]]
)
def test_what_the_files_do_not_tell_can_be_said(
    verb: list[str], there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, line in (
        (["--set", "no_such=1"], "no option 'no_such'"),
        (["--model", "chatglm2-6b"], "leave out the name 'chatglm2-6b'"),
        (["--tokenizer", "nowhere"], "nowhere"),
    ):
        assert main([*verb, *flags]) == 2
        assert line in capsys.readouterr().err


def test_a_base_whose_files_do_not_tell_is_merged_and_laid_under_with_what_is_said(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a ChatGLM with a rope_ratio and no other sign, how positions are read must be said each time it is opened."""
    convert(there / "base", there / "official", "chatglm-hf")
    kept = json.loads((there / "official/config.json").read_text()) | {"rope_ratio": 8}
    for sign in ("_name_or_path", "transformers_version", "auto_map"):
        kept.pop(sign, None)
    (there / "official/config.json").write_text(json.dumps(kept))
    for file in (there / "official").iterdir():
        if not file.name.startswith(("config", "pytorch_model", "model")):
            file.unlink()
    said = ["--set", "rope_scaling=positions", "--tokenizer", "base"]
    assert main(["merge", "lora", "out", "--base", "official"]) == 2
    assert "--set rope_scaling=positions" in capsys.readouterr().err
    assert main(["merge", "lora", "out", "--base", "official", *said]) == 0
    assert glmkit.load("out").config.rope_scaling == "positions"
    assert main(["generate", "official", "hi", "-n", "1", "--adapter", "lora", *said]) == 0
