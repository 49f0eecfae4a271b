"""Tiny models: one call, and everything a real one does."""

from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.core.errors import UserError
from glmkit.testing import tiny

NAMES = ["glm", "neoglm", "chatglm", "chatglm2", "chatglm3", "codegeex2"]


def prompt(m: glmkit.Model) -> torch.Tensor:
    special = m.tokenizer.special
    return torch.tensor([[*m.tokenizer.encode("你好, a"), special.gmask, special.sop, *m.tokenizer.encode("b")]])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_model(name: str) -> None:
    one, again, other = tiny(name), tiny(name), tiny(name, seed=1)
    ids = prompt(one)
    assert one.logits(ids).isfinite().all()
    assert torch.equal(one.logits(ids), again.logits(ids))
    assert not torch.allclose(one.logits(ids), other.logits(ids))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_saved_and_loaded_as_any_other(name: str, tmp_path: Path) -> None:
    m = tiny(name)
    m.save(tmp_path / "saved")
    back = glmkit.load(tmp_path / "saved", device="cpu")
    assert torch.equal(back.logits(prompt(m)), m.logits(prompt(m)))
    assert back.tokenizer.decode(back.tokenizer.encode("读 a\n b")) == "读 a\n b"
    assert back.tokenizer.chat == m.tokenizer.chat
    assert (back.family.name, back.config) == (m.family.name, m.config)


def test_it_fills_blanks() -> None:
    assert len(tiny("glm").infill("a [MASK] b [MASK]", max_tokens=4).spans) == 2


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no tiny model 'chatglm4'.*chatglm"):
        tiny("chatglm4")
