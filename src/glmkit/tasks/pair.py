"""What a classifier with a head reads: one text or two, without a blank.

GLM            [CLS] a <eod>              [CLS] a [SEP] b <eod>
ChatGLM2, 3    [gMASK] sop a              [gMASK] sop a b
"""

from glmkit.core.errors import UserError
from glmkit.tasks.cloze import Part, shorten
from glmkit.tasks.instance import Instance
from glmkit.tasks.pattern import fill
from glmkit.tasks.task import Task
from glmkit.text.tokenizer import Tokenizer


def pair_input(tokenizer: Tokenizer, first: str, second: str | None, length: int) -> tuple[list[int], int]:
    """The ids of one text or two in at most `length` tokens, and how many tokens did not fit.

    Texts lose their ends, the longer one first. (The original cuts the end off the whole, which is often all of the
    second text.) A GLM's tokenizer without [SEP] has <eod> between them.
    """
    special = tokenizer.special
    if special.cls is None:
        begin, between, end = [special.gmask, special.sop], [], []
    else:
        begin, between, end = [special.cls], [special.eod if special.sep is None else special.sep], [special.eod]
    sides: tuple[list[Part], list[Part]] = ([(tokenizer.encode(first), True)], [])
    if second is not None:
        sides[1].append((tokenizer.encode(second), True))
    size = sum(len(ids) for side in sides for ids, _ in side)
    cut = max(0, size + len(begin) + len(end) + (second is not None) * len(between) - length)
    if cut > size:
        raise UserError(f"length {length} has no room for a text")
    a, *b = shorten(sides, cut)
    return [*begin, *a, *([*between, *b[0]] if b else []), *end], cut


def instance_input(tokenizer: Tokenizer, task: Task, instance: Instance, length: int) -> tuple[list[int], int]:
    """`pair_input` of a row. Raises UserError for a task whose rows bring answers of their own."""
    if not task.labels or not task.pair:
        raise UserError(f"task {task.name} has no labels that all rows share: a head cannot tell them; use cloze")
    first, *rest = (fill(template, instance.fields) for template in task.pair)
    return pair_input(tokenizer, first, rest[0] if rest else None, length)
