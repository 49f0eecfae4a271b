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
        self._tokenizer, self._stops, self._include = tokenizer, stops, include
        self._rows = [self._begin() for _ in range(rows)]
        self._texts: list[deque[str]] = [deque() for _ in range(rows)]

    def _begin(self) -> tuple[Detokenizer, StopStrings]:
        return Detokenizer(self._tokenizer), StopStrings(self._stops)

    def __call__(self, token: Token) -> bool:
        text, stops = self._rows[token.row]
        new = stops.feed(text.feed(token.id)) if token.is_text else ""
        matched = stops.matched
        if matched is not None:
            new += matched if self._include else ""
        elif token.finish_reason is not None:
            new += stops.feed(text.end())
            if stops.matched is None:
                new += stops.end()
            self._rows[token.row] = self._begin()
        self._texts[token.row].append(new)
        return matched is not None

    def take(self, row: int) -> str:
        """The text of the next token of a row that was not asked for yet."""
        return self._texts[row].popleft()
