"""Fetches a model from the hub of Hugging Face or from ModelScope, through the library that each maintains.

A broken connection is taken up again where it broke; when that does not help, the next call fetches what is missing:
whole files, or from ModelScope the rest of a file too. Files are compared with the checksums that the hub gives, and
nothing is started that the disk has no room for. Settings are those of the libraries: HF_HOME, HF_ENDPOINT, HF_TOKEN,
and MODELSCOPE_CACHE, MODELSCOPE_ENDPOINT, MODELSCOPE_API_TOKEN.
"""

import fnmatch
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glmkit.core.errors import CorruptFile, MissingExtra, UserError
from glmkit.core.files import check_sum

Hub = Literal["hub", "modelscope"]
Say = Callable[[str], None]

MASTER = "master"  # what ModelScope calls the newest revision
WEIGHTS = ("*.safetensors", "*.bin")
# The code is fetched as evidence of which model it is (glmkit.text.which): it is read as text and never run.
_CODE = ("tokenization_chatglm.py", "modeling_chatglm.py")
FILES = ("*.json", "*.model", "vocab.txt", "merges.txt", "chat_template.jinja", *_CODE)


class NotGiven(UserError):
    """A model that a hub does not give. `reason`: in the words of its library."""

    def __init__(self, id: str, hub: str, reason: str, remedy: str) -> None:
        self.reason = reason
        super().__init__(f"{hub} does not give {id} ({reason}); {remedy}")


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub lists it; `sha256` where it says so."""

    name: str
    bytes: int
    sha256: str | None


def silent(line: str) -> None:
    """Says nothing."""


def fetch(id: str, hub: Hub = "hub", output: Path | None = None, say: Say = silent) -> Path:
    """The directory with the model `id` of a hub: `output`, or its place in the cache of the hub's library.

    What is there already is not fetched again; `say` gets a line of what is to come. Raises MissingExtra without the
    library, NotGiven, UserError where the disk has no room, CorruptFile for a file with another checksum than the
    hub's, which is removed.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; give a directory to fetch into")
    return _from_modelscope(id, output, say) if hub == "modelscope" else _from_hub(id, output, say)


def _from_hub(id: str, output: Path | None, say: Say) -> Path:
    try:
        from huggingface_hub import HfApi, constants, snapshot_download, try_to_load_from_cache
    except ImportError:
        raise MissingExtra("huggingface-hub", "hub") from None
    remedy = f"is its name right? HF_ENDPOINT sets a mirror ({constants.ENDPOINT}), HF_TOKEN the right to read it"
    with _said_in_a_line(id, "the hub", remedy):
        siblings = HfApi().model_info(id, files_metadata=True).siblings or ()
    files = _wanted([RemoteFile(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else None) for s in siblings])
    if output is None:
        missing = [file for file in files if not isinstance(try_to_load_from_cache(id, file.name), str)]
        folder = Path(constants.HF_HUB_CACHE) / f"models--{id.replace('/', '--')}"
    else:
        missing, folder = [file for file in files if not _is_there(output, file)], output
    _check_room(id, missing, folder, say)
    with _said_in_a_line(id, "the hub", remedy):
        names = [file.name for file in files]
        # Of a file that is cut off when the process ends nothing is kept, so that few are fetched at a time.
        place = Path(snapshot_download(id, allow_patterns=names, local_dir=output, max_workers=2))
    for file in missing:
        _check(place / file.name, file, "the hub")
    return output or place


def _from_modelscope(id: str, output: Path | None, say: Say) -> Path:
    try:
        from modelscope_hub import HubApi
        from modelscope_hub.errors import FileDownloadError
    except ImportError:
        raise MissingExtra("modelscope-hub", "modelscope") from None
    api = HubApi()
    remedy = "is its name right? MODELSCOPE_ENDPOINT sets another address, MODELSCOPE_API_TOKEN the right to read it"
    with _said_in_a_line(id, "ModelScope", remedy):
        listed = [file for file in api.list_repo_files(id, "model") if not file.is_dir]
    files = _wanted([RemoteFile(file.path, file.size, file.sha256) for file in listed])
    places = list(modelscope_places(id))
    folder = output or next((place for place in places if place.is_dir()), places[0])
    partial = sum(file.stat().st_size for file in folder.rglob("*.incomplete")) if folder.is_dir() else 0
    _check_room(id, [file for file in files if not _is_there(folder, file)], folder, say, partial)
    with _said_in_a_line(id, "ModelScope", remedy):
        try:
            return api.download_repo(id, "model", local_dir=output, allow_patterns=[file.name for file in files])
        except FileDownloadError as error:
            failed, why = next(iter(error.failed_files.items()), ("", error))
            raise UserError(
                f"{failed} of {id} could not be fetched from ModelScope ({_line(why)}); the same command goes on "
                "with what is there"
            ) from None


def modelscope_cache() -> Path:
    """Where ModelScope's tools keep models."""
    return Path(os.path.expanduser(os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope"))


def modelscope_places(id: str) -> Iterator[Path]:
    """Where ModelScope's tools put a model: the newest of them by its revision, older ones with three underscores for
    a dot in its name."""
    cache = modelscope_cache()
    owner, name = id.split("/")
    yield cache / "models" / f"{owner}--{name}" / "snapshots" / MASTER
    for folder in (cache / "hub" / "models", cache / "models", cache / "hub", cache):
        yield folder / owner / name
        yield folder / owner / name.replace(".", "___")


def _wanted(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Of a model's files those that are read: one kind of weights, safetensors where there are any."""
    kind = next((kind for kind in WEIGHTS if any(fnmatch.fnmatch(file.name, kind) for file in files)), WEIGHTS[0])
    return [file for file in files if any(fnmatch.fnmatch(file.name, pattern) for pattern in (kind, *FILES))]


def _is_there(directory: Path, file: RemoteFile) -> bool:
    path = directory / file.name
    return path.is_file() and path.stat().st_size == file.bytes


def _check_room(id: str, missing: Sequence[RemoteFile], folder: Path, say: Say, partial: int = 0) -> None:
    """Says what is to come, of which `partial` bytes are there. Raises UserError when the disk has no room for it."""
    if not missing:
        say(f"{id} is there already")
        return
    disk = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    needed, free = sum(file.bytes for file in missing) - partial, shutil.disk_usage(disk).free
    count = f"{len(missing)} {'file' if len(missing) == 1 else 'files'}"
    if needed > free:
        raise UserError(
            f"{id}: {_size(needed)} are to come into {folder}, where {_size(free)} are free; make room, or fetch it "
            "into another directory"
        )
    say(f"{id}: {count}, {_size(needed)}, into {folder}, where {_size(free)} are free")


def _check(path: Path, file: RemoteFile, said: str) -> None:
    """Raises CorruptFile for a file that is not what the hub says, after removing it from the cache."""
    if file.sha256 is None:
        return
    try:
        check_sum(path, file.sha256, said, "; it was removed: the same command fetches it again")
    except CorruptFile:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _said_in_a_line(id: str, hub: str, remedy: str) -> Iterator[None]:
    """Makes NotGiven of whatever a library or the network raises, which have no common class."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 (see above)
        raise NotGiven(id, hub, _line(error), remedy) from None


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"
