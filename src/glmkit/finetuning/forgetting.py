"""What came out of a run: what the kept model is worth, and losses before and after, so that forgetting shows."""

from pathlib import Path

from glmkit.train.logs import measures_of, read_log


def change_lines(run: Path) -> list[str]:
    """A line for each text that was measured, dev first. Of a run that writes: the kept model is dev's best."""
    measured: dict[str, dict[int, float]] = {}
    for event in read_log(run):
        if event["kind"] == "heldout":
            measured.setdefault(event["objective"], {})[event["step"]] = event["loss"]
    if not measured:
        return []
    dev = measured["dev"]
    # Before the first step nothing is saved, so nothing of it is kept.
    kept = min((step for step in dev if step), key=lambda step: dev[step], default=0)
    return [
        f"{name}: loss {losses[0]:.3f} before, {losses[kept]:.3f} after ({losses[kept] - losses[0]:+.3f}), step {kept}"
        for name, losses in measured.items()
        if 0 in losses and kept in losses
    ]


def result_line(run: Path, objective: str, metric: str = "") -> str:
    """What the model that a run with answers kept is worth, by `metric` or its task's: a line, or "" where none was
    kept."""
    measured = [(step, value) for step, value in measures_of(run, objective) if step]
    if not measured:
        return ""
    metric = metric or next(iter(measured[0][1].scores), "accuracy")
    step, best = max(measured, key=lambda pair: pair[1].value(metric))
    others = "" if metric == "accuracy" else f", accuracy {best.accuracy:.1%}"
    return (
        f"result: {metric} {best.value(metric):.1%}{others}, loss {best.loss:.3f} on {best.tokens} rows of {objective} "
        f"(step {step}, the best of {len(measured)} measured)"
    )
