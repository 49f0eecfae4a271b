"""Where a published model is got, for those who name one that is not on this machine."""

from pathlib import Path

from glmkit.families.published import MODELS

_OWNER = "zai-org"
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


def _hub(name: str) -> str:
    return (
        f'give {_OWNER}/{name} to fetch it from the hub (with pip install "glmkit[hub]"), or the directory where you '
        "have it"
    )
