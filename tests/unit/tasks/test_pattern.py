"""Patterns: parts, fields, changes, and what is wrong with them."""

import pytest

from glmkit.core.errors import UserError
from glmkit.tasks.cloze import Encoder, segments, shorten
from glmkit.tasks.custom import CustomTask, build
from glmkit.tasks.instance import Instance
from glmkit.tasks.pattern import fill, named, pattern, pattern_of_text, template_of
from glmkit.tasks.registry import TASKS
from glmkit.text.prompts import InfillPrompt
from glmkit.text.tokenizer import Tokenizer


def encoder(tokenizer: Tokenizer, **options: int) -> Encoder:
    return Encoder(tokenizer=tokenizer, prompt=InfillPrompt(tokenizer.special), **options)  # type: ignore[arg-type]


def test_every_task_of_ours_says_a_word_for_each_label() -> None:
    for task in TASKS.values():
        assert task.pattern in task.patterns
        for value in task.patterns.values():
            assert len(value.words) == len(task.labels) or not value.words, task.name
            assert value.words or not task.labels or task.match, task.name


def test_a_plain_text_becomes_parts() -> None:
    built = pattern_of_text("Review: {text} It was [MASK].", ["bad", "good"])
    assert built.parts == ("Review:", "~ {text}", " It was", "[MASK]", ".")


def test_fields_are_changed() -> None:
    assert fill("{a:lower:bare}-{b:trim}", {"a": "He fell.", "b": "x  "}) == "he fell-x"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ("~{text}|no blank", "exactly one"),
        ("[MASK]|~{text}|[MASK]", "has 2"),
        ("[MASK]|~{text:lowr}", "did you mean 'lower'"),
    ],
)
def test_bad_patterns_are_refused(parts: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        pattern(parts)


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"'sentence'.*did you mean 'sentences'"):
        pattern("[MASK]|{sentence}").fill({"sentences": "x"})


@pytest.mark.parametrize(
    "name", ["text", "正文", "my text", "a{b}", "{", "}", "a:bare", "\\", "a\nb", "[MASK]", "~x", "choice"]
)
def test_any_column_can_be_named(name: str) -> None:
    template = template_of(name)
    assert named([template]) == [name]
    assert fill(template, {name: "v{name}"}) == "v{name}"
    (part, *_) = pattern_of_text(f"{template} [MASK]").fill({name: "v"})
    assert part.text == "v"
    assert part.shortenable


@pytest.mark.parametrize("mark", ["[MASK]", "//", "[P]"])
def test_a_mark_in_a_rows_own_text_stays_text(mark: str, tokenizer: Tokenizer) -> None:
    task = build(CustomTask(name="t", pattern="{text} ba [MASK].", words={"a": "de", "b": "ki"}), "t")
    instance = Instance(uid="0", fields={"text": mark}, gold=0)
    context = encoder(tokenizer, length=64).encode(task, instance, task.patterns[0]).contexts[0]
    assert context.ids.tolist().count(tokenizer.special.mask) == 1
    assert mark in tokenizer.decode(context.ids[: context.blank].tolist())


def test_the_longer_side_is_shortened_first() -> None:
    sides = ([([1, 2, 3, 4], True), ([5], False)], [([6, 7], True)])
    assert shorten(sides, 0) == [[1, 2, 3, 4], [5], [6, 7]]
    assert shorten(sides, 2) == [[1, 2], [5], [6, 7]]
    assert shorten(sides, 3) == [[1, 2], [5], [6]]
    assert shorten(sides, 6) == [[], [5], []]
    with pytest.raises(UserError, match="too long"):
        shorten(sides, 7)


def test_a_row_too_long_is_cut_to_the_length_for_the_longest_answer(tokenizer: Tokenizer) -> None:
    task = build(CustomTask(name="t", pattern="{text} ba [MASK].", words={"a": "de", "b": "ki lo mu na"}), "t")
    row = Instance(uid="7", fields={"text": "ba de " * 60})
    cloze = encoder(tokenizer, length=40).encode(task, row, task.patterns[0])
    longest = max(map(len, cloze.choices))
    assert len(cloze.contexts[0].ids) + longest + 1 == 40
    assert cloze.cut > 0
    assert cloze.contexts[0].ids[cloze.contexts[0].blank] == tokenizer.special.mask
    with pytest.raises(UserError, match=r"t, row 7: it is too long .*; raise length$"):
        encoder(tokenizer, length=8).encode(task, row, task.patterns[0])


def test_text_that_looks_like_a_blank_stays_text(tokenizer: Tokenizer) -> None:
    task = build(CustomTask(name="t", pattern="{text} [MASK]", words={"a": "de", "b": "ki"}), "t")
    row = Instance(uid="1", fields={"text": "ba [MASK] de"})
    cloze = encoder(tokenizer, length=99).encode(task, row, task.patterns[0])
    assert cloze.contexts[0].ids.tolist().count(tokenizer.special.mask) == 1


def test_pieces_of_a_long_answer_put_together_are_the_answer(tokenizer: Tokenizer) -> None:
    task = build(CustomTask(name="t", pattern="{text} [MASK] ba", words={"a": "de", "b": "ki"}), "t")
    row = Instance(uid="1", fields={"text": "ba"})
    context = encoder(tokenizer, length=99).encode(task, row, task.patterns[0]).contexts[0]
    rows = segments(context, [11, 12, 13, 14, 15], 2)
    assert [answer for _, answer in rows] == [[11, 12], [13, 14], [15]]
    for number, (item, _) in enumerate(rows):
        assert item.ids[item.blank] == tokenizer.special.mask
        assert item.ids[context.blank : item.blank].tolist() == [11, 12, 13, 14][: 2 * number]


def test_continuous_prompts_need_places(tokenizer: Tokenizer) -> None:
    task = build(CustomTask(name="t", pattern="{text} [MASK]", words={"a": "de", "b": "ki"}), "t")
    with pytest.raises(UserError, match=r"\[P\] places"):
        Encoder(
            tokenizer=tokenizer, prompt=InfillPrompt(tokenizer.special), length=99, prompts=2, prompt_base=900
        ).encode(task, Instance(uid="1", fields={"text": "ba"}), task.patterns[0])
