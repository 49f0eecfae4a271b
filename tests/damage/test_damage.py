"""A damaged directory is refused: one line that names a place in it, exit code 2, nothing written, at once.

What is damaged and loads all the same was damaged where nobody reads: its scores and its ids are those of before.
"""

import subprocess
import sys
import time
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
        self.path = path
        SUBJECTS[name](path)
        self.options = {"num_heads": 4} if name == "megatron" else {}
        self.whole = self.read()

    def read(self) -> tuple[Tensor, list[int] | None]:
        """What the model gives for some ids, and its tokenizer for a text."""
        model = glmkit.load(self.path, device="cpu", dtype="float32", **self.options)
        ids = torch.arange(3, 12).expand(1, -1)
        if model.family.name == "chatglm":
            ids = torch.tensor([[*range(3, 9), model.config.gmask, model.config.sop, 7]])
        tokens = None if model._tokenizer is None else model._tokenizer.encode_marked(TEXT)
        return model.logits(ids), tokens

    def unharmed(self) -> bool:
        """Whether it still gives what it gave. A tokenizer that is gone is none that was taken for another."""
        (scores, tokens), (before, wanted) = self.read(), self.whole
        return torch.equal(scores, before) and tokens in (wanted, None)

    def files(self) -> dict[str, tuple[int, int]]:
        result = {str(path): path.stat() for path in self.path.parent.rglob("*") if not path.is_dir()}
        return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in result.items()}

    def verdict(self, damage: Damage, capsys: pytest.CaptureFixture[str]) -> str:
        """What is wrong with how the program takes a damage; "" for nothing."""
        place = self.path / damage.file
        before = place.read_bytes()
        damage.do(self.path)
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
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    """Every directory once, made when it is asked for."""

    class Made(dict[str, Subject]):
        def __missing__(self, name: str) -> Subject:
            self[name] = Subject(name, tmp_path_factory.mktemp(name) / "model")
            return self[name]

    return Made()


def refused(subject: Subject, chosen: list[Damage], capsys: pytest.CaptureFixture[str]) -> None:
    results = [(damage, subject.verdict(damage, capsys)) for damage in chosen]
    wrong = [f"{damage.file}, {damage.what}: {verdict}" for damage, verdict in results if verdict]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_every_damage(name: str, subjects: dict[str, Subject], capsys: pytest.CaptureFixture[str]) -> None:
    every = list(damages(name, subjects[name].path))
    assert len(every) > 300
    refused(subjects[name], every, capsys)


@pytest.mark.parametrize(
    "name", ["glm", "int4", "task", "chatglm2-hf", "port", pytest.param("sharded", marks=pytest.mark.slow)]
)
def test_some_damages(name: str, subjects: dict[str, Subject], capsys: pytest.CaptureFixture[str]) -> None:
    large = ("a million rows", "ten megabytes", "bomb")
    every = [damage for damage in damages(name, subjects[name].path) if not any(word in damage.what for word in large)]
    refused(subjects[name], every[:: len(every) // 12], capsys)


def test_the_heads_of_a_directory_of_ours_are_those_it_was_written_with(subjects: dict[str, Subject]) -> None:
    """One bit of config.json turns 4 heads into 0, 5 or 6; any number that divides would compute something else."""
    path = subjects["chatglm2"].path
    text = (path / "config.json").read_text()
    for heads in ("2", "8"):
        (path / "config.json").write_text(text.replace('"num_heads": 4', f'"num_heads": {heads}'))
        with pytest.raises(UserError, match=r"config\.json was changed after it was written"):
            glmkit.load(path)
    (path / "config.json").write_text(text)


def test_a_directory_of_before_there_were_seals_loads(subjects: dict[str, Subject]) -> None:
    assert '"sha256": {' not in (subjects["before-seals"].path / "config.json").read_text()
    assert subjects["before-seals"].unharmed()


# Runs a command, and prints the seconds of the processor that it took beyond importing, and its peak of memory.
_ALONE = """
import sys, time
import torch
from glmkit.cli.main import main

began = time.process_time()
code = main(sys.argv[1:])
with open("/proc/self/status") as file:
    peak = next(line.split()[1] for line in file if line.startswith("VmHWM"))
print(time.process_time() - began, peak)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process is told its memory on Linux alone")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("glm", "model.num_layers: ten to the twelfth"),
        ("glm", "the text: ten megabytes"),
        ("glm", "model.num_heads: a bomb of brackets"),
        ("port", "num_layers: ten to the twelfth"),
        ("chatglm2-hf", "padded_vocab_size: ten to the twelfth"),
        ("sharded", "a million rows"),
        ("port-pairs", "the text: ten megabytes"),
    ],
)
def test_a_process_of_its_own_needs_little_time_and_memory(
    name: str, what: str, subjects: dict[str, Subject], tmp_path: Path
) -> None:
    subject = subjects[name]
    damage = next(item for item in damages(name, subject.path) if item.what == what)
    before = (subject.path / damage.file).read_bytes()
    damage.do(subject.path)
    command = [sys.executable, "-c", _ALONE, "info", str(subject.path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    (subject.path / damage.file).write_bytes(before)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    seconds, kilobytes = map(float, done.stdout.split())
    assert seconds < SECONDS
    assert kilobytes * 1024 < BYTES
    assert list(tmp_path.iterdir()) == []
