"""Validation: loss and accuracy on text that is not trained on, for each objective."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch

from glmkit.core.processes import ALONE, Processes
from glmkit.core.sharded import compute_device
from glmkit.core.types import Batch, LanguageModel
from glmkit.data.loader import one_pass
from glmkit.data.mixture import Source
from glmkit.objective.loss import targets_of, token_scores
from glmkit.train.step import autocast


@dataclass(frozen=True)
class EvalResult:
    """`loss` in nats for each predicted token (the end token of a span included), and the share predicted right; of a
    task, for each row in place of a token. `scores`: what else was measured, by its name."""

    loss: float
    accuracy: float
    tokens: int
    scores: Mapping[str, float] = field(default_factory=dict)

    def value(self, metric: str) -> float:
        """A measured number by its name; the accuracy where the name is not among the scores."""
        return self.scores.get(metric, self.accuracy)

    def record(self) -> dict[str, float]:
        """Every number by its name, for logs."""
        return {"loss": self.loss, "accuracy": self.accuracy, "tokens": self.tokens, **self.scores}


@torch.no_grad()
def measure(
    model: LanguageModel,
    source: Source,
    *,
    rows: int,
    seq_length: int,
    limit: int | None,
    dtype: torch.dtype,
    processes: Processes = ALONE,
) -> EvalResult:
    """Measures the model on the first `limit` examples of `source`, always the same ones, dealt to the processes."""
    batches = one_pass(
        source, rows=rows, seq_length=seq_length, limit=limit, rank=processes.rank, world=processes.world
    )
    return measure_batches(model, batches, dtype, processes)


@torch.no_grad()
def measure_batches(
    model: LanguageModel, batches: Iterable[Batch], dtype: torch.dtype, processes: Processes = ALONE
) -> EvalResult:
    """Measures the model on the weighted targets of the `batches` of all processes; every one has as many."""
    device = compute_device(model)
    was_training = model.training
    model.eval()
    loss = hits = count = 0.0
    for batch in batches:
        with autocast(device, dtype):
            hidden, targets, weights = targets_of(model, batch.to(device))
            losses, correct = token_scores(model, hidden, targets)
        loss += float((losses * weights).sum())
        hits += float((correct * weights).sum())
        count += float(weights.sum())
    model.train(was_training)
    loss, hits, count = processes.all_reduce_sum(loss, hits, count)
    return EvalResult(loss / count, hits / count, int(count))
