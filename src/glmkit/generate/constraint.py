"""What a sequence may say: a grammar, a list of answers, whatever allows some ids next and forbids the others."""

from typing import Protocol

from torch import Tensor


class Constraint(Protocol):
    """The state of one sequence. An exception in either method fails the sequence's request alone."""

    def mask(self, scores: Tensor, left: int) -> None:
        """Sets scores [V] to -inf in place where an id may not come next. `left`: how many tokens may still be written,
        this one included."""
        ...

    def observe(self, id: int) -> bool:
        """Goes on with `id`. True where nothing can follow: the document is complete, and the sequence ends."""
        ...
