"""Runs on corpora of many shards: windows, an object storage with a small cache, and going on exactly."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import UserError
from glmkit.data.mixture import MixtureSource
from glmkit.data.store import StreamConfig
from glmkit.train.config import CorpusConfig, PretrainConfig
from glmkit.train.logs import read_log
from glmkit.train.pretrain import config_of, pretrain
from glmkit.train.text import open_text

from .conftest import as_flags, elsewhere
from .test_pretrain import kill_behind_a_checkpoint, weights


@pytest.fixture
def windowed(tiny_run: PretrainConfig, many: Path) -> PretrainConfig:
    return replace(tiny_run, data=str(many), stream=StreamConfig(window=2), steps=40, validation=0.3)


def test_a_corpus_of_one_window_is_read_as_ever(tiny_run: PretrainConfig, many: Path) -> None:
    whole = open_text(replace(tiny_run, data=str(many), stream=StreamConfig(window=40))).training
    ever = open_text(replace(tiny_run, data=str(many), stream=StreamConfig(window=1000))).training
    assert type(whole).__name__ == "ExampleSource"
    assert list(whole.order(1)) == list(ever.order(1))
    parts = open_text(replace(tiny_run, data=str(many), stream=StreamConfig(window=39))).training
    assert [parts.order(1)[place] for place in range(len(parts))] != list(whole.order(1))


def test_what_is_measured_is_not_trained_on(windowed: PretrainConfig) -> None:
    text = open_text(windowed)
    (measured,) = text.validation.values()
    kept = [measured.shards.read(n, 0, int(measured.shards.lengths[n])).tolist() for n in range(len(measured.shards))]
    assert len(kept) == 1
    source = text.training
    trained = [source.locate(index)[0].chunk(source.locate(index)[1]).tokens.tolist() for index in range(len(source))]
    assert not any(chunk[1:-1] == kept[0][: len(chunk) - 2] for chunk in trained)
    whole = open_text(replace(windowed, validation=0.0)).training
    assert len(whole) - len(source) == len(measured)


def test_several_corpora_are_read_as_wholes(windowed: PretrainConfig, prepared: Path, many: Path) -> None:
    config = replace(windowed, data=(CorpusConfig(path=str(prepared)), CorpusConfig(path=str(many))))
    with pytest.raises(UserError, match=r"data has 40 shards, and of several corpora each is read as a whole: "):
        open_text(config)
    assert isinstance(open_text(replace(config, stream=StreamConfig(window=40))).training, MixtureSource)


def test_a_run_does_not_go_on_in_other_windows(windowed: PretrainConfig) -> None:
    config = replace(windowed, steps=3, resume="auto")
    pretrain(config)
    with pytest.raises(UserError, match=r"was started with windows of 2 shards \(now 3\): give stream\.window=2"):
        pretrain(replace(config, stream=StreamConfig(window=3)))
    with pytest.raises(UserError, match=r"was started with windows of 2 shards \(now one\): give stream\.window=2"):
        pretrain(replace(config, stream=StreamConfig(window=50)))
    assert pretrain(replace(config, stream=StreamConfig(window=2, cache="elsewhere", cache_gb=3))).is_dir()


def test_a_run_from_before_there_were_windows_is_shown_as_it_read(windowed: PretrainConfig) -> None:
    pretrain(replace(windowed, steps=1))
    run = Path(windowed.output)
    assert config_of(run).stream.window == 2
    record = json.loads((run / "run.json").read_text())
    del record["config"]["stream"]
    record.pop("sha256", None)
    (run / "run.json").write_text(json.dumps(record))
    assert type(open_text(config_of(run)).training).__name__ == "ExampleSource"


@pytest.mark.slow
def test_a_run_from_a_bucket_with_a_cache_of_a_tenth_goes_on_exactly(
    windowed: PretrainConfig, many: Path, storage: Any, tmp_path: Path
) -> None:
    storage.put(str(many), "bucket/many", recursive=True)
    alone = weights(pretrain(windowed))
    sizes = [sum(shard["bytes"]) for shard in json.loads((many / "manifest.json").read_text())["shards"]]
    limit = sum(sizes) // 10
    assert sum(sorted(sizes)[-4:]) > limit * 0.9, "two windows are all there is room for"
    limit = max(limit, sum(sorted(sizes)[-4:]))
    cache = tmp_path / "cache"
    stream = replace(windowed.stream, cache=str(cache), cache_gb=limit / 10**9)
    remote = elsewhere(windowed, tmp_path / "remote", data="s3://bucket/many", stream=stream, resume="auto")
    kill_behind_a_checkpoint(remote)
    assert weights(pretrain(remote)) == alone
    assert [event["epoch"] for event in read_log(Path(remote.output)) if "epoch" in event][-1:] != [0]
    assert 0 < sum(file.stat().st_size for file in (cache / "shards").iterdir()) <= limit


@pytest.mark.slow
def test_a_half_uploaded_shard_is_one_line_and_the_run_stays(
    windowed: PretrainConfig, many: Path, storage: Any, tmp_path: Path
) -> None:
    storage.put(str(many), "bucket/many", recursive=True)
    stream = replace(windowed.stream, cache=str(tmp_path / "cache"))
    config = replace(windowed, data="s3://bucket/many", stream=stream, steps=3, resume="auto")
    model = weights(pretrain(config))
    storage.pipe("bucket/many/00007.tokens", b"half")
    done = subprocess.run(
        [sys.executable, "-m", "glmkit.cli.main", "pretrain", "glm-nano", *as_flags(replace(config, steps=6))],
        capture_output=True, text=True, env=dict(os.environ), check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("glmkit: s3://bucket/many/00007.tokens has 4 bytes, its man")
    assert len(done.stderr.strip().splitlines()) == 1
    assert weights(Path(config.output) / "model") == model
