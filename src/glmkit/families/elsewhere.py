"""Where a published model is got, for those who name one that is not on this machine."""

import re
from collections.abc import Mapping
from pathlib import Path

from glmkit.core.errors import UserError, nearest
from glmkit.families.download import Hub
from glmkit.families.published import MODELS

ID = re.compile(r"[\w.-]+/[\w.-]+")  # of a model on a hub
# The organization that published the family, under its name on each hub; and all that it has had: it has moved.
OWNERS: Mapping[Hub, str] = {"hub": "zai-org", "modelscope": "ZhipuAI"}
ALL_OWNERS = ("zai-org", "THUDM", "ZhipuAI")
_OWNER = OWNERS["hub"]
_CHATGLM = (
    *("chatglm-6b", "chatglm-6b-int4", "chatglm2-6b", "chatglm2-6b-int4", "chatglm2-6b-32k"),
    *("chatglm3-6b", "chatglm3-6b-base", "chatglm3-6b-32k", "chatglm3-6b-128k", "codegeex2-6b"),
)
_RECIPES = (
    *("glm-nano", "glm-mini", "chatglm2-nano", "chatglm2-mini"),
    *("neoglm-nano", "neoglm-mini", "neoglm-base", "neoglm-large"),
)


def published_elsewhere(path: Path) -> str:
    """Of a directory that is not there but is called like a published model: what it is and how to get it; else ""."""
    name = path.name.lower()
    row = MODELS.get(name) or next((value for value in MODELS.values() if name in (value.archive, value.hub)), None)
    if name in _CHATGLM:
        return f"{name} is a published ChatGLM of 6.2B parameters; {_hub(name)}"
    if row is not None:
        layers, width, rows = row.sizes
        known = f"{name} is a published GLM of {(12 * layers * width**2 + rows * width) / 1e9:.2g}B parameters"
        return (
            f"{known}; {_hub(row.hub)}"
            if row.hub
            else (
                f"{known}, on no hub: its archive is {row.archive} in the README of THUDM/GLM; give the directory you "
                "unpack it in"
            )
        )
    if name in _RECIPES:
        return f"{name} is a size to train and no published model: glmkit pretrain {name}, and give its output"
    return ""


def hub_id(name: str, hub: Hub) -> str:
    """The id under which a hub has the published model called `name`; an id is itself, under the owner's name there.
    Raises UserError for a name that is none, or of a model on no hub."""
    if "/" in name:
        if not ID.fullmatch(name):
            raise UserError(f"{name} is no id of a model: write OWNER/NAME, such as {_OWNER}/chatglm2-6b")
        owner, _, model = name.partition("/")
        return f"{OWNERS[hub]}/{model}" if owner in ALL_OWNERS else name
    row = MODELS.get(name.lower())
    if name.lower() in _CHATGLM:
        return f"{OWNERS[hub]}/{name.lower()}"
    if row is not None and row.hub:
        return f"{OWNERS[hub]}/{row.hub}"
    if line := published_elsewhere(Path(name)):
        raise UserError(line)
    known = [*_CHATGLM, *(name for name, row in MODELS.items() if row.hub)]
    raise UserError(f"no published model is called {name!r}{nearest(name, known)}; or give its id, OWNER/NAME")


def _hub(name: str) -> str:
    return (
        f'give {_OWNER}/{name} to fetch it from the hub (with pip install "glmkit[hub]"), or the directory where you '
        "have it"
    )
