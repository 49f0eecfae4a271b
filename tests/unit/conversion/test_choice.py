"""Which files are the model: the first of four names that is there, and never a file outside the directory."""

import json
import os
import socket
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from glmkit.conversion.choice import ORDER, choose, passed_over
from glmkit.conversion.weights import open_weights
from glmkit.core.errors import CorruptFile, UserError

SAFE, SAFE_INDEX, BIN, BIN_INDEX = ORDER
SETS = [names for size in (1, 2, 3, 4) for names in combinations(ORDER, size)]
SHARD = {SAFE_INDEX: "model-00001-of-00001.safetensors", BIN_INDEX: "pytorch_model-00001-of-00001.bin"}


def put(path: Path, number: float) -> None:
    """A file of weights that holds one number."""
    tensors = {"a": torch.tensor([[number]])}
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)


def index(path: Path, weight_map: Any) -> None:
    path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), encoding="utf-8")


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., Path]:
    """A directory with some sets of weights, each with a number of its own: its place in the order."""

    def built(*names: str) -> Path:
        for name in names:
            number = float(ORDER.index(name))
            if name in SHARD:
                put(tmp_path / SHARD[name], number)
                index(tmp_path / name, {"a": SHARD[name]})
            else:
                put(tmp_path / name, number)
        return tmp_path

    return built


@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_the_first_that_is_there_is_read(names: tuple[str, ...], directory: Callable[..., Path]) -> None:
    place = directory(*names)
    assert float(open_weights(place).get("a")) == ORDER.index(names[0])
    assert passed_over(place) == list(names[1:])


def test_what_lies_beside_is_no_matter(directory: Callable[..., Path]) -> None:
    place = directory(BIN)
    for name in ("adapter_model.safetensors", "optimizer.bin", "training_args.bin", "consolidated.safetensors"):
        (place / name).write_bytes(b"no matter")
    (place / "global_step7").mkdir()
    (place / "checkpoint-3000").mkdir()
    assert float(open_weights(place).get("a")) == ORDER.index(BIN)


def test_an_index_whose_shards_are_gone(directory: Callable[..., Path]) -> None:
    place = directory(SAFE_INDEX)
    (place / SHARD[SAFE_INDEX]).unlink()
    with pytest.raises(CorruptFile, match=r"lacks model-00001.*, its only shard of .*index\.json; copy the missing$"):
        choose(place)
    directory(BIN)
    with pytest.raises(
        CorruptFile, match=r"; or remove model\.safetensors\.index\.json, and pytorch_model\.bin is read"
    ):
        choose(place)
    directory(SAFE)  # comes before the index, as with transformers
    assert choose(place).files == (SAFE,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"weight_map": ', "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged: it has no weight_map"),
        ('{"weight_map": {}}', "is damaged: it has no weight_map"),
        ('{"weight_map": null}', "weight_map must be a table"),
        ('{"weight_map": {"a": 3}}', r"weight_map\['a'\] must be text, got 3"),
        ('{"weight_map": {"a": ["b"]}}', r"weight_map\['a'\] must be text"),
        ('{"weight_map": {"a": "x", "a": "y"}}', "the key 'a' stands twice"),
        ('{"weight_map": {"a": "\\ud800"}}', "no Unicode text"),
        ('{"weight_map": ' + "[" * 100_000, "is damaged"),
        ("version https://git-lfs.github.com/spec/v1\noid 1", "is a git-LFS pointer"),
        ("", "is empty"),
    ],
)
def test_a_damaged_index(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / SAFE_INDEX).write_text(text, encoding="utf-8")
    with pytest.raises(CorruptFile, match=line) as refused:
        open_weights(tmp_path)
    assert "\n" not in str(refused.value)
    assert SAFE_INDEX in str(refused.value)


