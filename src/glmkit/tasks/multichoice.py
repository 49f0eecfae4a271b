"""Multiple choice without a pattern: a text with a blank or an open end, and what may stand there.

    {"inputs_pretokenized": "The capital of France is [MASK].", "choices_pretokenized": [" Paris", " Rome"], "label": 0}

The score of a choice is log p of its tokens, neither its end nor its length counting (the original's zero-shot task).
"""

from collections.abc import Sequence

from glmkit.objective.choices import Asked
from glmkit.text.tokenizer import Tokenizer


def in_context(tokenizer: Tokenizer, text: str, choices: Sequence[str], length: int) -> Asked:
    """The text read both ways, its last blank asked about; one is put at its end if it has none. Too long a text
    loses its beginning."""
    special = tokenizer.special
    ids = tokenizer.encode_marked(text)
    if special.mask not in ids:
        ids.append(special.mask)
    answers = tokenizer.encode_batch(choices)
    kept = ids[-_room(answers, length) :]
    context = [special.begin, *kept, special.eod]
    return Asked(context=context, blank=len(context) - 1 - context[::-1].index(special.mask), answers=answers)


def continued(tokenizer: Tokenizer, text: str, choices: Sequence[str], length: int) -> Asked:
    """The text read from left to right, the choices going on with it."""
    special = tokenizer.special
    answers = tokenizer.encode_batch(choices)
    stem = tokenizer.encode_marked(text)[-_room(answers, length) :]
    return Asked(context=[special.begin, special.gmask], blank=1, answers=answers, stem=stem)


def _room(answers: Sequence[Sequence[int]], length: int) -> int:
    return max(1, length - 2 - max(map(len, answers)))
