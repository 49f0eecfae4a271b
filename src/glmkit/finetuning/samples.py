"""What a model writes for a few rows of dev at each measurement of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glmkit.finetuning.conversations import SFTRow
from glmkit.finetuning.decode import decode
from glmkit.finetuning.sft_encoder import SFTEncoder
from glmkit.train.logs import SampleLog
from glmkit.train.trainer import Record
from glmkit.train.validation import EvalResult


class Samples:
    """Watches a run."""

    def __init__(self, run: Path, encoder: SFTEncoder, rows: Sequence[SFTRow], done: int) -> None:
        self._log, self._encoder, self._rows = SampleLog(run, done), encoder, rows

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        for decoded in decode(self._encoder, self._rows, max_tokens=self._encoder.target_length):
            self._log.add(step, decoded.where, decoded.asked, decoded.written, decoded.wanted[0])

    def on_step(self, record: Record) -> None:
        """Nothing is written between measurements."""

    def on_save(self, path: Path) -> None:
        """Nothing is written between measurements."""

    def close(self) -> None:
        """The file is closed after every measurement."""
