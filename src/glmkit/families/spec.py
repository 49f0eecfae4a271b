"""What ties an architecture together: one row a family, looked up by the name in config.json."""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from glmkit.core.json_types import Table
from glmkit.infill.position_schemes import PositionScheme
from glmkit.text.prompts import Framing

if TYPE_CHECKING:
    import torch
    from torch import nn

    from glmkit.conversion.statemap import StateMap
    from glmkit.conversion.weights import Weights
    from glmkit.text.tokenizer import Tokenizer


@runtime_checkable
class ModelConfig(Protocol):
    """What the config of every family has: a frozen dataclass of sizes."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def num_layers(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def max_positions(self) -> int: ...


Config = TypeVar("Config", bound=ModelConfig)

# What a family's functions take of their own: its config with all its fields; its model, a torch module that is a
# LanguageModel. No type says either of every family at once.
OwnConfig = Any
OwnModel = Any

MatmulShapes = list[tuple[int, int, int]]  # of products [m, k] x [k, n]

NAMED = "model="  # no key of any config.json: what the user says the model is


@dataclass(frozen=True, kw_only=True)
class Export:
    """A model to be written in somebody's layout: its weights under our names, read as they are written."""

    config: OwnConfig
    model: "nn.Module"  # without memory
    weights: "Weights"
    tokenizer: "Tokenizer | None"
    ranks: int = 1  # model-parallel ranks, where the layout has them
    blocks: str | None = None  # how matrices are quantized, where the layout has a way: "q8_0", "q4_0"
    safetensors: bool = False  # instead of pickled .bin, where the layout leaves the choice


@dataclass(frozen=True, kw_only=True)
class Format:
    """A layout in which others publish models of a family: how it is read, and written if it can be.

    recognizes(directory, table)           is this it? `table` is config.json, empty when there is none
    open(directory)                        its weights
    config(table, weights)                 our config; the weights tell what the table leaves open. Raises UserError
    statemap(config)                       what it calls our weights
    tokenizer(directory, config, model)    its tokenizer, or None and which file is missing; `model` is the name of
                                           the published model, where the user gave one
    write(directory, export)               writes the layout into an empty directory
    choices                                fields of `Export` that `write` heeds beside the model
    prefixes                               what may stand before any key
    options                                fields of the config that the files do not tell, to be given to `load`;
                                           `config` finds those that were given in its table, and under NAMED the
                                           name of the published model
    """

    name: str
    recognizes: Callable[[Path, Table], bool]
    open: "Callable[[Path], Weights]"
    config: "Callable[[Table, Weights], ModelConfig]"
    statemap: "Callable[[OwnConfig], StateMap]"
    tokenizer: "Callable[[Path, OwnConfig, str | None], tuple[Tokenizer | None, str]]"
    write: "Callable[[Path, Export], None] | None" = None
    choices: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ("module.", "model.")
    options: tuple[str, ...] = ()


def no_growth(stored: ModelConfig, wanted: ModelConfig) -> "Mapping[str, Callable[[torch.Tensor], torch.Tensor]]":
    """Of a family none of whose weights depends on what a user may change."""
    return {}


MULTIPLE = 128  # rows of a table, as the original pads them


def rows_for(config: Config, tokenizer: "Tokenizer") -> Config:
    """The config with a row for each id of the tokenizer, rounded up to a multiple of 128."""
    return replace(config, vocab_size=-(-len(tokenizer) // MULTIPLE) * MULTIPLE)


@dataclass(frozen=True, kw_only=True)
class FamilySpec:
    """A family of models: its config class, how to build and initialize a model, how it numbers positions and
    frames texts.

    `build` must work under `torch.device("meta")`: tables that are computed, not stored, are made at first use.
    `options`: fields of the config that `load` may override. `resize_weights(stored, wanted)`: name of a weight -> how
    to make the one of the config `wanted` from the stored one. `vocab_weights`: names of the weights with a row for
    each id. `file_exports`: layouts that are a single file and only written, name -> writer. `unsupported_exports`:
    layouts that people ask for and that cannot hold such a model, name -> why.

    `for_tokenizer(config, tokenizer)`: the config of a model for the ids of a tokenizer.
    `matmul_shapes(config, tokens)`: the matrix products of one block for so many tokens.
    `flops_per_token(config, seq_length, targets_per_token)`: floating point operations of a forward and a backward
    pass for a token of text.
    """

    name: str
    config: type[ModelConfig]
    build: Callable[[OwnConfig], OwnModel]
    initialize: Callable[[OwnModel, "torch.Generator"], None]
    positions: Callable[[OwnConfig], PositionScheme]
    prompt: Framing
    presets: Mapping[str, ModelConfig]
    matmul_shapes: Callable[[OwnConfig, int], MatmulShapes]
    flops_per_token: Callable[[OwnConfig, int, float], float]
    for_tokenizer: "Callable[[OwnConfig, Tokenizer], ModelConfig]" = rows_for
    formats: tuple[Format, ...] = ()
    options: tuple[str, ...] = ()
    vocab_weights: tuple[str, ...] = ("embedding.words.weight",)
    resize_weights: "Callable[[OwnConfig, OwnConfig], Mapping[str, Callable[[torch.Tensor], torch.Tensor]]]" = field(
        default=no_growth
    )
    file_exports: "Mapping[str, Callable[[Path, Export], None]]" = field(default_factory=dict)
    unsupported_exports: Mapping[str, str] = field(default_factory=dict)
