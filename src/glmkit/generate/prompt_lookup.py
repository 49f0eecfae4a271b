"""Prompt look-up: draft tokens from what has been read, since a reply that rewrites, quotes or corrects its prompt
repeats it.

    read and written so far    the cat sat on the mat . Once more : the cat
    last seen before           the cat -> sat on the mat .                        draft: sat on the mat .

A draft is read together with the token before it, in one pass over the weights. What the model itself samples at each
place is what is written, so a wrong draft costs a little time and changes nothing: a sampler meets the scores it would
have met without drafts, and draws one random number for each token as it would have. To draw and then see whether it
is the draft gives every token its own probability; it is the rule of speculative sampling (Leviathan et al. 2023,
section 2.3) for a draft that is certain. In float32 the tokens are those of one at a time. In 16 bits, and where
activations are rounded, sums of several places are rounded in another order, and of two tokens that are about equally
probable the other may be taken.
"""

from collections.abc import Sequence

from glmkit.core.types import IntArray, StoredCache

NGRAM_SIZES = (3, 2)  # that are looked up, the longest first
MAX_DRAFT = 7  # tokens at once: eight rows take hardly longer than one, since weights are read once for all
DRAFT_COST = 0.15  # of the time of a token, for a draft token read along with it (glmkit bench lookup)
ALLOWANCE = 0.02  # of the time of a token, that each token allows to be lost on drafts
INITIAL_CREDIT = 1.0


class DraftAccount:
    """How many draft tokens a sequence may have, in units of the time of a token: a draft token costs `cost`, an
    accepted one earns 1. What may be lost in all is INITIAL_CREDIT and ALLOWANCE for each token, so that a text that
    cannot be foreseen is soon left alone."""

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.length = MAX_DRAFT // 2  # of the next draft
        self._credit = INITIAL_CREDIT

    def room(self, most: int) -> int:
        """How long the next draft may be, `most` at most."""
        return min(self.length, most, int(self._credit / self.cost))

    def pay(self, length: int) -> None:
        """A draft of that length is read."""
        self.length = length
        self._credit -= self.cost * length

    def observe(self, accepted: bool) -> None:
        """One more token of the text, which had been drafted or not."""
        self._credit = min(self._credit + ALLOWANCE + accepted, MAX_DRAFT)

    def reject(self, left: int) -> None:
        """The token is not the one drafted, behind which `left` more were: the next draft is as much shorter."""
        self.length = max(1, self.length - left - 1)


class PromptLookup:
    """The draft tokens of one sequence, on its account."""

    cache: StoredCache | None = None  # it needs none

    def __init__(self, prompt: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._places: dict[tuple[int, ...], int] = {}  # n-gram -> behind its last end, the text's own end apart
        self._last_ngrams: list[tuple[int, ...]] = []  # n-grams that end the text
        self._draft: list[int] = []  # neither accepted nor rejected so far
        self._account = DraftAccount(DRAFT_COST)
        for id in prompt:
            self._append(id)

    def observe(self, id: int, position: IntArray) -> None:
        """The next token of the text is `id`, wherever it stands."""
        drafted = self._draft.pop(0) if self._draft else None
        self._account.observe(drafted == id)
        if drafted == id and not self._draft:
            self._account.length = MAX_DRAFT
        elif drafted not in (None, id):
            self._account.reject(len(self._draft))
            self._draft = []
        self._append(id)

    def draft_tokens(self, most: int, rows: int = 1) -> list[int]:
        """What may come next, `most` tokens at most, however many `rows` are written together."""
        place = next((self._places[ngram] for ngram in self._last_ngrams if ngram in self._places), None)
        length = self._account.room(most)
        if place is None or length < 1:
            return []
        self._draft = self._ids[place : place + length]
        self._account.pay(len(self._draft))
        return list(self._draft)

    def _append(self, id: int) -> None:
        self._places |= dict.fromkeys(self._last_ngrams, len(self._ids))
        self._ids.append(id)
        self._last_ngrams = [tuple(self._ids[-size:]) for size in NGRAM_SIZES if size <= len(self._ids)]
