"""Documents from every format, and what is said of files that are not what their names promise."""

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.data import archives, sources
from glmkit.data.sources import Document, Split, documents, find_files, sample

zstandard = pytest.importorskip("zstandard")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FOUND = [Document("First line.\nSecond line."), Document("孤舟蓑笠翁，独钓寒江雪。"), Document("The last one.")]
TEXT = "\n\n".join(document.text for document in FOUND)
PROMPTED = [Document("an answer", prompt="a question "), Document("no prompt")]
LINES = '{"text": "an answer", "prompt": "a question "}\n\n{"text": "no prompt", "other": 1}\n'

PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def as_parquet(columns: dict[str, object]) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def read(path: Path, split: Split = "blank-line") -> list[Document]:
    return list(documents(path, split))


@pytest.mark.parametrize("packed", PACKED)
def test_text_is_read_in_every_packing(tmp_path: Path, packed: str) -> None:
    path = written(tmp_path, f"a.txt{packed}", PACKED[packed](TEXT.encode()))
    assert read(path) == FOUND


@pytest.mark.parametrize("packed", PACKED)
def test_jsonl_is_read_in_every_packing(tmp_path: Path, packed: str) -> None:
    assert read(written(tmp_path, f"a.jsonl{packed}", PACKED[packed](LINES.encode()))) == PROMPTED


@pytest.mark.parametrize("packed", PACKED)
def test_parquet_is_read_in_every_packing(tmp_path: Path, packed: str) -> None:
    rows = {"text": ["an answer", "no prompt"], "prompt": ["a question ", None], "other": [1, 2]}
    assert read(written(tmp_path, f"a.parquet{packed}", PACKED[packed](as_parquet(rows)))) == PROMPTED


@pytest.mark.parametrize("packed", [".gz", ".zst"])
def test_archives_of_several_members_are_read_to_the_end(tmp_path: Path, packed: str) -> None:
    parts = [PACKED[packed](part.encode()) for part in (TEXT[:30], TEXT[30:40], TEXT[40:])]
    assert read(written(tmp_path, f"a.txt{packed}", b"".join(parts))) == FOUND


@pytest.mark.parametrize(
    ("split", "wanted"),
    [
        ("blank-line", ["a\nb", "c", "d"]),
        ("line", ["a", "b", "c", "d"]),
        ("file", ["a\nb\n\n \nc\n\n\nd"]),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
def test_a_document_is_what_the_split_says(
    tmp_path: Path, split: Split, wanted: list[str], newline: str, end: str
) -> None:
    content = ("a\nb\n\n \nc\n\n\nd" + end).replace("\n", newline)
    assert [document.text for document in read(written(tmp_path, "a.txt", content.encode()), split)] == wanted


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, name: str) -> None:
    content = "only" if name == "a.txt" else '{"text": "only"}'
    assert read(written(tmp_path, name, b"\xef\xbb\xbf" + content.encode())) == [Document("only")]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst", "a.jsonl"])
def test_an_empty_file_holds_no_documents(tmp_path: Path, name: str) -> None:
    assert read(written(tmp_path, name, b"")) == []
    assert read(written(tmp_path, name, PACKED.get(Path(name).suffix, bytes)(b" \n\n"))) == []


def test_documents_of_blanks_are_left_out(tmp_path: Path) -> None:
    lines = '{"text": " "}\n{"text": ""}\n{"text": "\\n\\t", "prompt": "q"}\n{"text": "a"}\n'
    assert read(written(tmp_path, "a.jsonl", lines.encode())) == [Document("a")]


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("format", ["txt", "jsonl", "parquet"])
def test_the_bytes_reported_add_up_to_the_file(tmp_path: Path, format: str, packed: str) -> None:
    text = [f"text {number}" for number in range(5000)]
    content = {
        "txt": "\n".join(text).encode(),
        "jsonl": "\n".join(json.dumps({"text": line}) for line in text).encode(),
        "parquet": as_parquet({"text": text, "unread": list(range(5000))}),
    }[format]
    path = written(tmp_path, f"a.{format}{packed}", PACKED[packed](content))
    reported: list[int] = []
    assert len(list(documents(path, "line", reported.append))) == 5000
    assert sum(reported) == path.stat().st_size
    assert min(reported) >= 0


def test_directories_give_their_known_files_by_name_and_files_stay_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    names = ["b.txt", "a.jsonl.gz", "deep/c.PARQUET", "deep/d.txt.zst"]
    for name in [*names, "readme.md", "deep/archive.zip", "noise.gz"]:
        written(folder, name, b"")
    first = written(tmp_path, "z.txt", b"")
    result = find_files([first, folder])
    assert result == [first, *(folder / name for name in ("a.jsonl.gz", "b.txt", "deep/c.PARQUET", "deep/d.txt.zst"))]


def complaint(error: type[Exception], path: Path, split: Split = "blank-line") -> str:
    with pytest.raises(error) as raised:
        read(path, split)
    message = str(raised.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_text_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", b"good\n" * 4 + "重庆".encode("gb18030") + b"\n")
    message = complaint(CorruptFile, path)
    assert f"{path}:5" in message
    assert "not UTF-8" in message
    assert "iconv" in message


def test_a_zero_byte_means_a_binary_file(tmp_path: Path) -> None:
    message = complaint(CorruptFile, written(tmp_path, "a.txt", b"good\nba\0d\n"))
    assert ":2" in message
    assert "binary" in message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "a"', "not JSON"),
        ('{"text": a}', "column 10"),
        ('["text"]', "list where an object"),
        ('"text"', "str where an object"),
        ('{"txet": "a", "id": 1}', 'no "text"; it has id, txet'),
        ("{}", 'no "text"; it has no keys'),
        ('{"text": 5}', "must be strings"),
        ('{"text": null}', "must be strings"),
        ('{"text": "a", "prompt": ["b"]}', "must be strings"),
        ('{"text": "a\\ud800b"}', "half of a character"),
        ('{"text": "a", "prompt": "\\udc00"}', "half of a character"),
    ],
)
def test_a_broken_record_names_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, "a.jsonl", f'{{"text": "good"}}\n\n{line}\n'.encode())
    message = complaint(UserError, path)
    assert f"{path}:3" in message
    assert said in message


