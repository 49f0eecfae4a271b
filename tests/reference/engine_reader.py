"""The engine over a model, as what reads requests."""

from functools import partial

from glmkit.core.types import LanguageModel
from glmkit.generate.follow import read
from glmkit.generate.scheduler import Scheduler
from glmkit.objective.read_request import Reader


def engine_reader(model: LanguageModel) -> Reader:
    return partial(read, Scheduler(model))
