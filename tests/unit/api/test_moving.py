"""m.half(), m.to(...), m.quantize(4) and their like give what `load` gives with the same words."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glmkit import Model, load
from glmkit.testing import tiny

IDS = [[65, 66, 67, 68, 69]]
MOVES: list[tuple[Callable[[Model], Model], dict]] = [
    (lambda m: m.eval(), {}),
    (lambda m: m.float(), {}),
    (lambda m: m.half(), {"dtype": "float16"}),
    (lambda m: m.bfloat16(), {"dtype": "bfloat16"}),
    (lambda m: m.to(torch.bfloat16), {"dtype": "bfloat16"}),
    (lambda m: m.to("cpu", torch.bfloat16), {"dtype": "bfloat16"}),
    (lambda m: m.to(device=torch.device("cpu"), dtype=torch.bfloat16), {"dtype": "bfloat16"}),
    (lambda m: m.bfloat16().float(), {}),
    (lambda m: m.quantize(4), {"quantize": "int4"}),
    (lambda m: m.quantize(8).cpu().eval(), {"quantize": "int8"}),
    (lambda m: m.bfloat16().quantize("int4"), {"dtype": "bfloat16", "quantize": "int4"}),
    (lambda m: m.half().quantize(bits=8), {"dtype": "float16", "quantize": "int8"}),
    (lambda m: m.requires_grad_(False).train(False), {}),
]


@pytest.mark.parametrize("place", range(len(MOVES)))
def test_a_model_is_what_load_gives(place: int, tmp_path: Path) -> None:
    move, how = MOVES[place]
    tiny("chatglm2").save(tmp_path / "model")
    model, expected = load(tmp_path / "model"), load(tmp_path / "model", **how)
    weights = model.module.state_dict()
    assert move(model) is model
    assert (model.dtype, model.device) == (expected.dtype, expected.device)
    result = model.logits(IDS)
    if place == 7:  # there and back again rounds once
        assert not torch.equal(result, expected.logits(IDS))
    else:
        assert torch.equal(result, expected.logits(IDS))
    for name, part in expected.module.named_modules():
        assert type(part) is type(model.module.get_submodule(name)) or place == 7
    assert weights.keys() == tiny("chatglm2").module.state_dict().keys()


@pytest.mark.parametrize("activations", ["exact", "int8"])
def test_what_was_said_of_activations_stays_so(activations: str, tmp_path: Path) -> None:
    tiny("chatglm2").save(tmp_path / "model")
    how = {"quantize": "int4", "activations": activations}
    first, then = ("bfloat16", "float16") if activations == "exact" else ("float32", "bfloat16")
    moved = load(tmp_path / "model", dtype=first, **how).to(getattr(torch, then))
    packs = [part.packed is not None for part in moved.module.modules() if hasattr(part, "packed")]
    expected = load(tmp_path / "model", dtype=then, **how).module
    assert packs == [part.packed is not None for part in expected.modules() if hasattr(part, "packed")]


def test_a_talk_goes_on_in_another_type() -> None:
    """Nothing that was read in the old one is taken for what the new one would have read."""
    model = tiny("chatglm2")
    messages = [{"role": "user", "content": "hello"}]
    model.chat(messages, max_new_tokens=4)
    answer = model.bfloat16().stream_chat(messages, max_new_tokens=4)
    "".join(answer)
    assert answer.cached_tokens == 0
