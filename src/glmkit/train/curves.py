"""The curve of a run: RUN/loss.png, drawn from its log."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from glmkit.core.json_types import Table
from glmkit.pictures.style import GREY, REFERENCE, legend_below, picture, series
from glmkit.train.logs import read_log

CURVE = "loss.png"
Points = tuple[list[float], list[float]]  # tokens seen, losses


def draw_curve(
    run: Path, unit: str = "nats per predicted token", levels: Mapping[str, float] = MappingProxyType({})
) -> Path:
    """Draws RUN/loss.png from the log: training loss, and held-out loss of each objective, against tokens seen; and
    `levels` to compare them with, by name."""
    from matplotlib.ticker import EngFormatter

    training, validation = curves(read_log(run))
    with picture(run / CURVE, [run.name, *validation, *levels, unit]) as (figure, fonts):
        axes = figure.add_subplot()
        axes.plot(*training, color=GREY, lw=1, alpha=0.7, label="training")
        for number, (name, points) in enumerate(validation.items()):
            axes.plot(*points, zorder=3, label=f"held out: {fonts.drawn(name)}", **series(number))
        for name, loss in levels.items():
            axes.axhline(loss, label=fonts.drawn(name), **REFERENCE)
        axes.set(xlabel="tokens seen", ylabel=f"loss ({fonts.drawn(unit)})", title=f"loss of {fonts.drawn(run.name)}")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        legend_below(figure)
    return run / CURVE


def curves(events: Sequence[Table]) -> tuple[Points, dict[str, Points]]:
    """The training losses of a log, and all held-out losses of each objective."""
    steps = [event for event in events if event["kind"] == "step"]
    known = tokens_at(events)
    validation: dict[str, Points] = {}
    for event in events:
        if event["kind"] == "heldout":
            at, losses = validation.setdefault(event["objective"], ([], []))
            at.append(known(event["step"]))
            losses.append(event["loss"])
    return ([event["tokens"] for event in steps], [event["loss"] for event in steps]), validation


def tokens_at(events: Sequence[Table]) -> Callable[[int], float]:
    """The tokens seen at any step: of one that was not logged they lie on the line between those of the logged ones
    around it."""
    steps = {0: 0} | {event["step"]: event["tokens"] for event in events if event["kind"] == "step"}
    known = sorted(steps.items())

    def at(step: int) -> float:
        after = min(bisect_left(known, (step, 0)), len(known) - 1)
        (first, low), (last, high) = known[max(after - 1, 0)], known[after]
        return float(high) if last == first else low + (high - low) * (step - first) / (last - first)

    return at
