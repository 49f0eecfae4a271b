"""What the engine writes, in the form of the closed loop's `collect(write(...))`."""

from collections.abc import Sequence
from typing import Any

from glmkit.generate.follow import run
from glmkit.generate.request import Request, SequenceGroup
from glmkit.generate.sampling import Greedy, Strategy
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Completion
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import collect


def engine(
    config: DecodeConfig,
    prompts: Sequence[Sequence[int]],
    how: Strategy | Sequence[Strategy] | None = None,
    copies: int = 1,
    **options: Any,
) -> list[list[Completion]]:
    """Of each prompt `copies` rows with their blanks."""
    strategies = how if isinstance(how, Sequence) else [how or Greedy()] * len(prompts)
    requests = [
        Request(config=config, prompt=prompt, strategy=strategy, num_return_sequences=copies, **options)
        for prompt, strategy in zip(prompts, strategies, strict=True)
    ]
    groups = run(Scheduler(config.model), requests)
    return [row for group in groups for row in collect([group.inbox], copies)]


def one(
    scheduler: Scheduler, config: DecodeConfig, prompt: Sequence[int], how: Strategy | None = None
) -> tuple[Completion, SequenceGroup]:
    """What is written behind a prompt that keeps its row, and its group."""
    (group,) = run(scheduler, [Request(config=config, prompt=prompt, strategy=how or Greedy(), keep=True)])
    return collect([group.inbox], 1)[0][0], group
