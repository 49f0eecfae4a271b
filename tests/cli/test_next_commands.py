"""What a command says to type next works where it is typed; a model that is not there is told how to get."""

import shlex
import sys
from pathlib import Path

import pytest

from glmkit.cli.invocation import again, trial
from glmkit.testing import tiny

from .conftest import Run


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment's glmkit below the working directory, which is the one that runs."""
    script = tmp_path / ".venv/bin/glmkit"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    return script


def test_a_program_that_is_not_on_the_path_is_named_by_its_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert again("infill", "my model", "a [MASK]") == ".venv/bin/glmkit infill 'my model' 'a [MASK]'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert again("chat", "MODEL") == "glmkit chat MODEL"


def test_another_glmkit_on_the_path_is_not_the_one_that_runs(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = program.parents[2] / "other/glmkit"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert again("env") == ".venv/bin/glmkit env"


def test_run_as_a_module_it_is_the_script_beside_the_interpreter(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["/x/glmkit/cli/main.py"])
    monkeypatch.setattr(sys, "executable", str(program.parent / "python"))
    assert again("env") == ".venv/bin/glmkit env"
    program.unlink()
    assert again("env") == ".venv/bin/python -m glmkit.cli.main env"


@pytest.mark.parametrize(("family", "verb"), [("glm", "infill"), ("chatglm2", "chat"), ("neoglm", "infill")])
def test_a_model_is_tried_by_what_it_can_do(family: str, verb: str, tmp_path: Path) -> None:
    tiny(family).save(tmp_path / "model")
    assert shlex.split(trial(tmp_path / "model"))[-3:][0 if verb == "infill" else 1] == verb


def test_what_writes_a_model_says_how_to_try_it(run: Run, tmp_path: Path) -> None:
    tiny("chatglm2").save(tmp_path / "model")
    for verb, *flags in (("quantize", "--bits", "8"), ("convert",)):
        code, out, errors = run(verb, tmp_path / "model", tmp_path / verb, *flags)
        assert code == 0, errors
        assert f"try: {again('chat', tmp_path / verb)}\n" in out


@pytest.mark.parametrize("verb", [["info"], ["infill"], ["chat", "--prompt", "hi"]], ids=str)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("glm-10b", "a published GLM of 9.9B parameters; give zai-org/glm-10b to fetch it from the hub"),
        ("glm-10b-1024", "give zai-org/glm-10b to fetch"),
        ("glm-410m", "on no hub: its archive is glm-1.25-generation"),
        ("ChatGLM3-6B", "a published ChatGLM of 6.2B parameters; give zai-org/chatglm3-6b to fetch"),
        ("glm-mini", "a size to train and no published model: glmkit pretrain glm-mini"),
        ("models-of-mine", "models-of-mine: no such directory\n"),
    ],
)
def test_a_published_model_that_is_not_there(
    verb: list[str], name: str, told: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, errors = run(verb[0], name, *verb[1:], *(["a [MASK]"] if verb == ["infill"] else []))
    assert (code, len(errors.splitlines())) == (2, 1), errors
    assert f"{name}: no such directory" in errors
    assert told in errors
