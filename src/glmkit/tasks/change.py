"""What a run changed: losses before its first step and of the model that is kept, so that forgetting shows."""

from pathlib import Path

from glmkit.train.logs import read_log


def changes(run: Path) -> list[str]:
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
