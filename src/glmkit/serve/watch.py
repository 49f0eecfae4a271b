"""The text of sequences as their tokens come: whole characters, up to a stop string."""

from collections import deque
from collections.abc import Sequence

from glmkit.generate.sequence import Token
from glmkit.text.stream import Detokenizer, StopStrings
from glmkit.text.tokenizer import Tokenizer


class Watch:
    """The `watch` of a request to the engine. Called with each token, in the engine's thread, it says whether the
    sequence has reached a stop string; `take` gives the text that became certain with each token, in order.

    `include`: a stop string that was reached is part of the text. Every blank is a text of its own.
    """

    def __init__(self, tokenizer: Tokenizer, rows: int, stops: Sequence[str] = (), include: bool = False) -> None:
        self._tokenizer, self._stop_strings, self._include = tokenizer, stops, include
        self._rows = [self._begin() for _ in range(rows)]
        self._texts: list[deque[str]] = [deque() for _ in range(rows)]

    def _begin(self) -> tuple[Detokenizer, StopStrings]:
        return Detokenizer(self._tokenizer), StopStrings(self._stop_strings)

    def __call__(self, token: Token) -> bool:
        text, stops = self._rows[token.row]
        new = stops.feed(text.feed(token.id)) if token.is_text else ""
        if token.finish_reason is not None:
            new += self._end(token.row)
        elif stops.matched is not None and self._include:
            new += stops.matched
        self._texts[token.row].append(new)
        return stops.matched is not None

    def take(self, token: Token) -> str:
        """The text that became certain with a token, as the engine tells of it: one that completes a document ends it
        though the watch was not asked."""
        new = self._texts[token.row].popleft()
        _, stops = self._rows[token.row]
        return new + (self._end(token.row) if token.finish_reason == "stop" and stops.matched is None else "")

    def _end(self, row: int) -> str:
        """What was held back of a text that ends."""
        text, stops = self._rows[row]
        new = "" if stops.matched is not None else stops.feed(text.end())
        if stops.matched is None:
            new += stops.end()
            self._rows[row] = self._begin()
        elif self._include:
            new += stops.matched
        return new
