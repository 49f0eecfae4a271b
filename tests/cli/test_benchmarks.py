"""Benchmarks in the form in which they are published: names of files, fields and labels; evaluated and learned from."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

Rows = Sequence[Mapping[str, Any]]


def lines(rows: Rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def tsv(header: str, *rows: str) -> str:
    return "\n".join([header.replace(" | ", "\t"), *(row.replace(" | ", "\t") for row in rows)]) + "\n"


def _wsc(label: bool, idx: int) -> dict[str, Any]:
    target = {"span2_index": 3, "span1_index": 0, "span1_text": "Mark", "span2_text": "he"}
    return {"text": "Mark fell when he ran.", "target": target, "idx": idx, "label": label}


def _cluewsc(label: str, idx: int) -> dict[str, Any]:
    target = {"span2_index": 6, "span1_index": 0, "span1_text": "李鸣", "span2_text": "他"}
    return {"target": target, "idx": idx, "label": label, "text": "李鸣跑步时，他跌倒了。"}


def _question(number: int, labels: Sequence[int]) -> dict[str, Any]:
    answers = [{"text": f"mu {place}", "idx": place, "label": label} for place, label in enumerate(labels)]
    return {"question": "De ki?", "answers": answers, "idx": number}


_PASSAGE = "Paris met Rome in May.\n@highlight\nRome won"
_RECORD = {
    "source": "Daily mail",
    "passage": {"text": _PASSAGE, "entities": [{"start": 0, "end": 4}, {"start": 10, "end": 13}]},
    "qas": [
        {"query": "@placeholder lost", "answers": [{"start": 0, "end": 4, "text": "Paris"}], "idx": n} for n in range(2)
    ],
    "idx": 7,
}
_MNLI = "index | promptID | pairID | genre | sentence1_binary_parse | sentence2_binary_parse | sentence1_parse"
_MNLI += " | sentence2_parse | sentence1 | sentence2 | label1 | {more}gold_label"
_MNLI_ROW = "0 | 1 | 1n | fiction | ( a ) | ( b ) | (ROOT a) | (ROOT b) | Ba de. | Mu. | {more}"
_RACE = {
    "answers": ["B", "A"],
    "options": [["ba", "de", "ki", "lo"], ["mu", "na", "ki", "de"]],
    "questions": ["Who is it?", "He _ at last."],
    "article": "Ba de \n ki .  Lo mu.",
    "id": "middle1.txt",
}

FILES: dict[str, dict[str, str]] = {  # task: file -> text; as the official releases have them
    "cb": {
        f"superglue/CB/{name}.jsonl": lines(
            [
                {"premise": "Ba de.", "hypothesis": f"ki {n}", "label": label, "idx": n}
                for n, label in enumerate(["entailment", "contradiction", "neutral", "entailment"])
            ]
        )
        for name in ("train", "val")
    },
    "wsc": {f"WSC/{name}.jsonl": lines([_wsc(n % 2 == 0, n) for n in range(4)]) for name in ("train", "val")},
    "multirc": {
        f"MultiRC/{name}.jsonl": lines(
            [
                {
                    "idx": 0,
                    "version": 1.1,
                    "passage": {
                        "text": "Ba de ki. Lo mu.",
                        "questions": [_question(0, (1, 0)), _question(1, (0, 1, 1))],
                    },
                }
            ]
        )
        for name in ("train", "val")
    },
    "record": {f"ReCoRD/{name}.jsonl": lines([_RECORD]) for name in ("train", "val")},
    "bustm": {
        f"fewclue/bustm/{name}.json": lines(
            [{"id": n, "sentence1": "几点了", "sentence2": "现在几点", "label": str(n % 2)} for n in range(4)]
        )
        for name in ("train_0", "dev_0")
    },
    "chid": {
        f"fewclue/chid/{name}.json": lines(
            [
                {
                    "id": n,
                    "candidates": ["巧言令色", "措手不及", "风流人物", "八仙过海", "平铺直叙", "草木皆兵", "言行一致"],
                    "content": "让人#idiom#的消息",
                    "answer": n,
                }
                for n in range(4)
            ]
        )
        for name in ("train_0", "dev_0")
    },
    "cluewsc": {
        f"fewclue/cluewsc/{name}.json": lines([_cluewsc("true" if n % 2 else "false", n) for n in range(4)])
        for name in ("train_0", "dev_0")
    },
    "afqmc": {
        f"clue/afqmc/{name}.json": lines(
            [{"sentence1": "怎么还款", "sentence2": "如何还钱", "label": str(n % 2)} for n in range(4)]
        )
        for name in ("train", "dev")
    },
    "sst2": {
        f"glue/SST-2/{name}.tsv": tsv("sentence | label", "it 's \" fun  | 1", "dull  | 0") for name in ("train", "dev")
    },
    "cola": {
        f"glue/CoLA/{name}.tsv": tsv("gj04 | 1 |  | They ran.", "gj04 | 0 | * | They runned.")
        for name in ("train", "dev")
    },
    "mrpc": {
        f"glue/MRPC/{name}.tsv": "\ufeff"
        + tsv(
            "Quality | #1 ID | #2 ID | #1 String | #2 String",
            '1 | 7 | 8 | He said " no | No , he said',
            "0 | 1 | 2 | Ba | De",
        )
        for name in ("train", "dev")
    },
    "qqp": {
        f"glue/QQP/{name}.tsv": tsv(
            "id | qid1 | qid2 | question1 | question2 | is_duplicate",
            "1 | 2 | 3 | Why? | How? | 0",
            "4 | 5 | 6 | Who? | Who is? | 1",
        )
        for name in ("train", "dev")
    },
    "qnli": {
        f"glue/QNLI/{name}.tsv": tsv(
            "index | question | sentence | label", "0 | Who? | Ba. | entailment", "1 | Why? | De. | not_entailment"
        )
        for name in ("train", "dev")
    },
    "mnli": {
        "glue/MNLI/train.tsv": tsv(
            _MNLI.format(more=""), *(_MNLI_ROW.format(more=f"{name} | {name}") for name in ("neutral", "entailment"))
        ),
        "glue/MNLI/dev_matched.tsv": tsv(
            _MNLI.format(more="label2 | label3 | label4 | label5 | "),
            *(_MNLI_ROW.format(more=" | ".join([name] * 6)) for name in ("neutral", "contradiction")),
        ),
    },
    "race": {f"RACE/{name}/middle/1.txt": json.dumps(_RACE) for name in ("train", "dev", "test")},
}


def csv_of(*rows: Sequence[str]) -> str:
    table = io.StringIO()
    csv.writer(table, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return table.getvalue()


FILES["agnews"] = {f"agnews/{n}.csv": csv_of(("3", "Ba", 'De "ki"'), ("1", "Mu\\na", "Lo")) for n in ("train", "test")}
FILES["cmmlu"] = {
    f"cmmlu/{split}/agronomy.csv": csv_of(
        ("", "Question", "A", "B", "C", "D", "Answer"),
        *((str(n), "谁？", "一", "二", "三", "四", "ABCD"[n]) for n in range(3)),
    )
    for split in ("dev", "test")
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for files in FILES.values():
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from glmkit.testing import tiny

    path = tmp_path_factory.mktemp("tiny") / "model"
    tiny("glm").save(path)
    return path


ROWS = {"wsc": 4, "multirc": 5, "record": 2, "race": 2, "agnews": 2, "cmmlu": 3}
ROWS |= dict.fromkeys(("cb", "bustm", "chid", "cluewsc", "afqmc"), 4)
ROWS |= dict.fromkeys(("sst2", "cola", "mrpc", "qqp", "qnli", "mnli"), 2)
GOLD = {
    "cb": ["entailment", "contradiction", "neutral", "entailment"],
    "wsc": ["True", "False", "True", "False"],
    "multirc": ["1", "0", "0", "1", "1"],
    "record": [["Paris"], ["Paris"]],
    "chid": ["巧言令色", "措手不及", "风流人物", "八仙过海"],
    "race": ["de", "mu"],
    "cola": ["1", "0"],
    "agnews": ["3", "1"],
    "mnli": ["neutral", "contradiction"],
    "cmmlu": ["A", "B", "C"],
}


def test_every_benchmark_is_read_and_measured_as_published(data: Path, model: Path, run: Run) -> None:
    """The metrics are worked out again from what was predicted, as the benchmarks' own scripts do."""
    assert set(ROWS) == set(FILES)
    paths = data / "result.json", data / "rows.jsonl"
    code, _, err = run("eval", model, "--tasks", ",".join(FILES), "--data", data, "--json", paths[0], "--log", paths[1])
    assert code == 0, err
    result = {load["task"]: load for load in json.loads(paths[0].read_text())["results"]}
    logged = [json.loads(line) for line in paths[1].read_text().splitlines()]
    for task, count in ROWS.items():
        rows = [row for row in logged if row["task"] == task]
        assert result[task]["rows"] == len(rows) == count, task
        if task in GOLD:
            assert [row["gold"] for row in rows] == GOLD[task]
        values = {name: value["value"] for name, value in result[task]["metrics"].items()}
        said, true = [row["predicted"] for row in rows], [row["gold"] for row in rows]
        right = [a == b or a in b for a, b in zip(said, true, strict=True)]
        if "accuracy" in values:
            assert values["accuracy"] == pytest.approx(sum(right) / count), task
        if task == "cb":
            classes = [f1(name, said, true) for name in {*said, *true}]
            assert values["macro_f1"] == pytest.approx(sum(classes) / len(classes))
        if task == "multirc":
            assert values["f1a"] == pytest.approx(f1("1", said, true))
            assert values["em"] == pytest.approx((all(right[:2]) + all(right[2:])) / 2)
        if task == "record":
            assert values == {"qa_em": sum(right) / 2, "qa_f1": sum(right) / 2}  # its entities are words apart
    assert result["wsc"]["notes"] == ["val.jsonl"]


