"""The damages: every JSON key through wrong values, every weights file cut and flipped, every index bent."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What may stand in the place of a value and is none: as the text of a JSON file has it.
WRONG = {
    "a number as a word": '"4"',
    "an empty text": '""',
    "half a character": '"\\ud83d"',
    "null": "null",
    "an empty list": "[]",
    "an empty table": "{}",
    "true": "true",
    "a part of a number": "2.5",
    "below zero": "-1",
    "ten to the twelfth": "1000000000000",
    "beyond numbers": "1e999",
    "no number": "NaN",
    "five thousand digits": "9" * 5000,
    "a bomb of brackets": "[" * 100_000,
}
_HERE = "the value is put here"


@dataclass(frozen=True)
class Damage:
    """What is done to which file of a directory: its content becomes `content`, or the file goes."""

    what: str
    file: str
    content: bytes | None

    def do(self, directory: Path) -> None:
        """Does it."""
        if self.content is None:
            (directory / self.file).unlink()
        else:
            (directory / self.file).write_bytes(self.content)


def json_damages(file: str, text: str, free: dict[str, set[str]]) -> Iterator[Damage]:
    """Every key of a JSON object absent, doubled and with every wrong value; then the text as a whole.

    `free`: keys (or `table.*` for all of a table) whose value nothing can tell from a wrong one -> the wrong values
    that are right ones.
    """
    table = json.loads(text)
    for path in _paths(table):
        name = ".".join(map(str, path))
        spared = free.get(str(path[-1]), set()) | free.get(".".join(map(str, path[:-1])) + ".*", set())
        for what, value in WRONG.items():
            if what in spared or json.dumps(_at(table, path)) == value:
                continue
            content = json.dumps(_with(table, path, _HERE)).replace(json.dumps(_HERE), value)
            yield Damage(f"{name}: {what}", file, content.encode())
        if "absent" not in spared and isinstance(path[-1], str):
            yield Damage(f"{name}: absent", file, json.dumps(_with(table, path)).encode())
        if isinstance(path[-1], str):
            value = json.dumps(_at(table, path))
            double = f"{value}, {json.dumps(path[-1])}: {value}"
            content = json.dumps(_with(table, path, _HERE)).replace(json.dumps(_HERE), double)
            yield Damage(f"{name}: twice", file, content.encode())
    for what, value in {"cut": text[: len(text) // 2], "empty": "", "a list": "[]", "a bomb": "[" * 100_000}.items():
        yield Damage(f"the text: {what}", file, value.encode())
    yield Damage("the text: not UTF-8", file, b"\xff\xfe" + text.encode())
    yield Damage("the text: ten megabytes", file, b"{" + b",".join(b'"%x": 1' % i for i in range(10**6)) + b"}")


def file_damages(file: str, content: bytes) -> Iterator[Damage]:
    """A file cut at several lengths, and others in its place."""
    for length in sorted({0, 1, 7, 8, len(content) // 3, len(content) - 1}):
        yield Damage(f"cut to {length} bytes", file, content[:length])
    yield Damage("a byte more", file, content + b"\0")
    yield Damage("a pointer to large storage", file, b"version https://git-lfs.github.com/spec/v1\n")
    yield Damage("another kind of file", file, b"{}" * 100)


def bit_flips(file: str, content: bytes, end: int) -> Iterator[Damage]:
    """A file with one bit turned, at about forty places before `end`."""
    for count, place in enumerate(range(0, min(end, len(content)), max(1, end // 40))):
        flipped = bytearray(content)
        flipped[place] ^= 1 << count % 8
        yield Damage(f"bit {count % 8} of byte {place} turned", file, bytes(flipped))


def index_damages(file: str, text: str) -> Iterator[Damage]:
    """An index of shards whose rows name what is not there, elsewhere, or nothing."""
    table = json.loads(text)
    rows = table["weight_map"]
    key, place = next(iter(rows.items()))
    other = next(file for file in rows.values() if file != place)
    bent = {
        "a shard that is not there": {key: "model-00009-of-00009.safetensors"},
        "a shard above": {key: f"../{place}"},
        "a shard of the root": {key: f"/{place}"},
        "the other shard": {key: other},
        "a key that is nowhere": {"blocks.7.norm.weight": place},
        "a key that is nowhere, in a shard of that name": {"x" * 10_000: "y" * 10_000},
        "a million rows": {f"k{number}": place for number in range(10**6)},
    }
    for what, change in bent.items():
        yield Damage(what, file, json.dumps(table | {"weight_map": rows | change}).encode())
    yield Damage("no rows", file, json.dumps({"weight_map": {}}).encode())
    yield from json_damages(file, text, {"total_size": {*WRONG, "absent"}, "metadata": {*WRONG, "absent"}})


def _paths(value: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where every value stands: of lists the first and the last."""
    if isinstance(value, dict):
        for name, part in list(value.items()):
            yield (*before, name)
            yield from _paths(part, (*before, name))
    elif isinstance(value, list) and value:
        for place in sorted({0, len(value) - 1}):
            yield (*before, place)
            yield from _paths(value[place], (*before, place))


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def _with(table: Any, path: tuple[str | int, ...], *value: Any) -> Any:
    """A copy of the table with another value at `path`, or none."""
    copy = json.loads(json.dumps(table))
    inner = _at(copy, path[:-1])
    if value:
        inner[path[-1]] = value[0]
    else:
        del inner[path[-1]]
    return copy
