"""Tables as people bring them: every shape is read, and what is wrong in one is named by file and line."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import UserError
from glmkit.tasks.files import find, read
from glmkit.tasks.tables import check_encoding, read_rows

ROWS = [{"text": "好 a", "label": "1"}, {"text": "b", "label": "0"}]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
CSV = "text,label\n好 a,1\nb,0\n"


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("rows.jsonl", LINES, {}),
        ("rows.json", LINES, {}),
        ("rows.txt", LINES, {}),
        ("ROWS.JSONL", LINES, {}),
        ("mark.jsonl", "\ufeff" + LINES, {}),
        ("crlf.jsonl", LINES.replace("\n", "\r\n\r\n"), {}),
        ("list.json", json.dumps(ROWS), {}),
        ("LIST.JSON", "\ufeff\n" + json.dumps(ROWS, indent=1), {}),
        ("list.jsonl", json.dumps(ROWS, indent=1), {}),
        ("data.json", json.dumps({"version": 1, "data": ROWS}, indent=1), {}),
        ("rows.csv", CSV, {}),
        ("mark.csv", "\ufeff" + CSV, {}),
        ("crlf.csv", CSV.replace("\n", "\r\n"), {}),
        ("mac.csv", CSV.replace("\n", "\r"), {}),
        ("spaces.csv", CSV.replace("text,", "text , ").replace("label", " label"), {}),
        ("quoted.csv", '"text","label"\n"好 a","1"\n\n"b","0"', {}),
        ("rows.tsv", CSV.replace(",", "\t"), {}),
        ("rows.txt", CSV.replace(",", "\t"), {}),
        ("gbk.csv", CSV.encode("gbk"), {"encoding": "gbk"}),
        ("gbk.jsonl", LINES.encode("gb18030"), {"encoding": "GB18030"}),
        ("wide.csv", CSV.encode("utf-16"), {"encoding": "utf-16"}),
        ("signed.csv", CSV.encode("utf-8-sig"), {"encoding": "utf-8-sig"}),
    ],
)
def test_every_shape_of_a_table_is_read(name: str, content: str | bytes, options: Any, tmp_path: Path) -> None:
    path = written(tmp_path, name, content)
    result = read_rows(path, **options)
    assert result == ROWS
    assert all(str(path) in row.where for row in result)


def test_files_as_published_have_no_line_of_names(tmp_path: Path) -> None:
    """AG News, CSL and THUCNews."""
    news = written(tmp_path, "train.csv", '"3","Wall St. Bears","A ""quoted"" word, a comma"\n"4","Chips","x\\y"\n')
    assert read_rows(news, header=False)[0] == {"0": "3", "1": "Wall St. Bears", "2": 'A "quoted" word, a comma'}
    assert [row.where.rpartition(":")[2] for row in read_rows(news, header=False)] == ["1", "2"]
    titles = written(tmp_path, "train.txt", "词汇阅读是关键\t3\n中国人民公安大学\t3\n")
    assert read_rows(titles, header=False)[1] == {"0": "中国人民公安大学", "1": "3"}
    papers = written(tmp_path, "csl.tsv", '基于"视觉"\t摘要\ta_b\n')
    assert read_rows(papers, header=False) == [{"0": '基于"视觉"', "1": "摘要", "2": "a_b"}]


def by_python(rows: list[list[str]], **how: Any) -> str:
    file = io.StringIO()
    csv.writer(file, delimiter="\t", **how).writerows(rows)
    return file.getvalue()


CELLS = ["a, b", 'he said "no"', '"quoted, all of it"', "two\nlines", "a\ttab", '"', "", "plain", "3", "x\r\ny"]
EXCEL = 'text\tlabel\n"Well, no"\t1\n"a ""b"" c"\t0\nplain\t1\n'


@pytest.mark.parametrize("how", [{}, {"quoting": csv.QUOTE_ALL}, {"quoting": csv.QUOTE_NONNUMERIC}], ids=str)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["t.tsv", "t.txt"])
def test_cells_that_a_program_quoted_come_out_as_they_went_in(how: Any, end: str, name: str, tmp_path: Path) -> None:
    rows = [["text", "label"], *([cell, str(number % 2)] for number, cell in enumerate(CELLS))]
    path = written(tmp_path, name, by_python(rows, lineterminator=end, **how))
    result = read_rows(path)
    assert [[*row.values()] for row in result] == rows[1:]
    places = [int(row.where.rpartition(":")[2]) for row in result]
    assert places == [2, 3, 4, 5, 7, 8, 9, 10, 11, 12]
    for cell in CELLS[:3]:
        path = written(tmp_path, name, by_python([["text", "label"], [cell, "1"]], **how))
        if how or '"' in cell:  # one cell with a comma, quoted by Excel, is like one that Python left as it is
            assert read_rows(path) == [{"text": cell, "label": "1"}]


def test_tables_of_excel(tmp_path: Path) -> None:
    """It quotes cells with a comma, a quote, a tab or a line break."""
    rows = read_rows(written(tmp_path, "t.tsv", EXCEL))
    assert [row["text"] for row in rows] == ["Well, no", 'a "b" c', "plain"]
    (row,) = read_rows(written(tmp_path, "t.tsv", 'text\tlabel\r\n"Well, no"\t1\r\n'))
    assert row == {"text": "Well, no", "label": "1"}
    text = by_python([["你好,世界", "a"], ["b", "c"]], quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    assert read_rows(written(tmp_path, "t.tsv", text), header=False)[0] == {"0": "你好,世界", "1": "a"}


@pytest.mark.parametrize(
    "cells",
    [
        ['he said "no"'],
        ['"', "a"],
        ['"No", he said'],
        ['" and so on'],
        ['so , he said . "'],
        ['"好"', "坏"],
        ['"Well, no"', "Well, yes"],
        ['" begins here', 'and ends here "', 'a "word"'],
    ],
)
def test_quotes_that_are_text_stay(cells: list[str], tmp_path: Path) -> None:
    path = written(tmp_path, "t.tsv", "text\tlabel\n" + "".join(f"{cell}\t1\n" for cell in cells))
    assert [row["text"] for row in read_rows(path)] == cells


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (EXCEL + 'a "b" c\t1\n', r"t\.tsv:3: a cell is quoted as Excel does .* write the file as \.csv or \.jsonl"),
        (EXCEL + '"\t1\n', r"t\.tsv:3: a cell is quoted as Excel does"),
        (EXCEL + "Well, yes\t1\n", r"t\.tsv:3: a cell is quoted as Excel does"),
        ('text\n"a\nb"\nc\n', r"t\.tsv:2: a quote may be text, or begin a cell of several lines"),
        ('text\tlabel\n"a\t1\nb"\t0\n', r"t\.tsv:2: a quote may be text"),
    ],
)
def test_quotes_of_which_nobody_knows_are_refused_by_line(content: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, "t.tsv", content)
    with pytest.raises(UserError, match=said) as caught:
        read_rows(path)
    assert "\n" not in str(caught.value)


def test_every_quote_of_a_benchmark_is_text(tmp_path: Path) -> None:
    """Its own readers leave all quotes where they are."""
    for number, cell in enumerate(('"Well, no"', 'a "b" c', '"a ""b"" c"', '"')):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "dev.tsv").write_text(f"sentence\tlabel\n{cell}\t1\n")
        assert [row["sentence"] for row in read("sst2", find("sst2", "dev", folder))] == [cell]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_a_line_ends_at_line_breaks_alone(sign: str, tmp_path: Path) -> None:
    cell = f"a{sign}b"
    for name, content in (("t.csv", f"text,label\n{cell},1\n"), ("t.tsv", f"text\tlabel\n{cell}\t1\n")):
        assert read_rows(written(tmp_path, name, content)) == [{"text": cell, "label": "1"}]
    escaped = json.dumps({"text": cell}, ensure_ascii=sign < " ")
    assert read_rows(written(tmp_path, "t.jsonl", escaped)) == [{"text": cell}]


def test_cells_of_any_length_and_of_several_lines_are_read(tmp_path: Path) -> None:
    long = "字" * 300_000
    path = written(tmp_path, "long.csv", f'text,label\n"{long}",1\n"two\r\nlines",0\nlast,1\n')
    rows = read_rows(path)
    assert [row["text"] for row in rows] == [long, "two\r\nlines", "last"]
    assert [row.where.rpartition(":")[2] for row in rows] == ["2", "3", "5"]


def test_columns_without_a_name_have_their_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, "index.csv", ",text,\n0,a,\n")
    assert read_rows(path) == [{"0": "0", "text": "a", "2": ""}]


def test_any_name_of_a_column_is_the_rows_own(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "_where,where,file\na,b,c\n")
    (row,) = read_rows(path)
    assert row == {"_where": "a", "where": "b", "file": "c"}
    assert row.where == f"{path}:2"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gbk.json", '[{"a": "中文"}]'.encode("gbk"), r":1: not UTF-8; .*data\.encoding=gb18030.*iconv -f GB18030"),
        ("gbk.csv", "text,label\na,1\n中文,1\n".encode("gbk"), r"gbk\.csv:3: not UTF-8"),
        ("wide.csv", "text,label\n".encode("utf-16"), r"data\.encoding=utf-16"),
        ("twice.csv", "text,label,text\na,1,b\n", r":1: two columns are called 'text'"),
        ("ragged.csv", "text,label\na,1\nb,1,c\n", r":3: 3 columns where the first line has 2"),
        ("quotes.csv", 'text,label\na,1\n"b,1\nc,0\n', r":3: the quotes do not balance"),
        ("quotes.csv", 'text,label\na,1\n"b" c,1\nc,0\n', r":3: the quotes do not balance"),
        ("return.csv", "text,label\na,1\nb\rc,1\n", r":3: a carriage return outside quotes"),
        ("zero.csv", "text,label\na,1\nb\0,1\n", r":3: a zero byte: this is a binary file"),
        ("zero.jsonl", b'{"a": "b"}\n\0', r":2: a zero byte"),
        ("empty.csv", "", "holds no rows"),
        ("names.csv", "text,label\n", "holds no rows"),
        ("empty.jsonl", "\n \n", "holds no rows"),
        ("broken.jsonl", '{"a": 1}\n{"a": 1\n{"a": 2}\n', r"broken\.jsonl:2: not JSON .* at column|:2: not JSON"),
        ("broken.json", '{"a": 1}\n{"a": 1\n{"a": 2}\n', r"broken\.json:2: not JSON"),
        ("broken.json", '[{"a": 1},\n{"a": }]', r"broken\.json:2: not JSON"),
        ("number.jsonl", '{"a": 1}\n7\n', r":2: 7 where an object is needed"),
        ("number.json", '[{"a": 1}, [2]]', r"item 2: \[2\] where an object is needed"),
        ("nan.jsonl", '{"a": 1}\n{"a": NaN}\n', r":2: NaN is no number in JSON"),
        ("twice.jsonl", '{"a": 1, "a": 2}\n', r":1: the key 'a' stands twice"),
        ("deep.jsonl", "[" * 100_000, "brackets inside each other"),
        ("deep.jsonl", '{"a":' + "[" * 100_000, "brackets inside each other"),
        ("torn.jsonl", '{"a": "b"}\n{"a": "b", "c": "x\\ud83d"}\n', r":2: column 'c' is no Unicode text"),
        ("torn.json", '[{"a": [{"b": "\\udc00"}]}]', r"item 1: column 'a' is no Unicode text"),
        ("torn.jsonl", '{"\\ud83d": 1}\n', r":1: column '\\ud83d' is no Unicode text"),
        ("rows.xlsx", b"PK\x03\x04", r"rows\.xlsx is a spreadsheet: save it as CSV"),
        ("rows.XLS", b"\xd0\xcf", r"is a spreadsheet: save it as CSV"),
        ("rows.parquet", b"PAR1", r"rows in Parquet are not read; .*to_json\('rows\.jsonl'"),
        ("rows.odd", b"a", r"unknown format '\.odd'"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(UserError, match=said) as caught:
        read_rows(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for name, said in (("pipe.csv", "is a pipe"), ("", "is a directory"), ("none.csv", "no such file")):
        with pytest.raises(UserError, match=said):
            read_rows(tmp_path / name)


def test_utf8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "text,label\n总之这个酒店不错很满意,1\n")
    for encoding in ("gbk", "latin-1", "big5"):
        with pytest.raises(UserError, match=f"is UTF-8, not {encoding}: leave the encoding out"):
            read_rows(path, encoding=encoding)
    short = written(tmp_path, "s.csv", "联通,1\n".encode("gbk"))  # two letters whose bytes are UTF-8 too
    assert read_rows(short, header=False, encoding="gbk") == [{"0": "联通", "1": "1"}]


def test_an_encoding_is_known_by_any_of_its_names() -> None:
    assert [check_encoding(name, "x") for name in ("GBK", "gb2312", "cp936", "GB18030", "UTF8")] == [
        *["gb18030"] * 4,
        "utf-8",
    ]
    for name in ("gkb", "rot13", "", "a\0b"):
        with pytest.raises(UserError, match=r"^data\.encoding: unknown encoding"):
            check_encoding(name, "data.encoding")
