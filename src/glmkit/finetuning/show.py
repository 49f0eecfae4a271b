"""A row of a fine-tuning run for people: what is read, what is masked, what was cut, what is scored."""

from pathlib import Path

from glmkit.core.config import from_mapping
from glmkit.families.directory import RUN
from glmkit.finetuning.config import FinetuneConfig
from glmkit.finetuning.run import prepare
from glmkit.train.logs import read_record


def is_finetuning(run: Path) -> bool:
    """Whether a directory is, or comes from, a fine-tuning run."""
    return (run / RUN).is_file() and "epochs" in read_record(run)["config"]


def of_run(run: Path, index: int) -> list[str]:
    """Row `index` of the training rows of a run. Raises UserError when the run's model or files are gone."""
    config = from_mapping(FinetuneConfig, read_record(run)["config"], f"{run / RUN}: config")
    return prepare(config).shown(index)
