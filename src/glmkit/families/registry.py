"""Every family by name: the one place that knows all rows."""

import copyreg
from collections.abc import Mapping
from typing import Any

from glmkit.core.errors import UserError, nearest, short
from glmkit.families.chatglm import CHATGLM_FAMILY
from glmkit.families.chatglm2 import CHATGLM2_FAMILY
from glmkit.families.glm import GLM_FAMILY
from glmkit.families.neoglm import NEOGLM_FAMILY
from glmkit.families.spec import FamilySpec, ModelConfig

_FAMILIES = {spec.name: spec for spec in (GLM_FAMILY, CHATGLM_FAMILY, CHATGLM2_FAMILY, NEOGLM_FAMILY)}


def families() -> Mapping[str, FamilySpec]:
    """Every family, by name."""
    return _FAMILIES


def register(spec: FamilySpec) -> None:
    """Adds a family that is defined elsewhere. Raises ValueError for a name that is taken."""
    if _FAMILIES.get(spec.name, spec) is not spec:
        raise ValueError(f"there is a family called {spec.name} already")
    _FAMILIES[spec.name] = spec


def family(name: str) -> FamilySpec:
    """The family called `name`. Raises UserError naming the nearest."""
    if name not in _FAMILIES:
        raise UserError(f"unknown model family {short(name)}{nearest(name[:64], _FAMILIES)}")
    return _FAMILIES[name]


def family_of(config: ModelConfig) -> FamilySpec:
    """The family whose config `config` is. Raises UserError for one of none."""
    result = next((spec for spec in _FAMILIES.values() if type(config) is spec.config), None)
    if result is None:
        raise UserError(f"model must be the config of a family ({', '.join(_FAMILIES)}), got {short(config)}")
    return result


def preset(name: str) -> ModelConfig:
    """The sizes called `name`, of whatever family. Raises UserError naming the nearest."""
    sizes = {item: config for spec in _FAMILIES.values() for item, config in spec.presets.items()}
    if name not in sizes:
        raise UserError(f"unknown preset {short(name)}{nearest(name[:64], sizes)}")
    return sizes[name]


def _by_name(spec: FamilySpec) -> Any:
    """A row is pickled and copied by its name: it is the same in every process."""
    return (family, (spec.name,)) if _FAMILIES.get(spec.name) is spec else object.__reduce_ex__(spec, 2)


copyreg.pickle(FamilySpec, _by_name)
