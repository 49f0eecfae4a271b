"""Perplexity and last words: every token is asked about exactly once, and by the model's own reading."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.infill.position_schemes import TwoChannel
from glmkit.models.glm import GLM
from glmkit.objective.choices import choice_logprobs
from glmkit.objective.read_padded import batches
from glmkit.tasks.language import lambada, last_words, perplexity, wikitext, windows
from glmkit.tasks.score import ScoringModel
from glmkit.text.prompts import InfillPrompt
from glmkit.text.tokenizer import Tokenizer
from tests.reference.engine_reader import engine_reader


@pytest.fixture(scope="module")
def scorer(tiny_glm: GLM, tokenizer: Tokenizer) -> ScoringModel:
    return ScoringModel(
        model=tiny_glm,
        position_scheme=TwoChannel(),
        prompt=InfillPrompt(tokenizer.special),
        tokenizer=tokenizer,
        max_length=64,
    )


@given(length=st.integers(0, 50), size=st.integers(2, 12), share=st.floats(0.1, 1), left=st.booleans())
def test_every_token_but_the_first_is_asked_about_once(
    scorer: ScoringModel, length: int, size: int, share: float, left: bool
) -> None:
    ids = list(range(100, 100 + length))
    step = max(1, min(int(share * size), size - 1))
    results = list(windows(scorer, ids, size, step, left))
    assert [id for window in results for id in window.answers[0]] == ids[1:]
    for window in results:
        read = [*window.context[1:-1], *window.forced_prefix, *window.answers[0]]
        assert len(read) <= size
        assert read == ids[ids.index(read[0]) :][: len(read)]  # what is read is a piece of the document
        assert window.context[window.blank] == scorer.special.gmask


def test_left_to_right_is_one_chain_of_tokens(scorer: ScoringModel) -> None:
    """In a text of one window, log p of the whole is that of its tokens one by one."""
    text = "ba de ki lo mu na."
    result = perplexity(scorer, [text], left_to_right=True)
    ids = scorer.tokenizer.encode(text)
    context = [scorer.special.cls, ids[0], scorer.special.gmask]
    ((logprobs,),) = choice_logprobs(engine_reader(scorer.model), TwoChannel(), scorer.special, [context], [[ids[1:]]])
    assert result.nats == pytest.approx(-sum(logprobs[:-1]), rel=1e-4)
    assert result.tokens == len(ids) - 1
    assert result.words == len(text.split()) - 1
    assert result.per_token == pytest.approx(math.exp(result.nats / result.tokens))


def test_last_words(scorer: ScoringModel) -> None:
    texts = ["ba de ki lo mu", "de ba"]
    for left in (False, True):
        requests = last_words(scorer, texts, left_to_right=left)
        for item, text in zip(requests, texts, strict=True):
            assert scorer.tokenizer.decode(item.answers[0]).strip() == text.split()[-1]
        result = lambada(scorer, texts, left_to_right=left)
        assert len(result.right) == len(result.logprobs) == 2
        assert all(value < 0 for value in result.logprobs)
    with pytest.raises(UserError, match="no two words"):
        last_words(scorer, ["ba"], left_to_right=False)


def test_a_text_of_nothing_is_refused(scorer: ScoringModel) -> None:
    with pytest.raises(UserError, match="nothing to predict"):
        perplexity(scorer, [""], left_to_right=True)


def test_wikitext_reads_like_a_text_again() -> None:
    text = ' = Title = \n He \'s ( a b ) 3 @.@ 5 , the " old " well @-@ known @,@ man . \n'
    assert wikitext(text).split("\n")[1] == 'He\'s (a b) 3.5, the "old" well-known,man.'


def test_batches_hold_every_number_once_within_their_tokens() -> None:
    sizes = [5, 90, 7, 30, 8, 200, 1]
    results = list(batches(sizes, tokens=100))
    assert sorted(number for group in results for number in group) == list(range(7))
    assert all(len(group) * max(sizes[n] for n in group) <= 100 or len(group) == 1 for group in results)
    assert torch.is_grad_enabled()
