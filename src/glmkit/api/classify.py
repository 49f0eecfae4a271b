"""Sorting texts into classes: by what `glmkit finetune` taught the model, or by a head that came with its weights."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glmkit.api.arguments import ROW, checked
from glmkit.api.embed import Reads
from glmkit.core.errors import UserError, argument
from glmkit.core.json_types import Table
from glmkit.core.kinds import check, list_of
from glmkit.core.renamed import Renamed
from glmkit.families.detect import detect
from glmkit.families.directory import cover
from glmkit.finetuning import prompted
from glmkit.finetuning.predictions import predict, prepare_model, rows_of
from glmkit.finetuning.saved import FILE, Saved, read_saved
from glmkit.nn.finite import check_finite
from glmkit.tasks.score import ScoringModel

_PROMPTED = threading.Lock()  # one task at a time puts its prompts behind the words of a model


@dataclass(frozen=True)
class Trained:
    """What a model was fine-tuned to answer, and the directory that says so."""

    saved: Saved
    directory: Path


def trained_of(path: Path) -> Trained | None:
    """What the model in `path` was fine-tuned to answer, if anything. Raises CorruptFile for a damaged task.json."""
    directory = detect(path).directory
    return Trained(read_saved(directory), directory) if (directory / FILE).is_file() else None


class Classifies(Reads):
    """The ability to sort texts."""

    trained: Trained | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of `classify`'s columns; none where the model does not know them."""
        return self.trained.saved.task.labels if self.trained else ()

    def classify(self, texts: Sequence[str | Sequence[str] | Table]) -> Tensor:
        """The probability of each class for each text [N, C], float32.

        A fine-tuned model, with a head or by cloze, gives what `glmkit predict` writes: a text is a string, a tuple
        of the columns it was trained on, or a row (column -> text); too long ones are cut as in training. The head of
        an official ChatGLM2 reads strings. Raises UserError naming the text for one that is empty or too long, and
        for a model that was not trained to sort.
        """
        check(texts, list_of(ROW), argument("texts"))
        if self.trained is not None and self.labels:
            with self._prompted(self.trained):
                predictions = predict(self.scorer, self.trained.saved, rows_of(self.trained.saved, texts))
            rows = [[item.probabilities[name] for name in self.labels] for item in predictions]
            return torch.tensor(rows).reshape(len(rows), len(self.labels))
        return self._by_head(texts)

    def _write(self, where: Path) -> None:
        super()._write(where)
        if self.trained is not None:
            self.trained.saved.write(where)
            if self.trained.saved.prompted:
                shutil.copy(self.trained.directory / prompted.FILE, where)
                cover(where, prompted.FILE)

    subject = Renamed("scorer")  # alias

    @property
    def scorer(self) -> ScoringModel:
        """The model as tasks see it (glmkit.tasks). Raises UserError without a tokenizer."""
        return ScoringModel(
            model=self.module,
            position_scheme=self.position_scheme,
            prompt=self.prompt_format,
            tokenizer=self.tokenizer,
            max_length=self.config.max_positions,
            reader=self.reader,
            shares_prefixes=self._reader is None,  # a server may promise that nothing depends on other rows
        )

    @contextmanager
    def _prompted(self, trained: Trained) -> Iterator[None]:
        """With the continuous prompts of the task, which no other text is read with."""
        if not trained.saved.prompted:
            yield
            return
        with _PROMPTED:
            words = self.module.embedding.words
            try:
                prepare_model(self.scorer, trained.saved, trained.directory)
                yield
            finally:
                self.module.embedding.words = words

    @torch.inference_mode()
    def _by_head(self, texts: Sequence[Any]) -> Tensor:
        if not hasattr(self.module, "classify") or self.module.classifier is None:
            raise UserError(
                "this model has no classification head nor a task it was trained for; fine-tune it with glmkit "
                "finetune, or compare labels by score(context, labels)"
            )
        checked(texts=texts)
        if not texts:
            return torch.empty(0, self.module.config.num_labels)
        hidden = torch.stack(self._read_texts(texts, "last"))
        scores = self.module.classify(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device))
        return check_finite(scores.float(), self.module).softmax(-1)
