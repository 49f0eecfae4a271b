"""The text of a pretraining run: opened, checked, cut, and split into what is trained on and what is measured."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glmkit.core.errors import UserError
from glmkit.data.pieces import ExampleSource, cut, cut_short, split_heldout
from glmkit.data.shards import TOKENIZER, open_shards
from glmkit.families.registry import family_of
from glmkit.infill.corruption import Vocabulary
from glmkit.infill.geometry import Geometry
from glmkit.infill.mixture import check_objectives, mixture, objectives
from glmkit.text.load import load
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer
from glmkit.train.config import PretrainConfig

_SHORTEST = 32  # tokens, of the pieces the short-sequence option cuts


def opening(geometry: Geometry, special: SpecialIds) -> tuple[int, ...]:
    """What stands before a text: [CLS] of a GLM, [gMASK] sop of a model that reads from left to right."""
    return (special.begin,) if geometry.blanks else (special.gmask, special.sop)


@dataclass(frozen=True)
class Text:
    """The text of a run: what it trains on, what it is measured on, and the tokenizer of both."""

    tokenizer: Tokenizer
    training: ExampleSource
    heldout: dict[str, ExampleSource]
    targets_per_token: float


def open_text(config: PretrainConfig, *, verify: bool = True) -> Text:
    """Opens the prepared data of a run. Raises UserError when they are missing, damaged or too few, and for an
    objective that the model's family cannot learn."""
    if not config.data:
        raise UserError("no data: give data=DIR, a directory made by `glmkit data prepare`")
    shards = open_shards(Path(config.data), verify=verify)
    tokenizer = load(shards.directory / TOKENIZER)
    if tokenizer.fingerprint != shards.manifest["tokenizer"]:
        raise UserError(f"{shards.directory}: its tokenizer is not the one its manifest names; prepare the data again")
    spec = family_of(config.model)
    geometry = spec.geometry(spec.for_tokenizer(config.model, tokenizer))
    check_objectives(config.objective, spec.name, bidirectional=geometry.blanks)
    vocabulary = Vocabulary(special=tokenizer.special, size=len(tokenizer), sentence_ends=tokenizer.sentence_ends)
    begin = opening(geometry, tokenizer.special)
    training, kept = split_heldout(len(shards), 0 if config.heldout_data else config.heldout, config.seed)
    table = cut(shards.lengths, shards.prompts, training, config.seq_length, len(begin))
    if config.objective.short:
        table = cut_short(table, shards.prompts, config.objective.short, _SHORTEST, config.seq_length, config.seed)
    if not len(table):
        raise UserError(f"{shards.directory} holds no text to train on")
    source = ExampleSource(
        shards=shards,
        table=table,
        opening=begin,
        vocabulary=vocabulary,
        objective=mixture(config.objective, bidirectional=geometry.blanks),
        geometry=geometry,
        seed=config.seed,
    )
    sample = source((0, index) for index in range(min(len(source), 64)))
    targets = sum(float(e.weights.sum()) for e in sample) / sum(int(n) for n in table.lengths[: len(sample)])
    return Text(tokenizer, source, _heldout(config, source, kept, verify), targets)


def _heldout(
    config: PretrainConfig, training: ExampleSource, kept: np.ndarray, verify: bool
) -> dict[str, ExampleSource]:
    shards = training.shards
    if config.heldout_data:
        shards = open_shards(Path(config.heldout_data), verify=verify)
        kept = np.arange(len(shards))
        if shards.manifest["tokenizer"] != training.shards.manifest["tokenizer"]:
            raise UserError(
                f"{config.heldout_data} was prepared with another tokenizer than {config.data}; "
                "prepare it again with that one"
            )
    table = cut(shards.lengths, shards.prompts, kept, config.seq_length, len(training.opening))
    measured = objectives(config.objective, bidirectional=training.geometry.blanks)
    return {
        name: replace(training, shards=shards, table=table, objective=objective, seed=config.seed + 1)
        for name, objective in measured.items()
        if len(table)
    }
