"""The complete description of a pretraining run. Recipes return one; the command line overrides its fields."""

from dataclasses import dataclass, field
from typing import Literal

from glmkit.core.config import check_settings
from glmkit.core.errors import UserError
from glmkit.core.kinds import number, whole
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.schedule import ScheduleConfig

SEED = whole(-(2**32), 2**32)  # with room for the numbers of steps and processes in 64 bits


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """`data` and `output` are directories: prepared shards, and the run to be written.

    A step reads `batch_size` rows of `seq_length` tokens over all processes, `micro_batch_size` rows at a time in
    each. `heldout` is a share of the documents kept for measurement, measured every `heldout_every` steps on at most
    `heldout_examples` pieces; with `heldout_data`, another prepared directory, that is measured instead.
    """

    data: str = ""
    output: str = ""
    preset: str = "glm-nano"
    init: str = ""  # a model directory to start from instead of random weights
    dropout: float = 0.0
    positions: Literal["two-channel", "one-channel", "detached"] = "two-channel"
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    steps: int = 1000
    seq_length: int = 512
    batch_size: int = 16
    micro_batch_size: int = 16
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    checkpoint_activations: bool = False
    seed: int = 0
    device: str = "auto"
    heldout: float = 0.01
    heldout_data: str = ""
    heldout_every: int = 100
    heldout_examples: int = 200
    save_every: int = 500
    keep_last: int = 2
    log_every: int = 10
    tensorboard: bool = False
    resume: Literal["never", "auto"] = "never"

    def __post_init__(self) -> None:
        counts = "steps batch_size micro_batch_size heldout_every heldout_examples save_every keep_last log_every"
        kinds = dict.fromkeys(counts.split(), whole(1)) | {"seq_length": whole(8), "seed": SEED}
        check_settings(self, kinds | dict.fromkeys(("dropout", "heldout"), number(low=0, below=1)))
        if self.batch_size % self.micro_batch_size:
            raise UserError(
                f"batch_size {self.batch_size} must be a multiple of micro_batch_size {self.micro_batch_size}"
            )


# What may differ between a run and its continuation: nothing that changes its results.
FREE_ON_RESUME = frozenset(
    {"resume", "data", "output", "init", "heldout_data", "keep_last", "log_every", "tensorboard", "device"}
)
