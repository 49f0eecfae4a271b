"""Batches of pretraining and of its measurements."""

from collections.abc import Iterator, Sequence

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.core.types import Batch
from glmkit.data.mixture import Source
from glmkit.data.packing import Plan, pack
from glmkit.data.steps import Key, StepSource, dealt, idle, refuse_idle


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

    Raises UserError when there are fewer rows than processes, or fewer chunks in the data than a step has rows.
    """
    refuse_idle(rows, world)
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
        rank=rank,
        world=world,
        epochs=source.epochs,
    )


def batch(source: Source, rows: Sequence[Sequence[tuple[int, int]]]) -> Batch:
    """The batch whose rows hold the examples of these (epoch, index)."""
    examples = iter(source(key for row in rows for key in row))
    return pack([[next(examples) for _ in row] for row in rows], source.vocabulary.special.pad)


def one_pass(
    source: Source, *, rows: int, seq_length: int, limit: int | None = None, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """The examples of epoch 0 once, in order, or the first `limit` of them: what a measurement reads.

    Of several processes the batches of one, as many as every other has; one without examples counts nothing.
    """
    batches = list(_one_pass_rows(source, rows, seq_length, limit))
    for some in dealt(batches, rank, world):
        yield batch(source, some) if some else idle(batch(source, batches[-1][:1]))


def _one_pass_rows(source: Source, rows: int, seq_length: int, limit: int | None) -> Iterator[list[list[Key]]]:
    filled: list[list[Key]] = [[]]
    left, lengths = seq_length, source.lengths
    for index in range(len(source) if limit is None else min(limit, len(source))):
        length = int(lengths[index])
        if length > left:
            if len(filled) == rows:
                yield filled
                filled = []
            filled.append([])
            left = seq_length
        filled[-1].append((0, index))
        left -= length
    if filled[-1]:
        yield filled
