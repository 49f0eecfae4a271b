"""Source and target of a row as the model reads them: the original's layouts, and prompts for models that chat.

| form | a GLM reads | a ChatGLM is asked | of a long source |
|---|---|---|---|
| plain | {source}[sMASK] | {source} | the end stays |
| summary | [sMASK] Content: {source} | {source} | the beginning stays |
| question | {source} Question: [sMASK] Answer: {answer} | the same without the mask | what is around the answer stays |
| answer | {question} [MASK]. {source} | {source} {question} | what is around the answer stays |
| cmrc | 问题：{question}答案：[MASK]{source} | {source}问题：{question} | what is around the answer stays |
| fill | {source} with [MASK]s of its own; a target for each | | the beginning stays |

A GLM's text stands between [CLS] and <eod>, as `infill` reads it; the original of most of these had no end token there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from glmkit.core.errors import UserError, nearest


@dataclass(frozen=True, kw_only=True)
class Form:
    """Templates over the columns of a row; `blank` has a mask, `prompt` none ("" where models that chat cannot)."""

    blank: str
    prompt: str
    keep: Literal["beginning", "end", "answer"]


FORMS: Mapping[str, Form] = {
    "plain": Form(blank="{source}[sMASK]", prompt="{source}", keep="end"),
    "summary": Form(blank="[sMASK] Content: {source}", prompt="{source}", keep="beginning"),
    "question": Form(
        blank="{source} Question: [sMASK] Answer: {answer}",
        prompt="{source} Answer: {answer} Question:",
        keep="answer",
    ),
    "answer": Form(blank="{question} [MASK]. {source}", prompt="{source} {question}", keep="answer"),
    "cmrc": Form(blank="问题：{question}答案：[MASK]{source}", prompt="{source}问题：{question}", keep="answer"),
    "fill": Form(blank="{source}", prompt="", keep="beginning"),
}


def form(name: str, pattern: str = "") -> Form:
    """The form called `name`, or with the user's own `pattern`: a template with a mask, or of a prompt without one.

    Raises UserError for an unknown name.
    """
    if name not in FORMS:
        raise UserError(f"data.form must be one of {', '.join(FORMS)}, got {name!r}{nearest(name, FORMS)}")
    return Form(blank=pattern, prompt=pattern, keep=FORMS[name].keep) if pattern else FORMS[name]