@pytest.mark.parametrize("packed", [".gz", ".zst"])
@pytest.mark.parametrize("left", [0.0, 0.5, 1.0])
def test_a_truncated_archive_is_no_shorter_text(tmp_path: Path, packed: str, left: float) -> None:
    whole = PACKED[packed]("\n".join(f"line {i} {i * i}" for i in range(20_000)).encode())
    path = written(tmp_path, f"a.txt{packed}", whole[: max(3, int(left * len(whole)) - 1)])
    assert "damaged after line" in complaint(CorruptFile, path, "line")


@pytest.mark.parametrize("packed", [".gz", ".zst"])
def test_an_archive_cut_between_good_members_is_noticed_in_the_last(tmp_path: Path, packed: str) -> None:
    member = PACKED[packed](b"good line\n" * 100)
    assert "damaged" in complaint(CorruptFile, written(tmp_path, f"a.txt{packed}", member + member[:-3]), "line")


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst", "a.jsonl.zst"])
def test_an_archive_that_is_none_is_damaged(tmp_path: Path, name: str) -> None:
    assert "damaged" in complaint(CorruptFile, written(tmp_path, name, b"plain text, not packed at all"))


@pytest.mark.parametrize(
    "content",
    [
        b"no parquet at all",
        b"",
        as_parquet({"text": ["a"] * 500})[:300],
        bytes(
            byte ^ 255 if 4 <= i < 60 else byte for i, byte in enumerate(as_parquet({"text": list("abcdefgh") * 99}))
        ),
    ],
    ids=["other", "empty", "truncated", "altered"],
)
def test_a_damaged_parquet_file_is_named(tmp_path: Path, content: bytes) -> None:
    assert "not a readable parquet file" in complaint(CorruptFile, written(tmp_path, "a.parquet", content))


@pytest.mark.parametrize("packed", [".gz", ".zst"])
def test_a_truncated_archive_of_parquet_is_named(tmp_path: Path, packed: str) -> None:
    content = PACKED[packed](as_parquet({"text": [f"text {i}" for i in range(5000)]}))
    assert "end" in complaint(CorruptFile, written(tmp_path, f"a.parquet{packed}", content[:-20]))


def test_parquet_without_text_names_the_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "a.parquet", as_parquet({"body": ["a"], "id": [1]}))
    assert 'no column "text"; it has body, id' in complaint(UserError, path)


def test_a_parquet_row_of_another_type_is_named(tmp_path: Path) -> None:
    assert "row 2" in complaint(UserError, written(tmp_path, "a.parquet", as_parquet({"text": ["a", None]})))
    assert "row 1" in complaint(UserError, written(tmp_path, "b.parquet", as_parquet({"text": [1]})))


