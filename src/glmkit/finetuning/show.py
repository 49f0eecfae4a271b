"""A row of a fine-tuning run for people: what is read, what is masked, what was cut, what is scored."""

from pathlib import Path

from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.families.directory import RUN
from glmkit.finetuning.config import FinetuneConfig
from glmkit.finetuning.learner import ClozeLearner
from glmkit.finetuning.run import Prepared, prepare
from glmkit.finetuning.writing import Writing
from glmkit.tasks.pair import instance_input
from glmkit.train.run import read_record


def is_finetuning(run: Path) -> bool:
    """Whether a directory is, or comes from, a fine-tuning run."""
    return (run / RUN).is_file() and "epochs" in read_record(run)["config"]


def of_run(run: Path, index: int) -> list[str]:
    """Row `index` of the training rows of a run. Raises UserError when the run's model or files are gone."""
    config = from_mapping(FinetuneConfig, read_record(run)["config"], f"{run / RUN}: config")
    return example(prepare(config), index)


def example(prepared: Prepared | Writing, index: int) -> list[str]:
    """Lines for people. Raises UserError for a row there is not."""
    if isinstance(prepared, Writing):
        return prepared.shown(index)
    rows = prepared.dataset.train
    if not 0 <= index < len(rows):
        raise UserError(f"row {index}: there are {len(rows)} training rows, numbered from 0")
    instance, task, learner = rows[index], prepared.dataset.task, prepared.learner
    tokenizer = prepared.loaded.tokenizer
    assert tokenizer is not None
    if not isinstance(learner, ClozeLearner):
        ids, cut = instance_input(tokenizer, learner.subject.prompt, task, instance, prepared.saved.length)
        right = task.labels[instance.gold or 0]
        return [
            f"row {instance.uid}: {len(ids)} tokens, {cut} cut; the head reads the {prepared.saved.pool} token",
            f"read    {tokenizer.decode(ids)}",
            f"class   {right}, weight {instance.weight:.3g}",
        ]
    (cloze,) = learner.clozes([instance])
    shown = [f"row {cloze.uid}: {sum(len(each.ids) for each in cloze.contexts)} tokens read, {cloze.cut} cut"]
    for context in cloze.contexts:
        known = [id if id < len(tokenizer) else tokenizer.special.pad for id in context.ids.tolist()]
        shown.append(f"read    {tokenizer.decode(known)}")
    scored = "its first token" if cloze.single else "every token and the end"
    gold = 0 if task.match else cloze.gold
    for number, choice in enumerate(cloze.choices):
        mark = "right " if number == gold else "wrong "
        shown.append(f"{mark}  {tokenizer.decode(choice)}   ({len(choice)} tokens; scored: {scored})")
    return shown
