"""Files and directories are whole or absent, whatever happens while they are written."""

import hashlib
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from glmkit.core.errors import Unwritable, UserError
from glmkit.core.files import atomic_directory, atomic_file, sha256


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(folder: Path, content: str) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_text(content)


def write_half(manager: AbstractContextManager[Path], error: BaseException) -> None:
    with manager as partial:
        if partial.is_dir():
            fill(partial, "half")
        else:
            partial.write_text("half")
        raise error


def test_a_directory_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out"
    with atomic_directory(path) as partial:
        fill(partial, "content")
        assert not path.exists()
        assert partial.parent == path.parent, "beside it, so that the rename stays on one file system"
    assert (path / "deep" / "file").read_text() == "content"
    assert names(path.parent) == ["out"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_no_directory_behind(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_half(atomic_directory(tmp_path / "out"), error)
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_directory(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", "old")
    with pytest.raises(type(error)):
        write_half(atomic_directory(tmp_path / "out", replace=True), error)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "deep" / "file").read_text() == "old"


def test_an_existing_directory_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    fill(path, "old")
    with (
        pytest.raises(UserError, match=r"out exists already; choose another name or remove it"),
        atomic_directory(path),
    ):
        pass
    assert (path / "deep" / "file").read_text() == "old"
    with atomic_directory(path, replace=True) as partial:
        (partial / "other").write_text("new")
        assert (path / "deep" / "file").read_text() == "old"
    assert names(path) == ["other"]
    assert names(tmp_path) == ["out"]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "out") as partial:
        left = partial.name
    (tmp_path / left).mkdir()
    fill(tmp_path / left, "left by a process of the same number")
    with atomic_directory(tmp_path / "out", replace=True) as partial:
        assert names(partial) == []
    assert names(tmp_path) == ["out"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in ("first", "second"):
        with atomic_file(path) as partial:
            partial.write_text(content)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == content
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(type(error)):
        write_half(atomic_file(path), error)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(Unwritable, match=f"could not write {path}: No such file"), atomic_file(path):
        pass
    assert path.read_text() == "old"


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
