"""glmkit finetune MODEL --task cloze|classify|seq2seq|chat data.train=FILE data.dev=FILE output=DIR"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glmkit.cli.configure import configure, given, table
from glmkit.cli.invocation import again
from glmkit.cli.keys import real_key
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    from glmkit.train.methods import Name

EXAMPLE = (
    "glmkit finetune runs/first/model --task classify data.train=train.tsv data.dev=dev.tsv data.text=sentence "
    "output=runs/sorter"
)
_ABOUT = "Trains a model to answer a task. The defaults shown are those of the --method given beside --help."
_HELP = f"""usage: glmkit finetune MODEL --task TASK data.train=FILE data.dev=FILE output=DIR [key=value ...]

Trains a model to answer a task: by filling the blank of a pattern (cloze, a GLM), or by a head (classify); or to
write: targets of sources (seq2seq), replies of conversations (chat, a ChatGLM), --method full, lora or ptuning.
Rows come from .csv, .tsv or .jsonl files, or from a benchmark: data.name=rte data.dir=DIR.

`glmkit finetune MODEL --help` lists every key; `--dry-run` says how long it would take and trains nothing.

example:
  {EXAMPLE}
  glmkit finetune runs/first/model --task cloze data.train=train.tsv data.dev=dev.tsv \\
      pattern="{{text}} It was [MASK]." data.words="0=terrible,1=great" output=runs/cloze
  glmkit finetune runs/first/model --task cloze data.name=rte data.dir=data epochs=10 output=runs/rte
  glmkit finetune chatglm2-6b --task chat --method lora --quantize int4 data.train=talks.jsonl data.dev=dev.jsonl \\
      length=1024 output=runs/talks
  glmkit finetune runs/first/model --task seq2seq data.train=train.jsonl data.dev=dev.jsonl data.form=summary \\
      output=runs/summaries"""


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_HELP)
        return
    from glmkit.finetuning.config import defaults

    rest = [argument if argument != "--dry-run" else "--dry-run=true" for argument in arguments]
    default = defaults(_method(rest))
    if not rest[0].startswith("-") and "=" not in rest[0]:
        start, *rest = rest
        if twice := next((name for name, _ in given(rest) if real_key(name, ("model",)) == "model"), None):
            raise UserError(f"MODEL and {twice} are one setting: give one of them")
        default, rest = replace(default, model=start), [*rest, f"model={start}"]  # it goes before that of a file
    config = configure(default, rest, verb="finetune MODEL", example=EXAMPLE, about=_ABOUT)

    from glmkit.api.finetune import finetune
    from glmkit.cli.progress import TrainingProgress, console, note_missing_fonts
    from glmkit.core.processes import joined

    done = finetune(config, observers=lambda trainer, steps: [TrainingProgress(trainer, steps)], say=console.print)
    if done.model is None:
        for line in done.report:
            print(line)
        return
    if not joined().first:
        return
    note_missing_fonts(config.output)
    for line in done.report:
        console.print(line, soft_wrap=config.task not in ("chat", "seq2seq"))
    tries = {"chat": again("chat", done.model), "seq2seq": again("eval", done.model, "--seq2seq", "FILE")}
    line = tries.get(config.task) or again("predict", done.model, "FILE")
    console.print(f"model in {done.model}; try: {line}", soft_wrap=True, markup=False)


def _method(arguments: Sequence[str]) -> "Name":
    """The method that arguments or their files ask for, on which other defaults depend. Raises UserError for an unknown
    one."""
    from glmkit.train.methods import method_called

    method, where = "full", ""
    for name, value in given(arguments):
        if name == "config" and "method" in (settings := table(Path(value))):
            method, where = str(settings["method"]), f"{value}: "
        elif name == "method":
            method, where = value, ""
    return method_called(method, where)
