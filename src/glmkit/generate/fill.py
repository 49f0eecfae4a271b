"""Every blank of several prompts, filled in the way that was asked for."""

from collections.abc import Sequence

from glmkit.core.errors import UserError, argument
from glmkit.generate.beam import Beam
from glmkit.generate.follow import run
from glmkit.generate.request import Request
from glmkit.generate.sampling import Greedy, Strategy
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Completion
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import collect


def fill(
    scheduler: Scheduler,
    config: DecodeConfig,
    prompts: Sequence[Sequence[int]],
    how: Strategy | Beam,
    num_return_sequences: int,
    adapter: str | None = None,
) -> list[list[list[Completion]]]:
    """For each prompt its fillings, best first: by score from a beam, else by log p; each with its blanks in order.

    Raises UserError when `how` cannot give so many different ones.
    """
    count = num_return_sequences
    if isinstance(how, Beam):
        if count > how.beams:
            raise UserError(f"{count} alternatives of {how.beams} beams; give {argument('beams', count)}")
    elif count > 1 and isinstance(how, Greedy):
        raise UserError(
            f"{count} alternatives of a greedy choice are all the same; draw them, for example with "
            f"{argument('temperature', 0.8)}, or search for them with {argument('beams', count)}"
        )
    requests = [
        Request(
            config=config,
            prompt=prompt,
            strategy=how,
            num_return_sequences=count,
            adapter=adapter,
            name=f"text {number}",
        )
        for number, prompt in enumerate(prompts, start=1)
    ]
    groups = run(scheduler, requests)
    if isinstance(how, Beam):
        return [[result.blanks for result in group.hypotheses[:count]] for group in groups]
    written = [collect([group.inbox], count) for group in groups]
    return [sorted(rows, key=lambda blanks: -sum(blank.logprob for blank in blanks)) for rows in written]
