"""The complete description of a fine-tuning run."""

from dataclasses import dataclass, field
from typing import Literal

from glmkit.core.errors import UserError, nearest
from glmkit.nn.prompt import Kind
from glmkit.objective.ranking import LOSSES
from glmkit.tasks.pool import Pool
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.schedule import ScheduleConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where rows come from: two files, or a task by `name` (or a .yaml) in the folder `dir`.

    `text` names the one or two columns that are read, `label` the column of the label. `words` gives a label its word
    ("negative=terrible,positive=great"); without it the label's name is its word. `limit` and `dev_limit`: at most
    so many rows; `few`: at most so many rows of each label to train on.
    """

    train: str = ""
    dev: str = ""
    name: str = ""
    dir: str = "."
    text: str = "text"
    label: str = "label"
    words: str = ""
    limit: int = 0
    dev_limit: int = 0
    few: int = 0


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """`model` is where to start. `task`: "cloze" fills the blank of `pattern` (a text with [MASK], or the number of
    one of a known task's), "classify" sorts by a head on the hidden state `pool` names.

    Every `evaluate_every` steps (0: once an epoch) the rows of `data.dev` are measured and a checkpoint is written;
    after `patience` measurements without a better `metric` the run stops (0: never). The best one becomes the model.

    `prompts` and `prefix`: that many learned vectors in the pattern's [P] places and in front of the text (cloze), made
    by an encoder of `prompt_kind`. `freeze` trains them, or the head, alone.
    """

    model: str = ""
    output: str = ""
    task: Literal["cloze", "classify"] = "classify"
    data: DataConfig = field(default_factory=DataConfig)
    pattern: str = ""
    pool: Pool | Literal[""] = ""
    loss: str = "cross_entropy"
    penalty: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    metric: str = ""
    patience: int = 0
    evaluate_every: int = 0
    epochs: int = 3
    batch_size: int = 16
    micro_batch_size: int = 16
    length: int = 256
    dropout: float = 0.1
    freeze: bool = False
    prompts: int = 0
    prefix: int = 0
    prompt_kind: Kind = "lstm"
    schedule: ScheduleConfig = field(
        default_factory=lambda: ScheduleConfig(peak=2e-5, shape="linear", warmup=0.1, floor=0.0)
    )
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    keep_last: int = 1
    log_every: int = 10
    tensorboard: bool = False
    resume: Literal["never", "auto"] = "never"
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "micro_batch_size", "keep_last", "log_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.prompts < 0 or self.prefix < 0:
            raise UserError(f"prompts and prefix must not be negative, got {self.prompts} and {self.prefix}")
        if (self.prompts or self.prefix) and self.task != "cloze":
            raise UserError("continuous prompts stand in a pattern: use task=cloze, or leave prompts and prefix out")
        if self.length < 8:
            raise UserError(f"length must be at least 8, got {self.length}")
        if self.loss not in LOSSES:
            raise UserError(f"unknown loss {self.loss!r}{nearest(self.loss, LOSSES)}")
        for name, known in (("task", ("cloze", "classify")), ("class_weights", ("none", "balanced"))):
            if getattr(self, name) not in known:
                raise UserError(f"{name} must be {' or '.join(known)}, got {getattr(self, name)!r}")


# What may differ between a run and its continuation: nothing that changes its results.
FREE = frozenset({"resume", "output", "model", "keep_last", "log_every", "tensorboard", "device", "dry_run"})
