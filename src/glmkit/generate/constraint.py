"""What a constrained sequence may write, token by token: a grammar at work."""

from typing import Protocol

from torch import Tensor


class Constraint(Protocol):
    """Of one sequence. An exception in either method ends its request alone."""

    def mask(self, scores: Tensor, left: int) -> None:
        """Puts -inf in `scores` [V] where an id may not come next. `left`: tokens that may still be written, this one
        included, so that a document can be closed in time."""
        ...

    def observe(self, id: int) -> bool:
        """The sequence goes on with `id`. True where it is complete, and ends."""
        ...
