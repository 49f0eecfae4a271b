"""What a pretraining step costs every process of a mesh, from the shapes of the model: memory, collectives, bytes.

of a process     in memory
weights          its part, in float32
moments          of the optimizer, for its part
gradients        its part
gathered         whole weights for a moment: two blocks (one at work, the next on its way) in the type of matrix
                 products, and what is outside of blocks in float32, with a copy of the output matrix for the products;
                 alone, the copies that autocast keeps
accumulated      whole gradients of the micro-batches before the last: only with that one are they reduced
activations      of one micro-batch (train/memory.py), and the gradients of a block on their way
ending           where the backward pass ends: whole weights and gradients of what is outside of blocks. A table that is
                 the output matrix too has two gradients, and their sum
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

import torch
from torch import nn

from glmkit.data.steps import micro_batches, refuse_idle
from glmkit.families.assemble import blank
from glmkit.families.registry import family_of
from glmkit.infill.mixture import SHARES
from glmkit.train.config import PretrainConfig
from glmkit.train.memory import estimate
from glmkit.train.optimizer import block_matrices
from glmkit.train.shard import blocks, mesh_of

_FLOAT = 4  # bytes
_WIDTH = 16  # rows of a batch are padded to a multiple of so many tokens


@dataclass(frozen=True, kw_only=True)
class ProcessMemory:
    """Bytes that one process holds (see above), each at its own moment."""

    weights: int
    moments: int
    gradients: int
    gathered: int
    accumulated: int
    activations: int
    ending: int

    @property
    def state(self) -> int:
        """What lies there when a step is applied."""
        return self.weights + self.moments + self.gradients

    @property
    def peak(self) -> int:
        """The most at any moment of a step."""
        backward = self.gathered + self.accumulated + self.activations
        return self.weights + self.moments + max(backward, self.gradients + self.ending)


@dataclass(frozen=True, kw_only=True)
class MeshCost:
    """A model on a mesh. `parameters`: numbers that are trained; `rounds`: micro-batches of a process a step.

    `collectives` of a process and step by name; `sent`: the bytes that it sends in them, by rings. `checkpoint`: bytes
    of weights and of moments; the weights are whole in the memory of the first process's machine while it writes them.
    """

    replicate: int
    shard: int
    parameters: int
    rounds: int
    memory: ProcessMemory
    collectives: Mapping[str, int]
    sent: int
    checkpoint: tuple[int, int]

    @property
    def world(self) -> int:
        return self.replicate * self.shard


def mesh_cost(config: PretrainConfig, world: int, dtype: torch.dtype) -> MeshCost:
    """The cost of a run of `config` by `world` processes, matrix products in `dtype`.

    Raises UserError for a mesh that is not of so many processes, or a step of fewer rows than processes.
    """
    mesh = replicate, shard = mesh_of(config.parallel, world)
    refuse_idle(config.batch_size, world)
    model = blank(family_of(config.model).build, config.model)
    micro = micro_batches([[]] * config.batch_size, config.micro_batch_size, 0, world)
    tokens = len(micro[0]) * row_width(config)
    parts = [list(block.parameters()) for block in blocks(model)] + [outside(model)]
    matrices = block_matrices(model) if config.optimizer.name == "muon" else []
    own = sum(_part(parameter, shard) for parameter in model.parameters())
    numbers, every = sum(map(_size, parts)), _size(matrices)
    activations = estimate(
        model, config.model, tokens, dtype, config.checkpoint_activations, ceil(tokens * targets_per_token(config))
    ).activations
    memory = ProcessMemory(
        weights=_FLOAT * own,
        moments=_FLOAT * (2 * own - sum(_part(matrix, shard) for matrix in matrices)),  # Muon has one, AdamW two
        gradients=_FLOAT * own,
        gathered=_gathered(model, config, world, dtype),
        accumulated=_FLOAT * numbers if len(micro) > 1 else 0,
        activations=activations + (0 if world == 1 else (dtype.itemsize + _FLOAT) * max(map(_size, parts[:-1]))),
        ending=_ending(model, config, mesh, len(micro), dtype),
    )
    return MeshCost(
        replicate=replicate,
        shard=shard,
        parameters=numbers,
        rounds=len(micro),
        memory=memory,
        collectives=_collectives(config, mesh, len(micro), len(parts), len(matrices)),
        sent=_sent(model, config, mesh, len(micro), dtype, every),
        checkpoint=(_FLOAT * numbers, _FLOAT * (2 * numbers - every)),
    )


def row_width(config: PretrainConfig) -> int:
    """Tokens of a row as the model reads it: its text and, of every blank, the token that stands for it and the one
    that what is written begins with."""
    objective = config.objective
    short = objective.token or objective.infill
    ratio = max(objective.ratio, objective.ratio_end)
    mean = min(objective.mean_length, objective.mean_length_end or objective.mean_length)
    blanks = ratio * config.seq_length / mean if short else 1
    return ceil((config.seq_length + 2 * blanks) / _WIDTH) * _WIDTH


def targets_per_token(config: PretrainConfig) -> float:
    """About how many targets a token of text has; there is no text to draw examples from."""
    objective = config.objective
    parts = dict.fromkeys(("token", "sentence", "infill", "masked_lm"), objective.ratio)
    parts |= {"document": (1 + objective.shortest_document) / 2, "single": objective.mean_length / config.seq_length}
    shares = {name: getattr(objective, name) for name in SHARES}
    return sum(share * parts.get(name, 1.0) for name, share in shares.items()) / sum(shares.values())


def outside(model: nn.Module) -> list[nn.Parameter]:
    """What is outside of blocks, which is gathered as one: tables, the last norm, a head."""
    inside = {id(parameter) for block in blocks(model) for parameter in block.parameters()}
    return [parameter for parameter in model.parameters() if id(parameter) not in inside]


def _size(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _part(parameter: nn.Parameter, shard: int) -> int:
    """Numbers of a parameter that the first of `shard` processes holds: rows, rounded up."""
    rows = parameter.shape[0]
    return ceil(rows / shard) * (parameter.numel() // rows)


def _cast(model: nn.Module, dtype: torch.dtype) -> int:
    """Bytes of the output matrix in the type of the products."""
    return 0 if dtype == torch.float32 else dtype.itemsize * max(map(nn.Parameter.numel, outside(model)))


def _gathered(model: nn.Module, config: PretrainConfig, world: int, dtype: torch.dtype) -> int:
    if world == 1:
        inside = 0 if dtype == torch.float32 else dtype.itemsize * _size(block_matrices(model))
        return inside + _cast(model, dtype)
    sizes = sorted((_size(block.parameters()) for block in blocks(model)), reverse=True)
    whole = sum(sizes[:2] if config.parallel.reshard else sizes)
    return dtype.itemsize * whole + _FLOAT * _size(outside(model)) + _cast(model, dtype)


def _ending(model: nn.Module, config: PretrainConfig, mesh: tuple[int, int], rounds: int, dtype: torch.dtype) -> int:
    """Beside the gradients of this process's part."""
    rest = outside(model)
    table = max(map(nn.Parameter.numel, rest))
    tied = sum(parameter.shape[0] == config.model.vocab_size for parameter in rest) == 1
    twice = _FLOAT * table * (2 * tied + (rounds > 1))
    if mesh == (1, 1):
        return _gathered(model, config, 1, dtype) + twice
    own = sum(_part(parameter, mesh[1]) for parameter in rest)
    return _FLOAT * (2 * _size(rest) - own) + _cast(model, dtype) + twice


