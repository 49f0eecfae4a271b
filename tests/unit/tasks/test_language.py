"""Perplexity and last words: every token is asked about exactly once, and by the model's own reading."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.infill.geometry import TwoChannel
from glmkit.models.glm import GLM
from glmkit.objective.choices import choice_logprobs
from glmkit.tasks.language import lambada, last_words, perplexity, wikitext, windows
from glmkit.tasks.score import Subject, batches
from glmkit.text.prompts import InfillPrompt
from glmkit.text.tokenizer import Tokenizer


@pytest.fixture
def subject(tiny_glm: GLM, tokenizer: Tokenizer) -> Subject:
    return Subject(
        model=tiny_glm,
        geometry=TwoChannel(),
        prompt=InfillPrompt(tokenizer.special),
        tokenizer=tokenizer,
        max_length=64,
    )


@pytest.fixture(scope="module")
def reader(tiny_glm: GLM, tokenizer: Tokenizer) -> Subject:
    return Subject(
        model=tiny_glm,
        geometry=TwoChannel(),
        prompt=InfillPrompt(tokenizer.special),
        tokenizer=tokenizer,
        max_length=64,
    )


@given(length=st.integers(0, 50), size=st.integers(2, 12), share=st.floats(0.1, 1), left=st.booleans())
def test_every_token_but_the_first_is_asked_about_once(
    reader: Subject, length: int, size: int, share: float, left: bool
) -> None:
    ids = list(range(100, 100 + length))
    step = max(1, min(int(share * size), size - 1))
    found = list(windows(reader, ids, size, step, left))
    assert [id for window in found for id in window.answers[0]] == ids[1:]
    for window in found:
        read = [*window.context[1:-1], *window.stem, *window.answers[0]]
        assert len(read) <= size
        assert read == ids[ids.index(read[0]) :][: len(read)]  # what is read is a piece of the document
        assert window.context[window.blank] == reader.special.gmask


def test_left_to_right_is_one_chain_of_tokens(subject: Subject) -> None:
    """In a text of one window, log p of the whole is that of its tokens one by one."""
    text = "ba de ki lo mu na."
    found = perplexity(subject, [text], left_to_right=True)
    ids = subject.tokenizer.encode(text)
    context = [subject.special.cls, ids[0], subject.special.gmask]
    ((logprobs,),) = choice_logprobs(subject.model, TwoChannel(), subject.special, [context], [[ids[1:]]])
    assert found.nats == pytest.approx(-sum(logprobs[:-1]), rel=1e-4)
    assert found.tokens == len(ids) - 1
    assert found.words == len(text.split()) - 1
    assert found.per_token == pytest.approx(math.exp(found.nats / found.tokens))


def test_last_words(subject: Subject) -> None:
    texts = ["ba de ki lo mu", "de ba"]
    for left in (False, True):
        asked = last_words(subject, texts, left_to_right=left)
        for each, text in zip(asked, texts, strict=True):
            assert subject.tokenizer.decode(each.answers[0]).strip() == text.split()[-1]
        found = lambada(subject, texts, left_to_right=left)
        assert len(found.right) == len(found.logprobs) == 2
        assert all(value < 0 for value in found.logprobs)
    with pytest.raises(UserError, match="no two words"):
        last_words(subject, ["ba"], left_to_right=False)


def test_a_text_of_nothing_is_refused(subject: Subject) -> None:
    with pytest.raises(UserError, match="nothing to predict"):
        perplexity(subject, [""], left_to_right=True)


def test_wikitext_reads_like_a_text_again() -> None:
    text = ' = Title = \n He \'s ( a b ) 3 @.@ 5 , the " old " well @-@ known @,@ man . \n'
    assert wikitext(text).split("\n")[1] == 'He\'s (a b) 3.5, the "old" well-known,man.'


def test_batches_hold_every_number_once_within_their_tokens() -> None:
    sizes = [5, 90, 7, 30, 8, 200, 1]
    found = list(batches(range(7), sizes, tokens=100))
    assert sorted(number for group in found for number in group) == list(range(7))
    assert all(len(group) * max(sizes[n] for n in group) <= 100 or len(group) == 1 for group in found)
    assert torch.is_grad_enabled()
