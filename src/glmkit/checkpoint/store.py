"""Checkpoints of a training run: each a whole model directory with what it takes to go on exactly.

RUN/checkpoints/step-00000500/            a model directory, accepted by `load`
RUN/checkpoints/step-00000500/training/   state.json (place in the data, counts, checksums), and the optimizer's state:
                                          optimizer.safetensors, or of several processes a shard-....safetensors each
"""

import json
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import NoReturn, cast

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as load_parts
from torch.distributed.checkpoint.state_dict_saver import save as save_parts

from glmkit.conversion.write import finite as not_nan
from glmkit.conversion.write import write_tensors
from glmkit.core.errors import CorruptFile, FailedElsewhere, NotFinite, TrainingDiverged, Unwritable, UserError
from glmkit.core.files import atomic_directory, check_sum, sha256, write_text
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import CHECKSUM, FILE_NAME, check, list_of, number, optional, record, table_of, whole
from glmkit.core.processes import ALONE, Processes
from glmkit.core.seal import check_seal, sealed
from glmkit.core.sharded import local
from glmkit.core.strict_json import finite, read_json
from glmkit.families import directory

_WHOLE = "optimizer.safetensors"
_FILE_BYTES = 128 << 20  # of a process's part of the moments in one file
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
        processes: Processes = ALONE,
    ) -> Path:
        """Writes the checkpoint of `state["step"]`; it appears whole or not at all, and only then are old ones removed.

        Every process calls it, and each `write_model`; of the moments a process writes its own part.
        Raises UserError when the disk is full and TrainingDiverged when weights or moments are NaN, naming the
        checkpoint that survives.
        """
        path = self.run / "checkpoints" / f"step-{state['step']:08d}"
        try:
            with ExitStack() as stack:
                partial = path
                with processes.together():
                    if processes.first:
                        partial = stack.enter_context(atomic_directory(path, replace=True))
                        (partial / "training").mkdir()
                    for name, tensor in (moments := _moments(model, optimizer)).items():
                        not_nan(name, local(tensor))
                partial = processes.gather(partial)[0]
                write_model(partial)
                checksums = _write_moments(moments, partial / "training", processes)
                with processes.together():
                    if processes.first:
                        table = sealed(finite({**state, "world": processes.world, "optimizer": checksums}))
                        write_text(partial / "training/state.json", json.dumps(table) + "\n")
                        stack.close()
        except Unwritable as error:
            raise UserError(f"could not save {path}: {error.path}: {error.reason}; {self.survivor}") from None
        except NotFinite as error:
            raise TrainingDiverged(f"step {state['step']}: {error}; {self.survivor}; lower schedule.peak") from None
        if processes.first:
            self._prune()
        return path

    @property
    def survivor(self) -> str:
        """What there is to go on from, for messages."""
        last = self.latest()
        return f"the last good checkpoint is {last}" if last else "no checkpoint was saved yet"

    @property
    def minutes_since(self) -> float:
        """How long ago the last checkpoint was written; 0 where there is none."""
        last = self.latest()
        return (time.time() - (last / "training/state.json").stat().st_mtime) / 60 if last else 0.0

    def restore(
        self,
        path: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        restore_model: Callable[[Path, nn.Module], None] = directory.restore,
        processes: Processes = ALONE,
    ) -> JsonObject:
        """Puts weights and moments back and returns the state. Raises CorruptFile naming file and checksum.

        `restore_model` puts back what `write_model` wrote.
        """
        try:
            with processes.together():
                state = _read_state(path)
                _check_moments(path / "training", _checksums(state))
                restore_model(path, model)
                places = _places(model, optimizer, reader := HuggingFaceStorageReader(str(path / "training")))
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "torch.distributed is disabled")  # alone it is
                load_parts(places, storage_reader=reader)
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


_NEEDED = {"step": whole(0, 1 << 48), "data": optional(_PLACE)}
_SCHEMA = _NEEDED | {
    "tokens": whole(0, 1 << 60),
    "rank": optional(number()),
    "heldout": table_of(table_of(optional(number()))),
    "world": whole(1, 1 << 24),
    "norms": list_of(number()),
    "optimizer": table_of(CHECKSUM),
    "optimizer_sha256": CHECKSUM,  # as written before there were several files
}


