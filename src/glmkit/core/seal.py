"""Tables of ours that carry a checksum of themselves, so that one changed letter in a file is found.

    {"heads": 3}  --sealed-->  {"heads": 3, "sha256": "5be8..."}

The checksum is of what the table says, not of its bytes: spaces, line breaks and the order of keys may change. A table
written before there were seals has none and is read as it is.
"""

import hashlib
import json
from collections.abc import Container

from glmkit.core.errors import CorruptFile, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import CHECKSUM
from glmkit.core.strict_json import check_table

SEAL = "sha256"


def sealed(table: Table) -> JsonObject:
    """The table with the checksum of what it says."""
    return {**table, SEAL: _checksum(table)}


def check_seal(table: Table, known: Container[str], where: str, remedy: str = "") -> None:
    """Raises CorruptFile when the table in the file `where` has a checksum that is not its own; or none, but fields
    beyond those `known` before there were seals, one of which may be the seal by another name."""
    if SEAL not in table:
        if unknown := [name for name in table if name not in known]:
            raise CorruptFile(f"{where}: unknown key {short(unknown[0])}, and no {SEAL} that it belongs there{remedy}")
        return
    check_table(table, {SEAL: CHECKSUM}, where, remedy)
    if _checksum(table) != table[SEAL]:
        raise CorruptFile(f"{where} was changed after it was written: it is not what its {SEAL} says{remedy}")


def _checksum(table: Table) -> str:
    said = {name: value for name, value in table.items() if name != SEAL}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
