"""Every family by name: the one place that knows all rows."""

import copyreg
from collections.abc import Mapping
from typing import Any

from glmkit.core.errors import UserError, nearest, short
from glmkit.families.chatglm import CHATGLM_FAMILY
from glmkit.families.chatglm2 import CHATGLM2_FAMILY
from glmkit.families.glm import GLM_FAMILY
from glmkit.families.spec import FamilySpec

_FAMILIES = {spec.name: spec for spec in (GLM_FAMILY, CHATGLM_FAMILY, CHATGLM2_FAMILY)}


def families() -> Mapping[str, FamilySpec]:
    """Every family, by name."""
    return _FAMILIES


def family(name: str) -> FamilySpec:
    """The family called `name`. Raises UserError naming the nearest."""
    if name not in _FAMILIES:
        raise UserError(f"unknown model family {short(name)}{nearest(name[:64], _FAMILIES)}")
    return _FAMILIES[name]


def _by_name(spec: FamilySpec) -> Any:
    """A row is pickled and copied by its name: it is the same in every process."""
    return (family, (spec.name,)) if _FAMILIES.get(spec.name) is spec else object.__reduce_ex__(spec, 2)


copyreg.pickle(FamilySpec, _by_name)
