"""Run configs from recipe, file and overrides, in today's names, other programs' and those of older versions."""

import argparse
import dataclasses
import json
import re
import sys
import typing
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from glmkit.cli.arguments import as_flag
from glmkit.cli.keys import HINTS, real_key, real_value
from glmkit.cli.overview import KeysParser
from glmkit.core.config import from_mapping, to_mapping
from glmkit.core.errors import UserError, nearest, spelling
from glmkit.core.files import read_text
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.strict_json import LARGEST

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclasses.dataclass(frozen=True)
class Older:
    """Keys of older versions: what each is called now, and what turns a table with them into today's."""

    keys: Mapping[str, str]
    modern: Callable[[Table], JsonObject]


NO_OLDER = Older({}, dict)
_MOST_SETTINGS = 1000  # in a file; names that stand for one another can make more of a few lines than there is room for


def configure(
    default: T,
    arguments: Sequence[str],
    *,
    verb: str,
    example: str,
    about: str = "",
    elsewhere: Mapping[str, str] | None = None,
    fixed: Mapping[str, str] | None = None,
    older: Older = NO_OLDER,
    lists: Mapping[str, type] | None = None,
) -> T:
    """The config `default` (a dataclass) changed by `arguments`: `key=value`, `--key value` or `--config FILE.yaml`.

    Keys of nested configs are dotted (`schedule.peak=1e-4`); names that other programs give them are understood
    (cli/keys.py). `--help` prints every key below `about` and leaves. From then on messages name the keys as flags
    (`glmkit.core.errors.argument`). Raises UserError naming an unknown key's nearest,
    or what `elsewhere` says of keys that people look for here, and the file that a mistake is in. `fixed`: keys that
    only a file may have, as `--print_config` writes them, and why; `older`: those of versions before. `lists`: keys
    that may hold several of a class, as data.0.path=A data.1.path=B does.
    """
    fixed, lists = fixed or {}, lists or {}
    if {"-h", "--help"} & set(arguments):
        KeysParser(default, verb, about, example, fixed).print_help()
        raise SystemExit(0)
    known = _keys(to_mapping(default))
    spelling.set(lambda name, value: as_flag(name, value, {key: f"--{key}" for key in known}))
    hints = {**HINTS, **(elsewhere or {}), **fixed}
    arguments = _with_new_names(arguments, older, known, fixed)
    flags: list[str] = []
    files: dict[str, str] = {}  # a file and the flag it became
    names: dict[str, str] = {}  # a key and the name it was given by
    arguments, items = _items(arguments, lists)
    for name, text in items.items():
        names[name] = f"{name}.0"
        flags.append(f"--{name}={text}")
    for name, value in _settings(arguments):
        if name == "config":
            files[value] = f"--config={_renamed_table(value, known, hints, older)}"
            flags.append(files[value])
        elif name == "" or name == "print_config":
            flags.append(value)
        else:
            key = real_key(name, known)
            _check_key(name, key, [item for item in known if item not in fixed], hints, "")
            _refuse_both(names.setdefault(key, name), name, "")
            flags.append(f"--{key}={real_value(key, value)}")
    try:
        return _parsed(default, flags, known)
    except UserError as error:
        for file, flag in files.items():
            try:
                _parsed(default, [flag], known)
            except UserError as alone:  # the same mistake without the other arguments: it is in the file
                if str(alone) == str(error):
                    raise UserError(f"{file}: {str(error).removeprefix('config: ')}") from None
        raise


