"""Shards give back what was written, and say which file is missing or damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from glmkit.core.errors import CorruptFile, Unwritable, UserError
from glmkit.data.shards import MANIFEST, Shards, ShardWriter, open_shards, read_manifest, write_manifest
from glmkit.data.store import LocalStore
from tests.full_disk import room_for

DOCUMENTS = [([5, 6, 7], 1), ([8], 0), ([9, 10], 1), ([11, 12, 13, 14], 0), ([300], 0)]


def write(folder: Path, vocab_size: int = 512, shard_tokens: int = 4) -> Path:
    """Documents in chunks of two, so that a shard of four tokens or more ends behind a chunk."""
    folder.mkdir()
    with ShardWriter(folder, vocab_size, shard_tokens) as writer:
        for start in range(0, len(DOCUMENTS), 2):
            chunk = DOCUMENTS[start : start + 2]
            writer.write(
                np.concatenate([np.array(tokens) for tokens, _ in chunk]),
                np.array([len(tokens) for tokens, _ in chunk]),
                np.array([prompt for _, prompt in chunk]),
            )
        shards = writer.finish()
    write_manifest(folder, writer.dtype, "fingerprint", vocab_size, shards, [])
    return folder


def contents(shards: Shards) -> list[tuple[list[int], int]]:
    return [
        (shards.read(number, 0, int(shards.lengths[number])).tolist(), int(shards.prompts[number]))
        for number in range(len(shards))
    ]


@pytest.mark.parametrize("shard_tokens", [1, 4, 5, 1000])
@pytest.mark.parametrize(("vocab_size", "dtype"), [(512, "<u2"), (1 << 16, "<u2"), ((1 << 16) + 1, "<u4")])
def test_documents_come_back(tmp_path: Path, shard_tokens: int, vocab_size: int, dtype: str) -> None:
    shards = open_shards(write(tmp_path / "data", vocab_size, shard_tokens))
    assert contents(shards) == DOCUMENTS
    assert [tokens.tolist() for tokens in shards.documents()] == [tokens for tokens, _ in DOCUMENTS]
    assert shards.manifest["dtype"] == dtype
    assert shards.manifest["documents"] == len(DOCUMENTS)
    assert shards.manifest["tokens"] == sum(len(tokens) for tokens, _ in DOCUMENTS)
    assert len(shards.manifest["shards"]) == {1: 3, 4: 3, 5: 2, 1000: 1}[shard_tokens]


def test_a_part_of_a_document_is_read(tmp_path: Path) -> None:
    shards = open_shards(write(tmp_path / "data"))
    assert shards.read(3, 1, 3).tolist() == [12, 13]
    assert shards.read(3, 2, 2).tolist() == []


def test_ids_beyond_sixteen_bits_are_kept(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, 200_000, 1000) as writer:
        writer.write(np.array([199_999, 65_536]), np.array([2]), np.array([0]))
        write_manifest(tmp_path, writer.dtype, "f", 200_000, writer.finish(), [])
    assert open_shards(tmp_path).read(0, 0, 2).tolist() == [199_999, 65_536]


def test_a_chunk_without_documents_leaves_no_trace(tmp_path: Path) -> None:
    nothing = np.array([], dtype=np.int64)
    with ShardWriter(tmp_path, 512, 1000) as writer:
        writer.write(nothing, nothing, nothing)
        assert writer.finish() == []
    assert list(tmp_path.iterdir()) == []


def complaint(folder: Path, verify: bool = True) -> str:
    with pytest.raises(CorruptFile) as raised:
        open_shards(folder, verify=verify)
    return str(raised.value)


@pytest.mark.parametrize("name", ["00000.tokens", "00001.documents"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "data")
    (folder / name).unlink()
    assert f"{folder / name} is missing; prepare the data again" in complaint(folder)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("name", ["00000.tokens", "00001.documents"])
def test_a_file_of_another_size_is_named(tmp_path: Path, name: str, verify: bool) -> None:
    folder = write(tmp_path / "data")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-2])
    message = complaint(folder, verify)
    assert f"{folder / name} has {len(content) - 2} bytes" in message
    assert f"its manifest says {len(content)}" in message


@pytest.mark.parametrize("name", ["00000.tokens", "00001.documents"])
def test_an_altered_file_is_named_with_both_checksums(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "data")
    content = bytearray((folder / name).read_bytes())
    content[0] ^= 1
    (folder / name).write_bytes(content)
    message = complaint(folder)
    assert f"{folder / name} is damaged: SHA-256 " in message
    recorded = {check[:16] for shard in open_manifest(folder)["shards"] for check in shard["sha256"]}
    assert any(f"its manifest says {check}" in message for check in recorded)
    assert "prepare the data again" in message
    open_shards(folder, verify=False)


def open_manifest(folder: Path) -> dict[str, list[dict[str, list[str]]]]:
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"{", "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        (b"[]", "is damaged ([] where an object is needed)"),
        (b'{"format": 1}', "lacks documents, tokens, dtype, tokenizer, shards"),
        (b'{"format": 99}', "has format 99, this version reads 1"),
        (b"{}", "has format None"),
    ],
)
def test_a_bad_manifest_is_named(tmp_path: Path, manifest: bytes, said: str) -> None:
    folder = write(tmp_path / "data")
    (folder / MANIFEST).write_bytes(manifest)
    with pytest.raises(UserError) as raised:
        open_shards(folder)
    assert str(folder / MANIFEST) in str(raised.value)
    assert said in str(raised.value)
    assert "prepare the data again" in str(raised.value)


def test_what_is_no_prepared_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("some text")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "text.txt"):
        with pytest.raises(
            UserError, match=r"has no manifest\.json: not prepared data; make it with `glmkit data prep"
        ):
            open_shards(path)


def test_prepared_data_may_be_moved(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared, tmp_path / "elsewhere")
    assert contents(open_shards(tmp_path / "elsewhere")) == contents(open_shards(prepared))


@pytest.mark.parametrize(("documents", "length", "file"), [(1, 10_000, "00000.tokens"), (1000, 1, "00000.documents")])
def test_a_full_disk_is_told_by_file_and_reason(tmp_path: Path, documents: int, length: int, file: str) -> None:
    def fill() -> None:
        counts = np.ones(documents, dtype=np.int64)
        with ShardWriter(tmp_path, 100, 1 << 20) as writer:
            writer.write(np.zeros(documents * length, dtype=np.int64), length * counts, 0 * counts)
            writer.finish()

    with room_for(4096), pytest.raises(Unwritable, match=f"could not write {tmp_path / file}: File too large"):
        fill()


def test_processes_share_out_what_is_verified(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(many, folder)
    names = [shard["name"] for shard in read_manifest(folder)["shards"]]
    for name in names:
        path = folder / f"{name}.tokens"
        path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))

    def refused(rank: int) -> set[str]:
        store = LocalStore(folder, share=(rank, 3))
        results = set()
        for shard in read_manifest(folder)["shards"]:
            try:
                store.mapped(shard, "tokens", "<u2")
            except CorruptFile:
                results.add(shard["name"])
        return results

    shares = [refused(rank) for rank in range(3)]
    assert sorted(name for share in shares for name in share) == sorted(names)
    assert all(shares)
