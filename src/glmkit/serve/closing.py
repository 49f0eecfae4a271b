"""How a document that was begun ends soonest: the ids that close it, found on copies of its matcher.

    {"name": "An        ->  "  , "age":   0  }

What is forced is taken; in a string the quotation mark, else what closes or the shortest value; a string whose pattern
ends only after certain signs is searched by breadth, states that allow the same ids taken for one.
"""

import json
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmkit.serve.json_text import JsonText
from glmkit.serve.token_bytes import TokenBytes

if TYPE_CHECKING:
    from llguidance import LLMatcher

_OTHER_BEGINNINGS = 8  # ids of a hint that may be left out
_MOST_STATES = 300  # that a search looks at: some 50 ms
_CLASSES = (range(ord("a"), ord("z") + 1), range(ord("A"), ord("Z") + 1), b"1023456789")
_OUTSIDE = b'}],ntf0123456789."-+eE[{: '  # outside strings, what ends soonest first
_INSIDE = b'"aA10' + bytes(sorted(set(range(32, 127)) - set(b'"\\aA10'))) + bytes(range(128, 256)) + b"\\\n\t\r"


class Closer:
    """Closes documents of one vocabulary."""

    def __init__(self, vocabulary: TokenBytes, examples: Sequence[str] = ()) -> None:
        """`examples`: texts that match the patterns of the grammar, its own or those of its strings."""
        self._vocabulary = vocabulary
        examples = sorted(examples, key=len)
        self._examples = [vocabulary.tokenize(text.encode()) for text in examples]
        self._strings = [vocabulary.tokenize(json.dumps(text, ensure_ascii=False)[1:].encode()) for text in examples]
        self._outside, self._inside = self._ranked(_OUTSIDE + _INSIDE), self._ranked(_INSIDE)
        self._classes = [[id for byte in kind if (id := vocabulary.letters.get(byte))] for kind in _CLASSES]
        self._classes.append([id for byte, id in sorted(vocabulary.letters.items()) if byte > 127])
        self._class_of = {id: place for place, kind in enumerate(self._classes) for id in kind}
        self._others = [id for id in self._inside if id not in self._class_of]
        # What a string is filled with until it may end.
        self._orders = [self._inside, *(self._ranked(b'"' + first + _INSIDE) for first in (b"A", b"1", b"-"))]

    def _ranked(self, order: bytes) -> list[int]:
        letters = self._vocabulary.letters
        return list(dict.fromkeys(letters[byte] for byte in order if byte in letters))

    def close(
        self, matcher: "LLMatcher", text: JsonText | None, limit: int, hint: Sequence[int] = (), searching: bool = True
    ) -> list[int] | None:
        """Ids, at most `limit`, after which the document is complete; None where none are found. `text`: what was
        written of it, where it is JSON. `hint`: ids that closed it a token ago. Without `searching` only what takes
        little time is tried: an engine waits meanwhile."""
        orders: list[list[int] | None] = [*self._orders, *([None] if searching else [])]
        if text is None and searching:
            orders = orders[::-1]  # the shortest of what is no JSON is found by a search alone
        first = self._follow(matcher, text, limit, orders[0]) if text is not None or not hint else None
        if first is not None or (first := self._still(matcher, text, limit, hint)) is not None:
            return first
        later = (self._follow(matcher, text, limit, order) for order in orders[text is not None or not hint :])
        return next((ids for ids in later if ids is not None), None)

    def _still(self, matcher: "LLMatcher", text: JsonText | None, limit: int, hint: Sequence[int]) -> list[int] | None:
        """The end of `hint` that closes the document, now that something else was written than its first id."""
        for begin in range(min(len(hint), _OTHER_BEGINNINGS)):
            ids, after = list(hint[begin:]), matcher.deep_copy()
            written = b"".join(self._vocabulary.table[id] for id in ids)
            if len(ids) <= limit and after.validate_tokens(ids) == len(ids) and not (text and text.repeats(written)):
                after.consume_tokens(ids)
                if after.is_accepting():
                    return ids
        return None

    def _follow(
        self, matcher: "LLMatcher", text: JsonText | None, limit: int, order: list[int] | None
    ) -> list[int] | None:
        """Inside strings, and in what is no JSON, takes the first of `order` that may come next, or what a search finds
        where there is no order."""
        matcher, text = matcher.deep_copy(), None if text is None else text.copy()
        ids: list[int] = []
        while not matcher.is_accepting():
            more = self._vocabulary.tokenize(matcher.compute_ff_bytes())
            if not more and (text is None or text.in_string):
                more = self._inside_text(matcher, text, limit, order)
            elif not more:
                more = self._first(matcher, text, self._outside)
            ids += more
            if not more or len(ids) > limit or not matcher.consume_tokens(more):
                return None
            if text is not None:
                text.feed(b"".join(self._vocabulary.table[id] for id in more))
        return ids

    def _inside_text(
        self, matcher: "LLMatcher", text: JsonText | None, limit: int, order: list[int] | None
    ) -> list[int]:
        if order is None:
            return self._search(matcher, text, limit)
        return self._by_example(matcher, text) or self._first(matcher, text, order)

    def _by_example(self, matcher: "LLMatcher", text: JsonText | None) -> list[int]:
        """A match of a pattern, to the end of the string, where one may be written from where it stands."""
        quote = self._vocabulary.letters[b'"'[0]]
        if text is not None and matcher.validate_tokens([quote]):
            return []
        for ids in self._examples if text is None else self._strings:
            if matcher.validate_tokens(ids) == len(ids):
                return ids
        return []

    def _first(self, matcher: "LLMatcher", text: JsonText | None, order: list[int]) -> list[int]:
        allowed = matcher.compute_bitmask()
        for id in order:
            if allowed[id >> 3] >> (id & 7) & 1 and not (text and text.repeats(self._vocabulary.table[id])):
                return [id]
        return []

    def _search(self, matcher: "LLMatcher", text: JsonText | None, limit: int) -> list[int]:
        """The fewest bytes up to the quotation mark that ends the string, or up to the end of what is no JSON; none
        where they are not found."""
        quote, escape = (self._vocabulary.letters[byte] for byte in b'"\\')
        queue: deque[tuple[LLMatcher, tuple[int, ...]]] = deque([(matcher, ())])
        seen: set[tuple[bytes, int]] = set()
        while queue and len(seen) < _MOST_STATES:
            state, path = queue.popleft()
            if text is None and state.is_accepting():
                return self._respelled(path)
            allowed = state.compute_bitmask()
            last = path[-1] if path else -1  # counts too: how many letters of a kind a pattern had shows in no mask
            key = allowed, self._class_of.get(last, -last)
            if key in seen or len(path) >= 4 * limit:
                continue
            seen.add(key)
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
                if text is not None and id == escape:
                    continue  # an escaped quotation mark ends nothing
                if text is not None and id == quote:
                    if text.repeats(written + b'"'):
                        continue
                    return self._respelled((*path, id))
                after = state.deep_copy()
                if after.consume_token(id):
                    queue.append((after, (*path, id)))
        return []

    def _tried(self, allowed: bytes) -> list[int]:
        """Of letters, capitals and digits one each, of other signs all that may come next."""
        ids = [id for id in self._others if allowed[id >> 3] >> (id & 7) & 1]
        for kind in self._classes:
            ids += [id for id in kind if allowed[id >> 3] >> (id & 7) & 1][:2]
        return ids

    def _respelled(self, path: tuple[int, ...]) -> list[int]:
        return self._vocabulary.tokenize(b"".join(self._vocabulary.table[id] for id in path))
