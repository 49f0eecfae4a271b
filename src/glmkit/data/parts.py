"""Data prepared by several machines that share a file system: parts by whoever has time, then joined.

OUTPUT.parts/part-00003/    the shards of one part, its tokenizer, and part.json: complete, or not there
OUTPUT/                     what `prepare` writes by itself, byte by byte
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import atomic_directory, write_text
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import ANY, CHECKSUM, TEXT, list_of, whole
from glmkit.core.seal import check_seal, sealed
from glmkit.core.strict_json import check_table, read_json
from glmkit.data.prepare import PART_BYTES, Encoding, OnBytes, PartRows, encode, join, plan
from glmkit.data.shards import TOKENIZER, shard_name
from glmkit.data.sources import find_files
from glmkit.data.store import KINDS
from glmkit.text.tokenizer import Tokenizer

_RECORD = "part.json"
_REMEDY = "; remove that directory and prepare the part again"
_SCHEMA = {
    "plan": CHECKSUM,
    "parts": whole(1),
    "tokenizer": TEXT,
    "vocab_size": whole(1),
    "shards": list_of(ANY),
    "sources": list_of(ANY),
}


@dataclass(frozen=True)
class Job:
    """All that says what the parts of `output` hold: the same for whoever plans it."""

    parts: list[list[Path]]
    tokenizer: Tokenizer
    output: Path
    encoding: Encoding

    def bytes(self, number: int) -> int:
        """Of the files of a part."""
        return sum(file.stat().st_size for file in self.parts[number])

    @property
    def plan(self) -> str:
        """A checksum of it."""
        files = [[(file.name, file.stat().st_size) for file in part] for part in self.parts]
        said = json.dumps([files, self.tokenizer.fingerprint, asdict(self.encoding)])
        return hashlib.sha256(said.encode()).hexdigest()


def parts_of(output: Path) -> Path:
    """Where the parts of `output` are."""
    return output.with_name(f"{output.name}.parts")


def job_of(
    inputs: Sequence[Path], tokenizer: Tokenizer, output: Path, encoding: Encoding, part_bytes: int = PART_BYTES
) -> Job:
    """The parts that `inputs` are prepared in. Raises UserError when `output` exists, or no file can be read."""
    if os.path.lexists(output):
        raise UserError(f"{output} exists already; choose another name or remove it first")
    return Job(plan(find_files(inputs), part_bytes), tokenizer, output, encoding)


def encode_part(job: Job, number: int, *, workers: int = 1, on_bytes: OnBytes = lambda count: None) -> None:
    """Prepares one part, if it is not there. Raises UserError as `prepare`, and CorruptFile where the part that is
    there is of other files or settings."""
    directory = _directory(job.output, number)
    if directory.is_dir():
        if _read(directory)["plan"] != job.plan:
            raise _other(directory)
        on_bytes(job.bytes(number))
        return
    with atomic_directory(directory) as partial:
        job.tokenizer.save(partial / TOKENIZER)
        rows = encode(job.parts[number], job.tokenizer, partial, job.encoding, workers=workers, on_bytes=on_bytes)
        record = {
            "plan": job.plan,
            "parts": len(job.parts),
            "tokenizer": job.tokenizer.fingerprint,
            "vocab_size": len(job.tokenizer),
            "shards": rows.shards,
            "sources": rows.sources,
        }
        write_text(partial / _RECORD, json.dumps(sealed(record), ensure_ascii=False, indent=1) + "\n")


def join_parts(output: Path) -> JsonObject:
    """Makes `output` of its parts, which go, and returns its manifest. Raises UserError when one is missing, or all are
    without text; CorruptFile for one that does not belong to the others."""
    first = _directory(output, 0)
    if not first.is_dir():
        raise UserError(f"{first} is missing: prepare it with `glmkit data prepare {output} ... --part 0/N`")
    parts = _read(first)["parts"]
    missing = [number for number in range(parts) if not _directory(output, number).is_dir()]
    if missing:
        raise UserError(
            f"{first.parent} lacks {len(missing)} of {parts} parts, {_directory(output, missing[0]).name} first: "
            "prepare them with `glmkit data prepare ... --part`"
        )
    records = [_read(_directory(output, number)) for number in range(parts)]
    for number, record in enumerate(records):
        if record["plan"] != records[0]["plan"]:
            raise _other(_directory(output, number))
    if not any(record["shards"] for record in records):
        raise UserError(f"no text in the files of {first.parent}: nothing to join")
    with atomic_directory(output) as partial:
        shutil.copytree(first / TOKENIZER, partial / TOKENIZER)
        for number, file in enumerate(_shard_files(output, records)):
            for kind in KINDS:
                _link(file.with_suffix(f".{kind}"), partial / f"{shard_name(number)}.{kind}")
        rows = [PartRows(record["shards"], record["sources"]) for record in records]
        manifest = join(rows, partial, records[0]["tokenizer"], records[0]["vocab_size"])
    shutil.rmtree(first.parent)
    return manifest


def _shard_files(output: Path, records: Sequence[JsonObject]) -> Iterator[Path]:
    """The files of all shards in their order, without their endings."""
    for number, record in enumerate(records):
        for shard in record["shards"]:
            yield _directory(output, number) / shard["name"]


def _link(source: Path, path: Path) -> None:
    """Another name for a file, or a copy where the file system has one name for each. Raises CorruptFile."""
    if not source.is_file():
        raise CorruptFile(f"{source} is missing{_REMEDY}")
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)


def _directory(output: Path, number: int) -> Path:
    return parts_of(output) / f"part-{number:05d}"


def _read(directory: Path) -> JsonObject:
    path = directory / _RECORD
    record = read_json(path, _REMEDY)
    check_table(record, _SCHEMA, str(path), _REMEDY, _SCHEMA)
    check_seal(record, _SCHEMA, str(path), _REMEDY)
    return record


def _other(directory: Path) -> CorruptFile:
    return CorruptFile(f"{directory} was prepared of other files or with other settings{_REMEDY}")
