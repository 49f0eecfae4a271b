"""CONTRIBUTING is true: its map is the house's, and what it tells people to add works. The blocks of its walk-throughs
are put into a copy of the package, and their checks run.

The first line of a block names the file to whose end it goes, "src/glmkit/tasks/rows.py", or a class of it,
"..., class Functions". "A is B" copies a file; "check" is run, in an empty directory, against the copy.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import glmkit

from .test_house import LAYERS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL))
NATIVE = "src/glmkit/kernels/native"


def blocks(section: str) -> list[tuple[str, str]]:
    """The first line of each block of code without its comment sign, and what follows."""
    match = re.findall(r"^```(?:python|cpp)\n(?:#|//) (.*?)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(match) == section.count("\n```") // 2, "every block says where it goes"
    return match


def put(copy: Path, place: str, code: str) -> None:
    """A block into the copy of the package."""
    if " is " in place:
        name, original = place.split(" is ")
        shutil.copy(ROOT / original, copy / name)
        return
    name, _, kind = place.partition(", class ")
    path = copy / name
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    end = len(text)
    if kind:
        begin = text.index(f"\nclass {kind}")
        end = text.index("\n\n\n", begin)
        code = f"\n\n{code.rstrip()}"
    path.write_text(text[:end] + code + text[end:], encoding="utf-8")


def build(copy: Path) -> None:
    """The compiled kernels of the copy, with the arguments of an installation but quickly."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    arguments = table["tool"]["setuptools"]["ext-modules"][0]["extra-compile-args"]
    sources = sorted((copy / NATIVE).glob("*.cpp"))
    library = copy / "src/glmkit/kernels/_native.so"
    subprocess.run([compiler, "-shared", "-fPIC", *arguments, "-O0", *sources, "-o", library], check=True)


def test_the_map_has_every_room_in_its_layer() -> None:
    rows = re.findall(r"^\| (\d) \| (.*) \|$", GUIDE, re.MULTILINE)
    drawn = {name: int(layer) for layer, rooms in rows for name in re.findall(r"(?:^|; )`(\w+)`", rooms)}
    package = Path(glmkit.__file__).parent
    assert drawn == {name: layer for name, layer in LAYERS.items() if (package / name).is_dir()}


def test_there_is_one_for_each_thing_that_people_add() -> None:
    assert [*SECTIONS] == ["A task", "A sampler", "A kernel", "A family"]


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=pytest.mark.slow if title == "A kernel" else ()) for title in SECTIONS]
)
def test_a_walkthrough_works(title: str, tmp_path: Path) -> None:
    result = blocks(SECTIONS[title])
    added, checks = [one for one in result if one[0] != "check"], [code for place, code in result if place == "check"]
    copy, elsewhere = tmp_path / "copy", tmp_path / "elsewhere"
    native = any(NATIVE in place for place, _ in added)
    package = Path(glmkit.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", *(["_native*"] if native else []))
    shutil.copytree(package, copy / "src/glmkit", ignore=ignored)
    elsewhere.mkdir()
    for place, code in added:
        put(copy, place, code)
    if native:
        build(copy)
    assert len(checks) == 1
    run = subprocess.run(
        [sys.executable, "-c", f"from pathlib import Path\n{checks[0]}"],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(copy / "src")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr + run.stdout
