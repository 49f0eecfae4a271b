"""A draft model changes nothing but the number of passes over the weights of the model that it drafts for."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glmkit
from glmkit.cli.main import main
from glmkit.core.errors import UserError
from glmkit.generate.draft_model import DraftModel
from glmkit.generate.sampling import Greedy, Strategy
from glmkit.generate.sequence import Token
from glmkit.generate.session import DecodeConfig
from glmkit.testing import tiny
from tests.invariants.test_lookup import config as config  # a fixture
from tests.invariants.test_lookup import passes, prompt_of, same, small_ids, strategies

FAMILY = {"GLM": "glm", "NeoGLM": "neoglm", "ChatGLM": "chatglm", "ChatGLM2": "chatglm2"}


def drafted(
    config: DecodeConfig, prompt: Sequence[int], how: Strategy, seed: int, cost: float = 0.1, sequences: int = 1
) -> tuple[list[Token], int]:
    """The tokens written beside the tiny model of another `seed` (0: the same), and the passes that took."""
    small = tiny(FAMILY[type(config.model).__name__], seed=seed).module
    return passes(config, prompt, how, True, DraftModel(small, cost), sequences)


@settings(max_examples=12)
@given(
    ids=small_ids,
    blanks=st.lists(st.integers(0, 99), min_size=1, max_size=2),
    how=strategies,
    limit=st.integers(1, 24),
    seed=st.integers(0, 1),
)
def test_the_same_tokens_as_without(
    config: DecodeConfig, ids: list[int], blanks: list[int], how: Strategy, limit: int, seed: int
) -> None:
    config = replace(config, max_tokens=limit)
    prompt = prompt_of(config, ids, blanks)
    same(drafted(config, prompt, how, seed)[0], passes(config, prompt, how, False)[0])


def test_a_draft_model_that_is_right_saves_passes(config: DecodeConfig) -> None:
    """Ids end texts here and there, so of many prompts some are long."""
    saved = []
    for first in range(12):
        prompt = prompt_of(config, [first, 3, first, 7, 1], [0])
        plain, many = passes(config, prompt, Greedy(), False)
        tokens, few = drafted(config, prompt, Greedy(), 0)
        same(tokens, plain)
        saved.append((len(plain), many, few))
    _, many, few = max(saved)
    assert many >= 12
    assert few <= many / 2


def test_one_that_is_wrong_is_left_alone(config: DecodeConfig) -> None:
    """At the cost of a model as large: what is lost is the first draft, and a fiftieth."""
    prompt = prompt_of(config, [1, 2, 3], [0])
    _, passes_taken = drafted(config, prompt, Greedy(), 5, cost=1.0)
    assert passes_taken <= passes(config, prompt, Greedy(), False)[1]


def test_sequences_of_one_prompt_have_drafts_of_their_own(config: DecodeConfig) -> None:
    how = glmkit.TopP(p=1.0, temperature=2.0, seed=3)
    prompt = prompt_of(config, [1, 2, 3], [0])
    together, _ = drafted(config, prompt, how, 0, sequences=3)
    apart, _ = passes(config, prompt, how, False, sequences=3)
    for row in range(3):
        assert [t.id for t in together if t.row == row] == [t.id for t in apart if t.row == row]


def test_a_model_takes_one_of_its_family_and_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, small = tiny("chatglm2"), tiny("chatglm2", seed=1)
    alone = model.generate("A text", max_new_tokens=12)
    model.use_draft(small)
    assert model.scheduler.draft is not None
    assert model.generate("A text", max_new_tokens=12) == alone
    model.use_draft(None)
    assert model.scheduler.draft is None
    with pytest.raises(UserError, match=r"a glm cannot draft for a chatglm2"):
        model.use_draft(tiny("glm"))
    other = tiny("chatglm2")
    other._tokenizer = tiny("chatglm3").tokenizer
    with pytest.raises(UserError, match=r"draft has another tokenizer \(\d+ ids, this model's has \d+\)"):
        model.use_draft(other)
    model.save(tmp_path / "large")
    small.save(tmp_path / "small")
    tiny("glm").save(tmp_path / "glm")
    flags = ["generate", str(tmp_path / "large"), "A text", "--max-new-tokens", "12"]
    assert main(flags) == 0
    plain = capsys.readouterr().out
    assert main([*flags, "--draft", str(tmp_path / "small")]) == 0
    assert capsys.readouterr().out == plain
    assert main([*flags, "--draft", str(tmp_path / "glm")]) == 2
    assert capsys.readouterr().err == (
        "glmkit: a glm cannot draft for a chatglm2, whose tokens have other positions; give a chatglm2 as --draft\n"
    )
