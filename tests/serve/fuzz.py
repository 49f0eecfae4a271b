"""Schemathesis over the schema that a server of tiny models publishes: python -m tests.serve.fuzz --minutes 10

Its checks: no fault of the server, no body outside of the schema is taken, every reply is of a kind and a shape that
the schema names, other methods are 405 with their list. The replies by status are printed; the exit code is 1 where a
check failed.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from glmkit.serve.access import LOG, JsonLines
from glmkit.serve.models import Models, ServedModel
from glmkit.testing import tiny

from .conftest import serving, settings

FAMILIES = ("chatglm3", "chatglm", "glm")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)


class Statuses(logging.Handler):
    """Counts the replies by their status, and shows the server's own faults."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[int] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        line = json.loads(JsonLines().format(record))
        if "status" in line:
            self.counts[line["status"]] += 1
        if "traceback" in line:
            print(line["message"], line["traceback"], file=sys.stderr)


def fuzz(
    family: str, seconds: float, more: Sequence[str] = (), *, deterministic: bool = False
) -> tuple[int, str, Counter[int]]:
    """Exit code of Schemathesis against a model of the family, its output, and how often each status was replied.

    `more`: checks beside CHECKS. `deterministic`: the same requests in every run.
    """
    only = Models([ServedModel(family, tiny(family))], any_name=True)
    seen = Statuses()
    before = LOG.level, LOG.propagate
    LOG.addHandler(seen)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    with (
        serving(lambda progress: only, settings(request_timeout=5.0)) as served,
        tempfile.TemporaryDirectory() as place,
    ):
        command = [Path(sys.executable).with_name("st"), "run", f"{served.url}/openapi.json"]
        options = {
            "--checks": ",".join([*CHECKS, *more]),
            "--max-time": str(max(1, round(seconds))),
            "--phases": "coverage,fuzzing",
            "--request-timeout": "120",
            "--warnings": "off",
        }
        valued = [part for option in options.items() for part in option]
        draws = ["--generation-deterministic"] if deterministic else ["--generation-database", "none"]
        run = subprocess.run(
            [*command, *valued, *draws, "--continue-on-failure", "--no-color"],
            cwd=place,
            capture_output=True,
            text=True,
            env=os.environ | {"COLUMNS": "120"},
        )
    LOG.removeHandler(seen)
    LOG.setLevel(before[0])
    LOG.propagate = before[1]
    return run.returncode, run.stdout + run.stderr, seen.counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--family", choices=FAMILIES, action="append")
    parser.add_argument(
        "--check", action="append", default=[], help="one more of Schemathesis's, negative_data_rejection"
    )
    options = parser.parse_args()
    families = options.family or FAMILIES
    worst = 0
    for family in families:
        code, text, statuses = fuzz(family, options.minutes * 60 / len(families), options.check)
        if code:
            print(text)
        print(f"{family}: {statuses.total()} replies, {dict(sorted(statuses.items()))}")
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
