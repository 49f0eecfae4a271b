"""How a server does under load (glmkit.bench.http_load), beside another one, or beside its own engine."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from statistics import median

from glmkit.bench.http_load import Figures, Load, Server
from glmkit.bench.other_servers import SERVERS, other_server
from glmkit.bench.random_server import RandomServer, RandomShapes
from glmkit.bench.report import Report, Result
from glmkit.core.json_types import Table

ROUNDS = 2  # in turns


def bench_serve(url: str, load: Load, *, key: str | None = None, against: str | None = None) -> Report:
    """Figures of the server at `url`, and of the one at `against` in the column of limits, in turns. Raises UserError
    for a server that does not answer."""
    sides = {"ours": Server(url, key).figures}
    if against is not None:
        sides["theirs"] = Server(against, key).figures
    return _report({"url": url}, sides, load, rounds=1)


def bench_random_server(
    shapes: RandomShapes, load: Load, against: str | None = None, program: str | None = None
) -> Report:
    """The same of our server over a random model. The limit is what its engine writes without the server, or the
    figures of the server at the address `against`, or of the one that `against` names (glmkit.bench.other_servers), run
    from the file `program`."""
    config: Table = {"preset": shapes.preset, "layers": shapes.layers or "all", "quantize": shapes.quantize or "none"}
    config = {**config, "dtype": str(shapes.dtype)[6:]} | ({} if against is None else {"against": against})
    with ExitStack() as stack:
        if against in SERVERS:
            theirs = stack.enter_context(other_server(against, shapes, load, program))
        elif against is not None:
            theirs = Server(against).figures
        ours = stack.enter_context(RandomServer(shapes))
        if against is None:
            theirs = ours.offline
        return _report(config, {"ours": ours.figures, "theirs": theirs}, load, ROUNDS)


def _report(config: Table, sides: Mapping[str, Callable[[Load], Figures]], load: Load, rounds: int) -> Report:
    measured: dict[str, list[Figures]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, figures in sides.items():
            measured[side].append(figures(load))
    value, limit = (
        {key: median(one[key] for one in taken) for key in (taken[0] if taken else ())}
        for taken in (measured["ours"], measured.get("theirs", []))
    )
    results = [Result(name, number, unit, limit.get((name, unit))) for (name, unit), number in value.items()]
    how: Table = {"loop": "open", "rate": load.rate} if load.rate else {"loop": "closed", "streams": load.streams}
    shape: Table = {"requests": load.requests, "prompt": load.prompt, "tokens": load.tokens}
    return Report("serve", {**config, **how, **shape} | ({"long": load.long} if load.long else {}), results)
