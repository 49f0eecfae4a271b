"""The texts of rows as they are written: whole characters, up to a stop string."""

from collections.abc import Sequence

from glmkit.generate.sequence import Token
from glmkit.text.stream import Detokenizer, StopStrings
from glmkit.text.tokenizer import Tokenizer


class Texts:
    """Watches what `rows` rows write: called with each token, it says whether the row's text has reached a stop string.

    >>> texts = Texts(tokenizer, 1, ["\\n\\n"])                                        # doctest: +SKIP
    >>> for (token,) in write(config, [prompt], strategy, watch=texts): show(texts.take(0))  # doctest: +SKIP
    """

    def __init__(self, tokenizer: Tokenizer, rows: int, stop: Sequence[str] = ()) -> None:
        self._detokenizers = [Detokenizer(tokenizer) for _ in range(rows)]
        self._stops = [StopStrings(stop) for _ in range(rows)]
        self._new = [""] * rows

    def __call__(self, token: Token) -> bool:
        text, stops = self._detokenizers[token.row], self._stops[token.row]
        new = stops.feed(text.feed(token.id)) if token.is_text else ""
        if token.finish_reason is not None and stops.matched is None:
            new += stops.feed(text.end())
            new += stops.end()
        self._new[token.row] += new
        return stops.matched is not None

    def take(self, row: int) -> str:
        """What the row has to show since it was last asked."""
        new, self._new[row] = self._new[row], ""
        return new
