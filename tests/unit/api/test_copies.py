"""A model goes to other processes: pickled and copied, in every family, with codes, with an adapter's parts."""

import copy
import multiprocessing
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glmkit import Model, load
from glmkit.core.errors import UserError
from glmkit.families.chatglm import CHATGLM_FAMILY
from glmkit.testing import tiny

IDS = [[65, 66, 259, 261, 67, 68]]
FAMILIES = ["glm", "neoglm", "chatglm", "chatglm2", "chatglm3", "codegeex2"]


def same(one: Model, other: Model) -> bool:
    return torch.equal(one.logits(IDS), other.logits(IDS))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("how", [{}, {"dtype": "bfloat16"}, {"dtype": "bfloat16", "quantize": "int4"}])
def test_copies_compute_the_same(name: str, how: dict, tmp_path: Path) -> None:
    tiny(name).save(tmp_path / "model")
    model = load(tmp_path / "model", **how)
    for built in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert same(built, model)
        assert built.family is model.family
        assert built.config == model.config
        assert built.tokenizer.encode("héllo 你好") == model.tokenizer.encode("héllo 你好")
        assert built.module is not model.module
    for part in (model.module, model.config, model.tokenizer, model.position_scheme):
        pickle.loads(pickle.dumps(part))


def test_codes_in_a_file_are_copied_without_the_file(tmp_path: Path) -> None:
    """Packed codes of a saved model lie where the file is mapped."""
    tiny("chatglm2").bfloat16().quantize(4).save(tmp_path / "model")
    model = load(tmp_path / "model")
    data = pickle.dumps(model)
    file = sum(part.stat().st_size for part in (tmp_path / "model").glob("*.safetensors"))
    assert len(data) < 1.5 * file
    assert same(pickle.loads(data), model)
    assert same(copy.deepcopy(model), model)


def test_a_model_with_an_adapter_is_copied(tmp_path: Path) -> None:
    """And is quantized with it, or not at all: an adapter's own layers keep their numbers."""
    lora = pytest.importorskip("peft")
    tiny("chatglm2").save(tmp_path / "model")
    model = load(tmp_path / "model")
    lora.inject_adapter_in_model(lora.LoraConfig(target_modules=["qkv"], r=4, init_lora_weights=False), model.module)
    model.eval()
    assert same(pickle.loads(pickle.dumps(model)), model)
    assert same(copy.deepcopy(model), model)
    with pytest.raises(UserError, match=r"an adapter is applied to this model; load both by glmkit.load"):
        model.quantize(4)


def test_what_the_last_chat_left_behind_is_not_copied() -> None:
    model = tiny("chatglm2")
    size = len(pickle.dumps(model))
    model.chat([{"role": "user", "content": "word " * 100}], max_new_tokens=2)
    assert len(pickle.dumps(model)) == size
    assert model.scheduler.prefix_cache.rows


def test_a_family_changed_by_hand_is_pickled_whole() -> None:
    other = replace(CHATGLM_FAMILY, options=())
    assert pickle.loads(pickle.dumps(CHATGLM_FAMILY)) is CHATGLM_FAMILY
    assert pickle.loads(pickle.dumps(other)).options == ()


def _written(model: Model) -> str:
    return model.generate("hello", 6)


@pytest.mark.slow
def test_a_model_is_an_argument_of_a_worker() -> None:
    model = tiny("chatglm2").quantize(4)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(_written, [model]) == [_written(model)]
