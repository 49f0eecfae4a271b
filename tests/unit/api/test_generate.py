"""Texts in and out: pieces are the whole, stop strings, limits, what a family does not do."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit import Greedy, Model, Penalties, TopP, load
from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask
from glmkit.testing import tiny

FAMILIES = ("glm", "neoglm", "chatglm", "chatglm2", "chatglm3", "codegeex2")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Model:
    return tiny(request.param)


@pytest.fixture(scope="module")
def causal() -> Model:
    return tiny("chatglm2")


def test_pieces_are_the_text_and_a_batch_is_its_rows(model: Model) -> None:
    texts, how = ["one", "a longer text, 你好", "x"], TopP(p=0.95, seed=4)
    batch = model.generate_batch(texts, 12, how, top=2)
    for text, result in zip(texts, batch, strict=True):
        assert model.generate(text, 12, how) == "".join(model.stream(text, 12, how)) == result.text
        assert model.tokenizer.decode(result.ids) == result.text
        assert len(result.logprobs) == len(result.top) == len(result.ids) + (result.finish_reason != "length")


@settings(max_examples=25)
@given(start=st.integers(0, 11), length=st.integers(1, 6), seed=st.integers(0, 5))
def test_a_stop_string_ends_the_text_before_it(causal: Model, start: int, length: int, seed: int) -> None:
    """Whatever part of a text is taken for a stop string, and wherever its pieces are cut."""
    how = TopP(p=0.95, seed=seed)
    text = causal.generate("go on", 16, how)
    stop = text[start : start + length]
    if not stop:
        return
    (result,) = causal.generate_batch(["go on"], 16, how, stop=["never there", stop])
    assert result.text == text[: text.index(stop)]
    assert result.text == causal.generate("go on", 16, how, stop=[stop])
    assert result.finish_reason == "stop" or text.index(stop) + len(stop) == len(text)


def test_stop_strings_in_a_batch_end_their_row_alone(causal: Model) -> None:
    texts = ["a", "b", "c"]
    free = causal.generate_batch(texts, 10)
    stop = next(character for character in free[0].text if character not in free[1].text and character != "\ufffd")
    stopped = causal.generate_batch(texts, 10, stop=[stop])
    assert stopped[0].text == free[0].text.split(stop)[0]
    assert (stopped[1].text, stopped[1].ids, stopped[1].finish_reason) == (
        free[1].text,
        free[1].ids,
        free[1].finish_reason,
    )


def test_stop_must_be_a_list(causal: Model) -> None:
    for wrong, line in (
        ("abc", "stop must be a list, each text that"),
        ([""], r"stop\[0\] must be text that is not empty"),
    ):
        with pytest.raises(UserError, match=line):
            causal.generate("x", stop=wrong)


def test_a_prompt_that_leaves_no_room(model: Model) -> None:
    limit = model.config.max_positions
    long = "word " * limit
    with pytest.raises(UserError, match=rf"prompt has \d+ tokens, the model reads at most {limit}; shorten it"):
        model.generate(long)
    with pytest.raises(UserError, match="overflow must be one of error, truncate, got 'cut'"):
        model.generate(long, overflow="cut")  # type: ignore[arg-type]
    (result,) = model.generate_batch([long], 4, overflow="truncate")
    assert len(result.ids) <= 4
    with pytest.raises(UserError, match="max_new_tokens must be a whole number of at least 1, got 0"):
        model.generate("x", 0)


def test_truncating_keeps_the_end(causal: Model) -> None:
    limit = causal.config.max_positions
    text = "".join(chr(97 + n % 26) for n in range(2 * limit))
    room = limit - 2 - 8  # [gMASK] sop in front, eight tokens to come
    assert causal.generate(text, 8, overflow="truncate") == causal.generate(text[-room:], 8)


def test_penalties_and_bias_reach_the_text(causal: Model) -> None:
    forced = Greedy(penalties=Penalties(bias={65: 1e4}))
    assert causal.tokenizer.decode(causal.generate_batch(["x"], 3, forced)[0].ids) == causal.tokenizer.decode([65] * 3)
    varied = Greedy(penalties=Penalties(presence=1e4))
    ids = causal.generate_batch(["x"], 30, varied)[0].ids
    assert len(set(ids)) == len(ids)


def test_special_tokens_are_never_written(model: Model) -> None:
    special = model.tokenizer.special
    for seed in range(3):
        (result,) = model.generate_batch(["x"], 60, TopP(p=1.0, temperature=3.0, seed=seed))
        assert not {special.mask, special.smask, special.gmask, special.pad, special.sop} & set(result.ids)


def test_what_a_family_does_not_do_it_says(causal: Model) -> None:
    with pytest.raises(UserError, match="this model writes from left to right and fills no blanks; use generate"):
        causal.infill("a [MASK] b")
    with pytest.raises(UserError, match="not trained to chat; use infill or generate"):
        tiny("glm").chat([{"role": "user", "content": "hello"}])
    with pytest.raises(UserError, match="has no classification head"):
        causal.classify(["x"])


def test_one_text_and_several_are_told_apart() -> None:
    glm = tiny("glm")
    with pytest.raises(UserError, match=r"text must be text, got \['a'\]"):
        glm.infill(["a"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"texts must be a list, each text, got 'a \[MASK\]'"):
        glm.infill_batch("a [MASK]")


def test_ids_outside_the_vocabulary_are_named(model: Model) -> None:
    last = model.config.vocab_size - 1
    for id in (700000, -1):
        with pytest.raises(UserError, match=f"id {id} is not in the vocabulary: ids are from 0 to {last}$"):
            model.logits([[2, id]])


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ({"dtype": "int4"}, "int4 is no dtype of a model; use quantize='int4'"),
        ({"dtype": "int16"}, "unknown dtype 'int16'; use auto, float32"),
        ({"device": "foo"}, "no device 'foo' on this machine"),
    ],
)
def test_a_model_that_cannot_be_loaded_so(how: dict[str, str], line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=line):
        load(tmp_path, **how)


def test_scores_of_continuations_are_sums_of_log_p(causal: Model) -> None:
    """By logits of the whole text, read anew for each choice."""
    tokenizer = causal.tokenizer
    choices = ["c", "def", " 好"]
    result = causal.score("ab", choices, ended=False)
    ended = causal.score("ab", choices)
    for choice, value, with_end in zip(choices, result, ended, strict=True):
        ids = [tokenizer.special.gmask, tokenizer.special.sop, *tokenizer.encode("ab" + choice), tokenizer.special.eod]
        logprobs = causal.logits([ids])[0].log_softmax(-1)
        steps = [logprobs[place - 1, ids[place]].item() for place in range(4, len(ids))]
        assert value == pytest.approx(sum(steps[:-1]), abs=1e-3)
        assert with_end == pytest.approx(sum(steps), abs=1e-3)
        assert causal.logprob("ab", [choice]).value == pytest.approx(value, abs=1e-3)
        assert causal.logprob("ab" + choice, [(2, 2 + len(choice))]).value == pytest.approx(value, abs=1e-3)
    with pytest.raises(UserError, match="writes from left to right: spans must be one"):
        causal.logprob("abc", [(0, 1)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mean_counts_the_tokens_of_its_text_alone(dtype: torch.dtype) -> None:
    model = tiny("chatglm2")
    model.module.to(dtype)
    texts = ["a", "a longer text"]
    for text, vector in zip(texts, model.embed(texts, pooling="mean"), strict=True):
        ids = torch.tensor([model.prompt_format.document(model.tokenizer.encode(text))])
        with torch.inference_mode():
            hidden = model.module(ids, torch.arange(ids.shape[1])[None, None], AttentionMask.prefix([0]))[0]
        assert torch.equal(vector, vector.to(dtype).float())
        torch.testing.assert_close(vector, hidden.float().mean(0), atol=1e-4, rtol=1e-4 if dtype.itemsize > 2 else 0.03)


def test_an_embedding_does_not_depend_on_the_batch(model: Model) -> None:
    texts = ["a", "a longer text", "你好"]
    for pooling in ("mean", "last"):
        together = model.embed(texts, pooling=pooling)
        assert together.shape == (3, model.config.hidden_size)
        for text, vector in zip(texts, together, strict=True):
            assert model.embed([text], pooling=pooling)[0].tolist() == pytest.approx(vector.tolist(), abs=1e-4)
