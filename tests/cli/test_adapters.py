"""Adapters at the command line: each command says what it was given and names flags that it has."""

from pathlib import Path

import pytest

import glmkit
from glmkit.cli.main import main
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
