"""Runs that trained an adapter, where a model is wanted and where their files are no files."""

import json
import os
import shutil
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.testing import tiny

from .conftest import Run
from .test_no_file import put

pytest.importorskip("peft", reason="LoRA needs peft")

KINDS = {"lora": "LoRA", "ptuning": "P-tuning"}
TRAIN = ["data.train=talks.jsonl", "data.dev=talks.jsonl", "epochs=1", "batch_size=2", "length=64"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a model `base` and two runs over it, `lora` and `ptuning`, as `glmkit finetune` leaves them."""
    place = tmp_path_factory.mktemp("runs")
    tiny("chatglm2").save(place / "base")
    rows = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in ("ab", "cd")]
    (place / "talks.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for method in KINDS:
            arguments = ["--method", method, "lora.rank=2", "ptuning.num=3", f"output={method}"]
            assert main(["finetune", "base", "--task", "chat", *TRAIN, *arguments]) == 0
    return place


@pytest.fixture
def there(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in, whose adapters name the model of the first."""
    shutil.copytree(trained, tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    return tmp_path / "there"


@pytest.mark.parametrize("method", KINDS)
@pytest.mark.parametrize("part", ["", "/model", "/checkpoints/step-00000001"])
def test_where_a_model_is_wanted_the_command_that_makes_one_is_said(
    method: str, part: str, trained: Path, there: Path, run: Run
) -> None:
    path = f"{method}{part}"
    line = f"glmkit: {path} is a {KINDS[method]} adapter of {trained / 'base'}, not a model; merge it first: "
    for verb in (
        ["info", path],
        ["convert", path, "out"],
        ["convert", path, "out", "--verify"],
        ["quantize", path, "out"],
        ["finetune", path, "--task", "chat", *TRAIN, "output=out"],
    ):
        code, out, errors = run(*verb)
        assert (code, out) == (2, ""), verb
        assert errors == f"{line}glmkit merge {path} OUT\n", verb
        assert not os.path.lexists("out")
    assert run("merge", path, "OUT")[0] == 0
    assert run("info", "OUT")[0] == 0
    assert run("convert", "OUT", "out", "--verify")[0] == 0


def test_other_trainings_begin_with_no_adapter(there: Path, run: Run, prepared: Path) -> None:
    Path("rows.tsv").write_text("text\tlabel\na\t0\nb\t1\n")
    rows = ["data.train=rows.tsv", "data.dev=rows.tsv", "length=16"]
    for verb in (
        ["finetune", "lora", "--task", "classify", *rows, "output=out"],
        ["pretrain", "glm-nano", f"data={prepared}", "seq_length=32", "init_from=lora", "output=pretrained"],
    ):
        code, _, errors = run(*verb)
        assert code == 2
        assert errors.splitlines()[-1].endswith("not a model; merge it first: glmkit merge lora OUT"), errors


@pytest.mark.parametrize("method", KINDS)
def test_a_base_that_is_gone_has_to_be_given(method: str, trained: Path, there: Path, run: Run) -> None:
    file = there / method / "model/adapter.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base": str(there / "gone")}))
    code, _, errors = run("info", method)
    assert (code, errors.endswith(f"merge it first: glmkit merge {method} OUT --base MODEL\n")) == (2, True)
    code, _, errors = run("generate", method, "a")
    assert (code, errors.count("\n")) == (2, 1)
    assert f"which is not there; give the model itself and --adapter {method}/model\n" in errors
    assert run("merge", method, "OUT", "--base", "base")[0] == 0


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a directory", "a link outside"])
@pytest.mark.parametrize(
    ("method", "name", "ours"),
    [
        ("lora", "adapter.json", True),
        ("lora", "adapter_config.json", True),
        ("lora", "adapter_config.json", False),
        ("lora", "adapter_model.safetensors", True),
        ("lora", "adapter_model.safetensors", False),
        ("ptuning", "adapter.json", True),
        ("ptuning", "model.safetensors", True),
        ("ptuning", "model.safetensors", False),
    ],
)
def test_what_is_no_file_is_one_line_at_once(
    kind: str, method: str, name: str, ours: bool, there: Path, run: Run
) -> None:
    adapter = there / method / "model"
    if not ours:
        (adapter / "adapter.json").unlink()
    (adapter / name).rename(there / "elsewhere")
    put(kind, adapter / name)
    if kind == "a link outside":
        (adapter / name).symlink_to(there / "elsewhere")
    path = f"{method}/model"
    said = "is a link to" if kind == "a link outside" else f"is {kind}, not a file"
    for verb in (
        ["generate", "base", "a", "-n", "1", "--adapter", path],
        ["merge", path, "out", "--base", "base"],
        *([["generate", path, "a", "-n", "1"], ["merge", path, "out"]] if ours else []),
    ):
        code, _, errors = run(*verb)
        assert (code, errors.count("\n")) == (2, 1), (verb, errors)
        assert f"{path}/{name} {said}" in errors, verb
        assert not os.path.lexists("out")
    for verb in (["info", path], ["convert", path, "out"], ["finetune", path, "--task", "chat", *TRAIN, "output=o"]):
        code, _, errors = run(*verb)
        assert (code, errors.count("\n")) == (2, 1), (verb, errors)
        assert any(error in errors for error in (f"{path}/{name} {said}", "merge it first: glmkit merge")), verb
