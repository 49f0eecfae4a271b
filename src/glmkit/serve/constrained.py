"""Constrained output: replies that are JSON, fit a JSON schema or a regular expression, are one of some choices, or
call a tool.

    schema, pattern, choices, tools -> checked, refused by name -> one grammar of llguidance -> Grammar() -> Constraint
                                                                   compiled once, kept by content

JSON is written as json.dumps writes it (", " and ": ", no other white space), keys in the order of the schema.
"""

import hashlib
import json
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from glmkit.core.errors import MissingExtra, short
from glmkit.serve.document_size import DocumentSize
from glmkit.serve.grammar import Grammar, one_line
from glmkit.serve.pattern_check import fault, size_of
from glmkit.serve.schema_check import Checked, GrammarError, checked, patterns
from glmkit.serve.token_bytes import TokenBytes
from glmkit.serve.tool_schema import call_schema
from glmkit.text.tokenizer import Tokenizer

try:
    from llguidance import LLMatcher, LLParserLimits, regex_to_lark
except ImportError:
    raise MissingExtra("llguidance", "serve") from None

_OPTIONS = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "lenient": False,
    "coerce_one_of": False,
}
_LIMITS = LLParserLimits(initial_lexer_fuel=300_000, max_lexer_states=50_000, verbose_errors=False)
_LEADING = " \n"  # what ChatGLM writes before a reply, twice at most
_MOST_CHOICES = 10_000
_LONGEST_CHOICES = 64 << 10  # bytes of all choices
_LARGEST = 64 << 20  # bytes of grammars that are kept
_BYTES_PER_BYTE = 128  # of a compiled grammar per byte of its text, as measured for enums and alternations
_BASE_BYTES = 64 << 10
_MOST_LOCATED = 1 << 20  # bytes of schemas inside a refused one that are compiled alone to find which it is


