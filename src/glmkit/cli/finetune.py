"""glmkit finetune MODEL --task cloze|classify data.train=FILE data.dev=FILE output=DIR"""

from collections.abc import Sequence
from dataclasses import replace

from glmkit.cli.arguments import configure
from glmkit.core.errors import UserError

EXAMPLE = (
    "glmkit finetune runs/first/model --task classify data.train=train.tsv data.dev=dev.tsv data.text=sentence "
    "output=runs/sorter"
)
_HELP = f"""usage: glmkit finetune MODEL --task cloze|classify data.train=FILE data.dev=FILE output=DIR [key=value ...]

Trains a model to answer a task: by filling the blank of a pattern (cloze, a GLM), or by a head (classify).
Rows come from .csv, .tsv or .jsonl files, or from a benchmark: data.name=rte data.dir=DIR.

`glmkit finetune MODEL --help` lists every key; `--dry-run` says how long it would take and trains nothing.

example:
  {EXAMPLE}
  glmkit finetune runs/first/model --task cloze data.train=train.tsv data.dev=dev.tsv \\
      pattern="{{text}} It was [MASK]." data.words="0=terrible,1=great" output=runs/cloze
  glmkit finetune runs/first/model --task cloze data.name=rte data.dir=data epochs=10 output=runs/rte"""


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_HELP)
        return
    from glmkit.tasks.config import FinetuneConfig

    given = [argument if argument != "--dry-run" else "--dry-run=true" for argument in arguments]
    default = FinetuneConfig()
    if not given[0].startswith("-") and "=" not in given[0]:
        default, given = replace(default, model=given[0]), given[1:]
    config = configure(default, given, verb="finetune", example=EXAMPLE)

    from glmkit.cli.progress import TrainingProgress, console
    from glmkit.tasks.dryrun import dry_run
    from glmkit.tasks.finetune import finetune

    if config.dry_run:
        for line in dry_run(config):
            print(line)
        return
    if not config.output:
        raise UserError("no output: give output=DIR for the run")
    model = finetune(config, lambda trainer, done: [TrainingProgress(trainer.steps, done)])
    console.print(f"model in {model}; try: glmkit predict {model} FILE", soft_wrap=True)
