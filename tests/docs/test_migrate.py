"""What docs/migrate.md names of ours is there: keys of training, flags of commands, names in Python."""

import re

import pytest

import glmkit
from glmkit.cli.keys import KEYS
from glmkit.cli.main import main

from .test_twins import DOCS

PAGE = (DOCS / "migrate.md").read_text(encoding="utf-8")
OURS = [cells[2] for line in PAGE.splitlines() if line.startswith("| ") and len(cells := line.split("|")) == 4]


def test_keys_of_training_exist() -> None:
    dotted = {key for cell in OURS for key in re.findall(r"\b(?:data|lora|schedule)\.\w+", cell)}
    assert len(dotted) > 6
    assert dotted <= set(KEYS)


def test_flags_exist(capsys: pytest.CaptureFixture[str]) -> None:
    known = set()
    for verb in ("chat", "generate", "quantize", "convert", "merge", "serve", "finetune"):
        assert main([verb, "--help"]) == 0
        known |= set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    used = {flag for cell in OURS for flag in re.findall(r"--[a-z][a-z-]+", cell)}
    assert used - {"--config", "--resume", "--init-from"} <= known  # of every training
    assert all(hasattr(glmkit.Model, name) for name in ("chat", "stream"))
