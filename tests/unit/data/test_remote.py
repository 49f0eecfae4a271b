"""Prepared data in an object storage: a real S3 server, copies of bounded size, one line for what is wrong."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.data.remote import RemoteStore, open_corpus
from glmkit.data.shards import open_shards
from glmkit.data.store import StreamConfig

ADDRESS = "s3://bucket/corpora/many"


def upload(storage: Any, many: Path) -> None:
    storage.put(str(many), ADDRESS.removeprefix("s3://"), recursive=True)


def cached(cache: Path) -> int:
    return sum(file.stat().st_size for file in (cache / "shards").iterdir())


def shard_bytes(many: Path) -> list[int]:
    return [sum(shard["bytes"]) for shard in json.loads((many / "manifest.json").read_text())["shards"]]


@pytest.mark.slow
def test_a_corpus_in_a_bucket_is_the_one_that_was_uploaded(storage: Any, many: Path, tmp_path: Path) -> None:
    upload(storage, many)
    corpus = open_corpus(ADDRESS, StreamConfig(cache=str(tmp_path)))
    local, remote = open_shards(many), corpus.open()
    assert corpus.place == ADDRESS
    assert corpus.manifest == local.manifest
    assert [ids.tolist() for ids in remote.documents()] == [ids.tolist() for ids in local.documents()]
    names = {path.name for path in many.iterdir()}
    assert (
        {path.name for path in corpus.store.directory.iterdir()}
        == {
            "manifest.json",
            "tokenizer",
        }
        <= names
    )


@pytest.mark.slow
def test_copies_stay_within_their_limit_and_the_oldest_go(storage: Any, many: Path, tmp_path: Path) -> None:
    upload(storage, many)
    sizes = shard_bytes(many)
    limit = sum(sizes) // 10 * 3 // 2
    config = StreamConfig(cache=str(tmp_path), window=1, cache_gb=limit / 10**9)
    corpus = open_corpus(ADDRESS, config)
    assert isinstance(corpus.store, RemoteStore)
    for shard in corpus.shards:
        for kind in ("tokens", "documents"):
            copy = corpus.store.file(shard, kind)
            assert copy.read_bytes() == (many / f"{shard['name']}.{kind}").read_bytes()
            assert 0 < cached(tmp_path) <= limit
    storage.rm("bucket", recursive=True)
    assert corpus.store.file(corpus.shards[-1], "tokens").is_file(), "the newest is still there"
    with pytest.raises(UserError, match=r"many/00000\.tokens: no such file"):
        corpus.store.file(corpus.shards[0], "tokens")


@pytest.mark.slow
def test_expected_shards_are_fetched_in_the_background(storage: Any, many: Path, tmp_path: Path) -> None:
    upload(storage, many)
    corpus = open_corpus(ADDRESS, StreamConfig(cache=str(tmp_path)))
    assert isinstance(corpus.store, RemoteStore)
    corpus.store.expect(corpus.shards[:2])
    wanted = sum(shard_bytes(many)[:2])
    for _ in range(600):
        if (tmp_path / "shards").is_dir() and cached(tmp_path) >= wanted:
            break
        time.sleep(0.05)
    storage.rm("bucket", recursive=True)
    assert corpus.store.file(corpus.shards[1], "documents").is_file()


@pytest.mark.slow
def test_a_cache_that_cannot_hold_two_windows_is_refused(storage: Any, many: Path, tmp_path: Path) -> None:
    upload(storage, many)
    with pytest.raises(UserError, match=r"two windows of 2 shards of s3://bucket/corpora/many have .* GB, and"):
        open_corpus(ADDRESS, StreamConfig(cache=str(tmp_path), window=2, cache_gb=1e-8))


def refusal(config: StreamConfig, address: str = ADDRESS) -> str:
    with pytest.raises(UserError) as raised:
        open_corpus(address, config).open()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.slow
def test_what_was_not_uploaded_whole_is_named_at_the_start(storage: Any, many: Path, tmp_path: Path) -> None:
    config = StreamConfig(cache=str(tmp_path))
    assert "s3://bucket/corpora/many/manifest.json: no such file" in refusal(config)
    assert "s3://nowhere/x/manifest.json: no such file" in refusal(config, "s3://nowhere/x")
    upload(storage, many)
    root = ADDRESS.removeprefix("s3://")
    whole = storage.cat(f"{root}/00003.tokens")
    storage.pipe(f"{root}/00003.tokens", whole[:10])
    assert f"{ADDRESS}/00003.tokens has 10 bytes, its manifest says {len(whole)}; upload it again" in refusal(config)
    storage.rm(f"{root}/00003.tokens")
    assert f"{ADDRESS}/00003.tokens is missing; upload it again" in refusal(config)
    storage.pipe(f"{root}/00003.tokens", bytes([whole[0] ^ 1]) + whole[1:])
    assert f"{ADDRESS}/00003.tokens is damaged: SHA-256 " in refusal(config)
    kept = [file.name for file in (tmp_path / "shards").iterdir()]
    assert kept
    assert not any(name.startswith(".") for name in kept)
    storage.pipe(f"{root}/00003.tokens", whole)
    assert len(open_corpus(ADDRESS, config).open()) == len(open_shards(many))


@pytest.mark.slow
def test_a_bucket_without_permission_is_one_line(
    storage: Any, many: Path, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests
    import s3fs

    upload(storage, many)
    s3fs.S3FileSystem.clear_instance_cache()
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=60)
    try:
        said = refusal(StreamConfig(cache=str(tmp_path)))
    finally:
        requests.post(f"{endpoint}/moto-api/reset-auth", data="10000000", timeout=60)
    assert f"{ADDRESS}/manifest.json may not be read (" in said
    assert "give credentials that may" in said


@pytest.mark.slow
def test_a_storage_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert f"{ADDRESS}/manifest.json cannot be read: " in refusal(StreamConfig(cache=str(tmp_path)))
    s3fs.S3FileSystem.clear_instance_cache()


def test_an_address_that_nothing_opens_is_one_line(tmp_path: Path) -> None:
    config = StreamConfig(cache=str(tmp_path))
    assert "use s3://bucket/directory or a directory" in refusal(config, "nosuch://bucket/x")
    assert "run: pip install gcsfs" in refusal(config, "gs://bucket/x")


def test_any_address_of_fsspec_will_do(many: Path, tmp_path: Path) -> None:
    corpus = open_corpus(f"file://{many}", StreamConfig(cache=str(tmp_path)))
    assert isinstance(corpus.store, RemoteStore)
    assert len(corpus.open()) == len(open_shards(many))
    shutil.copytree(many, tmp_path / "half")
    (tmp_path / "half" / "00001.documents").write_bytes(b"")
    with pytest.raises(CorruptFile, match=r"half/00001\.documents has 0 bytes, its manifest says"):
        open_corpus(f"file://{tmp_path}/half", StreamConfig(cache=str(tmp_path)))
