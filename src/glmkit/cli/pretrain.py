"""glmkit pretrain RECIPE data=DIR output=DIR key=value ..."""

from collections.abc import Sequence

from glmkit.cli.configure import Older, configure, given
from glmkit.cli.invocation import again
from glmkit.cli.progress import TrainingProgress, console, note_missing_fonts
from glmkit.core.errors import UserError, nearest
from glmkit.recipes.pretraining import RECIPES
from glmkit.train.config import OLD_KEYS, CorpusConfig, PretrainConfig, modern

EXAMPLE = "glmkit pretrain glm-nano data=prepared output=runs/first steps=500 schedule.peak=1e-3"

DRY_RUN = "--dry-run"

_OF_TOKENIZER = "it is that of the tokenizer the data were prepared with"
_NOT_PRETRAINED = "pretraining has none"
FIXED = {
    "model.vocab_size": _OF_TOKENIZER,
    **dict.fromkeys(("model.num_labels", "model.num_prefix", "model.prefix_projection"), _NOT_PRETRAINED),
}
_ELSEWHERE = {"vocab_size": _OF_TOKENIZER}


def main(arguments: Sequence[str]) -> None:
    dry = DRY_RUN in arguments
    arguments = [argument for argument in arguments if argument != DRY_RUN]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return
    recipe, *rest = arguments
    if recipe not in RECIPES:
        raise UserError(f"unknown recipe {recipe!r}{nearest(recipe, RECIPES)}")
    config = configure(
        RECIPES[recipe](),
        rest,
        verb=f"pretrain {recipe}",
        example=EXAMPLE,
        about=f"Pretrains a model. {recipe}: {_line(recipe)} {DRY_RUN}: what it would take; nothing is started.",
        elsewhere=_ELSEWHERE,
        fixed=FIXED,
        older=Older(OLD_KEYS, modern),
        lists={"data": CorpusConfig},
    )
    if config.init_from:
        _refuse_sizes(config.init_from, rest)
    if dry:
        from glmkit.train.dryrun import dry_run

        print("\n".join(dry_run(config)))
        return
    from glmkit.api.pretrain import pretrain
    from glmkit.core.processes import joined

    model = pretrain(
        config,
        observers=lambda trainer, done: [TrainingProgress(trainer, done)],
        say=lambda line: console.print(line, soft_wrap=True, markup=False),
    )
    if joined().first:
        note_missing_fonts(config.output)
        line = again(*_trial(config, model))
        console.print(f"model in {model}; try: {line}", soft_wrap=True, markup=False)


def _refuse_sizes(init_from: str, arguments: Sequence[str]) -> None:
    """Raises UserError for sizes of a model that is there already."""
    for name, _ in given(arguments):
        if name.startswith("model.") and name != "model.dropout":
            raise UserError(f"{name} is that of {init_from}: leave it out, or leave out init_from")


def _trial(config: PretrainConfig, model: object) -> tuple[object, ...]:
    """A command that shows what the trained model can do."""
    shares = config.objective
    if shares.causal:
        return ("generate", model, "...")
    return ("infill", model, "... [MASK] ...")


def _help() -> str:
    recipes = "\n".join(f"  {name:<15}{_line(name)}" for name in RECIPES)
    return (
        "usage: glmkit pretrain RECIPE data=DIR output=DIR [key=value ...] [--config FILE.yaml] [--resume auto]\n\n"
        "Pretrains a model on data made by `glmkit data prepare`: a GLM by blank infilling, a ChatGLM2 from left to\n"
        "right.\n\n"
        f"recipes:\n{recipes}\n\n"
        "`glmkit pretrain RECIPE --help` lists every key; `--print_config` prints the resolved config.\n"
        "`--dry-run` says what memory, traffic, time and checkpoints the run would take, of any number of processes\n"
        "(parallel.shard=8 parallel.replicate=4), with or without data, and starts nothing.\n\n"
        f"example:\n  {EXAMPLE}"
    )


def _line(recipe: str) -> str:
    return (RECIPES[recipe].__doc__ or "").splitlines()[0]
