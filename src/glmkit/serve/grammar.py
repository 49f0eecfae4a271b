"""A compiled grammar, and what one sequence writes under it.

A reply of `left` tokens is closed in time. As long as there are many more than the document needs to be closed, every
allowed id may come; near the end only ids after which it can still be closed, and at last those that close it:

    left   40 {"name":   | 12  "Ann           | 5  "          | 4  , "age":   | 2  0     | 1  }
           free          | can be closed in 4 | must be closed
"""

import json
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from glmkit.generate.constraint import Constraint
from glmkit.serve.closing import Closer
from glmkit.serve.json_text import JsonText, repeated_key
from glmkit.serve.schema_check import GrammarError
from glmkit.serve.token_bytes import Flags, TokenBytes

if TYPE_CHECKING:
    from llguidance import LLMatcher

_TRIED = 8  # most probable ids near the end, each of which is tried before it may be written
_LONGEST_CLOSE = 1024  # ids of a close that are looked for
_FARTHEST = 256  # growth beyond it: a document that must hold so much more after one token ends by length


class Grammar:
    """What a reply must be. Called, it gives the constraint of a new sequence, from any thread.

    `json`: whether documents are JSON; `free_keys`: whether an object may have keys that no schema names; `growth`: how
    many bytes one token may add to what must follow; `leading`: white space that may stand before the document;
    `examples`: matches of its patterns.
    """

    def __init__(
        self,
        vocabulary: TokenBytes,
        matcher: "LLMatcher",
        *,
        json: bool,
        free_keys: bool,
        growth: int,
        leading: str,
        examples: Sequence[str],
    ) -> None:
        self.vocabulary, self.json, self.free_keys, self.leading = vocabulary, json, free_keys, leading
        self.growth = min(growth, _FARTHEST) + vocabulary.most_opening
        self.closer = Closer(vocabulary, examples)
        self._matcher, self._lock = matcher, threading.Lock()
        self.shortest = self.closer.close(matcher.deep_copy(), JsonText() if json else None, _LONGEST_CLOSE)

    def __call__(self) -> Constraint:
        with self._lock:  # a matcher is of one thread at a time
            return GrammarConstraint(self, self._matcher.deep_copy())

    def document(self, text: str) -> str:
        """The document in a whole reply. Raises GrammarError for JSON with a key that stands twice in one object, or
        that was cut off."""
        text = text.lstrip(self.leading)
        if self.json:
            try:
                key = repeated_key(text)
            except ValueError:
                raise GrammarError("the reply was cut off before its JSON was complete; allow more tokens") from None
            if key is not None:
                raise GrammarError(f"the reply has the key {json.dumps(key, ensure_ascii=False)} twice in one object")
        return text


class GrammarConstraint:
    """The state of one sequence under a grammar."""

    def __init__(self, grammar: Grammar, matcher: "LLMatcher") -> None:
        self._grammar, self._matcher = grammar, matcher
        self._text = JsonText() if grammar.json else None
        self._close = grammar.shortest  # ids that would close the document now; None where they are not known
        self._hint: list[int] = []  # what closed it when they were last known
        self._free = 0  # tokens that need not be looked at: the document can be closed after any of them

    def mask(self, scores: Tensor, left: int) -> None:
        """As `Constraint.mask`. Raises GrammarError for a grammar that turns out to be too complex."""
        allowed = self._grammar.vocabulary.allowed(self._matcher)
        self._check()
        self._forbid_repeated_keys(allowed)
        if self._free == 0 and (closing := self._near_the_end(scores, allowed, left)) is not None:
            allowed = np.zeros_like(allowed)
            allowed[closing] = True
        scores.masked_fill_(~torch.from_numpy(allowed).to(scores.device), float("-inf"))

    def observe(self, id: int) -> bool:
        """As `Constraint.observe`."""
        self._matcher.consume_token(id)
        self._check()
        if self._text is not None:
            self._text.feed(self._grammar.vocabulary.table[id])
        if self._close is not None:
            self._hint = self._close[1:] if self._close[:1] == [id] else self._close
            self._close = self._hint if self._hint is not self._close else None
        self._free = max(0, self._free - 1)
        return bool(self._matcher.is_stopped())

    def _check(self) -> None:
        """An error of the matcher looks like a complete document otherwise."""
        if self._matcher.is_error():
            raise GrammarError(f"the grammar is too complex: {one_line(self._matcher.get_error())}")

    def _forbid_repeated_keys(self, allowed: Flags) -> None:
        text, vocabulary = self._text, self._grammar.vocabulary
        if not self._grammar.free_keys or text is None or not text.may_repeat:
            return
        quoted = vocabulary.with_quote[allowed[vocabulary.with_quote]].tolist()
        repeated = [id for id in quoted if text.repeats(vocabulary.table[id])]
        for written in text.beginnings():
            repeated += [id for id in vocabulary.spellings.get(written, ()) if allowed[id] and self._must_repeat(id)]
        if len(set(repeated)) < allowed.sum():  # else there is no other key: `Grammar.document` says so
            allowed[repeated] = False

    def _must_repeat(self, id: int) -> bool:
        """Whether behind a part of a key nothing is left but the rest of one that the object has."""
        assert self._text is not None
        matcher = self._matcher.deep_copy()
        matcher.consume_token(id)
        return self._text.repeats(self._grammar.vocabulary.table[id] + matcher.compute_ff_bytes())

    def _near_the_end(self, scores: Tensor, allowed: Flags, left: int) -> list[int] | None:
        """The ids among which the next must be so that the document can be closed; None where any may come."""
        grammar = self._grammar
        if self._close is None:
            self._close = grammar.closer.close(self._matcher, self._text, min(left, _LONGEST_CLOSE), self._hint)
        if self._close is None or len(self._close) > left:
            self._free = max(4, left // 4)  # nothing may be found again: to look takes time
            return None
        spare = left - len(self._close)
        if spare > grammar.growth:
            self._free = spare // (grammar.growth + 1)
            return None
        ids = self._close[:1] or [id for id in grammar.vocabulary.ends if allowed[id]]
        return ids + (self._closable(scores, allowed, left) if spare else [])

    def _closable(self, scores: Tensor, allowed: Flags, left: int) -> list[int]:
        """Of the most probable ids those after which `left - 1` tokens close the document."""
        grammar = self._grammar
        among = scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), float("-inf"))
        probable, ids = among.topk(min(_TRIED, len(among)))
        closable = []
        for score, id in zip(probable.tolist(), ids.tolist(), strict=True):
            matcher, text = self._matcher.deep_copy(), None if self._text is None else self._text.copy()
            if score == float("-inf") or not matcher.consume_token(id):
                continue
            if text is not None:
                text.feed(grammar.vocabulary.table[id])
            if matcher.is_stopped() or self._closes(matcher, text, left - 1):
                closable.append(id)
        return closable

    def _closes(self, matcher: "LLMatcher", text: JsonText | None, left: int) -> bool:
        return self._grammar.closer.close(matcher, text, left, self._close or (), searching=False) is not None


def one_line(message: str) -> str:
    """The first line of a message of llguidance that says something."""
    return next((line.strip() for line in message.splitlines() if line.strip()), "unknown")