def _read_state(path: Path) -> JsonObject:
    """What the state.json of a checkpoint says. Raises CorruptFile."""
    file = path / "training/state.json"
    state = read_json(file, "", _SCHEMA, required=_NEEDED)
    check_seal(state, _SCHEMA, str(file))
    if not _checksums(state):
        raise CorruptFile(f"{file} names no file of the optimizer")
    return state


def _checksums(state: Table) -> Mapping[str, str]:
    """The SHA-256 of each file of the optimizer by its name."""
    if "optimizer" in state:
        return cast("Mapping[str, str]", state["optimizer"])
    return {_WHOLE: state["optimizer_sha256"]} if "optimizer_sha256" in state else {}


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of any optimizer by parameter name: of AdamW "exp_avg", "exp_avg_sq" and "step", of Muon
    "momentum_buffer"."""
    return {
        f"{name}/{moment}": tensor.contiguous()
        for name, parameter in model.named_parameters()
        for moment, tensor in optimizer.state.get(parameter, {}).items()
    }


def _write_moments(moments: Mapping[str, Tensor], directory: Path, processes: Processes) -> Mapping[str, str]:
    """Writes this process's part of the moments; returns the SHA-256 of the files of all processes."""
    if processes.world == 1:
        return {_WHOLE: write_tensors(directory / _WHOLE, moments)}
    try:
        files = _file_numbers(moments, _FILE_BYTES * processes.world)
        save_parts(dict(moments), storage_writer=HuggingFaceStorageWriter(str(directory), files, save_distributed=True))
    except CheckpointException as error:  # in every process; whoever could not write says so
        _raise_own(error, directory, processes)
    parts = sorted(directory.glob("*.safetensors"))
    return dict(chain(*processes.gather([(part.name, sha256(part)) for part in processes.share(parts)])))


def _file_numbers(moments: Mapping[str, Tensor], size: int) -> dict[str, int]:
    """The number of the file, from 1, that each tensor goes to: a file has about `size` bytes of whole tensors.

    The writer holds its part of a file twice more in memory while it writes it.
    """
    ends = accumulate(tensor.nbytes for tensor in moments.values())
    return {name: 1 + end // size for name, end in zip(moments, ends, strict=True)}


def _raise_own(error: CheckpointException, directory: Path, processes: Processes) -> NoReturn:
    rank, (failure, _) = next(iter(error.failures.items()))
    if processes.rank != rank:
        raise FailedElsewhere(rank, 2 if isinstance(failure, OSError) else 1) from None
    if isinstance(failure, OSError):
        raise Unwritable(directory, failure) from None
    raise failure


def _check_moments(directory: Path, checksums: Mapping[str, str]) -> None:
    """Raises CorruptFile for a file of the optimizer that is not what was written."""
    for name, checksum in checksums.items():
        path = directory / check(name, FILE_NAME, f"{directory / 'state.json'}: the name of a file of the optimizer")
        if not path.is_file():
            raise CorruptFile(f"{path} is missing")
        check_sum(path, checksum, "state.json")


def _places(model: nn.Module, optimizer: torch.optim.Optimizer, reader: HuggingFaceStorageReader) -> dict[str, Tensor]:
    """Moments for the parts of parameters that this process holds, as many as the files have, to be read into."""
    parameters, places = dict(model.named_parameters()), dict[str, Tensor]()
    for key, stored in reader.read_metadata().state_dict_metadata.items():
        name, _, moment = key.rpartition("/")
        if name not in parameters:
            raise CorruptFile(f"{reader.path} is of another model: this one has no {name}")
        parameter = parameters[name]
        assert isinstance(stored, TensorStorageMetadata)
        # The step count has no parts. It lies where the parameter does: the fused optimizer reads it there.
        place = (
            torch.zeros_like(parameter, dtype=stored.properties.dtype)
            if stored.size == parameter.shape and stored.size
            else torch.zeros(stored.size, dtype=stored.properties.dtype, device=parameter.device)
        )
        places[key] = optimizer.state[parameter][moment] = place.detach()
    return places
