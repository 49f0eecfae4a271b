"""Guessing what comes next from what has been read: a reply that rewrites, quotes or corrects its prompt repeats it.

    read and written so far    the cat sat on the mat . Once more : the cat
    last seen before           the cat -> sat on the mat .                        guesses: sat on the mat .

A guess is read together with the token before it, in one pass over the weights. What the model itself chooses at each
place is what is written, so a wrong guess costs a little time and changes nothing: a chooser meets the scores it would
have met without guesses, and draws one random number for each token as it would have. To draw and then see whether it
is the guess gives every token its own probability; it is the rule of speculative sampling (Leviathan et al. 2023,
section 2.3) for a guess that is certain. In float32 the tokens are those of one at a time. In 16 bits, and where
activations are rounded, sums of several places are rounded in another order, and of two tokens that are about equally
probable the other may be taken.
"""

from collections.abc import Sequence

SIZES = (3, 2)  # of the n-grams that are looked up, the longest first
MOST = 7  # guesses at once: eight rows take hardly longer than one, since weights are read once for all
COST = 0.15  # of the time of a token, for a guess read along with it (glmkit bench lookup)
EARNED = 0.02  # of the time of a token, that each token allows to be lost on guesses
_CREDIT = 1.0


class Lookup:
    """The guesses for one row.

    It keeps account in units of the time of a token: a guess costs COST, one that came true earns 1. What may be lost
    in all is _CREDIT and EARNED for each token, so that a text that repeats nothing is soon left alone.
    """

    def __init__(self, prompt: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}  # n-gram -> the place behind its last end, the text's own end apart
        self._newest: list[tuple[int, ...]] = []  # n-grams that end the text
        self._guesses: list[int] = []  # not yet judged
        self._length = MOST // 2  # of the next guesses
        self._credit = _CREDIT
        for id in prompt:
            self._note(id)

    def add(self, id: int) -> None:
        """The next token of the text is `id`."""
        self._credit += EARNED
        if self._guesses:
            if self._guesses.pop(0) == id:
                self._credit += 1
                if not self._guesses:
                    self._length = MOST
            else:
                self._guesses, self._length = [], max(1, self._length - len(self._guesses) - 1)
        self._credit = min(self._credit, MOST)
        self._note(id)

    def guesses(self, most: int) -> list[int]:
        """What may come next, `most` tokens at most."""
        place = next((self._ends[gram] for gram in self._newest if gram in self._ends), None)
        length = min(self._length, most, int(self._credit / COST))
        if place is None or length < 1:
            return []
        self._guesses = self._ids[place : place + length]
        self._length = len(self._guesses)
        self._credit -= COST * len(self._guesses)
        return list(self._guesses)

    def _note(self, id: int) -> None:
        self._ends |= dict.fromkeys(self._newest, len(self._ids))
        self._ids.append(id)
        self._newest = [tuple(self._ids[-size:]) for size in SIZES if size <= len(self._ids)]
