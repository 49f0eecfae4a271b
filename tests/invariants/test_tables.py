"""What is written as a table is read as it was written, whatever stands in its cells."""

import csv
import io
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from glmkit.tasks.tables import read_rows

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.text(
    '",\r\n\t\u2028\x85\x0c a', max_size=8
)
NAMES = ["text", "标 签", "id", "_where", "{a}"]


@given(st.lists(st.lists(CELLS, min_size=5, max_size=5), min_size=1, max_size=5), st.sampled_from(["\r\n", "\n"]))
def test_csv_is_read_as_written(rows: list[list[str]], end: str) -> None:
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([NAMES, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(table.getvalue().encode())
        assert [list(row.values()) for row in read_rows(path)] == rows


@given(st.lists(st.dictionaries(CELLS, CELLS | st.integers() | st.none(), max_size=4), min_size=1, max_size=5))
def test_json_is_read_as_written(rows: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (
            ("lines.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)),
            ("list.json", json.dumps(rows, indent=1)),
        ):
            path = Path(folder) / name
            path.write_bytes(text.encode())
            assert read_rows(path) == rows