class Grammars:
    """The grammars of one model, compiled when they are first asked for and kept up to `kept_bytes`, the least recently
    used dropped first. May be used from several threads.

    Each method returns a Grammar, which gives the constraint of each sequence when it is called, and raises
    GrammarError for what a reply cannot be held to.
    """

    def __init__(
        self, tokenizer: Tokenizer, rows: int, ends: Iterable[int] = (), *, kept_bytes: int = _LARGEST
    ) -> None:
        """`rows`: how many ids the model has; `ends`: ids that end a reply beside eop, eod and those of the
        tokenizer's chat format. Raises UserError for a vocabulary that documents cannot be written with."""
        self._vocabulary = TokenBytes(tokenizer, rows, ends)
        self._kept: OrderedDict[str, tuple[Grammar, int]] = OrderedDict()
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()

    def json_object(self) -> Grammar:
        """Any JSON object."""
        return self.json_schema({"type": "object"})

    def json_schema(self, schema: object) -> Grammar:
        """JSON that fits a schema, as parsed from JSON: a dict, true or false."""
        return self._get("json", schema, lambda: self._of_schema(checked(schema)))

    def tool_call(self, tools: Sequence[Mapping[str, Any]], name: str | None = None) -> Grammar:
        """{"name": ..., "arguments": {...}}: a call of the tool `name`, or of any of `tools` (OpenAI's form). Pointers
        of errors are into `tools`."""
        return self._get("tools", [list(tools), name], lambda: self._of_schema(checked(call_schema(tools, name))))

    def regex(self, pattern: str) -> Grammar:
        r"""A text that matches `pattern` as a whole; \d, \w and \s are ASCII's."""
        if reason := fault(pattern):
            raise GrammarError(reason)
        return self._get("regex", pattern, lambda: self._of_pattern(_unanchored(pattern), [size_of(pattern).example]))

    def choices(self, choices: Sequence[str]) -> Grammar:
        """One of some texts."""
        if not choices or not all(isinstance(choice, str) and choice for choice in choices):
            raise GrammarError(f"choices must be a list of texts, none of them empty, got {short(choices)}")
        size = sum(len(choice.encode(errors="replace")) for choice in choices)
        if len(choices) > _MOST_CHOICES or size > _LONGEST_CHOICES:
            reason = f"{len(choices):,} choices of {size:,} bytes are too many"
            raise GrammarError(f"{reason}; at most {_MOST_CHOICES:,} of {_LONGEST_CHOICES:,} bytes together")
        pattern = "|".join(map(re.escape, dict.fromkeys(choices)))
        return self._get("regex", pattern, lambda: self._of_pattern(pattern, list(choices)))

    def _get(self, kind: str, content: object, build: Callable[[], Grammar]) -> Grammar:
        try:
            text = json.dumps([kind, content])
        except (ValueError, TypeError, RecursionError):
            raise GrammarError(f"{short(content)} is not JSON, or nested too deep") from None
        key = hashlib.sha256(text.encode()).hexdigest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        grammar = build()
        with self._lock:
            self._kept[key] = grammar, _BASE_BYTES + _BYTES_PER_BYTE * len(text)
            while sum(size for _, size in self._kept.values()) > self._kept_bytes and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return grammar

    def _of_schema(self, schema: Checked) -> Grammar:
        size = DocumentSize(schema)
        if math.isinf(size.least):
            raise GrammarError("every document of the schema holds another, without end; make one optional, or null")
        try:
            matcher = self._compiled(_json_grammar(schema.schema))
        except GrammarError as error:
            raise self._located(schema, error) from None
        nodes = schema.nodes.values()
        examples = {size_of(pattern).example for node in nodes for pattern in patterns(node).values()}
        return Grammar(
            self._vocabulary,
            matcher,
            json=True,
            free_keys=any(map(_has_free_keys, nodes)),
            growth=size.growth,
            leading=_LEADING,
            examples=sorted(examples),
        )

    def _of_pattern(self, pattern: str, examples: list[str]) -> Grammar:
        growth = max(len(example.encode(errors="replace")) for example in examples)
        bare = self._compiled(_pattern_grammar(pattern))
        allowed = self._vocabulary.allowed(bare)
        begins = {self._vocabulary.table[id][:1] for id in allowed.nonzero()[0].tolist()}
        leading = "" if begins & {b" ", b"\n"} else _LEADING  # white space of the document's own is not taken away
        matcher = self._compiled(_pattern_grammar(rf"[ \n]{{0,2}}(?:{pattern})")) if leading else bare
        return Grammar(
            self._vocabulary, matcher, json=False, free_keys=False, growth=growth, leading=leading, examples=examples
        )

    def _compiled(self, grammar: str) -> LLMatcher:
        """A matcher whose first ids are known: some errors show only there."""
        matcher = LLMatcher(self._vocabulary.backend, LLMatcher.grammar_from_lark(grammar), log_level=0, limits=_LIMITS)
        if not matcher.is_error():
            matcher.compute_bitmask()
        if matcher.is_error():
            raise GrammarError(_reason(matcher.get_error()))
        return matcher

    def _located(self, schema: Checked, error: GrammarError) -> GrammarError:
        """The error of the innermost schema that is refused alone, among those without references."""
        compiled = 0
        for pointer, node in reversed(schema.nodes.items()):
            text = json.dumps(node)
            compiled += len(text)
            if '"$ref"' not in text and compiled < _MOST_LOCATED:
                try:
                    self._compiled(_json_grammar(node))
                except GrammarError as inner:
                    return GrammarError(inner.reason, pointer)
        return error


def _json_grammar(schema: Mapping[str, Any]) -> str:
    text = json.dumps({"x-guidance": _OPTIONS, **schema}, ensure_ascii=False)
    return f"start: /[ \\n]{{0,2}}/ document\ndocument: %json {text}"


def _pattern_grammar(pattern: str) -> str:
    return f"start: /{regex_to_lark(pattern, use_ascii='dws')}/"


def _unanchored(pattern: str) -> str:
    """The pattern without a ^ before and a $ behind it: it is matched as a whole anyway."""
    pattern = pattern.removeprefix("^")
    escapes = len(pattern) - 1 - len(pattern[:-1].rstrip("\\"))
    return pattern[:-1] if pattern.endswith("$") and escapes % 2 == 0 else pattern


def _has_free_keys(node: Mapping[str, Any]) -> bool:
    """Whether an object may have keys that `properties` does not name."""
    kinds = node.get("type", "object")
    if "object" not in (kinds if isinstance(kinds, list) else [kinds]) or node.keys() & {"const", "enum"}:
        return False
    return bool(node.get("patternProperties")) or node.get("additionalProperties", True) is not False


def _reason(message: str) -> str:
    """What llguidance says of a schema or a pattern, without where in its own grammar."""
    line = one_line(message)
    line = re.sub(r"^at \d+\(\d+\): ", "", line).removeprefix("failed to compile JSON schema: ")
    return f"it cannot be compiled: {line}"
