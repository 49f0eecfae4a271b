"""Questions about paragraphs in SQuAD's form, which CMRC 2018 and DRCD have too.

{"paragraphs": [{"context": "...", "qas": [{"id": 1, "question": "...", "answers": [{"text": "..."}]}]}]}
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.tasks.cells import Row, get, inners, text, where_of


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, the paragraph that answers it, and the right answers, each once."""

    uid: str
    where: str
    context: str
    question: str
    answers: tuple[str, ...]


def is_article(row: Table) -> bool:
    """Whether a row holds paragraphs with questions."""
    return isinstance(row.get("paragraphs"), list)


def questions(articles: Sequence[Table]) -> Iterator[Question]:
    """The questions of articles. Raises UserError naming the question for what is missing or no text."""
    for article in articles:
        for paragraph in inners(article, "paragraphs"):
            for entry in inners(paragraph, "qas"):
                uid = str(get(entry, "id"))
                where = f"{where_of(article).partition(': item')[0]}: question {uid}"
                named = Row(entry, where)
                yield Question(
                    uid=uid,
                    where=where,
                    context=text(paragraph, "context"),
                    question=text(named, "question"),
                    answers=_answers(named),
                )


def _answers(entry: Row) -> tuple[str, ...]:
    result = get(entry, "answers")
    if isinstance(result, list) and all(isinstance(answer, str) for answer in result):
        answers = tuple(result)
    else:
        answers = tuple(text(answer, "text") for answer in inners(entry, "answers"))
    if not any(answer.strip() for answer in answers):
        raise UserError(f"{entry.where}: no answer; leave out questions that have none (SQuAD 2.0's impossible ones)")
    return tuple(dict.fromkeys(answers))
