"""Random numbers that depend on (seed, epoch, index) alone.

A counter-based generator (Philox, Salmon et al. 2011) is set to a place of its own for every example, so the same
(seed, epoch, index) draws the same numbers whatever was drawn before, by how many processes, in which order.
"""

import numpy as np


class ExampleRandom:
    """One generator that jumps: `at(epoch, index)` returns it standing at the stream of that example.

    The returned generator is the same object each time: use it before the next call.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(key=_key(seed, 0x676C6D))
        self._state = self._bits.state  # of a generator from which nothing has been drawn
        self._generator = np.random.Generator(self._bits)

    def at(self, epoch: int, index: int) -> np.random.Generator:
        # The lowest counter word runs while numbers are drawn; the two above it name the stream.
        self._state["state"]["counter"][:] = (0, index, epoch, 0)
        self._bits.state = self._state
        return self._generator


def epoch_generator(seed: int, epoch: int, purpose: int, part: int = 0) -> np.random.Generator:
    """A generator for what is drawn once an epoch (the order of the documents, where they are cut), or once for each
    part of one."""
    return np.random.Generator(np.random.Philox(key=_key(seed, epoch), counter=[0, 0, part, purpose]))


def _key(seed: int, second: int) -> np.ndarray:
    return np.array([seed & (2**64 - 1), second], dtype=np.uint64)  # any whole number is a seed, negative ones too
