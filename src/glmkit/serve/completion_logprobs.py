"""Log-probabilities as /v1/completions writes them: four lists side by side.

tokens ["The", " cat"], token_logprobs [null, -1.5], top_logprobs [null, {" cat": -1.5}], text_offset [0, 3]
"""

from collections.abc import Sequence

from glmkit.core.json_types import JsonObject
from glmkit.generate.sequence import Token
from glmkit.serve.prompt_scores import TokenScore
from glmkit.serve.token_text import LEAST, best, spelled
from glmkit.text.stream import Detokenizer
from glmkit.text.tokenizer import Tokenizer

_NAMES = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


class CompletionLogprobs:
    """The lists of one completion; `top` most probable tokens beside each. Offsets count characters of the text."""

    def __init__(self, tokenizer: Tokenizer, top: int) -> None:
        self._tokenizer, self._top = tokenizer, top
        self._text = Detokenizer(tokenizer)
        self._offset = 0
        self.table: JsonObject = {name: [] for name in _NAMES}
        self._given = 0

    def prompt(self, scores: Sequence[TokenScore]) -> None:
        """The tokens of a prompt that is shown."""
        for score in scores:
            self._add(score.id, score.logprob, score.top, is_text=True)
        if scores:
            self._offset += len(self._text.end())
            self._text = Detokenizer(self._tokenizer)

    def take(self, token: Token) -> None:
        """A token that was written; one that ends the text counts, too."""
        self._add(token.id, token.logprob, token.top, is_text=token.is_text)

    def fresh(self) -> JsonObject:
        """What came since this was asked last."""
        begin, self._given = self._given, len(self.table["tokens"])
        return {name: self.table[name][begin:] for name in _NAMES}

    def _add(self, id: int, logprob: float | None, top: Sequence[tuple[int, float]], *, is_text: bool) -> None:
        self.table["tokens"].append(spelled(self._tokenizer, id))
        self.table["token_logprobs"].append(None if logprob is None else max(logprob, LEAST))
        table = None if logprob is None else best(self._tokenizer, id, logprob, top[: self._top])
        self.table["top_logprobs"].append(table)
        self.table["text_offset"].append(self._offset)
        if is_text:
            self._offset += len(self._text.feed(id))
