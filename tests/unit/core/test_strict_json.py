"""The one JSON reader: what it takes, and the line for everything else."""

import json
import os
from pathlib import Path

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.kinds import whole
from glmkit.core.strict_json import dumps, parse, read_json


def test_what_is_json_is_read_as_others_read_it(tmp_path: Path) -> None:
    table = {"a": [1, 2.5, None, True, "中"], "b": {"c": {}}, "d": -(10**20)}
    path = tmp_path / "f.json"
    path.write_text("\ufeff" + json.dumps(table), encoding="utf-8")
    assert read_json(path) == table
    assert parse("[" * 60 + "]" * 60) == json.loads("[" * 60 + "]" * 60)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' stands twice in one object"),
        ('{"a": NaN}', "NaN is no number in JSON"),
        ('{"a": -Infinity}', "-Infinity is no number in JSON"),
        ('{"a": 1e999}', "'1e999' is too large for a number"),
        ('{"a": ' + "9" * 5000 + "}", "a number of 5000 digits is too large"),
        ("[" * 100_000, "brackets inside each other"),
        ('{"a":' * 70 + "1" + "}" * 70, "brackets inside each other"),
        ('{"a": 1', "not JSON"),
        ("", "not JSON: Expecting value in line 1, column 1"),
        ("[1, 2]", "[1, 2] where an object is needed"),
        ("null", "None where an object is needed"),
        ('{"r": "many"}', "r must be a whole number, got 'many'"),
    ],
)
def test_everything_else_is_one_line_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorruptFile) as raised:
        read_json(path, "; copy it again", {"r": whole()})
    line = str(raised.value)
    assert line.startswith(str(path))
    assert said in line
    assert line.endswith("; copy it again")
    assert "\n" not in line


def test_bytes_that_are_no_utf8_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_bytes('{"a": 1,\n"b": "中"}'.encode("gbk"))
    with pytest.raises(CorruptFile, match="not UTF-8 in line 2"):
        read_json(path)


def test_a_file_larger_than_settings_are_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    with open(path, "wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(CorruptFile, match="4,294,967,296 bytes, where at most"):
        read_json(path)


def test_what_is_no_file_is_said_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is a pipe, not a file"):
        read_json(tmp_path / "pipe")
    with pytest.raises(UserError, match="is a directory, not a file"):
        read_json(tmp_path)
    with pytest.raises(UserError, match="is missing"):
        read_json(tmp_path / "absent")


def test_what_json_cannot_hold_is_null_when_it_is_written() -> None:
    table = {"a": [float("nan"), (1.5, float("-inf"))], "b": {"c": float("inf")}, "语": "言"}
    assert dumps(table) == '{"a": [null, [1.5, null]], "b": {"c": null}, "语": "言"}'
    assert parse(dumps(table, indent=1)) == {"a": [None, [1.5, None]], "b": {"c": None}, "语": "言"}
