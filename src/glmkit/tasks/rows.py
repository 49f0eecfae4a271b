"""From the rows of each benchmark's own files to instances, as the original's processors do.

A reader takes the rows of a whole file, the name of the split and the task's labels. Training rows may differ: COPA's
are there twice, mirrored; WSC's only where they are true; ReCoRD's once for each right answer, with at most 9 wrong
ones.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.tasks.cells import as_texts, get, inner, inners, label, number, text, texts, uid, where_of
from glmkit.tasks.instance import Instance
from glmkit.tasks.squad import questions
from glmkit.tasks.task import Row
from glmkit.tasks.winograd import marked_characters, marked_words

Labels = Sequence[str]

_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-"})


def plain(written: str) -> str:
    """English text with straight quotes and short dashes, as GLM was trained on."""
    return written.translate(_QUOTES)


@dataclass(frozen=True)
class Simple:
    """Reads rows which are whole instances. `columns`: our name of a field -> the file's; `label`: its column."""

    columns: Mapping[str, str]
    change: Callable[[str], str] = plain
    label: str = "label"

    def __call__(self, rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
        return [
            Instance(
                uid=uid(row, place),
                fields={name: self.change(text(row, column)) for name, column in self.columns.items()},
                gold=label(row, labels, self.label),
            )
            for place, row in enumerate(rows)
        ]


entailment = Simple({"premise": "premise", "hypothesis": "hypothesis"})
boolq = Simple({"passage": "passage", "question": "question"})
mnli = Simple({"premise": "sentence1", "hypothesis": "sentence2"}, label="gold_label")
qnli = Simple({"question": "question", "passage": "sentence"})
qqp = Simple({"text1": "question1", "text2": "question2"}, label="is_duplicate")
mrpc = Simple({"text1": "#1 String", "text2": "#2 String"}, label="Quality")
sst2 = Simple({"text": "sentence"})
cola = Simple({"text": "3"}, label="1")
xstance = Simple({"question": "question", "comment": "comment"})
same = Simple({"sentence1": "sentence1", "sentence2": "sentence2"}, str)
eprstmt = Simple({"sentence": "sentence"}, str)
chnsenticorp = Simple({"sentence": "text_a"}, str)
tnews = Simple({"sentence": "sentence", "keywords": "keywords"}, str)


def _unescaped(written: str) -> str:
    return plain(written.replace("\\n", " ").replace("\\", " "))


agnews = Simple({"title": "1", "body": "2"}, lambda written: plain(written.replace("\\", " ")), "0")
yelp = Simple({"text": "1"}, _unescaped, "0")


def yahoo(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """Question title and body together, then the answer."""
    instances = Simple({"head": "1", "rest": "2", "body": "3"}, _unescaped, "0")(rows, split, labels)
    return [
        Instance(
            uid=instance.uid,
            fields={"title": f"{instance.fields['head']} {instance.fields['rest']}", "body": instance.fields["body"]},
            gold=instance.gold,
        )
        for instance in instances
    ]


def wic(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    instances = []
    for place, row in enumerate(rows):
        fields = {name: plain(text(row, name)) for name in ("sentence1", "sentence2")}
        fields |= {"word": text(row, "word")}
        instances.append(Instance(uid=uid(row, place), fields=fields, gold=label(row, labels)))
    return instances


_JOINERS = {"cause": (" because", "because"), "effect": (", so", "so")}


def copa(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """`joiner` leads from the premise to the blank, `link` is the answer of the pattern that asks for the joiner."""
    instances = []
    for place, row in enumerate(rows):
        question = text(row, "question")
        if question not in _JOINERS:
            raise UserError(f"{where_of(row)}: question must be cause or effect, got {question!r}")
        joiner, link = _JOINERS[question]
        fields = {"premise": text(row, "premise"), "joiner": joiner, "link": link}
        gold = None if row.get("label") is None else number(row, "label", 2)
        instances.append(_copa(uid(row, place), fields, (text(row, "choice1"), text(row, "choice2")), gold))
    if split == "train":
        instances += [
            _copa(f"{i.uid}m", i.fields, i.choices[::-1], None if i.gold is None else 1 - i.gold) for i in instances
        ]
    return instances


def _copa(uid: str, fields: Mapping[str, str], choices: tuple[str, ...], gold: int | None) -> Instance:
    fields = {**fields, "choice1": choices[0], "choice2": choices[1]}
    return Instance(uid=uid, fields=fields, choices=choices, gold=gold)


def multirc(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    instances = []
    for row in rows:
        passage = inner(row, "passage")
        for question in inners(passage, "questions"):
            for answer in inners(question, "answers"):
                fields = {
                    "passage": plain(text(passage, "text")),
                    "question": plain(text(question, "question")),
                    "answer": plain(text(answer, "text")),
                }
                instances.append(
                    Instance(
                        uid=f"{get(row, 'idx')}-{get(question, 'idx')}-{get(answer, 'idx')}",
                        fields=fields,
                        gold=label(answer, labels),
                        group=str(question["idx"]),
                    )
                )
    return instances


_NEGATIVES = 9  # wrong entities beside the right one in training


def record(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """The candidates are the passage's marked entities. In training every right one makes a row of its own; the
    wrong ones beside it are drawn anew from row to row, always the same for the same file."""
    draw = random.Random(42)
    instances = []
    for row in rows:
        source = inner(row, "passage")
        whole = plain(text(source, "text"))
        entities = sorted({whole[number(e, "start") : number(e, "end") + 1] for e in inners(source, "entities")})
        passage = whole.replace("@highlight\n", "- ")  # as GPT-3 and GLM write the summary's lines
        for question in inners(row, "qas"):
            query = plain(text(question, "query"))
            if "@placeholder" not in query:
                raise UserError(f"{where_of(question)}: query {query!r} has no @placeholder")
            before, after = query.split("@placeholder", 1)
            fields = {"passage": passage, "query": query, "before": before, "after": after}
            answers = inners(question, "answers") if "answers" in question else []
            golds = tuple(dict.fromkeys(plain(text(answer, "text")) for answer in answers))
            name = f"{get(row, 'idx')}-{get(question, 'idx')}"
            if split != "train":
                gold = next((n for n, entity in enumerate(entities) if entity in golds), None)
                instances.append(Instance(uid=name, fields=fields, choices=tuple(entities), golds=golds, gold=gold))
                continue
            for place, answer in enumerate(golds):
                wrong = [entity for entity in entities if entity not in golds]
                if len(wrong) > _NEGATIVES:
                    draw.shuffle(wrong)
                choices = (answer, *wrong[:_NEGATIVES])
                instances.append(
                    Instance(uid=f"{name}-{place}", fields=fields, choices=choices, golds=(answer,), gold=0)
                )
    return instances


def wsc(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """The pronoun is marked by asterisks. Rows with `candidates` choose among them and the span asked about, others
    are judged by whether the model would write the span. Training rows are the true ones, candidates by nines."""
    instances = []
    for place, row in enumerate(rows):
        target = _target(row, "span2_index")
        span = target["span1_text"]
        marked = marked_words(plain(text(row, "text")), target, where_of(row))
        gold = label(row, labels)
        if split == "train" and gold != 1:
            continue
        fields = {"text": marked, "pronoun": target["span2_text"], "span": span}
        candidates = inners(row, "candidates") if "candidates" in row else []
        others = list(dict.fromkeys(text(candidate, "text") for candidate in candidates))
        groups = [others]
        if split == "train" and len(others) > _NEGATIVES:
            groups = [others[at : at + _NEGATIVES] for at in range(0, len(others), _NEGATIVES)]
            groups[-1] += others[: _NEGATIVES - len(groups[-1])]
        for group in groups:
            instances.append(Instance(uid=uid(row, place), fields=fields, choices=(span, *group), gold=gold))
    return instances


def _target(row: Row, *indices: str) -> JsonObject:
    """The two spans of a Winograd schema, and where they begin."""
    target = inner(row, "target")
    spans: JsonObject = {name: text(target, name) for name in ("span1_text", "span2_text")}
    return spans | {name: number(target, name) for name in indices}


def cluewsc(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    instances = []
    for place, row in enumerate(rows):
        target = _target(row, "span1_index", "span2_index")
        fields = {"text": marked_characters(text(row, "text"), target)}
        fields |= {"pronoun": target["span2_text"], "span": target["span1_text"]}
        instances.append(Instance(uid=uid(row, place), fields=fields, gold=label(row, labels)))
    return instances


def race(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """A question with `_` in it is a sentence to complete: its own form of the pattern."""
    instances = []
    for row in rows:
        passage = re.sub(r"\s+", " ", text(row, "article")).replace(" . ", ". ")
        queries, options = texts(row, "questions"), get(row, "options")
        answers = texts(row, "answers") if row.get("answers") else None
        if not isinstance(options, list) or {len(options), len(answers or queries)} != {len(queries)}:
            raise UserError(f"{where_of(row)}: options and answers must be lists with an entry for each question")
        for place, question in enumerate(queries):
            fields = {"passage": passage, "question": question}
            if "_" in question:
                before, after = question.split("_", 1)
                lowered = f" {before.rstrip()}" if before.strip() else ""
                fields |= {"before": before, "after": after, "before_lower": lowered}
            what = f"{where_of(row)}: question {place + 1}"
            instances.append(
                Instance(
                    uid=f"{get(row, 'id')}-{place}",
                    fields=fields,
                    choices=as_texts(options[place], f"{what}: options"),
                    gold=_letter(answers[place], what) if answers else None,
                    form="blank" if "_" in question else "",
                )
            )
    return instances


def _letter(answer: str, what: str) -> int:
    if answer not in tuple("ABCD"):
        raise UserError(f"{what}: the answer must be A, B, C or D, got {answer!r}")
    return "ABCD".index(answer)


def squad(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """SQuAD's and CMRC's paragraphs: the one choice is the first answer given."""
    return [
        Instance(
            uid=question.uid,
            fields={"context": question.context, "question": question.question},
            choices=question.answers[:1],
            gold=1,
        )
        for question in questions(rows)
    ]


def ocnli(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """Rows on whose label the annotators did not agree ("-") have none and are left out, as the benchmark does."""
    kept = [row for row in rows if row.get("label") != "-"]
    return Simple({"sentence1": "sentence1", "sentence2": "sentence2"}, str)(kept, split, labels)


def csl(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    return [
        Instance(
            uid=uid(row, place),
            fields={"abstract": text(row, "abst"), "keywords": "、".join(texts(row, "keyword"))},
            gold=label(row, labels),
        )
        for place, row in enumerate(rows)
    ]


def chid(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """A sentence with #idiom# where one of the candidates belongs."""
    instances = []
    for place, row in enumerate(rows):
        before, idiom, after = text(row, "content").partition("#idiom#")
        if not idiom:
            raise UserError(f"{where_of(row)}: column 'content' has no #idiom# in it")
        choices = texts(row, "candidates")
        gold = None if row.get("answer") is None else number(row, "answer", len(choices))
        fields = {"before": before, "after": after}
        instances.append(Instance(uid=uid(row, place), fields=fields, choices=choices, gold=gold))
    return instances


def cmmlu(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    return [
        Instance(
            uid=f"{getattr(row, 'file', '')}-{uid(row, place)}",
            fields={
                "subject": getattr(row, "file", "").replace("_", " "),
                "question": text(row, "Question"),
                "options": " ".join(f"{letter}. {text(row, letter)}" for letter in labels),
            },
            gold=label(row, labels, "Answer"),
        )
        for place, row in enumerate(rows)
    ]