def _collectives(
    config: PretrainConfig, mesh: tuple[int, int], rounds: int, parts: int, matrices: int
) -> dict[str, int]:
    """How often a process takes part in what all do together: blocks are gathered for the forward and for the backward
    pass of a micro-batch, the rest for both together; Muon gathers weight and gradient of every matrix.

    Beside gradients of replicas two vectors are summed: what the step counts, and its loss and norm."""
    if mesh == (1, 1):
        return {}
    replicate, shard = mesh
    results = {"all_reduce": 2 + (parts if replicate > 1 else 0)}
    if shard > 1:
        gathers = rounds * (2 * (parts - 1) + 1) if config.parallel.reshard else parts
        results |= {"all_gather": gathers + 2 * matrices, "reduce_scatter": parts}
    return results


def _sent(
    model: nn.Module, config: PretrainConfig, mesh: tuple[int, int], rounds: int, dtype: torch.dtype, muon: int
) -> int:
    """Bytes that a process sends a step: of n processes in a ring each passes on all but its own part of a whole that
    is gathered or reduced, and of a sum both. `muon`: numbers of its matrices."""
    replicate, shard = mesh
    rest = _size(outside(model))
    inside = _size(model.parameters()) - rest
    passes = (2 * rounds, rounds) if config.parallel.reshard else (1, 1)
    gathered = dtype.itemsize * inside * passes[0] + _FLOAT * rest * passes[1]
    gathered += 2 * _FLOAT * muon
    reduced = _FLOAT * (inside + rest)
    within = (gathered + reduced) * (shard - 1) / shard
    between = 2 * reduced / shard * (replicate - 1) / replicate
    return round(within + between)
