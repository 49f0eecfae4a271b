"""Opens and reads a model from any directory that is known, ours or somebody's."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from glmkit.conversion.statemap import StateMap, blocks_of, same_names
from glmkit.conversion.views import as_native
from glmkit.conversion.weights import Weights
from glmkit.conversion.wrappers import refuse_external_codes
from glmkit.core.config import from_mapping, to_mapping
from glmkit.core.errors import CorruptFile, UserError, nearest
from glmkit.core.forked import computing
from glmkit.core.json_types import Table
from glmkit.core.renamed import current_keys
from glmkit.families import directory
from glmkit.families.assemble import Progress, as_it_lies, blank, copied, make_assigner, materialize, shapes, unwatched
from glmkit.families.detect import CONFIG, DetectedModel, detect
from glmkit.families.spec import NAMED, FamilySpec, ModelConfig, OwnModel
from glmkit.kernels.library import library
from glmkit.nn.accelerate import Activations, accelerate, rounds_activations
from glmkit.quantization.plan import Plan, refuse_quantized
from glmkit.quantization.row_major import check_types, expect_quantized
from glmkit.quantization.tile_blocks import Packs, to_row_major, use_packed
from glmkit.text.chatglm import renamed
from glmkit.text.load import load as load_tokenizer
from glmkit.text.tokenizer import SPECIAL_FILE, Tokenizer


@dataclass(frozen=True)
class Source:
    """A model whose files are open and whose weights are not read yet.

    `packs`: quantized matrices in tile blocks, by the names of layers; `weights` holds them in row-major order.
    """

    detected: DetectedModel
    config: ModelConfig
    model: nn.Module  # without memory
    external: Weights  # as the files name them
    statemap: StateMap
    weights: Weights  # as we name them
    packs: Packs
    tokenizer: Tokenizer | None
    missing: str  # without a tokenizer: which file is not there, and where it goes
    infill_run: Table | None  # its run.json, if it is a causal model that learned to fill blanks


@dataclass(frozen=True)
class Loaded:
    """A model read from a directory. Without a tokenizer, `missing` says which file is not there and where it goes.
    `infill_run`: as `Source` has it."""

    family: FamilySpec
    config: ModelConfig
    model: OwnModel
    tokenizer: Tokenizer | None
    missing: str = ""
    infill_run: Table | None = None


def read(
    path: Path,
    *,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    quantize: str | Plan | None = None,
    options: Table | None = None,
    model: str | None = None,
    tokenizer: Path | None = None,
    activations: Activations = "auto",
    progress: Progress = unwatched,
) -> Loaded:
    """The model in `path`. `dtype` None keeps the one it was saved in; for `activations` see `accelerate`, for the
    rest `open_model`. Raises UserError for a quantized model that is to be quantized."""
    computing()
    place = make_assigner(quantize)
    source = open_model(path, options=options, model=model, tokenizer=tokenizer)
    if quantize is not None:
        refuse_quantized(source.model)
    kind, weights, reading = dtype or source.weights.main_dtype, source.weights, copied
    if source.packs and rounds_activations(kind, activations) and device == "cpu" and library() is not None:
        weights, reading = use_packed(source.model, source.packs, weights), as_it_lies
    filled = materialize(
        source.model, weights, dtype=kind, device=device, place=place, progress=progress, reading=reading
    )
    accelerate(filled, kind, activations)
    detected = source.detected
    return Loaded(detected.family, source.config, filled, source.tokenizer, source.missing, source.infill_run)


def open_model(
    path: Path,
    *,
    options: Table | None = None,
    model: str | None = None,
    tokenizer: Path | None = None,
) -> Source:
    """Opens the model in `path` and checks that its weights are all there, without reading them.

    `options` override fields of its config; `model` is the name of the published model where the files do not tell;
    `tokenizer` the directory of the tokenizer's files where they lie elsewhere. Raises UserError or CorruptFile naming
    the file and what to do; a weight that is not in the files is never made up.
    """
    options = current_keys(options or {})
    detected = detect(path)
    spec, layout = detected.family, detected.format
    if layout is None:
        if model is not None:
            raise UserError(f"{detected.directory} says itself what it is; leave out the name {model!r}")
        stored = directory.read_config(detected.directory, detected.table, spec)
        external = directory.open_native(detected.directory, detected.table)
    else:
        refuse_external_codes(detected.table, detected.directory)
        external = layout.open(detected.directory).without_prefix(layout.prefixes)
        given = {name: value for name, value in (options or {}).items() if name in layout.options}
        given |= {} if model is None else {NAMED: model}
        stored = layout.config({**detected.table, **given}, external)
    config = _overridden(detected, stored, options or {})
    published = None if layout is None else layout.statemap(stored)
    _check_blocks(detected.directory, external, published, config.num_layers)
    model_shell = blank(spec.build, config)
    rows, packs = to_row_major(external, model_shell) if layout is None else (external, {})
    expect_quantized(model_shell, rows, published)
    wanted = shapes(model_shell)
    statemap = published or same_names(wanted)
    weights = as_native(rows, statemap, wanted, spec.resize_weights(stored, config))
    check_types(model_shell, weights)
    text, missing = _tokenizer(detected, config, model, tokenizer)
    run = None if layout is not None or spec.prompt.bidirectional else directory.infill_run(detected.directory)
    return Source(detected, config, model_shell, external, statemap, weights, packs, text, missing, run)


def tokenizer_of(path: Path) -> Tokenizer:
    """The tokenizer saved in `path`, or that of the model there, of whatever layout. Raises UserError."""
    if (path / SPECIAL_FILE).is_file() or not (path / CONFIG).is_file():
        return load_tokenizer(path)
    source = open_model(path)
    if source.tokenizer is None:
        raise UserError(f"{path} has no tokenizer: {source.missing}")
    return source.tokenizer


def _check_blocks(where: Path, weights: Weights, statemap: StateMap | None, layers: int) -> None:
    """Raises CorruptFile when the config has another number of layers than the weights: nothing is built for it."""
    keys = weights.keys()
    count = blocks_of(keys, ("blocks.",)) if statemap is None else statemap.count_blocks(keys)
    if count != layers:
        raise CorruptFile(
            f"{where}: {CONFIG} says {layers} layers, the weights have {count}: the checkpoint is incomplete or of "
            "another model; copy it again"
        )


def _overridden(detected: DetectedModel, config: ModelConfig, options: Table) -> ModelConfig:
    known = (*detected.family.options, *(detected.format.options if detected.format else ()))
    for name in options:
        if name not in known:
            raise UserError(f"a model of family {detected.family.name} has no option {name!r}{nearest(name, known)}")
    return from_mapping(type(config), {**to_mapping(config), **options}, "options") if options else config


def _tokenizer(
    detected: DetectedModel, config: ModelConfig, model: str | None, elsewhere: Path | None
) -> tuple[Tokenizer | None, str]:
    """The tokenizer, or None and what is missing. One that is there and is not the model's is an error."""
    place = elsewhere or detected.directory
    if detected.format is None and elsewhere is None:
        own, missing = directory.read_tokenizer(place, detected.table, config.vocab_size)
        return _talking(own, detected), missing
    if (place / SPECIAL_FILE).is_file():
        saved = load_tokenizer(place)
        text: Tokenizer | None = saved if model is None else renamed(saved, model, place / SPECIAL_FILE)
        missing = ""
    elif detected.format is None:
        raise UserError(f"{place} has no {SPECIAL_FILE}: not a tokenizer")
    else:
        text, missing = detected.format.tokenizer(place, config, model)
    if text is not None:
        directory.check_rows(text, config.vocab_size, place)
    return _talking(text, detected), missing


def _talking(tokenizer: Tokenizer | None, result: DetectedModel) -> Tokenizer | None:
    """The tokenizer with the chat format of its model's family, where it names none itself."""
    if tokenizer is None or tokenizer.chat is not None or not result.family.prompt.chat:
        return tokenizer
    return tokenizer.with_chat(result.family.prompt.chat)
