"""From the rows of each benchmark's own files to instances, as the original's processors do.

A reader takes the rows of a whole file, the name of the split and the task's labels. Training rows may differ: COPA's
are there twice, mirrored; WSC's only where they are true; ReCoRD's once for each right answer, with at most 9 wrong
ones.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glmkit.core.errors import UserError, nearest
from glmkit.tasks.instance import Instance
from glmkit.tasks.winograd import marked_characters, marked_words

Row = Mapping[str, Any]
Labels = Sequence[str]
Reader = Callable[[Sequence[Row], str, Labels], list[Instance]]

_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-"})


def plain(text: str) -> str:
    """English text with straight quotes and short dashes, as GLM was trained on."""
    return text.translate(_QUOTES)


def get(row: Row, key: str) -> Any:
    """A field of a row. Raises UserError naming it and the row."""
    if key not in row:
        raise UserError(f"{row.get('_where', 'row')}: no {key!r}{nearest(key, [k for k in row if k != '_where'])}")
    return row[key]


def label(row: Row, labels: Labels, key: str = "label") -> int | None:
    """The number of the row's label; None where there is none. Raises UserError for an unknown one."""
    value = row.get(key)
    if value is None or value == "":
        return None
    name = str(value)
    if isinstance(value, bool) and name not in labels:
        name = name.lower()
    if name in labels:
        return list(labels).index(name)
    raise UserError(f"{row.get('_where', 'row')}: unknown label {str(value)!r}; it must be one of {', '.join(labels)}")


def uid(row: Row, number: int) -> str:
    return str(row.get("idx", row.get("id", number)))


