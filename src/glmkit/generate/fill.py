"""Every blank of several prompts, filled in the way that was asked for."""

from collections.abc import Sequence

from glmkit.core.errors import UserError, argument
from glmkit.generate.beam import Beam, search
from glmkit.generate.engine import Filled, Writer, collect, write
from glmkit.generate.sampling import Greedy, Strategy


def fill(
    writer: Writer, prompts: Sequence[Sequence[int]], how: Strategy | Beam, alternatives: int
) -> list[list[list[Filled]]]:
    """For each prompt its fillings, best first: by score from a beam, else by log p; each with its blanks in order.

    Raises UserError when `how` cannot give so many different ones.
    """
    if isinstance(how, Beam):
        if alternatives > how.beams:
            raise UserError(f"{alternatives} alternatives of {how.beams} beams; give {argument('beams', alternatives)}")
        return [[found.blanks for found in group[:alternatives]] for group in search(writer, prompts, how)]
    if alternatives > 1 and isinstance(how, Greedy):
        raise UserError(
            f"{alternatives} alternatives of a greedy choice are all the same; draw them, for example with "
            f"{argument('temperature', 0.8)}, or search for them with {argument('beams', alternatives)}"
        )
    rows = collect(write(writer, prompts, how, alternatives), len(prompts) * alternatives)
    groups = [rows[i : i + alternatives] for i in range(0, len(rows), alternatives)]
    return [sorted(group, key=lambda blanks: -sum(filled.logprob for filled in blanks)) for group in groups]
