"""The ten published GLM models: which tokenizer each was trained with, and what is odd about it.

Sizes are those of the preset of the same name (families/glm.py). Source: THUDM/GLM, README and config_tasks/model_*.sh.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glmkit.core.errors import UserError, nearest
from glmkit.core.strict_json import read_json
from glmkit.text.added import tokens_with_ids
from glmkit.text.published import PUBLISHED, Variant, published
from glmkit.text.tokenizer import Tokenizer

Sizes = tuple[int, int, int]  # layers, width, vocabulary rows


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One published model. `port_tokenizer`: the ids its Hugging Face port uses, where they are not the original's."""

    sizes: Sizes
    tokenizer: str  # a name of text.published.PUBLISHED
    variant: Variant
    archive: str  # what the original's download unpacks to
    hub: str | None = None  # name of the Hugging Face port
    port_tokenizer: str | None = None
    quirk: str = ""


MODELS: Mapping[str, PublishedModel] = {
    "glm-base": PublishedModel(sizes=(12, 768, 30592), tokenizer="bert", variant="plain", archive="glm-base-blank"),
    "glm-large": PublishedModel(
        sizes=(24, 1024, 30592), tokenizer="bert", variant="plain", archive="glm-large-blank", hub="glm-large"
    ),
    "glm-doc": PublishedModel(
        sizes=(24, 1024, 30592),
        tokenizer="bert",
        variant="plain",
        archive="glm-large-generation",
        quirk="has the sizes of glm-large and knows [MASK] alone, though it was trained to write documents",
    ),
    "glm-410m": PublishedModel(
        sizes=(30, 1024, 30592), tokenizer="bert", variant="plain", archive="glm-1.25-generation"
    ),
    "glm-515m": PublishedModel(
        sizes=(30, 1152, 30592), tokenizer="bert", variant="plain", archive="glm-1.5-generation", hub="glm-515m"
    ),
    "glm-roberta-large": PublishedModel(
        sizes=(24, 1024, 50304),
        tokenizer="roberta",
        variant="plain",
        archive="glm-roberta-large-blank",
        hub="glm-roberta-large",
        quirk="[MASK] is 50264, as it was trained; its port says 50267, a row that training never touched",
    ),
    "glm-large-chinese": PublishedModel(
        sizes=(24, 1024, 50048),
        tokenizer="chinese",
        variant="task_mask",
        archive="glm-large-chinese",
        hub="glm-large-chinese",
    ),
    "glm-2b": PublishedModel(
        sizes=(36, 2048, 50304), tokenizer="gpt2", variant="task_mask", archive="blocklm-2b-512", hub="glm-2b"
    ),
    "glm-10b": PublishedModel(
        sizes=(48, 4096, 50304), tokenizer="gpt2", variant="task_mask+dblock", archive="glm-10b-1024", hub="glm-10b"
    ),
    "glm-10b-chinese": PublishedModel(
        sizes=(48, 4096, 50048),
        tokenizer="chinese-unfixed",
        variant="task_mask+dblock",
        archive="glm-10b-chinese",
        hub="glm-10b-chinese",
        port_tokenizer="chinese",
        quirk="[gMASK] and <|endofpiece|> are one id, 50007; its port copies that row to 50009 and calls it [gMASK]",
    ),
}

# Of a model that is none of the ten: the vocabulary by its files.
_BY_FILES = {"vocab.txt": "bert", "vocab.json": "gpt2", "cog-pretrain.model": "chinese"}
_NAMES = "vocab.txt; vocab.json and merges.txt; or cog-pretrain.model"
_KINDS_BY_ROWS = {30592: "bert", 50304: "gpt2", 50048: "chinese"}


def named(sizes: Sizes, name: str | None = None) -> str | None:
    """The published model of these sizes, or the one called `name`. Raises UserError when that has other sizes."""
    if name is None:
        return next((known for known, row in MODELS.items() if row.sizes == sizes), None)
    if name not in MODELS:
        raise UserError(f"no published model is called {name!r}{nearest(name, MODELS)}")
    if MODELS[name].sizes != sizes:
        raise UserError(f"{name} has {_told(MODELS[name].sizes)}, these files have {_told(sizes)}: they are not {name}")
    return name


def tokenizer_of(directory: Path, sizes: Sizes, name: str | None, *, port: bool) -> tuple[Tokenizer | None, str]:
    """The tokenizer of a published model from the vocabulary files in `directory`, with the ids it was trained with.

    `port`: the files are of the Hugging Face port. Of a model of other sizes the files decide. Returns None and what
    is missing when they are not there. Raises UserError for files of another vocabulary.
    """
    known = named(sizes, name)
    if known is not None:
        row = MODELS[known]
        kind: str | None = (port and row.port_tokenizer) or row.tokenizer
        variant: Variant = row.variant
    else:
        kind, variant = _kind_by_files(directory, sizes), "task_mask"
    if kind is None:
        return None, f"{directory} holds no vocabulary glmkit knows: put the tokenizer's files there ({_NAMES})"
    if not any(all((directory / file).is_file() for file in files) for files in PUBLISHED[kind].names):
        files = "; or ".join(" and ".join(files) for files in PUBLISHED[kind].names)
        return None, f"{directory} lacks the vocabulary of {known or kind}: put {files} there"
    tokenizer = published(kind, directory, variant)
    return tokenizer.with_tokens(_added(directory, tokenizer)), ""


def _kind_by_files(directory: Path, sizes: Sizes) -> str | None:
    kind = next((kind for file, kind in _BY_FILES.items() if (directory / file).is_file()), None)
    if kind is None:
        return _KINDS_BY_ROWS.get(sizes[2])
    if kind == "gpt2" and len(read_json(directory / "vocab.json", "; copy it again")) == PUBLISHED["roberta"].size:
        return "roberta"
    return kind


def _added(directory: Path, tokenizer: Tokenizer) -> dict[str, int]:
    """Tokens that a user of the port added: those that no published tokenizer knows."""
    ours = {spelling for row in PUBLISHED.values() for spelling in row.spellings.values()}
    return {
        text: id
        for text, id in tokens_with_ids(directory, ours).items()
        if id >= len(tokenizer) and not text.startswith("[UNUSED")
    }


def _told(sizes: Sizes) -> str:
    return "{} layers of width {} and {} vocabulary rows".format(*sizes)