def f1(label: str, said: Sequence[str], true: Sequence[str]) -> float:
    both = sum(a == b == label for a, b in zip(said, true, strict=True))
    return 2 * both / (said.count(label) + true.count(label)) if both else 0.0


@pytest.mark.slow
@pytest.mark.parametrize("task", [*FILES])
def test_every_benchmark_is_learned_from(task: str, data: Path, model: Path, run: Run) -> None:
    loss = "generative" if task == "wsc" else "cross_entropy"
    built = ["finetune", model, "--task", "cloze", f"data.name={task}", f"data.dir={data}", f"output={data / task}-run"]
    code, _, err = run(*built, "epochs=1", f"loss={loss}", "length=256", "dropout=0", "schedule.warmup=0")
    assert code == 0, err
    events = [json.loads(line) for line in (data / f"{task}-run/log.jsonl").read_text().splitlines()]
    (step,) = [event for event in events if event["kind"] == "step"]
    assert step["loss"] > 0
    assert step["grad_norm"] > 0


def test_one_answer_a_row_teaches_no_choice(data: Path, model: Path, run: Run) -> None:
    built = ["finetune", model, "--task", "cloze", "data.name=wsc", f"data.dir={data}", f"output={data / 'run'}"]
    code, _, err = run(*built)
    assert code == 2
    assert "WSC/train.jsonl: its rows offer one answer each, of which cross_entropy learns nothing" in err
    assert "loss=generative" in err
