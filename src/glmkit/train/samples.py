"""What a model says of a few held-out texts at each measurement of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from glmkit.core.sharded import compute_device
from glmkit.core.types import AttentionMask, Batch, LanguageModel
from glmkit.data.chunks import ExampleSource
from glmkit.infill.corruption import write_out
from glmkit.infill.position_schemes import example
from glmkit.infill.show import spans_of
from glmkit.text.tokenizer import Tokenizer
from glmkit.train.logs import SampleLog
from glmkit.train.step import autocast
from glmkit.train.trainer import Record
from glmkit.train.validation import EvalResult

_TEXT, _BLANKS = 300, 6  # characters of a text that are shown, and the most blanks of it


class BlankSamples:
    """Watches a pretraining run: of the first held-out text of each objective with blanks, the most probable token at
    every place of a blank, given the true ones before it."""

    def __init__(
        self,
        run: Path,
        model: LanguageModel,
        sources: Mapping[str, ExampleSource],
        tokenizer: Tokenizer,
        dtype: torch.dtype,
        done: int,
    ) -> None:
        self._log = SampleLog(run, done)
        self._model, self._sources, self._tokenizer, self._dtype = model, sources, tokenizer, dtype

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        for objective, source in self._sources.items():
            self._add(step, objective, source)

    @torch.no_grad()
    def _add(self, step: int, objective: str, source: ExampleSource) -> None:
        (layout,) = write_out([source.draw(0, 0)], source.vocabulary.special)
        spans = spans_of(layout, self._tokenizer.special.eop)
        if not spans:
            return
        places = torch.from_numpy(np.flatnonzero(layout.block_position_ids > 0))
        shown = example(layout, source.position_scheme)
        device = compute_device(self._model)
        batch = Batch(
            tokens=torch.from_numpy(shown.tokens)[None],  # [1, T]
            targets=torch.from_numpy(shown.targets)[None],
            weights=torch.from_numpy(shown.weights)[None],
            positions=torch.from_numpy(shown.positions)[None],  # [1, P, T]
            mask=AttentionMask.prefix([shown.context]),
        ).to(device)
        was_training = self._model.training
        self._model.eval()
        with autocast(device, self._dtype):
            hidden = self._model(batch.tokens, batch.positions, batch.mask)  # [1, T, D]
            logits = self._model.logits(hidden[0, places])
        best = logits[:, : len(self._tokenizer)].argmax(-1).tolist()  # a model may have more rows than there are ids
        self._model.train(was_training)
        written, wanted, start = [], [], 0
        for _, ids in spans.values():  # in the order written, each with its end
            written.append(self._words(best[start : start + len(ids)]))
            wanted.append(self._words(ids))
            start += len(ids) + 1
        text = self._tokenizer.decode(layout.tokens[layout.block_position_ids == 0].tolist())
        text = text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
        lines = (" | ".join(of[:_BLANKS]) for of in (written, wanted))
        self._log.add(step, f"{objective}: {source.origin(0)}", text, *lines)

    def _words(self, ids: Sequence[int]) -> str:
        """What stands before the end of a blank, in one line."""
        eop = self._tokenizer.special.eop
        ids = ids[: ids.index(eop)] if eop in ids else ids
        return " ".join(self._tokenizer.decode(list(ids)).split()) or "∅"

    def on_step(self, record: Record) -> None:
        """Nothing is written between measurements."""

    def on_save(self, path: Path) -> None:
        """Nothing is written between measurements."""

    def close(self) -> None:
        """The file is closed after every measurement."""
