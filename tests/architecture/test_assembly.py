"""How many files a fine-tuning run goes through before it trains.

Counted: the source files of `api`, `finetuning`, `train` and `checkpoint`, the rooms that assemble a run, whose
functions run between the call of `glmkit.finetune(config)` and that of the trainer. Reading is not counted: the files
of these rooms that read and encode rows, and the rooms below, which read models, tokenizers and tables.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

import glmkit
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.testing import tiny
from glmkit.train.trainer import Trainer

ROOT = Path(glmkit.__file__).parent
ROOMS = {"api", "finetuning", "train", "checkpoint"}
ROWS = {f"finetuning/{name}.py" for name in ("dataset", "conversations", "forms", "sft_encoder", "pool")}
MOST = 15
RUNS = {
    "cloze": ("glm", {"task": "cloze", "pattern": "{text} It was [MASK]."}),
    "head": ("glm", {"task": "classify"}),
    "seq2seq": ("glm", {"task": "seq2seq"}),
    "chat": ("chatglm2", {"task": "chat"}),
    "lora": ("chatglm2", {"task": "chat", "method": "lora"}),
}


FilesRun = Callable[[FinetuneConfig], set[str]]


class _Assembled(Exception):
    """In place of training."""


@pytest.fixture
def files_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[FilesRun]:
    """Runs `glmkit.finetune(config)` up to the trainer; returns the files of ROOMS it went through."""

    def stop(*arguments: object, **how: object) -> None:
        sys.setprofile(None)
        raise _Assembled

    def call(config: FinetuneConfig) -> set[str]:
        seen: set[str] = set()

        def watch(frame: FrameType, event: str, argument: object) -> None:
            path = Path(frame.f_code.co_filename)
            if event == "call" and path.is_relative_to(ROOT):
                seen.add(path.relative_to(ROOT).as_posix())

        finetune = glmkit.finetune
        sys.setprofile(watch)
        with pytest.raises(_Assembled):
            finetune(config)
        return {file for file in seen if file.split("/")[0] in ROOMS} - ROWS

    monkeypatch.setattr(Trainer, "run", stop)
    yield call
    sys.setprofile(None)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_assembled_in_few_files(name: str, files_run: FilesRun, tmp_path: Path) -> None:
    family, settings = RUNS[name]
    tiny(family).save(tmp_path / "model")
    row = {"text": "ba", "label": "no", "source": "ba", "target": "de", "prompt": "ba", "response": "de"}
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row | {"label": label}) + "\n" for label in ("no", "yes")))
    data = DataConfig(train=str(rows), dev=str(rows))
    places = {"model": str(tmp_path / "model"), "output": str(tmp_path / "run")}
    seen = sorted(files_run(FinetuneConfig(data=data, length=32, device="cpu", **places, **settings)))  # type: ignore[arg-type]
    assert "train/launch.py" in seen
    assert len(seen) <= MOST, "\n".join(seen)
