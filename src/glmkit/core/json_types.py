"""What JSON and YAML files hold once they are read: objects whose values are checked where they are used."""

from collections.abc import Mapping
from typing import Any

JsonObject = dict[str, Any]
Table = Mapping[str, Any]  # one that is only read
