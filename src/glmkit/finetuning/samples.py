"""What a model writes for a few rows of dev at each measurement of a run: RUN/samples.jsonl."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from glmkit.core.files import append, atomic_file
from glmkit.core.kinds import whole
from glmkit.core.strict_json import read_lines
from glmkit.finetuning.conversations import SFTRow
from glmkit.finetuning.decode import decode
from glmkit.finetuning.sft_encoder import SFTEncoder
from glmkit.train.trainer import Record
from glmkit.train.validation import EvalResult

FILE = "samples.jsonl"


class Samples:
    """Watches a run. A continued one drops what came after the checkpoint it starts from."""

    def __init__(self, run: Path, encoder: SFTEncoder, rows: Sequence[SFTRow], done: int) -> None:
        self._path, self._encoder, self._rows = run / FILE, encoder, rows
        lines = read_lines(self._path, {"step": whole(0)}, "; remove that line") if self._path.is_file() else ()
        kept = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines if line["step"] <= done]
        with atomic_file(self._path) as partial:
            partial.write_text("".join(kept), encoding="utf-8")

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        for decoded in decode(self._encoder, self._rows, max_tokens=self._encoder.target_length):
            line = {"step": step, "where": decoded.where, "asked": decoded.asked, "written": decoded.written}
            append(self._path, json.dumps({**line, "wanted": decoded.wanted[0]}, ensure_ascii=False) + "\n")

    def on_step(self, record: Record) -> None:
        """Nothing is written between measurements."""

    def on_save(self, path: Path) -> None:
        """Nothing is written between measurements."""

    def close(self) -> None:
        """The file is closed after every measurement."""
