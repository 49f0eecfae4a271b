"""`glmkit.pretrain`: trains a model from a recipe or a config."""

from collections.abc import Callable
from pathlib import Path

from glmkit.api.arguments import PROGRESS, check_arguments
from glmkit.core.config import overridden
from glmkit.core.errors import UserError, nearest
from glmkit.core.kinds import TEXT, either, instance_of
from glmkit.recipes.pretraining import RECIPES
from glmkit.train import pretrain as runs
from glmkit.train.config import PretrainConfig
from glmkit.train.run import Watchers

_KINDS = {
    "recipe": either(TEXT, instance_of(PretrainConfig), wanted="the name of a recipe, or a PretrainConfig"),
    "observers": PROGRESS,
    "say": PROGRESS,
}


def pretrain(
    recipe: str | PretrainConfig,
    *,
    observers: Watchers = lambda trainer, done: (),
    say: Callable[[str], None] = lambda line: None,
    **settings: object,
) -> Path:
    """Trains as the recipe of that name, or a PretrainConfig, says, and returns the directory of the model, which
    `load` accepts.

    `settings` take the place of the config's fields: `data="prepared", output="runs/first", steps=500,
    schedule={"peak": 1e-3}`. `observers(trainer, done)` returns who watches, `done` steps in; `say` is called
    with the shares of several corpora. Raises UserError for a
    mistake in config or data, TrainingDiverged, or Interrupted once the run has been saved.
    """
    check_arguments(_KINDS, locals())
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise UserError(f"unknown recipe {recipe!r}{nearest(recipe, RECIPES)}")
        recipe = RECIPES[recipe]()
    return runs.pretrain(overridden(recipe, settings, "pretrain"), observers, say)
