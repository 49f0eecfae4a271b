"""Parts prepared by several machines, joined: byte by byte what one machine writes."""

import json
from pathlib import Path

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.data.parts import Job, encode_part, job_of, join_parts
from glmkit.data.prepare import Encoding, plan, prepare
from glmkit.text.tokenizer import Tokenizer

from .test_prepare import files_of


@pytest.fixture
def sources(corpus: list[str], tmp_path: Path) -> Path:
    """Five files, of which the third holds no text."""
    folder = tmp_path / "text"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text("" if number == 2 else "\n\n".join(corpus[number * 20 :][:20]))
    return folder


def job(sources: Path, tokenizer: Tokenizer, output: Path) -> Job:
    return job_of([sources], tokenizer, output, Encoding(), part_bytes=2000)


def test_a_part_ends_behind_the_file_that_fills_it(sources: Path) -> None:
    files = sorted(sources.iterdir())
    assert plan(files) == [files]
    parts = plan(files, 2000)
    assert [file for part in parts for file in part] == files
    for part in parts[:-1]:
        sizes = [file.stat().st_size for file in part]
        assert sum(sizes[:-1]) < 2000 <= sum(sizes)


@pytest.mark.parametrize("part_bytes", [1, 2000])
def test_joined_parts_are_what_one_process_writes(
    sources: Path, tokenizer: Tokenizer, tmp_path: Path, part_bytes: int
) -> None:
    prepare([sources], tokenizer, tmp_path / "alone", part_bytes=part_bytes)
    these = job_of([sources], tokenizer, tmp_path / "data", Encoding(), part_bytes)
    for number in reversed(range(len(these.parts))):
        encode_part(these, number)
    manifest = join_parts(tmp_path / "data")
    assert len(manifest["shards"]) > 1
    assert files_of(tmp_path / "data") == files_of(tmp_path / "alone")
    assert not (tmp_path / "data.parts").exists()


def test_a_part_that_is_there_is_not_prepared_again(sources: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    these = job(sources, tokenizer, tmp_path / "data")
    encode_part(these, 0)
    before = (tmp_path / "data.parts" / "part-00000" / "part.json").stat().st_mtime_ns
    read: list[int] = []
    encode_part(these, 0, on_bytes=read.append)
    assert (tmp_path / "data.parts" / "part-00000" / "part.json").stat().st_mtime_ns == before
    assert sum(read) == sum(file.stat().st_size for file in these.parts[0])


def test_what_is_missing_or_does_not_belong_is_named(sources: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    output = tmp_path / "data"
    with pytest.raises(UserError, match=r"part-00000 is missing: prepare it with `glmkit data prepare"):
        join_parts(output)
    these = job(sources, tokenizer, output)
    encode_part(these, 0)
    with pytest.raises(UserError, match=rf"lacks {len(these.parts) - 1} of {len(these.parts)} parts, part-00001 first"):
        join_parts(output)
    other = Job(these.parts, tokenizer, output, Encoding(split="line"))
    with pytest.raises(CorruptFile, match=r"part-00000 was prepared of other files or with other settings; remove"):
        encode_part(other, 0)
    for number in range(1, len(these.parts)):
        encode_part(other, number)
    with pytest.raises(CorruptFile, match=r"part-00001 was prepared of other files or with other settings; remove"):
        join_parts(output)
    assert not output.exists()


def test_a_part_that_was_changed_is_refused(sources: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    these = job(sources, tokenizer, tmp_path / "data")
    for number in range(len(these.parts)):
        encode_part(these, number)
    path = tmp_path / "data.parts" / "part-00001" / "part.json"
    record = json.loads(path.read_text())
    record["shards"][0]["tokens"] += 1
    path.write_text(json.dumps(record))
    with pytest.raises(CorruptFile, match=r"part\.json was changed after it was written"):
        join_parts(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_files_without_text_are_nothing_to_join(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n")
    encode_part(job(tmp_path / "a.txt", tokenizer, tmp_path / "data"), 0)
    with pytest.raises(UserError, match=r"no text in the files of .*data\.parts: nothing to join"):
        join_parts(tmp_path / "data")
