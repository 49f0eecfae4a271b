"""glmkit pretrain RECIPE data=DIR output=DIR key=value ..."""

from collections.abc import Sequence

from glmkit.cli.arguments import configure
from glmkit.cli.invocation import again
from glmkit.cli.progress import TrainingProgress, console, told_of_fonts
from glmkit.core.errors import UserError, nearest
from glmkit.recipes.pretraining import RECIPES

EXAMPLE = "glmkit pretrain glm-nano data=prepared output=runs/first steps=500 schedule.peak=1e-3"

_SIZES = ("num_layers", "hidden_size", "num_heads", "max_positions")
_ELSEWHERE = dict.fromkeys(_SIZES, "sizes come with preset=NAME, glm-nano, glm-mini, glm-base and so on") | {
    "vocab_size": "it is that of the tokenizer the data were prepared with"
}


def main(arguments: Sequence[str]) -> None:
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
        about=f"Pretrains a GLM by blank infilling. {recipe}: {_line(recipe)}",
        elsewhere=_ELSEWHERE,
    )
    from glmkit.api.pretrain import pretrain
    from glmkit.train.parallel import join

    model = pretrain(config, observers=lambda trainer, done: [TrainingProgress(trainer, done)])
    if join().first:
        told_of_fonts(config.output)
        line = again("infill", model, "... [MASK] ...")
        console.print(f"model in {model}; try: {line}", soft_wrap=True, markup=False)


def _help() -> str:
    recipes = "\n".join(f"  {name:<12}{_line(name)}" for name in RECIPES)
    return (
        "usage: glmkit pretrain RECIPE data=DIR output=DIR [key=value ...] [--config FILE.yaml] [--resume auto]\n\n"
        "Pretrains a GLM by blank infilling on data made by `glmkit data prepare`.\n\n"
        f"recipes:\n{recipes}\n\n"
        "`glmkit pretrain RECIPE --help` lists every key; `--print_config` prints the resolved config.\n\n"
        f"example:\n  {EXAMPLE}"
    )


def _line(recipe: str) -> str:
    return (RECIPES[recipe].__doc__ or "").splitlines()[0]
