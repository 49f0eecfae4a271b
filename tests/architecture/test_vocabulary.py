"""Words that were retired stay out of names and docstrings: one word for one thing, and it is the field's."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import glmkit

ROOT = Path(glmkit.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# Retired as names of anything, anywhere in src.
NAMES = frozenset(
    """
    Scribe scribe Written Learner learner ClozeLearner HeadLearner Taught Lesson lesson lessons Talk talk talks Writing
    told asked made found each here
    Subject subject_of Asked
    Opened opened begun anchors
    Visibility visibility Neighbours neighbours Halves unrotated
    Geometry geometry
    num_groups inner_size long_context
    StreamedLinear StreamedNorm streamed stepped half_vector block_of
    lay_lora lay_prefix put_quantised foreign to_foreign FOREIGN
    nowhere insist
    heldout heldout_data heldout_every heldout_examples split_heldout Measure
    Rival rival rivals Elsewhere in_turns
    spelled_out
    """.split()  # noqa: SIM905
)
# Retired in a room, as names of a function, a class or a field: elsewhere they are ordinary words.
IN_ROOMS = {
    "conversion": {"held"},
    "families": {"put", "fill", "placing", "files", "grow", "tables", "need"},
    "finetuning": {"Pair", "share"},
    "generate": {"Writer", "Session", "Memory", "Lookup", "Chooser", "guesses", "listening", "feeds", "wrote"},
    "infill": {"steps", "Piece"},
    "objective": {"stem"},
    "kernels": {"level", "levels", "turn", "Codes", "Form", "tiled", "by_rows"},
    "nn": {"halves", "hold"},
    "train": {"agree", "join", "wait"},
}
MODULE_NAMES = frozenset(
    ["scribe", "talks", "learner", "lesson", "heldout", "geometry", "quantise", "quantised", "rivals", "turns", "step"]
)
# Retired in docstrings, where a sentence of the field says the same.
PHRASES = re.compile(
    r"\b(scribe|learner|told|rival|laid over|lays? (it|them|the adapters?) over|spelled out|"
    r"codes that make up for one another|steps fitted to codes|"
    r"\w*(quantis|initialis|serialis|tokenis|memoris|optimis|normalis|recognis|organis|summaris|generalis|specialis|"
    r"materialis|randomis|penalis|maximis|minimis|parallelis|synchronis|utilis|vectoris)(e[drs]?|ing|ations?))\b",
    re.IGNORECASE,
)
# Old names that people use and that still work, and names of files' keys: (file, name).
ALIASES = {
    ("api/generate.py", "ended"),
    ("api/core.py", "geometry"),
    ("finetuning/decode.py", "asked"),  # a key of samples.jsonl and of the rows that eval writes
    ("finetuning/samples.py", "asked"),
    ("train/step.py", ""),  # modules: an optimizer step
    ("bench/step.py", ""),
}


def named(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Every identifier with its line, and whether a function, a class or a field of a class is declared by it."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno, True
                if isinstance(node, ast.ClassDef):
                    for part in node.body:
                        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                            yield part.target.id, part.lineno, True
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name, node.lineno, False
            case ast.keyword(arg=str(name)):
                yield name, node.value.lineno, False
            case ast.alias(name=name):
                yield name, node.lineno, False


def retired(source: str, file: str) -> list[str]:
    """What a module says that it should not: the line and the word."""
    tree = ast.parse(source)
    room = file.split("/")[0]
    words = [
        f"{file}:{line}: {name}"
        for name, line, declared in named(tree)
        if (name in NAMES or (declared and name in IN_ROOMS.get(room, ()))) and (file, name) not in ALIASES
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for phrase in PHRASES.finditer(ast.get_docstring(node) or ""):
                words.append(f"{file}: docstring of {getattr(node, 'name', 'the module')}: {phrase[0]}")
    return words


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_word_is_a_name_or_in_a_docstring(path: Path) -> None:
    file = path.relative_to(ROOT).as_posix()
    assert retired(path.read_text(encoding="utf-8"), file) == []
    assert path.stem not in MODULE_NAMES or (file, "") in ALIASES


@pytest.mark.parametrize(
    "source",
    [
        "told = 1",
        "class Scribe: ...",
        "def opened(): ...",
        "x.subject_of",
        "f(heldout=1)",
        "from a import visibility",
        'def f():\n    """What the learner reads."""',
        '"""How weights are quantised."""',
        '"""An adapter laid over a model."""',
    ],
)
def test_a_retired_word_is_seen_when_it_is_put_back(source: str) -> None:
    assert retired(source, "families/new.py")


def test_words_of_a_room_are_free_elsewhere() -> None:
    assert retired("def fill(): ...", "families/new.py")
    assert not retired("def fill(): ...", "tasks/pattern.py")