def test_a_shard_with_a_name_no_disk_can_hold(tmp_path: Path) -> None:
    index(tmp_path / SAFE_INDEX, {"a": "x" * 5000})
    with pytest.raises(CorruptFile, match=r"lacks 'x+\.\.\., its only shard") as refused:
        open_weights(tmp_path)
    assert len(str(refused.value)) < 400


class TestOutside:
    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        (tmp_path / "m").mkdir()
        put(tmp_path / "secret.safetensors", 7.0)
        return tmp_path / "m"

    @pytest.mark.parametrize(
        "name", ["../secret.safetensors", "x/../../secret.safetensors", "..\\secret.safetensors", ""]
    )
    def test_a_name_that_leads_out(self, name: str, place: Path) -> None:
        index(place / SAFE_INDEX, {"a": name})
        with pytest.raises(CorruptFile, match=r"names the shard .*, which is no file of its directory"):
            open_weights(place)

    def test_an_absolute_name(self, place: Path) -> None:
        for name in (str(place.parent / "secret.safetensors"), "C:/secret.safetensors", "a\0b"):
            index(place / SAFE_INDEX, {"a": name})
            with pytest.raises(CorruptFile, match=r"names the shard .*, which is no file of its directory"):
                open_weights(place)

    def test_a_link_that_leads_out_however_many_there_are(self, place: Path) -> None:
        (place / "two.safetensors").symlink_to("one.safetensors")
        (place / "one.safetensors").symlink_to("../secret.safetensors")
        index(place / SAFE_INDEX, {"a": "two.safetensors"})
        with pytest.raises(CorruptFile, match=r"names two\.safetensors, a link to .*, which is outside its directory"):
            open_weights(place)

    def test_a_folder_that_is_a_link(self, place: Path) -> None:
        (place / "sub").symlink_to("..")
        index(place / SAFE_INDEX, {"a": "sub/secret.safetensors"})
        with pytest.raises(CorruptFile, match=r"which is outside its directory"):
            open_weights(place)

    def test_links_inside_and_a_directory_that_is_a_link(self, place: Path) -> None:
        put(place / "real.safetensors", 3.0)
        (place / "link.safetensors").symlink_to("real.safetensors")
        index(place / SAFE_INDEX, {"a": "link.safetensors"})
        (place.parent / "elsewhere").symlink_to(place)
        assert float(open_weights(place.parent / "elsewhere").get("a")) == 3.0

    def test_the_cache_of_the_hub_links_to_its_blobs(self, tmp_path: Path) -> None:
        snapshot, blobs = tmp_path / "models--a--b/snapshots/0123", tmp_path / "models--a--b/blobs"
        snapshot.mkdir(parents=True)
        blobs.mkdir()
        put(tmp_path / "shard.safetensors", 3.0)
        (tmp_path / "shard.safetensors").rename(blobs / "abc")
        (snapshot / "shard.safetensors").symlink_to("../../blobs/abc")
        index(snapshot / SAFE_INDEX, {"a": "shard.safetensors"})
        assert float(open_weights(snapshot).get("a")) == 3.0
        (snapshot / "shard.safetensors").unlink()
        (snapshot / "shard.safetensors").symlink_to("../../../models--c--d/blobs/abc")
        with pytest.raises(CorruptFile, match=r"outside its directory"):
            open_weights(snapshot)


@pytest.mark.parametrize("name", [*ORDER, *SHARD.values()])
@pytest.mark.parametrize("kind", ["pipe", "socket", "directory", "link to a file that is not there"])
def test_what_is_no_file_is_refused_at_once(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may have 100 characters
    if name not in ORDER:
        index(tmp_path / (SAFE_INDEX if name.endswith(".safetensors") else BIN_INDEX), {"a": name})
    if kind == "pipe":
        os.mkfifo(name)
    elif kind == "directory":
        Path(name).mkdir()
    elif kind.startswith("link"):
        Path(name).symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as place:
        if kind == "socket":
            place.bind(name)
        with pytest.raises(UserError, match=f"{name} is a {kind}"):
            open_weights(tmp_path)
