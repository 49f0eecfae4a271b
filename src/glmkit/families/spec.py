"""What ties an architecture together: one row a family, looked up by the name in config.json."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glmkit.core.errors import UserError, nearest
from glmkit.infill.geometry import Geometry

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class FamilySpec:
    """A family of models: its config class, how to build and initialise a model, how it numbers positions."""

    name: str
    config: type
    build: Callable[[Any], Any]
    initialise: Callable[[Any, "torch.Generator"], None]
    geometry: Callable[[Any], Geometry]
    presets: Mapping[str, Any]  # name -> config


def family(name: str) -> FamilySpec:
    """The family called `name`. Raises UserError naming the nearest."""
    from glmkit.families.glm import GLM_FAMILY

    known = {spec.name: spec for spec in (GLM_FAMILY,)}
    if name not in known:
        raise UserError(f"unknown model family {name!r}{nearest(name, known)}")
    return known[name]
