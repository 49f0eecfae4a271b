"""What a classifier with a head reads: one text or two, without a blank.

GLM            [CLS] a <eod>              [CLS] a [SEP] b <eod>
ChatGLM2, 3    [gMASK] sop a              [gMASK] sop a b
"""

from glmkit.core.errors import UserError
from glmkit.tasks.cloze import Part, shorten
from glmkit.tasks.instance import Instance
from glmkit.tasks.pattern import fill
from glmkit.tasks.task import Task
from glmkit.text.prompts import PromptFormat
from glmkit.text.tokenizer import Tokenizer


def pair_input(
    tokenizer: Tokenizer, prompt: PromptFormat, first: str, second: str | None, length: int
) -> tuple[list[int], int]:
    """The ids of one text or two in at most `length` tokens, and how many tokens did not fit.

    Texts lose their ends, the longer one first. (The original cuts the end off the whole, which is often all of the
    second text.)
    """
    sides: tuple[list[Part], list[Part]] = ([(tokenizer.encode(first), True)], [])
    if second is not None:
        sides[1].append((tokenizer.encode(second), True))
    size = sum(len(ids) for side in sides for ids, _ in side)
    cut = max(0, size + len(prompt.pair([], None if second is None else [])) - length)
    if cut > size:
        raise UserError(f"length {length} has no room for a text")
    a, *b = shorten(sides, cut)
    return prompt.pair(a, b[0] if b else None), cut


def instance_input(
    tokenizer: Tokenizer, prompt: PromptFormat, task: Task, instance: Instance, length: int
) -> tuple[list[int], int]:
    """`pair_input` of a row. Raises UserError for a task whose rows bring answers of their own."""
    if not task.labels or not task.pair:
        raise UserError(f"task {task.name} has no labels that all rows share: a head cannot tell them; use cloze")
    first, *rest = (fill(template, instance.fields) for template in task.pair)
    return pair_input(tokenizer, prompt, first, rest[0] if rest else None, length)
