"""The complete description of a pretraining run. Recipes return one; the command line overrides its fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from glmkit.core.config import check_settings, from_mapping, to_mapping
from glmkit.core.errors import UserError, nearest, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import ANY, TEXT, check, number, optional, table_of, whole
from glmkit.core.renamed import RUN_KEYS, accepts_old_keys
from glmkit.data.store import StreamConfig
from glmkit.families.registry import family, family_of, preset
from glmkit.families.spec import ModelConfig
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.train.logs import tracker_names
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.parallel import ParallelConfig
from glmkit.train.schedule import ScheduleConfig

SEED = whole(-(2**32), 2**32)  # with room for the numbers of steps and processes in 64 bits
# Parts of a model that have nothing to do with pretraining.
LATER_PARTS = ("num_labels", "num_prefix")


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """One of several corpora: a directory of prepared shards, and its share of the tokens; without one it has what the
    others leave, by its size."""

    path: str
    weight: float | None = None

    def __post_init__(self) -> None:
        check_settings(self, {"weight": optional(number(above=0))})


@accepts_old_keys
@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """`data` and `output` are directories: prepared shards (or several corpora of them), and the run to be written.

    `model` is the config of a family, whose rows for ids follow from the tokenizer of the data. With `init_from`, a
    model's directory or name, training goes on from that model, and `model` is its config.

    A step reads `batch_size` rows of `seq_length` tokens over all processes, `micro_batch_size` rows at a time in
    each. `validation` is a share of the documents kept for measurement, measured every `validation_every` steps on at
    most `validation_examples` chunks; with `validation_data`, another prepared directory, that is measured instead.
    A checkpoint is written every `save_every` steps, and where those take longer than `save_minutes` (0: never so).
    A step whose gradient norm is more than `skip_spikes` standard deviations above the mean of the last 128 leaves the
    weights as they are; 0 skips none. `threads` of the processor; 0 leaves their number as it is.
    `report_to`: programs that show the run (train/trackers.py), with commas between.
    """

    data: str | tuple[CorpusConfig, ...] = ""
    stream: StreamConfig = field(default_factory=StreamConfig)
    output: str = ""
    model: ModelConfig = field(default_factory=lambda: preset("glm-nano"))
    init_from: str = ""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    steps: int = 1000
    seq_length: int = 512
    batch_size: int = 16
    micro_batch_size: int = 16
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    checkpoint_activations: bool = False
    seed: int = 0
    device: str = "auto"
    threads: int = 0
    validation: float = 0.01
    validation_data: str = ""
    validation_every: int = 100
    validation_examples: int = 200
    save_every: int = 500
    save_minutes: float = 15.0
    skip_spikes: float = 0.0
    keep_last: int = 2
    log_every: int = 10
    tensorboard: bool = False
    report_to: str = ""
    resume: Literal["never", "auto"] = "never"

    def __post_init__(self) -> None:
        counts = "steps batch_size micro_batch_size validation_every validation_examples save_every keep_last log_every"
        kinds = dict.fromkeys(counts.split(), whole(1)) | {"seq_length": whole(8), "seed": SEED, "threads": whole(0)}
        kinds |= {"validation": number(low=0, below=1), "save_minutes": number(low=0), "skip_spikes": number(low=0)}
        check_settings(self, kinds)
        tracker_names(self.report_to)
        family_of(self.model)
        for name in LATER_PARTS:
            if getattr(self.model, name, 0):
                raise UserError(f"model.{name} is {getattr(self.model, name)}: pretraining has none; leave it 0")
        for name in ("mean_length", "mean_length_end"):
            if getattr(self.objective, name) > self.seq_length - 2:
                raise UserError(
                    f"objective.{name} {getattr(self.objective, name):g} leaves nothing of texts of seq_length "
                    f"{self.seq_length}: lower it"
                )
        if self.batch_size % self.micro_batch_size:
            raise UserError(
                f"batch_size {self.batch_size} must be a multiple of micro_batch_size {self.micro_batch_size}"
            )

    @property
    def trackers(self) -> list[str]:
        """The programs that are sent the numbers of the run."""
        return tracker_names(f"{self.report_to},{'tensorboard' * self.tensorboard}")

    @property
    def corpora(self) -> tuple[CorpusConfig, ...]:
        """The corpora, one or several; none where no data are given."""
        if isinstance(self.data, str):
            return (CorpusConfig(path=self.data),) if self.data else ()
        return self.data


# What may differ between a run and its continuation: nothing that changes its results beyond rounding. The rows for ids
# follow from the data, which are compared by themselves, with the window that they are read in where there are several.
FREE_ON_RESUME = frozenset(
    {"resume", "data", "output", "init_from", "validation_data", "keep_last", "log_every", "tensorboard", "report_to"}
    | {"device", "threads", "stream", "model.vocab_size", "parallel", "micro_batch_size", "compile"}
    | {"checkpoint_activations", "save_every", "save_minutes"}
)


def to_record(config: PretrainConfig) -> JsonObject:
    """The config as run.json holds it."""
    return {"family": family_of(config.model).name} | to_mapping(config)


def from_record(values: Table, where: str) -> PretrainConfig:
    """The config that `to_record` wrote, or 0.1.0. Raises UserError naming `where` and the key."""
    left = modern(values)
    spec = family(check(left.pop("family", "glm"), TEXT, f"{where}: family"))
    sizes = check(left.get("model", {}), table_of(ANY), f"{where}: model")
    model: ModelConfig = from_mapping(spec.config, sizes, f"{where}: model")
    return from_mapping(PretrainConfig, left | {"model": model}, where)


# Keys of 0.1.0, whose models were all GLMs: what to write now.
OLD_KEYS: Mapping[str, str] = {
    "preset": "model.num_layers, model.hidden_size, ... or another recipe",
    "dropout": "model.dropout",
    "positions": "model.positions",
    "init": "init_from",
    **RUN_KEYS,
}


def modern(values: Table) -> JsonObject:
    """Settings with the keys of 0.1.0 as today's. Raises UserError for a preset that there is not."""
    values = {RUN_KEYS.get(name, name): value for name, value in values.items()}
    if not OLD_KEYS.keys() & values.keys():
        return dict(values)
    result = {name: value for name, value in values.items() if name not in OLD_KEYS}
    if "init" in values:
        result.setdefault("init_from", values["init"])
    model: JsonObject = {}
    if "preset" in values:
        sizes = family("glm").presets
        if values["preset"] not in sizes:
            raise UserError(f"unknown preset {short(values['preset'])}{nearest(str(values['preset'])[:64], sizes)}")
        model = to_mapping(sizes[values["preset"]])
    for name in ("dropout", "positions"):  # which a preset left as they were
        model.pop(name, None)
        model |= {name: values[name]} if name in values else {}
    if model:
        result["model"] = model | dict(result.get("model", {}))
    return result
