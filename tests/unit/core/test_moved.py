"""Imports written for version 0.1 still find what they name."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import glmkit
from glmkit.core import moved
from glmkit.core.errors import UserError

OLD = [f"glmkit.{name}" for name in moved._MODULES] + ["glmkit.convert.views", "glmkit.convert.weights"]


@pytest.mark.parametrize("name", OLD)
def test_a_module_is_found_by_the_name_it_had(name: str) -> None:
    sys.modules.pop(name, None)
    now = importlib.import_module(str(moved.current_module(name)))
    with pytest.warns(DeprecationWarning, match=f"{name} is called {now.__name__} now"):
        old = importlib.import_module(name)
    public = [each for each in vars(now) if not each.startswith("_")]
    assert all(getattr(old, each) is getattr(now, each) for each in public)
    for was, each in moved._NAMES.get(name.removeprefix("glmkit."), {}).items():
        assert getattr(old, was) is getattr(now, each)


def test_scripts_of_version_0_1_import_what_they_did() -> None:
    script = (
        "from glmkit.tasks.config import DataConfig; from glmkit.tasks.talks import read_talks; "
        "from glmkit.api.old import old_chat; from glmkit.convert.views import as_foreign; "
        "from glmkit.convert.weights import held; from glmkit.text.lesson import lessons; "
        "from glmkit.families.glm_files import STATEMAP; import glmkit; print(DataConfig.__module__)"
    )
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "glmkit.finetuning.config\n"


def test_a_function_that_was_a_package_is_called_all_the_same(tmp_path: Path) -> None:
    importlib.import_module("glmkit.convert.weights")
    with pytest.raises(UserError, match="nowhere"):
        glmkit.convert(tmp_path / "nowhere", tmp_path / "out")


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"glmkit\.tasks\.nothing"):
        importlib.import_module("glmkit.tasks.nothing")