def simple(columns: Mapping[str, str], change: Callable[[str], str] = plain, key: str = "label") -> Reader:
    """A reader for rows that are instances as they stand. `columns`: our name of a field -> the file's."""

    def read(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
        return [
            Instance(
                uid=uid(row, number),
                fields={name: change(str(get(row, column))) for name, column in columns.items()},
                gold=label(row, labels, key),
            )
            for number, row in enumerate(rows)
        ]

    return read


entailment = simple({"premise": "premise", "hypothesis": "hypothesis"})
boolq = simple({"passage": "passage", "question": "question"})
mnli = simple({"premise": "sentence1", "hypothesis": "sentence2"}, key="gold_label")
qnli = simple({"question": "question", "passage": "sentence"})
qqp = simple({"text1": "question1", "text2": "question2"}, key="is_duplicate")
mrpc = simple({"text1": "#1 String", "text2": "#2 String"}, key="Quality")
sst2 = simple({"text": "sentence"})
cola = simple({"text": "3"}, key="1")
xstance = simple({"question": "question", "comment": "comment"})
same = simple({"sentence1": "sentence1", "sentence2": "sentence2"}, str)
eprstmt = simple({"sentence": "sentence"}, str)
chnsenticorp = simple({"sentence": "text_a"}, str)
tnews = simple({"sentence": "sentence", "keywords": "keywords"}, str)


def _unescaped(text: str) -> str:
    return plain(text.replace("\\n", " ").replace("\\", " "))


agnews = simple({"title": "1", "body": "2"}, lambda text: plain(text.replace("\\", " ")), "0")
yelp = simple({"text": "1"}, _unescaped, "0")


def yahoo(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """Question title and body together, then the answer."""
    instances = simple({"head": "1", "rest": "2", "body": "3"}, _unescaped, "0")(rows, split, labels)
    return [
        Instance(
            uid=each.uid,
            fields={"title": f"{each.fields['head']} {each.fields['rest']}", "body": each.fields["body"]},
            gold=each.gold,
        )
        for each in instances
    ]


def wic(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    found = []
    for number, row in enumerate(rows):
        fields = {"sentence1": plain(get(row, "sentence1")), "sentence2": plain(get(row, "sentence2"))}
        fields |= {"word": get(row, "word")}
        found.append(Instance(uid=uid(row, number), fields=fields, gold=label(row, labels)))
    return found


_JOINERS = {"cause": (" because", "because"), "effect": (", so", "so")}


def copa(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """`joiner` leads from the premise to the blank, `link` is the answer of the pattern that asks for the joiner."""
    found = []
    for number, row in enumerate(rows):
        question = get(row, "question")
        if question not in _JOINERS:
            raise UserError(f"{row.get('_where', 'row')}: question must be cause or effect, got {question!r}")
        joiner, link = _JOINERS[question]
        fields = {"premise": get(row, "premise"), "joiner": joiner, "link": link}
        gold = None if row.get("label") is None else int(row["label"])
        found.append(_copa(uid(row, number), fields, (get(row, "choice1"), get(row, "choice2")), gold))
    if split == "train":
        found += [_copa(f"{i.uid}m", i.fields, i.choices[::-1], None if i.gold is None else 1 - i.gold) for i in found]
    return found


def _copa(uid: str, fields: Mapping[str, str], choices: tuple[str, ...], gold: int | None) -> Instance:
    fields = {**fields, "choice1": choices[0], "choice2": choices[1]}
    return Instance(uid=uid, fields=fields, choices=choices, gold=gold)


def multirc(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    found = []
    for row in rows:
        passage = plain(get(row, "passage")["text"])
        for question in get(row, "passage")["questions"]:
            for answer in question["answers"]:
                fields = {
                    "passage": passage,
                    "question": plain(question["question"]),
                    "answer": plain(answer["text"]),
                }
                found.append(
                    Instance(
                        uid=f"{row['idx']}-{question['idx']}-{answer['idx']}",
                        fields=fields,
                        gold=label({**answer, "_where": row.get("_where", "row")}, labels),
                        group=str(question["idx"]),
                    )
                )
    return found


_NEGATIVES = 9  # wrong entities beside the right one in training


def record(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """The candidates are the passage's marked entities. In training every right one makes a row of its own; the
    wrong ones beside it are drawn anew from row to row, always the same for the same file."""
    draw = random.Random(42)
    found = []
    for row in rows:
        text = plain(get(row, "passage")["text"])
        entities = sorted({text[e["start"] : e["end"] + 1] for e in row["passage"]["entities"]})
        passage = text.replace("@highlight\n", "- ")  # as GPT-3 and GLM write the summary's lines
        for question in get(row, "qas"):
            query = plain(question["query"])
            if "@placeholder" not in query:
                raise UserError(f"{row.get('_where', 'row')}: query {query!r} has no @placeholder")
            before, after = query.split("@placeholder", 1)
            fields = {"passage": passage, "query": query, "before": before, "after": after}
            golds = tuple(dict.fromkeys(plain(answer["text"]) for answer in question.get("answers", ())))
            name = f"{row['idx']}-{question['idx']}"
            if split != "train":
                gold = next((n for n, entity in enumerate(entities) if entity in golds), None)
                found.append(Instance(uid=name, fields=fields, choices=tuple(entities), golds=golds, gold=gold))
                continue
            for number, answer in enumerate(golds):
                wrong = [entity for entity in entities if entity not in golds]
                if len(wrong) > _NEGATIVES:
                    draw.shuffle(wrong)
                choices = (answer, *wrong[:_NEGATIVES])
                found.append(Instance(uid=f"{name}-{number}", fields=fields, choices=choices, golds=(answer,), gold=0))
    return found


def wsc(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """The pronoun is marked by asterisks. Rows with `candidates` choose among them and the span asked about, others
    are judged by whether the model would write the span. Training rows are the true ones, candidates by nines."""
    found = []
    for number, row in enumerate(rows):
        target = get(row, "target")
        text = marked_words(plain(get(row, "text")), target, str(row.get("_where", "row")))
        gold = label(row, labels)
        if split == "train" and gold != 1:
            continue
        fields = {"text": text, "pronoun": target["span2_text"], "span": target["span1_text"]}
        others = list(dict.fromkeys(candidate["text"] for candidate in row.get("candidates", ())))
        groups = [others]
        if split == "train" and len(others) > _NEGATIVES:
            groups = [others[at : at + _NEGATIVES] for at in range(0, len(others), _NEGATIVES)]
            groups[-1] += others[: _NEGATIVES - len(groups[-1])]
        for group in groups:
            found.append(
                Instance(uid=uid(row, number), fields=fields, choices=(target["span1_text"], *group), gold=gold)
            )
    return found


def cluewsc(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    found = []
    for number, row in enumerate(rows):
        target = get(row, "target")
        fields = {"text": marked_characters(get(row, "text"), target)}
        fields |= {"pronoun": target["span2_text"], "span": target["span1_text"]}
        found.append(Instance(uid=uid(row, number), fields=fields, gold=label(row, labels)))
    return found


def race(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """A question with `_` in it is a sentence to complete: its own form of the pattern."""
    found = []
    for row in rows:
        passage = re.sub(r"\s+", " ", get(row, "article")).replace(" . ", ". ")
        for number, question in enumerate(get(row, "questions")):
            fields = {"passage": passage, "question": question}
            if "_" in question:
                before, after = question.split("_", 1)
                lowered = f" {before.rstrip()}" if before.strip() else ""
                fields |= {"before": before, "after": after, "before_lower": lowered}
            found.append(
                Instance(
                    uid=f"{row['id']}-{number}",
                    fields=fields,
                    choices=tuple(row["options"][number]),
                    gold="ABCD".index(row["answers"][number]) if row.get("answers") else None,
                    form="blank" if "_" in question else "",
                )
            )
    return found


def squad(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """SQuAD's and CMRC's paragraphs: the one choice is the first answer given."""
    found = []
    for row in rows:
        for paragraph in row.get("paragraphs", ()):
            for question in paragraph["qas"]:
                golds = tuple(dict.fromkeys(answer["text"] for answer in question["answers"]))
                fields = {"context": paragraph["context"], "question": question["question"]}
                found.append(Instance(uid=str(question["id"]), fields=fields, choices=golds[:1], gold=1))
    return found


def ocnli(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """Rows on whose label the annotators did not agree ("-") have none and are left out, as the benchmark does."""
    kept = [row for row in rows if row.get("label") != "-"]
    return simple({"sentence1": "sentence1", "sentence2": "sentence2"}, str)(kept, split, labels)


def csl(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    return [
        Instance(
            uid=uid(row, number),
            fields={"abstract": get(row, "abst"), "keywords": "、".join(get(row, "keyword"))},
            gold=label(row, labels),
        )
        for number, row in enumerate(rows)
    ]


def chid(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    """A sentence with #idiom# where one of the candidates belongs."""
    found = []
    for number, row in enumerate(rows):
        before, after = get(row, "content").split("#idiom#", 1)
        gold = None if row.get("answer") is None else int(row["answer"])
        fields = {"before": before, "after": after}
        found.append(Instance(uid=uid(row, number), fields=fields, choices=tuple(get(row, "candidates")), gold=gold))
    return found


def cmmlu(rows: Sequence[Row], split: str, labels: Labels) -> list[Instance]:
    return [
        Instance(
            uid=f"{row.get('_file', '')}-{uid(row, number)}",
            fields={
                "subject": str(row.get("_file", "")).replace("_", " "),
                "question": get(row, "Question"),
                "options": " ".join(f"{letter}. {get(row, letter)}" for letter in labels),
            },
            gold=label(row, labels, "Answer"),
        )
        for number, row in enumerate(rows)
    ]
