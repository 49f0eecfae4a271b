"""The model as people use it: text in, text out."""

from glmkit.api.chat import Answer
from glmkit.api.generate import Generation
from glmkit.api.infill import Infilling, Infillings
from glmkit.api.load import Model, load

__all__ = ["Answer", "Generation", "Infilling", "Infillings", "Model", "load"]
