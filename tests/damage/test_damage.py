"""A damaged directory is refused: one line that names a place in it, exit code 2, nothing written, at once.

What is damaged and loads all the same was damaged where nobody reads: its scores and its ids are those of before.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import glmkit
from glmkit.cli.main import main
from glmkit.core.errors import UserError

from .subjects import SUBJECTS, damages
from .values import Damage

SECONDS, BYTES = 5, 1 << 30
TEXT = "It was [MASK], ba de. 北京"


class Subject:
    """A directory that damages are done to and undone."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        SUBJECTS[name](path)
        self.options = {"num_heads": 4} if name == "megatron" else {}
        if name.endswith("-hf") and name.startswith("chatglm2"):
            self.options = {}
        self.scores = self.read()

    def read(self) -> tuple[Tensor, list[int] | None]:
        """What the model gives for some ids, and what its tokenizer gives for a text."""
        model = glmkit.load(self.path, device="cpu", dtype="float32", **self.options)
        ids = torch.arange(3, 12).expand(1, -1)
        tokens = None if model._tokenizer is None else model._tokenizer.encode_marked(TEXT)
        if model.family.name == "chatglm":
            ids = torch.tensor([[*range(3, 9), model.config.gmask, model.config.sop, 7]])
        return model.logits(ids), tokens

    def unharmed(self) -> bool:
        """Whether it still gives what it gave before. What was absent before may be absent: the tokenizer."""
        (scores, tokens), (before, wanted) = self.read(), self.scores
        return torch.equal(scores, before) and (tokens == wanted or tokens is None)

    def files(self) -> dict[str, tuple[int, int]]:
        found = {str(path.relative_to(self.path.parent)): path.stat() for path in self.path.parent.rglob("*")}
        return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items() if not os.path.isdir(name)}

    def verdict(self, damage: Damage, capsys: pytest.CaptureFixture[str]) -> str:
        """What is wrong with how the program took a damage; "" for nothing."""
        place = self.path / damage.file
        before = place.read_bytes()
        if damage.content is None:
            place.unlink()
        else:
            place.write_bytes(damage.content)
        there, began = self.files(), time.perf_counter()
        try:
            return self._look(there, began, capsys)
        finally:
            place.write_bytes(before)

    def _look(self, there: dict[str, tuple[int, int]], began: float, capsys: pytest.CaptureFixture[str]) -> str:
        settings = [part for name, value in self.options.items() for part in ("--set", f"{name}={value}")]
        capsys.readouterr()
        code = main(["info", str(self.path), *settings])
        said = capsys.readouterr().err
        if (seconds := time.perf_counter() - began) > SECONDS:
            return f"took {seconds:.1f} s"
        if code == 0:
            try:
                return "" if self.unharmed() else "loads and computes something else"
            except UserError as error:  # of what `info` need not look at
                said = f"glmkit: {error}\n"
        elif code != 2:
            return f"exit code {code}: {said}"
        if said.count("\n") != 1 or str(self.path) not in said or len(said) > 1000:
            return f"no line that names the place: {said[:500]}"
        return "" if self.files() == there else "something was written"


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Subject]]:
    """Every directory once, made when it is asked for."""

    class Made(dict[str, Subject]):
        def __missing__(self, name: str) -> Subject:
            self[name] = Subject(name, tmp_path_factory.mktemp(name) / "model")
            return self[name]

    return Made()


def faults(subject: Subject, chosen: list[Damage], capsys: pytest.CaptureFixture[str]) -> list[str]:
    found = [(damage, subject.verdict(damage, capsys)) for damage in chosen]
    return [f"{damage.file}, {damage.what}: {verdict}" for damage, verdict in found if verdict]


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_every_damage(name: str, subjects: dict[str, Subject], capsys: pytest.CaptureFixture[str]) -> None:
    subject = subjects[name]
    every = list(damages(name, subject.path))
    assert len(every) > 20
    found = faults(subject, every, capsys)
    assert not found, "\n".join(found)
