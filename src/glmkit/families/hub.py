"""Models by their id on a hub ("zai-org/chatglm2-6b"): found in the caches of this machine, else fetched once.

The Hugging Face cache and its settings (HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN) are those of `huggingface-hub`,
which does the work. A model that ModelScope's own tools have downloaded (MODELSCOPE_CACHE) is found where they put it.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from glmkit.core.errors import MissingExtra, UserError, short
from glmkit.families.download import FILES, MASTER, WEIGHTS, NotGiven, fetch, modelscope_cache, modelscope_places
from glmkit.families.elsewhere import ALL_OWNERS, ID
from glmkit.text.which import text_of

DEMO, _DEMO_MODEL = "demo", Path("runs/demo/model")  # a model to try, by its name


def local(path: str | Path) -> Path:
    """The directory that `path` means: a path on this machine, or the id of a model on a hub.

    A repository's folder in a Hugging Face cache (`models--zai-org--chatglm2-6b`) means the snapshot in it.
    `demo` is what `glmkit demo` trained into runs/demo.
    `a/b` is a path where there is a directory `a`, so that a mistyped path is never asked for on the network.
    Raises UserError when an id is neither in a cache nor on the hub, MissingExtra without `huggingface-hub`.
    """
    if "\0" in str(path):
        raise UserError(f"{short(str(path))} is no path: it holds a NUL character; remove it")
    if str(path) == DEMO and not Path(path).exists():
        if not _DEMO_MODEL.is_dir():
            raise UserError(f"no {_DEMO_MODEL} in this directory: `glmkit demo` trains it in a few minutes")
        return _DEMO_MODEL
    if Path(path).absolute().name.startswith("models--") and (Path(path) / "snapshots").is_dir():
        return _snapshot(Path(path))
    if Path(path).exists() or Path(path).parent.is_dir() or not ID.fullmatch(str(path)):
        return Path(path)
    ids = _spellings(str(path))
    result = next((directory for id in ids for directory in modelscope_places(id) if directory.is_dir()), None)
    return result or _from_hub(ids)


def _snapshot(repository: Path) -> Path:
    """The snapshot that refs/main names, or the only one where nothing names any. Raises UserError."""
    snapshots = sorted(path for path in (repository / "snapshots").iterdir() if path.is_dir())
    main = repository / "refs" / "main"
    newest = repository / "snapshots" / text_of(main).strip()
    if newest in snapshots:
        return newest
    if len(snapshots) == 1 and not main.exists():
        return snapshots[0]
    why = f"{main} names {newest.name}, which is not there" if main.exists() else f"there is no {main}"
    known = "give one of " + ", ".join(map(str, snapshots)) if snapshots else "fetch the model again"
    raise UserError(f"{repository}: which snapshot is meant cannot be known ({why}); {known}")


def _spellings(id: str) -> tuple[str, ...]:
    owner, name = id.split("/")
    return (id, *(f"{other}/{name}" for other in ALL_OWNERS if owner in ALL_OWNERS and other != owner))


def cached_models() -> Iterator[tuple[str, Path]]:
    """Ids and directories of what is in the caches of both hubs, of whatever family."""
    for repository in sorted(_hub_cache().glob("models--*--*")):
        with suppress(UserError):  # several snapshots, none of which is the newest
            yield repository.name.removeprefix("models--").replace("--", "/", 1), _snapshot(repository)
    for cache in (modelscope_cache() / "hub" / "models", modelscope_cache() / "models"):
        for path in sorted(cache.glob("*/*")):
            owner, name = path.parent.name, path.name
            if owner.startswith(".") or not path.is_dir():
                continue
            if name != "snapshots":
                yield f"{owner}/{name.replace('___', '.')}", path
            elif (path / MASTER).is_dir():
                yield owner.replace("--", "/", 1), path / MASTER


def _hub_cache() -> Path:
    """Where huggingface-hub keeps models, by the variables that it reads."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{base}/huggingface"
    return Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE") or f"{home}/hub"))


def _from_hub(ids: Sequence[str]) -> Path:
    try:
        from huggingface_hub import constants, snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:
        raise MissingExtra("huggingface-hub", "hub") from None
    if constants.HF_HUB_CACHE.startswith("~"):  # as left where nobody's home is known
        raise UserError(
            f"{ids[0]} is no directory, and there is no cache to look in without a home directory; set HF_HOME to a "
            "folder, or give a directory of this machine that holds the model"
        )
    for id, kind in itertools.product(ids, WEIGHTS):
        with suppress(LocalEntryNotFoundError):
            return Path(snapshot_download(id, allow_patterns=[kind, *FILES], local_files_only=True))
    id = ids[0]
    elsewhere = f"give a directory of this machine that holds it, or set HF_ENDPOINT to a mirror ({constants.ENDPOINT})"
    if constants.HF_HUB_OFFLINE:
        raise UserError(f"{id} is neither a directory nor in the cache, and HF_HUB_OFFLINE is set; {elsewhere}")
    try:
        return fetch(id)
    except NotGiven as error:
        raise UserError(f"{id} is no directory, and the hub does not give it ({error.reason}); {elsewhere}") from None
