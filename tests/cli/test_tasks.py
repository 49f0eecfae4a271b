"""eval, finetune and predict: the commands of the documents on tiny data, and what bad input gets."""

import csv
import json
import os
import random
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.core.strict_json import parse
from glmkit.generate.scheduler import Scheduler
from glmkit.tasks.tables import read_rows

from .conftest import Run

DOCS = Path(glmkit.__file__).parents[2] / "docs"
YAML = """name: reviews
patterns: ["{text} It was [MASK].", "[MASK]: {text}"]
words: {neg: ba, pos: de}
pair: ["{text}"]
data: {train: train.tsv, dev: dev.tsv}
"""


@pytest.fixture
def place(model_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with what the documents' commands name."""
    shutil.copytree(model_directory, tmp_path / "runs/first/model")
    rng = random.Random(0)
    for split, count in (("train", 12), ("dev", 8)):
        lines = [f"{' '.join(rng.choices(['ba', 'de', 'mu'], k=4))}\t{('neg', 'pos')[n % 2]}" for n in range(count)]
        (tmp_path / f"{split}.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    (tmp_path / "reviews.yaml").write_text(YAML)
    (tmp_path / "book.txt").write_text("ba de mu ki. " * 30 + "\n\nlo na mu.\n")
    copa = [
        {"premise": "Ba.", "choice1": "De.", "choice2": "Mu.", "question": q, "label": n % 2, "idx": n}
        for n, q in enumerate(["cause", "effect"] * 3)
    ]
    folder = tmp_path / "data/superglue/COPA"
    folder.mkdir(parents=True)
    for name in ("train", "val"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in copa))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(page: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("page", ["cloze.md", "classification.md", "evaluation.md", "language-modelling.md"])
def test_the_commands_of_the_documents_run(page: str, place: Path, run: Run) -> None:
    results = commands(page)
    assert results
    for command in results:
        code, out, err = run(*command)
        assert code == 0, (command, err)
    if page == "cloze.md":
        code, out, _ = run("data", "show", "runs/reviews", "--index", "1")
        assert "[MASK]" in out
        assert "right " in out
        lines = (place / "predicted.csv").read_text().splitlines()
        assert lines[0] == "label,p(neg),p(pos),text,label (given)"
        assert len(lines) == 9
    if page == "evaluation.md":
        result = parse((place / "result.json").read_text())
        assert {item["task"] for item in result["results"]} == {"copa", "reviews"}
        assert len((place / "rows.jsonl").read_text().splitlines()) == 6 + 8
        assert "McNemar" in out


def test_dry_run_trains_nothing_and_says_how_long(place: Path, run: Run) -> None:
    code, out, _ = run(
        "finetune", "runs/first/model", "--task", "classify", "data.train=train.tsv", "data.dev=dev.tsv",
        "length=8", "output=runs/x", "--dry-run",
    )  # fmt: skip
    assert code == 0
    assert "12 rows to learn from, 8 to measure" in out
    assert "rows are longer than length=8 and are cut" in out
    assert "class   neg, weight 1" in out
    assert not os.path.exists("runs/x")


def test_a_figure_that_is_not_known_is_null_in_json(place: Path, run: Run) -> None:
    """A perplexity has no interval; NaN would be no JSON."""
    code, _, errors = run("eval", "runs/first/model", "--perplexity", "book.txt", "--json", "out.json")
    assert (code, errors) == (0, "")
    results = parse((place / "out.json").read_text())["results"]
    figures = [figure for result in results for figure in result["metrics"].values()]
    assert figures
    assert all(figure["low"] is None and figure["value"] > 1 for figure in figures)


FINETUNE = ["finetune", "runs/first/model", "data.train=train.tsv", "data.dev=dev.tsv", "output=runs/x", "length=48"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([*FINETUNE, "data.text=txt"], "train.tsv:2: no column 'txt'; did you mean 'text'?"),
        ([*FINETUNE, "data.label=lable"], "train.tsv:2: no column 'lable'; did you mean 'label'?"),
        ([*FINETUNE, "--task", "cloze"], "task=cloze needs a pattern"),
        ([*FINETUNE, "--task", "cloze", "pattern={text} is it"], "a pattern needs exactly one [MASK], this one has 0"),
        ([*FINETUNE, "--task", "cloze", "pattern={txt} [MASK]"], "train.tsv:2: no 'txt'; did you mean 'text'?"),
        ([*FINETUNE, "data.words=neg=ba"], "data.words has no word for the labels pos"),
        ([*FINETUNE, "data.words=neg ba"], "data.words must be label=word with commas between"),
        ([*FINETUNE, "data.words=neg=ba,pos=ba"], "'ba' is the word of several labels"),
        ([*FINETUNE, "--task", "cloze", "pattern=[MASK]"], "the pattern names no column"),
        ([*FINETUNE, "data.text=text,text,text"], "data.text names 3 columns"),
        ([*FINETUNE, "device=cuda:99", "data.train=none.tsv"], "no device 'cuda:99' on this machine"),
        ([*FINETUNE, "data.dev=odd.tsv"], "odd.tsv:3: unknown label 'odd'; it must be one of neg, pos"),
        ([*FINETUNE, "data.dev=bare.tsv"], "bare.tsv:2: no label"),
        ([*FINETUNE, "data.train=empty.tsv"], "empty.tsv:3: empty text"),
        ([*FINETUNE, "data.train=torn.tsv"], "torn.tsv:3: 1 column where the first line has 2"),
        ([*FINETUNE, "data.train=none.tsv"], "none.tsv: no such file"),
        ([*FINETUNE, "data.train=train.xls"], "train.xls: no such file"),
        ([*FINETUNE, "loss=crossentropy"], "unknown loss 'crossentropy'; did you mean 'cross_entropy'?"),
        ([*FINETUNE, "metric=acc"], "unknown metric 'acc'"),
        (
            [
                *FINETUNE[:-1],
                "length=8",
                "--task",
                "cloze",
                "pattern={text} It was [MASK].",
                "data.words=neg=ba,pos=de",
            ],
            "train.tsv:2: it is too long for the model and nothing in it may be shortened further; raise --length",
        ),
        ([*FINETUNE, "length=100"], "length 100 is longer than the 64 positions of the model; lower it"),
        ([*FINETUNE, "data.name=copa", "data.dir=data"], "task copa has no labels that all rows share: use task=cloze"),
        (["finetune", "runs/first/model", "output=runs/x"], "no train rows: give data.train=FILE"),
        (["eval", "runs/first/model"], "nothing to evaluate"),
        (["eval", "runs/first/model", "--tasks", "cop"], "unknown task 'cop'; did you mean 'copa'?"),
        (["eval", "runs/first/model", "--tasks", "rte", "--data", "data"], "task rte: no val.jsonl"),
        (
            ["eval", "runs/first/model", "--tasks", "copa", "--data", "data", "--pattern", "9"],
            "has no pattern 9; it has 0",
        ),
        (
            ["eval", "runs/first/model", "--tasks", "copa", "--data", "data", "--length", "9"],
            "val.jsonl:1: it is too long for the model and nothing in it may be shortened further; raise --length",
        ),
        (["eval", "runs/first/model", "--tasks", "bad.yaml"], "bad.yaml: unknown key 'word'; did you mean 'words'?"),
        (["eval", "runs/first/model", "--tasks", "copa", "--shots", "-1"], "--shots"),
        (
            ["eval", "runs/first/model", "--perplexity", "book.txt", "--limit", "4"],
            "--limit counts rows of --tasks or --seq2seq, and the text of --perplexity is measured whole",
        ),
        (
            ["eval", "runs/first/model", "--perplexity", "book.txt", "--shots", "2"],
            "--shots is about the rows of --tasks, which is not given: leave it out",
        ),
        (
            ["eval", "runs/first/model", "--tasks", "copa", "--output", "rows.jsonl"],
            "--output is for --seq2seq FILE: leave it out, rows go to --log and results to --json",
        ),
        (
            ["eval", "runs/first/model", "--seq2seq", "rows.jsonl", "--log", "log.jsonl"],
            "--log is not for --seq2seq: leave it out, rows go to --output",
        ),
        (
            ["eval", "runs/first/model", "--seq2seq", "rows.jsonl", "--tasks", "copa"],
            "--tasks is not for --seq2seq: leave it out",
        ),
        (["predict", "runs/first/model", "dev.tsv"], "has no task.json: it was not trained for a task"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(arguments: list[str], line: str, place: Path, run: Run) -> None:
    (place / "odd.tsv").write_text("text\tlabel\nba\tneg\nde\todd\n")
    (place / "bare.tsv").write_text("text\tlabel\nba\t\nde\tpos\n")
    (place / "empty.tsv").write_text("text\tlabel\nba\tneg\n \tpos\n")
    (place / "torn.tsv").write_text("text\tlabel\nba\tneg\nde\n")
    (place / "bad.yaml").write_text("pattern: '{text} [MASK]'\nword: {a: b}\n")
    code, _, err = run(*arguments)
    assert code == 2, err
    assert line in err
    assert len(err.strip().splitlines()) == 1
    assert not os.path.exists("runs/x/checkpoints")


NAMES = [("review", "sentiment"), ("评论", "情感"), ("label", "text"), ("_where", "id"), ("my {text}", "choice")]


@pytest.mark.parametrize(("text", "label"), NAMES)
def test_a_users_own_columns_may_have_any_name(text: str, label: str, place: Path, run: Run) -> None:
    """Trained, predicted with the label's column and without it, and asked in Python."""
    cells = [("ba de", "neg"), ("mu, mu", "pos")] * 6
    with open("own.csv", "w", newline="", encoding="gbk") as file:
        csv.writer(file).writerows([(text, label), *cells])
    settings = [
        f"data.text={text}",
        f"data.label={label}",
        "data.train=own.csv",
        "data.dev_share=0.3",
        "metric=macro_f1",
    ]
    more = ["data.encoding=gbk", "output=runs/own", "length=32", "epochs=1", "precision=float32"]
    code, _, err = run("finetune", "runs/first/model", *settings, *more)
    assert code == 0, err
    assert "4 of the 12 rows of own.csv are held out (data.dev_share=0.3, seed=0)" in " ".join(err.split())
    assert re.search(r"result: macro_f1 [\d.]+%, accuracy [\d.]+%, loss [\d.]+ on 4 rows of dev", err)
    assert re.search(r"step 1: held out \(dev\) loss [\d.]+ macro_f1 [\d.]+% accuracy [\d.]+%", " ".join(err.split()))
    code, _, err = run("predict", "runs/own", "own.csv", "--output", "out.csv", "--encoding", "gbk")
    assert code == 0, err
    rows = read_rows(Path("out.csv"), encoding="gbk")
    assert len(rows) == 12
    assert list(rows[0].values())[-2:] == list(cells[0])
    Path("bare.jsonl").write_text(json.dumps({text: "ba de"}) + "\n", encoding="utf-8")
    code, out, err = run("predict", "runs/own", "bare.jsonl")
    assert code == 0, err
    assert out.splitlines()[1].split(",")[:3] == list(rows[0].values())[:3]
    m = glmkit.load("runs/own")
    requests = [m.classify([given])[0].tolist() for given in ("ba de", {text: "ba de"}, {text: "ba de", label: "?"})]
    assert requests[0] == requests[1] == requests[2]
    assert [f"{chance:.6f}" for chance in requests[0]] == list(rows[0].values())[1:3]


def test_predictions_go_to_excel_and_never_over_what_is_there(place: Path, run: Run) -> None:
    finetune = [*FINETUNE, "epochs=1", "precision=float32"]
    assert run(*finetune)[0] == 0
    predict = ["predict", "runs/x", "dev.tsv", "--output", "out.csv"]
    assert run(*predict, "--encoding", "utf-8-sig") == (0, "", "8 rows in out.csv\n")
    written = Path("out.csv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbflabel,p(neg),p(pos),text,label (given)\n")
    code, _, err = run(*predict)
    assert (code, err) == (2, "glmkit: out.csv exists already; give --overwrite to replace it, or another name\n")
    assert Path("out.csv").read_bytes() == written
    assert run(*predict, "--overwrite")[0] == 0
    assert Path("out.csv").read_bytes() == written.removeprefix(b"\xef\xbb\xbf")
    assert run("predict", "runs/x", "out.csv", "--output", "again.jsonl")[0] == 0
    assert len(read_rows(Path("again.jsonl"))) == 8
    Path("odd.tsv").write_text("text\tlabel\nba 好\tneg\n", encoding="utf-8")
    Path("gbk.tsv").write_text("text\tlabel\nba 好\tneg\n", encoding="gbk")
    Path("book.xlsx").write_bytes(b"PK")
    for arguments, said in (
        (["gbk.tsv"], "gbk.tsv:2: not UTF-8; name its encoding (data.encoding=gb18030, or --encoding gb18030)"),
        (["odd.tsv", "--encoding", "gkb"], "--encoding: unknown encoding 'gkb'"),
        (["odd.tsv", "--output", "new.xlsx"], "unknown format '.xlsx'"),
        (["book.xlsx"], "book.xlsx is a spreadsheet: save it as CSV"),
    ):
        code, _, err = run("predict", "runs/x", *arguments)
        assert code == 2
        assert said in err
    code, _, err = run(*predict[:2], "gbk.tsv", "--encoding", "gbk", "--output", "new.csv")
    assert code == 0, err
    assert "好".encode("gbk") in Path("new.csv").read_bytes()
    Path("face.jsonl").write_text(json.dumps({"text": "ba \U0001f600"}), encoding="ascii")
    code, _, err = run(*predict[:2], "face.jsonl", "--encoding", "big5", "--output", "face.csv")
    assert code == 2
    assert "--encoding big5 has no" in err
    assert not Path("face.csv").exists()


def test_where_and_how_a_model_is_loaded_for_rows(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """eval and predict take the flags of loading; how many rows are read at a time changes nothing but rounding."""
    code, _, err = run(
        "finetune", "runs/first/model", "--task", "classify", "data.train=train.tsv", "data.dev=dev.tsv",
        "epochs=1", "length=16", "output=runs/x",
    )  # fmt: skip
    assert code == 0, err
    sizes: list[int] = []
    step = Scheduler.step

    def counted(engine: Scheduler) -> object:
        sizes.append(len(engine.waiting) + len(engine.reading))
        return step(engine)

    def most() -> int:
        largest = max(sizes)
        sizes.clear()
        return largest

    monkeypatch.setattr(Scheduler, "step", counted)
    chances = {}
    for size, rows in (((), 8), (("--batch-size", 3), 3)):
        code, out, err = run("predict", "runs/x", "dev.tsv", "--device", "cpu", "--dtype", "float32", *size)
        assert code == 0, err
        chances[size] = [float(row["p(neg)"]) for row in csv.DictReader(out.splitlines())]
        assert most() == rows
    assert chances[()] == pytest.approx(chances[("--batch-size", 3)], abs=1e-5)
    assert run("predict", "runs/x", "dev.tsv", "--quantize", "8bit", "--threads", torch.get_num_threads())[0] == 0
    command = ["eval", "runs/first/model", "--tasks", "reviews.yaml", "--json"]
    for name, more, rows in (("one", ["--batch-size", "1"], 1), ("all", [], 8)):
        sizes.clear()
        assert run(*command, f"{name}.json", *more)[0] == 0
        assert most() == rows
    one, every = (json.loads(Path(f"{name}.json").read_text())["results"] for name in ("one", "all"))
    assert one == every
    command = ["eval", "runs/first/model", "--seq2seq", "rows.jsonl", "--max-tokens", "2", "--json"]
    Path("rows.jsonl").write_text(json.dumps({"source": "ba de", "target": "mu"}) + "\n")
    assert run(*command, "w.json", "--batch-size", 1, "--quantize", "int8", "--dtype", "bfloat16")[0] == 0
    code, _, err = run(*command, "w.json", "--device", "foo")
    assert (code, "no device 'foo'" in err) == (2, True)


def test_a_run_goes_on_with_another_number_of_threads(place: Path, run: Run) -> None:
    before = torch.get_num_threads()
    command = ["finetune", "runs/first/model", "--task", "classify", "data.train=train.tsv", "data.dev=dev.tsv",
               "epochs=1", "length=16", "output=runs/x"]  # fmt: skip
    try:
        assert run(*command, "--threads", "2")[0] == 0
        assert torch.get_num_threads() == 2
        code, _, err = run(*command, "--resume", "auto", "threads=1")
        assert code == 0, err
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
