"""The house plan: who may import whom, how large a module may grow, what the core needs."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import glmkit

ROOT = Path(glmkit.__file__).parent
LAYERS = {
    "__main__": 9,
    "cli": 8,
    "serve": 7,
    "bench": 7,
    "api": 7,
    "recipes": 6,
    "finetuning": 6,
    "train": 5,
    "tasks": 5,
    "checkpoint": 5,
    "generate": 5,
    "families": 4,
    "data": 3,
    "objective": 3,
    "conversion": 3,
    "quantization": 3,
    "infill": 2,
    "models": 2,
    "text": 1,
    "nn": 1,
    "kernels": 1,
    "pictures": 1,
    "core": 0,
}
OUTSIDE = {"testing", ""}  # tests' own room, and the package itself
MODULES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    """The room a module is in: its package, or its own name at the top."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported_rooms(path: Path) -> set[str]:
    """Rooms of glmkit that a module imports anywhere in its text."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module if node.module != "glmkit" else f"glmkit.{node.names[0].name}")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("glmkit.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards_or_sideways(path: Path) -> None:
    if room(path) in OUTSIDE:
        return
    above = {other for other in imported_rooms(path) if LAYERS.get(other, 99) > LAYERS[room(path)]}
    assert not above, f"{path.name} in layer {LAYERS[room(path)]} imports {above}"


def test_rooms_of_a_layer_import_each_other_without_cycles() -> None:
    arrows: dict[str, set[str]] = {}
    for path in MODULES:
        if room(path) not in OUTSIDE:
            arrows.setdefault(room(path), set()).update(imported_rooms(path) - {room(path)})

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(arrows.get(start, ()))
        while todo:
            place = todo.pop()
            if place not in seen:
                seen.add(place)
                todo += arrows.get(place, ())
        return seen

    assert [name for name in arrows if name in reachable(name)] == []


def module_name(path: Path) -> str:
    return ".".join(("glmkit", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def imported_modules(path: Path, known: set[str]) -> set[str]:
    """Modules of glmkit that a module imports anywhere in its text: lazily and for types, too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= whole & known or {node.module}
    return names & known - {module_name(path)}


def test_modules_import_each_other_without_cycles() -> None:
    known = {module_name(path) for path in MODULES}
    arrows = {module_name(path): imported_modules(path, known) for path in MODULES}
    while leaves := [name for name, to in arrows.items() if not to & arrows.keys()]:
        for name in leaves:
            del arrows[name]
    assert not arrows, "these modules import each other in a circle, or one of such a circle"


def test_no_module_guesses_what_a_family_does_from_its_tokenizer_or_positions() -> None:
    """What a family's texts look like is said by its prompt format alone."""
    guesses = re.compile(
        r"special\.cls is |tokenizer\.chat is |position_scheme\.blanks\b[^(]|position_scheme\.channels == "
    )
    outside = [path for path in MODULES if room(path) not in ("families", "text", "testing")]
    assert [path.name for path in outside if guesses.search(path.read_text(encoding="utf-8"))] == []


def test_every_room_has_a_layer() -> None:
    assert {room(path) for path in MODULES} - OUTSIDE <= LAYERS.keys()


def test_modules_stay_small() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert [path.name for path, size in sizes.items() if size > 400] == []
    written = sorted(size for size in sizes.values() if size > 1)
    assert written[len(written) // 2] <= 130, "the median module is about 120 lines"


def test_no_catch_all_modules() -> None:
    assert [path for path in MODULES if path.stem in {"utils", "common", "helpers", "misc"}] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path for path in MODULES if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_nothing_prints_outside_the_command_line() -> None:
    loud = []
    for path in MODULES:
        if room(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                loud.append(f"{path.name}:{node.lineno}")
    assert loud == []


def test_public_names() -> None:
    for name in glmkit.__all__:
        assert getattr(glmkit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        glmkit.nothing  # noqa: B018


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in memory after a statement in a fresh interpreter."""
    code = f"import sys; {statement}; print(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_glmkit_loads_nothing_heavy() -> None:
    assert not {"torch", "numpy", "tokenizers", "matplotlib", "rich"} & loaded_by("import glmkit")


def test_help_and_mistakes_are_answered_without_torch() -> None:
    assert "torch" not in loaded_by("from glmkit.cli.main import main; main(['--help'])")
    assert "torch" not in loaded_by("from glmkit.cli.main import main; main(['infill', '--hlep'])")


def test_text_and_data_preparation_work_without_torch() -> None:
    """So that the processes that tokenize start at once."""
    assert "torch" not in loaded_by("import glmkit.data.prepare, glmkit.text.trained")


@pytest.mark.parametrize("extra", ["tensorboard", "pyarrow", "zstandard"])
def test_every_module_imports_without_extras(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, extra, None)
    for path in MODULES:
        name = ".".join(("glmkit", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        if name != "glmkit.cli.main":
            importlib.import_module(name)
