"""Text as it is generated: never half a character, the same work for every token, and in sum what `decode` gives."""

import codecs
from collections.abc import Sequence

from glmkit.text.tokenizer import Tokenizer
from glmkit.text.unicode import shown


class Detokenizer:
    """Ids one by one, text as soon as it is whole. All that `feed` and `end` return is `decode` of all ids.

    >>> text = Detokenizer(tokenizer)          # the UTF-8 bytes of a character may come in several tokens
    >>> [text.feed(id) for id in ids], text.end()
    (['', '', '好', '!'], '')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._begun = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(tokenizer.pieces.errors)

    def feed(self, id: int) -> str:
        """The text that is whole with `id`, often none. Raises ValueError for an id without text, as `decode`."""
        written, self._begun = self._tokenizer.write(id, self._begun)
        return shown(self._decoder.decode(written))

    def end(self) -> str:
        """What was held back: the bytes of an unfinished character, each as U+FFFD."""
        return shown(self._decoder.decode(b"", final=True))


class StopStrings:
    """Text up to the first of some strings to be complete; what may be the beginning of one is held back.

    How the text is cut into chunks changes nothing.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """The text that is certainly before any stop string; nothing once one was `found`."""
        if self.matched is not None:
            return ""
        held = self._held + text
        complete = [(held.find(stop) + len(stop), -len(stop), stop) for stop in self._stops if stop in held]
        if complete:
            end, _, self.matched = min(complete)
            self._held = ""
            return held[: end - len(self.matched)]
        keep = max((_overlap(held, stop) for stop in self._stops), default=0)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]

    def end(self) -> str:
        """What was held back and did not become a stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-n:])), 0)
