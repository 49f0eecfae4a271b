"""Winograd schemas: where the pronoun and the noun stand, though the files' indices are off for some rows."""

from glmkit.core.errors import UserError
from glmkit.core.json_types import Table


def marked_words(text: str, target: Table, where: str) -> str:
    """An English text with its pronoun (`span2`) between asterisks, words joined by single spaces.

    An index that is off by one word is mended, and punctuation glued to the pronoun is parted from it, as the
    original does. Raises UserError when the pronoun is not there.
    """
    words, pronoun, at = text.split(), target["span2_text"], target["span2_index"]
    for place in (at, at - 1, at + 1):
        if 0 <= place < len(words) and words[place] == pronoun:
            at = place
            break
    else:
        if not (0 <= at < len(words) and words[at].startswith(pronoun)):
            raise UserError(f"{where}: the pronoun {pronoun!r} is not at word {at} of {text!r}")
        words[at : at + 1] = [pronoun, words[at][len(pronoun) :]]
    words[at] = f"*{words[at]}*"
    return " ".join(words)


def marked_characters(text: str, target: Table) -> str:
    """A Chinese text with its noun (`span1`) between # and its pronoun (`span2`) between *."""
    spans = [(target["span1_index"], target["span1_text"], "#"), (target["span2_index"], target["span2_text"], "*")]
    for start, span, mark in sorted(spans, reverse=True):
        end = start + len(span)
        text = f"{text[:start]}{mark}{text[start:end]}{mark}{text[end:]}"
    return text
