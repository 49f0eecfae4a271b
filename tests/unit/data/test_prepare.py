"""Text to shards: the same bytes from any number of workers, whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import sha256
from glmkit.data.prepare import prepare
from glmkit.data.shards import TOKENIZER, open_shards
from glmkit.text.tokenizer import Tokenizer, fingerprint


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sources(corpus: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two files, large enough to be handed to the workers in several chunks."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "a.txt").write_text("\n\n".join(corpus * 80), encoding="utf-8")
    records = [{"text": text, "prompt": corpus[i % 7]} for i, text in enumerate(corpus * 40)]
    (folder / "b.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return [folder / "a.txt", folder / "b.jsonl"]


@pytest.fixture(scope="module")
def one_worker(sources: list[Path], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("one") / "data"
    prepare(sources, tokenizer, output, shard_tokens=200_000)
    return output


def test_two_workers_write_the_same_bytes(
    sources: list[Path], tokenizer: Tokenizer, one_worker: Path, tmp_path: Path
) -> None:
    prepare(sources, tokenizer, tmp_path / "data", workers=2, shard_tokens=200_000)
    assert files_of(tmp_path / "data") == files_of(one_worker)


def test_every_document_is_there_with_its_prompt_and_in_order(
    corpus: list[str], tokenizer: Tokenizer, one_worker: Path
) -> None:
    shards = open_shards(one_worker)
    plain, prompted = [(text, "") for text in corpus * 80], [(t, corpus[i % 7]) for i, t in enumerate(corpus * 40)]
    documents = plain + prompted
    assert len(shards) == len(documents)
    assert len(shards.manifest["shards"]) > 1
    for number in range(0, len(documents), 97):
        text, prompt = documents[number]
        ids = shards.read(number, 0, int(shards.lengths[number])).tolist()
        assert ids == tokenizer.encode(prompt) + tokenizer.encode(text)
        assert shards.prompts[number] == len(tokenizer.encode(prompt))


def test_the_manifest_says_what_there_is(sources: list[Path], tokenizer: Tokenizer, one_worker: Path) -> None:
    manifest: dict[str, Any] = json.loads((one_worker / "manifest.json").read_text(encoding="utf-8"))
    shards = open_shards(one_worker)
    assert manifest["documents"] == len(shards)
    assert manifest["tokens"] == int(shards.lengths.sum())
    assert manifest["vocab_size"] == len(tokenizer)
    assert manifest["tokenizer"] == tokenizer.fingerprint == fingerprint(one_worker / TOKENIZER)
    assert [source["name"] for source in manifest["sources"]] == ["a.txt", "b.jsonl"]
    assert sum(source["documents"] for source in manifest["sources"]) == len(shards)
    for source, path in zip(manifest["sources"], sources, strict=True):
        assert source["sha256"] == sha256(path)
        assert source["bytes"] == path.stat().st_size


def test_the_bytes_reported_are_those_of_the_input(sources: list[Path], tokenizer: Tokenizer, tmp_path: Path) -> None:
    reported: list[int] = []
    prepare(sources, tokenizer, tmp_path / "data", on_bytes=reported.append)
    assert sum(reported) == sum(path.stat().st_size for path in sources)


def test_sixteen_bits_hold_a_small_vocabulary(one_worker: Path) -> None:
    shards = open_shards(one_worker)
    tokens = (one_worker / "00000.tokens").stat().st_size
    assert tokens == 2 * shards.manifest["shards"][0]["tokens"]
    assert shards.read(0, 0, 1).dtype == np.uint16


def test_an_existing_output_is_refused_and_left_alone(corpus: list[str], tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(corpus[0], encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").write_text("mine")
    with pytest.raises(UserError, match=r"data exists already"):
        prepare([tmp_path / "a.txt"], tokenizer, tmp_path / "data")
    assert files_of(tmp_path / "data") == {"mine": b"mine"}


@pytest.mark.parametrize("content", ["", "\n \n\n", '{"text": ""}\n'])
def test_input_without_text_is_refused_and_leaves_nothing(tokenizer: Tokenizer, tmp_path: Path, content: str) -> None:
    name = "a.jsonl" if content.startswith("{") else "a.txt"
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=rf"no text in .*{name}: nothing to prepare"):
        prepare([tmp_path / name], tokenizer, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_in_the_middle_leaves_nothing(
    sources: list[Path], tokenizer: Tokenizer, tmp_path: Path, workers: int
) -> None:
    bad = tmp_path / "c.jsonl"
    bad.write_text('{"text": "good"}\n{"text": \n', encoding="utf-8")
    with pytest.raises(CorruptFile, match=r"c\.jsonl:2: not JSON"):
        prepare([sources[0], bad], tokenizer, tmp_path / "data", workers=workers, shard_tokens=1)
    assert [path.name for path in tmp_path.iterdir()] == ["c.jsonl"]


@pytest.mark.parametrize("after", [0.5, *(pytest.param(x, marks=pytest.mark.slow) for x in (0.2, 2.0))])
def test_ctrl_c_is_one_line_and_leaves_nothing(tokenizer: Tokenizer, tmp_path: Path, after: float) -> None:
    """The terminal sends it to the workers too, whether they are starting or at work."""
    tokenizer.save(tmp_path / "tok")
    (tmp_path / "text.txt").write_text("ba de ki lo mu na.\n\n" * 600_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "glmkit.cli.main", "data", "prepare", "new", "text.txt", "--tokenizer", "tok",
         "--workers", "2"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not list(tmp_path.glob(".new.partial-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors == "glmkit: stopped\n"
    assert process.returncode == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.txt", "tok"]
