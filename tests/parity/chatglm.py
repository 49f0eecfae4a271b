"""The published tokenizers of the ChatGLM family and what the original makes of them; both lie outside the checkout."""

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from glmkit.testing import shared_path
from glmkit.text.chatglm import official
from glmkit.text.tokenizer import Tokenizer

# name: golden, where the vocabulary lies, the name it was published under
SOURCES = {
    "chatglm": ("chatglm-6b", "chatglm-6b/ice_text.v1.1.model", "ice_text.model"),
    "chatglm2": ("chatglm2-6b", "chatglm2-3-6b/tokenizer.model", "tokenizer.model"),
    "chatglm3": ("chatglm3-6b", "chatglm2-3-6b/tokenizer.model", "tokenizer.model"),
    "codegeex2": ("codegeex2-6b", "codegeex2-6b/tokenizer.model", "tokenizer.model"),
}


def golden_of(name: str) -> dict[str, Any]:
    """Cases of one tokenizer; skips where they are not there."""
    path = shared_path("golden", "chatglm", "tokenizer", f"{SOURCES[name][0]}.json")
    if path is None:
        pytest.skip("shared golden/chatglm/tokenizer is not here")
    return json.loads(path.read_text(encoding="utf-8"))


def publish(name: str, folder: Path) -> None:
    """Puts the files into `folder` as they were published; skips where they are not there."""
    vocabulary = shared_path("data", "tokenizers", SOURCES[name][1])
    if vocabulary is None:
        pytest.skip(f"shared data/tokenizers/{SOURCES[name][1]} is not here")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(vocabulary, folder / SOURCES[name][2])
    for config in ("tokenizer_config.json", f"tokenizer_config.{name}.json"):
        if (vocabulary.parent / config).is_file():
            shutil.copy(vocabulary.parent / config, folder / "tokenizer_config.json")


@cache
def tokenizer_of(name: str) -> Tokenizer:
    """The tokenizer, read from the published file."""
    with tempfile.TemporaryDirectory() as folder:
        publish(name, Path(folder))
        return official(name, Path(folder))
