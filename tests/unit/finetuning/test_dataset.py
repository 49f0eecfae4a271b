"""Rows of the user's own files as a task: labels, columns, and the rows held out."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from glmkit.core.errors import UserError
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.dataset import hold_out, open_dataset
from glmkit.finetuning.task_run import fingerprint
from glmkit.tasks.custom import CustomTask, build, read_spec


def config_of(
    folder: Path, content: str, name: str = "t.csv", task: str = "classify", **data: object
) -> FinetuneConfig:
    (folder / name).write_bytes(content.encode())
    split = {"dev_share": 0.25} if content.count("\n") > 4 else {"dev": str(folder / name)}
    kept = DataConfig(train=str(folder / name), **{**split, **data})  # type: ignore[arg-type]
    return FinetuneConfig(task=task, data=kept, pattern="{text} [MASK]" if task == "cloze" else "")  # type: ignore[arg-type]


def test_rows_are_held_out_by_the_seed_alone_and_of_every_label_alike() -> None:
    rows = [(number, "ab"[number % 4 == 0]) for number in range(40)] + [(40, "c")]
    train, dev = hold_out(rows, 0.25, 7, lambda row: row[1])
    assert sorted(train + dev) == rows
    assert train == sorted(train)
    assert len(dev) == 10
    held = Counter(label for _, label in dev)
    assert held["a"] in (7, 8)
    assert held["b"] in (2, 3)
    assert held["c"] == 0  # the only row of a label is learned from
    assert hold_out(rows, 0.25, 7, lambda row: row[1]) == (train, dev)
    assert hold_out(rows, 0.25, 8, lambda row: row[1]) != (train, dev)
    assert [len(part) for part in hold_out(rows, 0.001, 0)] == [40, 1]
    with pytest.raises(UserError, match="1 rows are too few to hold out any of them"):
        hold_out(rows[:1], 0.5, 0)


def test_a_share_is_held_out_where_there_is_no_dev_file_and_said(tmp_path: Path) -> None:
    config = config_of(tmp_path, "text,label\n" + "".join(f"a{n},{n % 2}\n" for n in range(20)))
    result = open_dataset(config)
    assert (len(result.train), len(result.dev)) == (15, 5)
    assert "5 of the 20 rows of" in result.notes[0]
    assert "data.dev_share=0.25, seed=0" in result.notes[0]
    assert not {item.where for item in result.train} & {item.where for item in result.dev}
    with pytest.raises(UserError, match=r"no dev rows: give data\.dev=FILE .* or data\.dev_share=0\.1"):
        open_dataset(config_of(tmp_path, "text,label\na,0\nb,1\n", dev=""))
    with pytest.raises(UserError, match="give one of them"):
        DataConfig(train="a", dev="b", dev_share=0.1)


NEWS = "".join(f'"{1 + n % 4}","title, {n}","body {n}"\n' for n in range(16))


def test_files_without_a_line_of_names(tmp_path: Path) -> None:
    config = config_of(tmp_path, NEWS, header=False, text="1,2", label="0")
    result = open_dataset(config)
    assert result.task.labels == ("1", "2", "3", "4")
    assert result.train[0].fields.keys() == {"1", "2"}
    assert result.custom is not None
    assert not result.custom.header
    with pytest.raises(UserError, match=r"no column '3'; known: 0, 1, 2"):
        open_dataset(config_of(tmp_path, NEWS, header=False, text="3", label="0"))
    with pytest.raises(UserError, match=r"no column '0'; known: .*give data\.header=false"):
        open_dataset(config_of(tmp_path, NEWS, text="1", label="0"))


def test_labels_of_json_are_what_they_mean(tmp_path: Path) -> None:
    rows = "".join(f'{{"text": {n}, "label": {("true", "false")[n % 2]}}}\n' for n in range(8))
    result = open_dataset(config_of(tmp_path, rows, "t.jsonl", words="true=yes, false=no"))
    assert result.task.labels == ("true", "false")
    assert {item.fields["text"]: item.gold for item in [*result.train, *result.dev]}["3"] == 1


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"text": [1], "label": "a"}\n{"text": "b", "label": "b"}\n', r":1: column 'text' holds \[1\]"),
        ('{"text": "a", "label": "a"}\n{"text": true, "label": "b"}\n', r":2: column 'text' holds True"),
        ('{"text": "a", "label": "a"}\n{"text": null, "label": "b"}\n', r":2: empty text"),
        ('{"text": "a", "label": "a"}\n{"text": "b", "label": ["b"]}\n', r":2: column 'label' holds"),
        ('{"text": "a", "label": "a"}\n{"text": "b", "label": "b"}\n{"text": "b"}\n', r":3: no 'label'; known: text"),
        ('{"text": "a", "label": "a"}\n{"text": "b", "label": "b"}\n{"label": "b"}\n', r":3: no 'text'; known: label"),
        ('{"text": "a", "label": "a"}\n{"text": "b", "label": "b\\ud800"}\n', r":2: column 'label' is no Unicode"),
    ],
)
@pytest.mark.parametrize("task", ["classify", "cloze"])
def test_a_cell_that_is_no_text_is_named(task: str, content: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=line):
        open_dataset(config_of(tmp_path, content, "t.jsonl", task))


def test_a_pattern_that_reads_the_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the pattern reads 'label', the label's own column"):
        open_dataset(config_of(tmp_path, "text,label\na,0\nb,1\n", text="text,label"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("words: {a: , b: }\npattern: '{text} [MASK]'", "'' is the word of several labels"),
        ("words: {a: [1], b: x}\npattern: '{text} [MASK]'", r"the word of 'a' holds \[1\]; it must be text"),
        ('words: {a: "\\ud83d", b: x}\npattern: "{text} [MASK]"', "no Unicode text|is not YAML"),
        ("data: {train: [1]}", r"data\['train'\] must be text"),
        ("encoding: gkb", "encoding: unknown encoding 'gkb'"),
        ("header: 3", "header must be true or false"),
    ],
)
def test_a_yaml_task_that_is_no_task_is_named(content: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(content)
    with pytest.raises(UserError, match=line) as caught:
        build(read_spec(tmp_path / "t.yaml"), str(tmp_path / "t.yaml"))
    assert str(tmp_path / "t.yaml") in str(caught.value)


def test_a_yaml_task_says_how_its_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "pair: ['{1}']\nlabel: '0'\nwords: {好: a, 坏: b}\nheader: false\nencoding: gbk\n"
        "data: {train: t.csv, dev: t.csv}\n",
        encoding="utf-8",
    )
    (tmp_path / "t.csv").write_bytes("好,真好\n坏,真坏\n".encode("gbk"))
    result = open_dataset(FinetuneConfig(data=DataConfig(name=str(tmp_path / "t.yaml"))))
    assert [item.fields["1"] for item in result.train] == ["真好", "真坏"]


def test_a_task_to_be_answered_needs_no_labels() -> None:
    task = build(CustomTask(name="t", pair=("{review}",), words={"a": "x", "b": "y"}, label="sentiment"), "t")
    assert task.read([{"review": "r"}], "test")[0].gold is None
    with pytest.raises(UserError, match="no 'sentiment'; known: review"):
        task.read([{"review": "r"}], "dev")


def test_the_hash_of_rows_is_what_version_0_1_0_wrote(tmp_path: Path) -> None:
    """It was over every column but the label's, whatever the task reads."""
    rows = [{"id": n, "text": f"a{n}", "label": n % 2, "from": {"page": n}, "checked": True} for n in range(4)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    result = fingerprint(open_dataset(config_of(tmp_path, content, "t.jsonl")))
    cells = [
        [{"id": f"{n}", "text": f"a{n}", "from": f"{{'page': {n}}}", "checked": "True"}, [], n % 2] for n in range(4)
    ]
    assert result["sha256"] == hashlib.sha256(json.dumps(cells * 2).encode()).hexdigest()


def test_words_of_true_and_false_by_json_s_names_or_python_s(tmp_path: Path) -> None:
    """Version 0.1.0 knew the second alone: its runs go on with the words they were given."""
    content = "".join(json.dumps({"text": f"a{n}", "label": n % 2 == 0}) + "\n" for n in range(4))
    for words in ("false=no,true=yes", "False=no,True=yes"):
        result = open_dataset(config_of(tmp_path, content, "t.jsonl", "cloze", words=words))
        assert result.custom is not None
        assert [*result.custom.words.values()] == ["no", "yes"]
        assert [item.gold for item in result.train] == [1, 0, 1, 0]