def test_parquet_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    bad = pyarrow.array([b"good", b"\xff\xfe"]).cast(pyarrow.binary()).view(pyarrow.string())
    complaint(CorruptFile, written(tmp_path, "a.parquet", as_parquet({"text": bad})))


def test_unknown_suffixes_missing_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"notes\.md: unknown format; use \.txt, \.jsonl, \.parquet"):
        find_files([written(tmp_path, "notes.md", b"a")])
    with pytest.raises(UserError, match=r"nowhere\.txt: no such file"):
        find_files([tmp_path / "nowhere.txt"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no \.txt, \.jsonl, \.parquet files found in .*empty"):
        find_files([tmp_path / "empty"])
    with pytest.raises(UserError, match="an empty list"):
        find_files([])


@pytest.mark.parametrize("packed", PACKED)
def test_a_line_too_long_is_refused_by_its_number_before_it_is_in_memory(tmp_path: Path, packed: str) -> None:
    path = written(tmp_path, f"a.txt{packed}", PACKED[packed](b"short\n" + b"long " * 5000 + b"\n"))
    with pytest.raises(UserError, match=r"a\.txt.*:2: a line of more than 0.00390625 MB.*cut it into documents$"):
        list(documents(path, "line", longest=4096))
    path = written(tmp_path, f"a.jsonl{packed}", PACKED[packed](b'{"text": "' + b"a" * 5000 + b'"}\n'))
    with pytest.raises(UserError, match=r"a\.jsonl.*:1: a line of more than"):
        list(documents(path, "line", longest=4096))


def test_a_document_too_long_is_refused_by_the_line_it_begins_in(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", b"first\n\n" + b"a line of it\n" * 1000)
    with pytest.raises(UserError, match=r"a\.txt:3: a document of more than .*--split"):
        list(documents(path, "blank-line", longest=4096))
    assert len(list(documents(path, "line", longest=4096))) == 1001
    parts = [document.text for document in documents(path, "blank-line", longest=4096, cut=True)]
    assert parts[0] == "first"
    assert "\n".join(parts[1:]) == "\n".join(["a line of it"] * 1000)
    assert max(map(len, parts)) <= 4096 + len("a line of it\n")


def test_a_sample_holds_no_more_than_was_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", b"a line of it\n" * 10_000)
    assert sum(map(len, sample([path, path], 5000, longest=1024))) == 5000


def test_a_row_of_parquet_too_long_is_refused_by_its_number(tmp_path: Path) -> None:
    path = written(tmp_path, "a.parquet", as_parquet({"text": ["short", "a" * 5000]}))
    with pytest.raises(UserError, match=r"a\.parquet: row 2: a document of more than"):
        list(documents(path, "line", longest=4096))


@pytest.mark.parametrize("packed", [".gz", ".zst"])
def test_an_archive_of_next_to_nothing_is_refused(tmp_path: Path, packed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_ANY", 1 << 20)
    path = written(tmp_path, f"a.txt{packed}", PACKED[packed](b"\n" * (3 << 20)))
    with pytest.raises(UserError, match=r"a\.txt\.\w+ unpacks to more than 300 times its size"):
        list(documents(path, "line"))


def test_a_parquet_column_of_next_to_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_ANY", 1 << 20)
    path = tmp_path / "a.parquet"
    texts = ["a" * (1 << 18) + str(number) for number in range(8)]
    parquet.write_table(pyarrow.table({"text": texts}), path, compression="zstd")
    with pytest.raises(UserError, match=r"a\.parquet unpacks to more than 300 times"):
        list(documents(path, "line"))


def test_a_value_that_stands_once_for_many_rows_is_read_a_few_rows_at_a_time(tmp_path: Path) -> None:
    """A dictionary of one text of a megabyte and 20,000 rows of it: all at once they would be 20 GB."""
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 20_000, pyarrow.int32()), ["a" * (1 << 20)])
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": column}), path, dictionary_pagesize_limit=1 << 24, store_schema=False)
    metadata = parquet.ParquetFile(path).metadata
    assert sources._rows_at_a_time(path, metadata) <= 64
    assert next(iter(documents(path, "line"))).text == "a" * (1 << 20)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.txt.gz", "a.parquet"])
def test_a_pipe_is_no_file(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=f"{name} is a pipe, not a file"):
        find_files([tmp_path / name])
    with pytest.raises(UserError, match=f"{name} is a pipe, not a file"):
        read(tmp_path / name)
