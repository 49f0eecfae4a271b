"""The complete description of a fine-tuning run."""

from dataclasses import dataclass, field, replace
from typing import Literal

from glmkit.core.config import check_settings
from glmkit.core.errors import UserError, nearest
from glmkit.core.kinds import number, whole
from glmkit.finetuning.pool import Pool
from glmkit.nn.prompt import Kind
from glmkit.objective.ranking import LOSSES
from glmkit.tasks.tables import check_encoding
from glmkit.train.config import SEED
from glmkit.train.logs import tracker_names
from glmkit.train.lora import LoraConfig
from glmkit.train.methods import PEAKS, Name
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.parallel import ParallelConfig
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.schedule import ScheduleConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where rows come from: two files, or a task by `name` (or a .yaml) in the folder `dir`.

    `text` names the one or two columns that are read, `label` the column of the label. `words` gives a label its word
    ("negative=terrible,positive=great"); without it the label's name is its word. `limit` and `dev_limit`: at most
    so many rows; `few`: at most so many rows of each label to train on. `dev_share`: without a file `dev`, the share of
    the rows of `train` that is held out and measured, drawn by `seed`, of each label alike. `encoding` of the files;
    `header`: the first line of .csv and .tsv names the columns (else they are 0, 1, 2, ...).

    Of seq2seq: `form` (tasks/forms.py) with its columns `source` and `target`, of which at most `target_length` tokens
    are read. Of chat: `messages`, ShareGPT's `conversations`, or the columns `prompt` (several with commas between are
    joined), `response` and `history`; Alpaca's columns are known. `mix` is a text file mixed in so that what the model
    knew is not lost, `mix_share` of all tokens; `general` another one, measured before, while and after.
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
    dev_share: float = 0.0
    few: int = 0
    encoding: str = "utf-8"
    header: bool = True
    form: str = "plain"
    source: str = "source"
    target: str = "target"
    target_length: int = 128
    prompt: str = "prompt"
    response: str = "response"
    history: str = "history"
    mix: str = ""
    mix_share: float = 0.1
    general: str = ""

    def __post_init__(self) -> None:
        kinds = dict.fromkeys(("limit", "dev_limit", "few"), whole(0)) | {"target_length": whole(1)}
        check_settings(self, kinds | dict.fromkeys(("mix_share", "dev_share"), number(low=0, below=1)), "data.")
        if self.dev and self.dev_share:
            raise UserError("data.dev and data.dev_share: give one of them")
        check_encoding(self.encoding, "data.encoding")


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """`model` is where to start. `task`: "cloze" fills the blank of `pattern` (a text with [MASK], or the number of
    one of a known task's), "classify" sorts by a head on the hidden state `pool` names.

    Every `evaluate_every` steps (0: once an epoch) the rows of `data.dev` are measured and a checkpoint is written;
    after `patience` measurements without a better `metric` the run stops (0: never). The best one becomes the model.

    "seq2seq" writes a target for a source, "chat" the replies of conversations: rows of `length` tokens are packed,
    `batch_size` of them a step. `method`: see train/methods.py; `quantize` ("int8", "int4") is of the frozen base.
    `smoothing` of labels; `max_lost`: the share of rows that may be too long to learn from; `samples`: how many rows of
    dev are written out at each measurement.

    `prompts` and `prefix`: that many learned vectors in the pattern's [P] places and in front of the text (cloze), made
    by an encoder of `prompt_kind`. `freeze` trains them, or the head, alone. `threads` of the processor; 0 leaves their
    number as it is.
    """

    model: str = ""
    output: str = ""
    task: Literal["cloze", "classify", "seq2seq", "chat"] = "classify"
    method: Name = "full"
    lora: LoraConfig = field(default_factory=LoraConfig)
    ptuning: PrefixConfig = field(default_factory=PrefixConfig)
    quantize: str = ""
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
    smoothing: float = 0.0
    max_lost: float = 0.05
    samples: int = 3
    checkpoint_activations: bool = False
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
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
    threads: int = 0
    keep_last: int = 1
    log_every: int = 10
    tensorboard: bool = False
    report_to: str = ""
    resume: Literal["never", "auto"] = "never"
    dry_run: bool = False

    def __post_init__(self) -> None:
        kinds = dict.fromkeys(("epochs", "batch_size", "micro_batch_size", "keep_last", "log_every"), whole(1))
        kinds |= dict.fromkeys(("prompts", "prefix", "patience", "evaluate_every", "samples", "threads"), whole(0))
        kinds |= dict.fromkeys(("dropout", "smoothing", "max_lost"), number(low=0, below=1))
        check_settings(self, kinds | {"length": whole(8), "penalty": number(), "seed": SEED})
        if (self.prompts or self.prefix) and self.task != "cloze":
            raise UserError("continuous prompts stand in a pattern: use task=cloze, or leave prompts and prefix out")
        tracker_names(self.report_to)
        if self.loss not in LOSSES:
            raise UserError(f"unknown loss {self.loss!r}{nearest(self.loss, LOSSES)}")
        if self.task in ("cloze", "classify") and (self.method != "full" or self.quantize):
            raise UserError(f"task={self.task} trains in full: leave out method and quantize")

    @property
    def trackers(self) -> list[str]:
        """The programs that are sent the numbers of the run."""
        return tracker_names(f"{self.report_to},{'tensorboard' * self.tensorboard}")


def defaults(method: Name) -> FinetuneConfig:
    """A run with the learning rate that suits a method; adapters do not decay."""
    usual = FinetuneConfig() if method == "full" else FinetuneConfig(method=method, task="chat")
    decay = usual.optimizer.weight_decay if method == "full" else 0.0
    return replace(
        usual,
        schedule=replace(usual.schedule, peak=PEAKS[method]),
        optimizer=replace(usual.optimizer, weight_decay=decay),
    )


# What may differ between a run and its continuation: nothing that changes its results.
FREE = frozenset(
    {"samples", "resume", "output", "model", "keep_last", "log_every", "tensorboard", "report_to", "device", "threads"}
    | {"dry_run"}
)
