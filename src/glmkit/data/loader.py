"""Batches of pretraining and of its measurements."""

from collections.abc import Iterator, Sequence

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.core.types import Batch
from glmkit.data.mixture import Source
from glmkit.data.packing import Plan, pack
from glmkit.data.steps import StepSource, blocks


def pretraining_steps(
    source: Source,
    *,
    rows: int,
    micro_rows: int,
    seq_length: int,
    rank: int = 0,
    world: int = 1,
    state: JsonObject | None = None,
) -> StepSource:
    """Steps of `rows` packed rows over all processes, `micro_rows` at a time in each. `state`: where to go on, from
    `Step.state`.

    Raises UserError when the rows do not divide evenly, or the data hold fewer chunks than a step has rows.
    """
    if rows % (micro_rows * world):
        raise UserError(
            f"batch_size {rows} must be a multiple of micro_batch_size {micro_rows} times {world} processes"
        )
    if len(source) < rows:
        raise UserError(
            f"the training data hold {len(source)} chunks of text, cut from {source.documents} documents, "
            f"fewer than the {rows} rows of a batch; lower batch_size or give more text"
        )
    place = state or {"epoch": 0, "cursor": 0, "waiting": []}
    return StepSource(
        plan=Plan(
            source.lengths,
            source.order,
            rows,
            seq_length,
            epoch=place["epoch"],
            cursor=place["cursor"],
            waiting=[(epoch, index) for epoch, index in place["waiting"]],
        ),
        batch=lambda some: batch(source, some),
        lengths=source.lengths,
        micro_rows=micro_rows,
        deal=blocks,
        rank=rank,
        world=world,
        epochs=source.epochs,
    )


def batch(source: Source, rows: Sequence[Sequence[tuple[int, int]]]) -> Batch:
    """The batch whose rows hold the examples of these (epoch, index)."""
    examples = iter(source(key for row in rows for key in row))
    return pack([[next(examples) for _ in row] for row in rows], source.vocabulary.special.pad)


def one_pass(source: Source, *, rows: int, seq_length: int, limit: int | None = None) -> Iterator[Batch]:
    """The examples of epoch 0 once, in order, or the first `limit` of them: what a measurement reads."""
    filled: list[list[tuple[int, int]]] = [[]]
    left, lengths = seq_length, source.lengths
    for index in range(len(source) if limit is None else min(limit, len(source))):
        length = int(lengths[index])
        if length > left:
            if len(filled) == rows:
                yield batch(source, filled)
                filled = []
            filled.append([])
            left = seq_length
        filled[-1].append((0, index))
        left -= length
    if filled[-1]:
        yield batch(source, filled)