def given(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """The names that `arguments` set and their values, in order ("config" with a file's name)."""
    return [(name, value) for name, value in _settings(arguments) if name not in ("", "print_config")]


def _settings(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """`key=value`, `--key=value` and `--key value` as names, with underscores, and values; what is none has no name."""
    results: list[tuple[str, str]] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        match = re.match(r"(?:--)?([A-Za-z][\w.-]*)(=.*)?$", argument, re.DOTALL)
        if not match or not (argument.startswith("--") or match[2]):
            results.append(("", argument))
            continue
        name, value = match[1].replace("-", "_"), match[2]
        if name == "print_config":
            results.append((name, f"--{name}{value or ''}"))
        elif value is not None:
            results.append((name, value[1:]))
        else:
            results.append((name, rest.pop(0) if rest and not rest[0].startswith("--") else ""))
    return results


_ITEM = re.compile(r"(\w+)\.(\d+)(?:\.(\w+))?")


def _items(arguments: Sequence[str], lists: Mapping[str, type]) -> tuple[list[str], dict[str, str]]:
    """The arguments without those of `lists`, and these as JSON by the list's name. Raises UserError."""
    left: list[tuple[str, str]] = []
    results: dict[str, dict[int, JsonObject]] = {}
    for name, value in _settings(arguments):
        match = _ITEM.fullmatch(name)
        if match is None or match[1] not in lists:
            left.append((name, value))
            continue
        hints = typing.get_type_hints(lists[match[1]])
        if match[3] not in hints:
            known = [f"{match[1]}.{match[2]}.{field}" for field in hints]
            raise UserError(f"unknown key {name!r}{nearest(name, known)}")
        item = results.setdefault(match[1], {}).setdefault(int(match[2]), {})
        item[match[3]] = value if hints[match[3]] is str else _number(name, value)
    texts = {}
    for group, numbered in results.items():
        required = [field.name for field in dataclasses.fields(lists[group]) if field.default is dataclasses.MISSING]
        for number in range(max(numbered) + 1):
            for name in required:
                if name not in numbered.get(number, {}):
                    raise UserError(f"{group}.{number} has no {name}: give {group}.{number}.{name}=..., counted from 0")
        texts[group] = json.dumps([numbered[number] for number in sorted(numbered)])
    return [value if name in ("", "print_config") else f"{name}={value}" for name, value in left], texts


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{name} must be a number, got {text!r}") from None


def _with_new_names(arguments: Sequence[str], older: Older, known: Sequence[str], fixed: Container[str]) -> list[str]:
    """The arguments with the keys of older versions as today's, which stand first; a line names each."""
    settings = _settings(arguments)
    old = {name: value for name, value in settings if name in older.keys and name not in known}
    if not old:
        return list(arguments)
    note_old_keys(old, older)
    kept = [(name, value) for name, value in settings if name not in old]
    new = [(name, value) for name, value in _flat(older.modern(old)) if name not in fixed]
    return [value if name in ("", "print_config") else f"{name}={value}" for name, value in new + kept]


def note_old_keys(names: Iterable[str], older: Older) -> None:
    """Says what keys of older versions are called now."""
    for name in names:
        print(f"glmkit: {name} is now {older.keys[name]}; the old key still works", file=sys.stderr)


def _flat(values: Table, before: str = "") -> list[tuple[str, Any]]:
    results: list[tuple[str, Any]] = []
    for name, value in values.items():
        results += _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else [(before + name, value)]
    return results


def _renamed_table(file: str, known: Sequence[str], hints: Mapping[str, str], older: Older) -> str:
    """A YAML file with our names in place of other programs' and of older versions', as text."""
    import yaml

    values = table(Path(file))
    if old := [name for name in values if name in older.keys and name not in known]:
        note_old_keys(old, older)
        values = older.modern(values)
    there = _keys(values)
    for name in there:
        _check_key(name, real_key(name, known), known, hints, f"{file}: ")
    names: dict[str, str] = {}
    for name in list(values):
        key = real_key(name, known)
        _refuse_both(names.setdefault(key, name), name, f"{file}: ")
        if key != name:
            _refuse_both(key if key in there else name, name, f"{file}: ")
            group, _, last = key.rpartition(".")
            inner = values.setdefault(group, {}) if group else values
            if not isinstance(inner, dict):
                raise UserError(f"{file}: {group} has keys of its own: write {key}: ... below it")
            inner[last] = values.pop(name)
    if "quantize" in values:
        values["quantize"] = real_value("quantize", values["quantize"])
    return str(yaml.safe_dump(values, allow_unicode=True, sort_keys=False))


def _refuse_both(first: str, second: str, where: str) -> None:
    if first != second:
        raise UserError(f"{where}{first} and {second} are one setting: give one of them")


def _parsed(default: T, flags: Sequence[str], known: Sequence[str]) -> T:
    import jsonargparse

    nested = _opened(default)
    parser = jsonargparse.ArgumentParser(exit_on_error=False, add_help=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(type(default), as_group=False, skip=set(nested))
    for name, kind in nested.items():
        parser.add_class_arguments(kind, name)
    parser.set_defaults(to_mapping(default))
    try:
        values = parser.parse_args(list(flags))
        values.pop("config", None)
        built = values.as_dict() | {
            name: [item if isinstance(item, Mapping) else vars(item) for item in value]
            for name, value in values.as_dict().items()
            if isinstance(value, tuple)
        }
        parts: JsonObject = {name: from_mapping(kind, built[name], f"config: {name}") for name, kind in nested.items()}
        return from_mapping(type(default), built | parts, "config")
    except (jsonargparse.ArgumentError, argparse.ArgumentError) as error:
        raise UserError(_in_plain_words(" ".join(str(error).split()), known)) from None


def _check_key(name: str, key: str, known: Sequence[str], hints: Mapping[str, str], where: str) -> None:
    if key in known:
        return
    if name in hints:
        raise UserError(f"{where}unknown key {name!r}: {hints[name]}")
    meant = real_key(name.rpartition(".")[2], known)  # of another program's name below a group
    raise UserError(f"{where}unknown key {name!r}{nearest(meant if meant in known else name, known)}")


def table(file: Path) -> JsonObject:
    """What a YAML file says. Raises UserError naming the file and the place in it."""
    import yaml

    try:
        settings = yaml.safe_load(read_text(file, LARGEST))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, UserError):
            raise UserError(f"--config {error}") from None
        place = getattr(error, "problem_mark", None)
        raise UserError(f"{file} is not YAML{f' in line {place.line + 1}' if place else ''}") from None
    if not isinstance(settings, dict):
        raise UserError(f"{file} holds no settings: write lines of key: value")
    left = [settings]
    for _ in range(_MOST_SETTINGS):
        if not left:
            return settings
        for key, value in left.pop().items():
            if not isinstance(key, str):
                raise UserError(f"{file} holds no settings: write lines of key: value")
            left += [value] if isinstance(value, dict) else []
    raise UserError(f"{file} holds more than {_MOST_SETTINGS} settings")


_KINDS = {"<class 'int'>": "a whole number", "<class 'float'>": "a number", "<class 'bool'>": "true or false"}


def _in_plain_words(message: str, known: Sequence[str]) -> str:
    """What jsonargparse says of a value or of an argument that is none, as we say it."""
    if stray := re.match(r"unrecognized arguments: (\S+)", message):
        data = "data.train" if "data.train" in known else "data"
        return f"{stray[1]!r} is no setting: write key=value, for example {data}={stray[1]}"
    if wrong := re.match(r'Parser key "([\w.]+)": (.*)(?:Got|Given) value: ?(.*)', message):
        choices = dict.fromkeys(re.findall(r"'(\w+)'", "".join(re.findall(r"Literal\[.*?\]", wrong[2]))))
        kind = next((said for kind, said in _KINDS.items() if kind in wrong[2]), f"one of {', '.join(choices)}")
        return f"{wrong[1]} must be {kind}, got {wrong[3]!r}"
    if (group := re.match(r'Parser key "([\w.]+)": Unable to load config', message)) and group[1] in known:
        example = next(key for key in known if key.startswith(group[1] + "."))
        begin = "; a model to go on from is init_from=DIR" if group[1] == "model" else ""
        return f"{group[1]} has keys of its own: write {example}=...{begin}"
    return message


def _opened(config: "DataclassInstance") -> dict[str, type]:
    """The nested configs of a config whose class its own does not tell, as that of a model does not: name -> class."""
    hints = typing.get_type_hints(type(config))
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {
        name: type(value)
        for name, value in values.items()
        if dataclasses.is_dataclass(value) and not dataclasses.is_dataclass(hints[name])
    }


def _keys(values: Table, before: str = "") -> list[str]:
    results = []
    for name, value in values.items():
        results.append(before + name)
        if isinstance(value, Mapping):
            results += _keys(value, f"{before}{name}.")
    return results
