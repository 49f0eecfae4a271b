"""What a directory holds: whose model, in which layout."""

from dataclasses import dataclass
from pathlib import Path

from glmkit.conversion.instead import instead
from glmkit.core.errors import UserError, short
from glmkit.core.files import restore
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import TEXT, check
from glmkit.core.strict_json import read_json
from glmkit.families.elsewhere import published_elsewhere
from glmkit.families.hub import local
from glmkit.families.registry import families, family
from glmkit.families.spec import FamilySpec, Format

CONFIG = "config.json"


@dataclass(frozen=True)
class DetectedModel:
    """A model's directory. `format` is None when it is glmkit's own."""

    directory: Path
    table: Table  # of config.json
    family: FamilySpec
    format: Format | None


def detect(path: Path) -> DetectedModel:
    """The model that `path` means: a directory of any known layout, or a training run's model or last checkpoint.

    An id on a hub ("zai-org/chatglm2-6b") means the directory it was fetched into. Raises UserError saying what was
    looked for, CorruptFile for a config.json that cannot be read.
    """
    path = local(path)
    if not path.is_dir():
        restore(path.parent)
    restore(path)
    if not path.is_dir():
        raise UserError(f"{path}: {_absent(path)}")
    for directory in (path, path / "model", *sorted((path / "checkpoints").glob("step-*"), reverse=True)):
        table = read_table(directory / CONFIG) if (directory / CONFIG).is_file() else {}
        if "family" in table:
            return DetectedModel(directory, table, _family_of(directory / CONFIG, table), None)
        if directory == path:
            for spec in families().values():
                for layout in spec.formats:
                    if layout.recognizes(directory, table):
                        return DetectedModel(directory, table, spec, layout)
            if table:
                raise UserError(
                    f"{path / CONFIG} is of a model glmkit does not know (model_type {short(table.get('model_type'))}, "
                    f"architectures {short(table.get('architectures'))}); known: {', '.join(families())}"
                )
    if line := instead(path):
        raise UserError(f"{path} has no {CONFIG}, so it is no model directory: {line}")
    raise UserError(
        f"{path} has no {CONFIG}: not a model directory nor a training run; nor has it mp_rank files of the original"
    )


def _absent(path: Path) -> str:
    if path.exists():
        return "not a directory; give the one it is in"
    where = published_elsewhere(path)
    return "no such directory" + (f"; {where}" if where else "")


def _family_of(path: Path, table: Table) -> FamilySpec:
    try:
        return family(check(table["family"], TEXT, "family"))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_table(path: Path) -> JsonObject:
    """The JSON object in a file. Raises CorruptFile."""
    return read_json(path, "; copy the model again")
