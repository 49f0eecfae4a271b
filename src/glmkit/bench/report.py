"""What a benchmark says: a table for people, one JSON object for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from glmkit.core import machine
from glmkit.core.strict_json import dumps


@dataclass(frozen=True)
class Result:
    """One figure. `limit` is what the same run measured as the machine's limit, or the baseline's figure."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.limit is None else self.value / self.limit


@dataclass(frozen=True)
class Report:
    bench: str
    config: Mapping[str, object]
    results: Sequence[Result]

    def json(self) -> str:
        """{"bench", "config", "machine", "results": [{"name", "value", "unit", "limit", "ratio"}]}"""
        results = [asdict(result) | {"ratio": result.ratio} for result in self.results]
        table = {"bench": self.bench, "config": self.config, "machine": machine.describe(), "results": results}
        return dumps(table, indent=1)

    def print(self, console: Console) -> None:
        """Prints the table."""
        table = Table(
            title=f"{self.bench}  {'  '.join(f'{k}={v}' for k, v in self.config.items())}", title_justify="left"
        )
        for heading in ("", "value", "limit", "ratio"):
            table.add_column(heading, justify="left" if not heading else "right")
        for r in self.results:
            limit = "" if r.limit is None else f"{r.limit:,.4g}"
            ratio = "" if r.ratio is None else f"{r.ratio:.2f}"
            table.add_row(r.name, f"{r.value:,.4g} {r.unit}", limit, ratio)
        console.print(table)
