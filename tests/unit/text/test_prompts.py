"""How the families frame a text: the table in `glmkit.text.prompts`, cell by cell."""

import re

import pytest

from glmkit.core.errors import UserError
from glmkit.families.registry import families
from glmkit.testing.models import byte_tokenizer
from glmkit.text import prompts
from glmkit.text.prompts import CausalPrompt, InfillPrompt, PrefixPrompt, PromptFormat

FORMATS = {"glm": InfillPrompt, "chatglm": PrefixPrompt, "chatglm2": CausalPrompt}
A, B = [10, 11], [12, 13]


def table() -> dict[str, list[str]]:
    """The rows of the drawing: call -> cells."""
    rows = [line.strip("| ").split("|") for line in (prompts.__doc__ or "").splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows}


def drawn(cell: str, format: PromptFormat) -> list[int]:
    """The ids that a cell of the drawing stands for."""
    special = format.special
    names = {"[CLS]": special.cls, "<eod>": special.eod, "[gMASK]": special.gmask, "sop": special.sop}
    names["[SEP]"] = special.eod if special.sep is None else special.sep
    ids: list[int] = []
    for word in cell.split():
        ids += {"a": A, "b": B}.get(word) or [names[word]]
    return ids


@pytest.mark.parametrize("name", FORMATS)
def test_every_cell_of_the_drawing_is_what_is_written(name: str) -> None:
    format: PromptFormat = FORMATS[name](byte_tokenizer(name).special)
    column = list(FORMATS).index(name)
    cells = {call: result[column] for call, result in table().items()}
    assert len(cells) == 6
    assert format.document(A) == drawn(cells["document(a)"], format)
    assert format.continuation(A) == drawn(cells["continuation(a)"], format)
    assert format.pair(A, B) == drawn(cells["pair(a, b)"], format)
    if format.fills_blanks:
        assert format.fill(A) == drawn(cells["fill(a)"], format)
    else:
        with pytest.raises(UserError, match="fills no blanks"):
            format.fill(A)
    prompt, target = cells["split(a b)"].split(",")
    assert format.split([*A, *B]) == (drawn(prompt, format), drawn(target, format))
    context, *forced = re.split(", then | is read", cells["scored(a)"])
    read = format.scored(A, both_ways=True)
    assert read.context == drawn(context, format)
    assert read.context[read.blank] == format.special.gmask
    assert [format.special.sop, *read.forced_prefix] == (drawn(forced[0], format) if forced else [format.special.sop])


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_is_written_in_training_as_it_is_gone_on_from(name: str) -> None:
    """What is learned of a general text stands behind the prompt that `generate` gives its beginning."""
    format: PromptFormat = families()[name].prompt(byte_tokenizer(name).special)
    assert type(format) is FORMATS[name]
    prompt, target = format.split([*A, *B])
    before = [*A, *B][: 4 - len(target)]
    assert prompt == format.continuation(before)
    assert [*before, *target] == [*A, *B]


def test_a_text_that_ends_with_a_blank_for_the_rest_has_no_end() -> None:
    special = byte_tokenizer("glm").special
    assert InfillPrompt(special).fill([10, special.gmask]) == [special.cls, 10, special.gmask]
    assert InfillPrompt(special).fill([special.mask, 10]) == [special.cls, special.mask, 10, special.eod]


def test_but_for_its_first_token_a_text_is_read_as_if_it_had_been_written() -> None:
    special = byte_tokenizer("glm").special
    read = InfillPrompt(special).scored(A, both_ways=False, closed=True)
    assert (read.context, read.blank, read.forced_prefix) == ([special.cls, 10, special.gmask, special.eod], 2, [11])
