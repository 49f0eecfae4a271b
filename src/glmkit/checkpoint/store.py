"""Checkpoints of a training run: each a whole model directory with what it takes to go on exactly.

RUN/checkpoints/step-00000500/            a model directory, accepted by `load`
RUN/checkpoints/step-00000500/training/   optimizer.safetensors, state.json (place in the data, counts, checksum)
"""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from glmkit.conversion.write import write_tensors
from glmkit.core.errors import CorruptFile, NotFinite, TrainingDiverged, Unwritable, UserError
from glmkit.core.files import atomic_directory, sha256, write_text
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import CHECKSUM, list_of, number, optional, record, table_of, whole
from glmkit.core.seal import check_seal, sealed
from glmkit.core.strict_json import finite, read_json
from glmkit.families import directory

# A place in the data: the epoch, how many examples of it were drawn, and which of them still wait for a row.
_PLACE = record(
    {
        "epoch": whole(0, 1 << 48),
        "cursor": optional(whole(0, 1 << 48)),
        "waiting": optional(list_of(list_of(whole(0, 1 << 48), least=2))),
    }
)


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of one run. Keeps the last `keep_last` and the one that measured best, of the lowest `rank`
    (in pretraining the held-out loss)."""

    run: Path
    keep_last: int

    def all(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        return sorted(
            path for path in (self.run / "checkpoints").glob("step-*") if (path / "training/state.json").is_file()
        )

    def latest(self) -> Path | None:
        return next(reversed(self.all()), None)

    def save(
        self,
        state: JsonObject,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        write_model: Callable[[Path], None],
    ) -> Path:
        """Writes the checkpoint of `state["step"]`; it appears whole or not at all, and only then are old ones removed.

        Raises UserError when the disk is full and TrainingDiverged when weights or moments are NaN, naming the
        checkpoint that survives.
        """
        path = self.run / "checkpoints" / f"step-{state['step']:08d}"
        try:
            with atomic_directory(path, replace=True) as partial:
                write_model(partial)
                (partial / "training").mkdir()
                checksum = write_tensors(partial / "training/optimizer.safetensors", _moments(model, optimizer))
                table = sealed(finite({**state, "optimizer_sha256": checksum}))
                write_text(partial / "training/state.json", json.dumps(table) + "\n")
        except Unwritable as error:
            raise UserError(f"could not save {path}: {error.path}: {error.reason}; {self.survivor}") from None
        except NotFinite as error:
            raise TrainingDiverged(f"step {state['step']}: {error}; {self.survivor}; lower schedule.peak") from None
        self._prune()
        return path

    @property
    def survivor(self) -> str:
        """What there is to go on from, for messages."""
        last = self.latest()
        return f"the last good checkpoint is {last}" if last else "no checkpoint was saved yet"

    def restore(
        self,
        path: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        restore_model: Callable[[Path, nn.Module], None] = directory.restore,
    ) -> JsonObject:
        """Puts weights and moments back and returns the state. Raises CorruptFile naming file and checksum.

        `restore_model` puts back what `write_model` wrote.
        """
        try:
            state = _read_state(path)
            restore_model(path, model)
            _put_moments(model, optimizer, path / "training/optimizer.safetensors", state["optimizer_sha256"])
        except CorruptFile as error:
            raise CorruptFile(f"{error}; remove {path} to go on from the checkpoint before it") from None
        return state

    def _prune(self) -> None:
        every = self.all()
        kept = {*every[-self.keep_last :], self.best()}
        for path in every:
            if path not in kept:
                shutil.rmtree(path)

    def best(self) -> Path | None:
        """The checkpoint of the lowest rank; None when none was measured."""
        ranks = {path: self._rank(path) for path in self.all()}
        measured = {path: rank for path, rank in ranks.items() if rank is not None}
        return min(measured, key=lambda path: measured[path]) if measured else None

    def _rank(self, path: Path) -> float | None:
        with suppress(CorruptFile):  # a damaged old checkpoint must not stop a new one from being kept
            return _read_state(path).get("rank")
        return None


_NEEDED = {"step": whole(0, 1 << 48), "data": optional(_PLACE), "optimizer_sha256": CHECKSUM}
_SCHEMA = _NEEDED | {
    "tokens": whole(0, 1 << 60),
    "rank": optional(number()),
    "heldout": table_of(table_of(optional(number()))),
}


def _read_state(path: Path) -> JsonObject:
    """What the state.json of a checkpoint says. Raises CorruptFile."""
    file = path / "training/state.json"
    state = read_json(file, "", _SCHEMA, required=_NEEDED)
    check_seal(state, _SCHEMA, str(file))
    return state


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The state of any optimizer by parameter name: of AdamW "exp_avg", "exp_avg_sq" and "step", of Muon
    "momentum_buffer"."""
    return {
        f"{name}/{moment}": tensor.contiguous()
        for name, parameter in model.named_parameters()
        for moment, tensor in optimizer.state.get(parameter, {}).items()
    }


def _put_moments(model: nn.Module, optimizer: torch.optim.Optimizer, path: Path, checksum: str) -> None:
    if not path.is_file():
        raise CorruptFile(f"{path} is missing")
    if (actual := sha256(path)) != checksum:
        raise CorruptFile(f"{path} is damaged: SHA-256 {actual[:16]}..., state.json says {checksum[:16]}...")
    parameters = dict(model.named_parameters())
    for key, tensor in load_file(path).items():
        name, _, moment = key.rpartition("/")
        if name not in parameters:
            raise CorruptFile(f"{path} is of another model: this one has no {name}")
        # The step count too: the fused optimizer reads it where the parameter lies.
        optimizer.state[parameters[name]][moment] = tensor.to(parameters[name].device)
