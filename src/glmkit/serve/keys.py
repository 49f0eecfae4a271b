"""Who may ask: API keys from a file, compared in constant time, on every path but a short list.

# one key a line; a name before it says whose it is, in the log and in what is shared
alice sk-3f9a...
sk-77d0...
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import check_regular
from glmkit.serve.errors import ApiError

LARGEST = 1 << 20  # bytes of a file of keys
SHORTEST = 8  # characters of a key


@dataclass(frozen=True)
class Keys:
    """SHA-256 of each key -> its owner. Without any, everybody may ask and is nobody."""

    owners: Mapping[bytes, str]

    def owner(self, headers: Mapping[str, str]) -> str:
        """Whose key a request carries, "" where none is needed. Raises ApiError for none, a wrong one, or two."""
        given = credentials(headers)
        if len(given) > 1:
            raise ApiError(400, "Authorization and X-Api-Key carry different keys; send one", code="invalid_api_key")
        if not self.owners:
            return ""
        digest = hashlib.sha256(next(iter(given), b"")).digest()
        matches = [owner for key, owner in self.owners.items() if hmac.compare_digest(key, digest)]
        if not matches:
            message = "this server needs an API key: send Authorization: Bearer KEY"
            if given:
                message = "the API key is none of this server's"
            raise ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
        return matches[0]


def credentials(headers: Mapping[str, str]) -> set[bytes]:
    """The different keys in a request's headers, as bytes; an empty one is none."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    keys = {bearer.strip() if scheme.lower() == "bearer" else "", headers.get("x-api-key", "").strip()}
    return {key.encode("utf-8", "surrogateescape") for key in keys if key}


def read_keys(path: Path) -> Keys:
    """The keys in a file. Raises UserError for one that cannot be read, holds none, or holds one that is too short."""
    check_regular(path)
    if path.stat().st_size > LARGEST:
        raise CorruptFile(f"{path} has more than {LARGEST:,} bytes: no file of keys")
    owners: dict[bytes, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if len(words) > 2:
            raise UserError(f"{path}:{number} has {len(words)} words; write KEY, or NAME KEY")
        if len(words[-1]) < SHORTEST:
            raise UserError(f"{path}:{number}: a key has at least {SHORTEST} characters")
        digest = hashlib.sha256(words[-1].encode()).digest()
        owners[digest] = words[0] if len(words) == 2 else f"key-{digest.hex()[:8]}"
    if not owners:
        raise UserError(f"{path} holds no key; write one a line")
    return Keys(owners)
