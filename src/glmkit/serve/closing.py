"""How a document that was begun ends soonest: the ids that close it, found on copies of its matcher.

    {"name": "An        ->  "  , "age":   0  }

What is forced is taken; in a string the quotation mark, else what closes or the shortest value; a string whose pattern
ends only after certain signs is searched by breadth, states that allow the same ids taken for one.
"""

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from glmkit.serve.json_text import JsonText
from glmkit.serve.token_bytes import TokenBytes

if TYPE_CHECKING:
    from llguidance import LLMatcher

_MOST_STATES = 1500  # that a search looks at: some 30 ms
_CLASSES = (range(ord("a"), ord("z") + 1), range(ord("A"), ord("Z") + 1), range(ord("0"), ord("9") + 1))
_OUTSIDE = b'}],ntf0123456789."-+eE[{: '  # outside strings, what ends soonest first
_INSIDE = b'"aA0' + bytes(sorted(set(range(32, 127)) - set(b'"\\aA0'))) + bytes(range(128, 256)) + b"\\\n\t\r"


class Closer:
    """Closes documents of one vocabulary."""

    def __init__(self, vocabulary: TokenBytes) -> None:
        self._vocabulary = vocabulary
        self._outside, self._inside = self._ranked(_OUTSIDE + _INSIDE), self._ranked(_INSIDE)
        self._classes = [[id for byte in kind if (id := vocabulary.letters.get(byte))] for kind in _CLASSES]
        classed = {*chain.from_iterable(self._classes)}
        self._others = [id for id in self._inside if id not in classed]

    def _ranked(self, order: bytes) -> list[int]:
        letters = self._vocabulary.letters
        return list(dict.fromkeys(letters[byte] for byte in order if byte in letters))

    def close(self, matcher: "LLMatcher", text: JsonText | None, limit: int) -> list[int] | None:
        """Ids, at most `limit`, after which the document is complete; None where none are found. `text`: what was
        written of it, where it is JSON."""
        if text is None:
            ids = self._search(matcher, None, limit)
            return self._follow(matcher, None, limit) if ids is None else ids
        ids = self._follow(matcher, text, limit)
        if ids is None:
            ids = self._follow(matcher, text, limit, searching=True)
        return ids

    def _follow(
        self, matcher: "LLMatcher", text: JsonText | None, limit: int, searching: bool = False
    ) -> list[int] | None:
        matcher, text = matcher.deep_copy(), None if text is None else text.copy()
        ids: list[int] = []
        while not matcher.is_accepting():
            more = self._vocabulary.tokenize(matcher.compute_ff_bytes())
            if not more and searching and text is not None and text.in_string:
                more = self._search(matcher, text, limit - len(ids)) or []
            more = more or self._next(matcher, text)
            ids += more
            if not more or len(ids) > limit or not matcher.consume_tokens(more):
                return None
            if text is not None:
                text.feed(b"".join(self._vocabulary.table[id] for id in more))
        return ids

    def _next(self, matcher: "LLMatcher", text: JsonText | None) -> list[int]:
        allowed = matcher.compute_bitmask()
        ranked = self._inside if text is None or text.in_string else self._outside
        for id in ranked:
            if allowed[id >> 3] >> (id & 7) & 1 and not (text and text.repeats(self._vocabulary.table[id])):
                return [id]
        return []

    def _search(self, matcher: "LLMatcher", text: JsonText | None, limit: int) -> list[int] | None:
        """The fewest bytes up to the quotation mark that ends the string, or up to the end of what is no JSON."""
        quote = self._vocabulary.letters[b'"'[0]]
        queue: deque[tuple[LLMatcher, tuple[int, ...]]] = deque([(matcher, ())])
        seen: set[bytes] = set()
        while queue and len(seen) < _MOST_STATES:
            state, path = queue.popleft()
            if text is None and state.is_accepting():
                return self._respelled(path)
            allowed = state.compute_bitmask()
            if allowed in seen or len(path) >= 4 * limit:
                continue
            seen.add(allowed)
            written = b"".join(self._vocabulary.table[id] for id in path)
            if forced := state.compute_ff_bytes():
                more = self._vocabulary.tokenize(forced)
                further = (*path, *more)
                if text is not None and b'"' in forced:
                    return self._respelled(further)
                after = state.deep_copy()
                if after.consume_tokens(more):
                    queue.append((after, further))
                continue
            for id in self._tried(allowed):
                if text is not None and id == quote:
                    if text.repeats(written + b'"'):
                        continue
                    return self._respelled((*path, id))
                after = state.deep_copy()
                if after.consume_token(id):
                    queue.append((after, (*path, id)))
        return None

    def _tried(self, allowed: bytes) -> list[int]:
        """Of letters, capitals and digits one each, of other signs all that may come next."""
        ids = [id for id in self._others if allowed[id >> 3] >> (id & 7) & 1]
        for kind in self._classes:
            ids += [id for id in kind if allowed[id >> 3] >> (id & 7) & 1][:2]
        return ids

    def _respelled(self, path: tuple[int, ...]) -> list[int]:
        return self._vocabulary.tokenize(b"".join(self._vocabulary.table[id] for id in path))
