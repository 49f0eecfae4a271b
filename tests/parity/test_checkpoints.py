"""The three forms in which the goldens hold one model: equal tensors, the original's logits, and back again."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import glmkit
from glmkit.api import Model
from glmkit.families.conversion import convert
from glmkit.testing import MODEL_TOLERANCE

from .original import weights

FORMS = {"hf_port": {}, "megatron": {"num_heads": 4}, "megatron_MP2": {"num_heads": 4}}  # options each needs


@pytest.fixture(scope="module")
def tensors(golden: Path) -> dict[str, torch.Tensor]:
    return load_file(golden / "model/cases.safetensors")


def check(model: Model, tensors: dict[str, torch.Tensor], case: str = "fp16_weights") -> None:
    """Logits of row 0 of `a_token` against those of the case."""
    tokens, positions = tensors["a_token.tokens"][:1], tensors["a_token.position_ids"][:1]
    logits = model.logits(tokens, positions, context=tensors["a_token.sep"][:1])
    torch.testing.assert_close(logits, tensors[f"{case}.logits"], atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)


def same(a: Path, b: Path) -> bool:
    return (a / "model.safetensors").read_bytes() == (b / "model.safetensors").read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_tensors_and_the_original_s_logits(
    form: str, golden: Path, tensors: dict[str, torch.Tensor]
) -> None:
    model = glmkit.load(golden / "model" / form, dtype="float32", **FORMS[form])
    wanted = weights(golden)
    state = model.module.state_dict()
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[name], tensor.half().float()) for name, tensor in wanted.items())
    assert model.config.max_positions == 64
    check(model, tensors)


def test_the_type_of_the_file_is_kept(golden: Path) -> None:
    model = glmkit.load(golden / "model/hf_port")
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float16}


def test_the_gelu_of_the_port_for_those_who_trained_with_it(golden: Path, tensors: dict[str, torch.Tensor]) -> None:
    """On the port's own weights, which are rounded to float16: nearer to the exact GELU's logits than to the tanh's."""
    model = glmkit.load(golden / "model/hf_port", dtype="float32", gelu="erf")
    exact = {name: tensor.half().float() for name, tensor in weights(golden).items()}
    assert model.config.gelu == "erf"
    model.module.load_state_dict(weights(golden))
    check(model, tensors, "erf_gelu")
    model.module.load_state_dict(exact)
    with pytest.raises(AssertionError):
        check(model, tensors, "fp16_weights")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("layout", "choice"),
    [
        ("glm-hf-port", {}),
        ("glm-hf-port", {"safetensors": True}),
        ("megatron", {}),
        ("megatron", {"ranks": 2}),
        ("megatron", {"ranks": 4}),
    ],
)
def test_there_and_back_is_bit_exact(
    form: str, layout: str, choice: dict[str, Any], golden: Path, tmp_path: Path
) -> None:
    convert(golden / "model" / form, tmp_path / "native", options=FORMS[form])
    convert(tmp_path / "native", tmp_path / "theirs", layout, **choice)
    heads = {} if layout == "glm-hf-port" else {"num_heads": 4}
    convert(tmp_path / "theirs", tmp_path / "again", options=heads)
    assert same(tmp_path / "native", tmp_path / "again")
    assert (tmp_path / "native/config.json").read_bytes() == (tmp_path / "again/config.json").read_bytes()


def test_the_two_ranks_we_write_are_those_of_the_original(golden: Path, tmp_path: Path) -> None:
    convert(golden / "model/megatron", tmp_path / "two", "megatron", ranks=2, options={"num_heads": 4})
    for name in ("mp_rank_00_model_states.pt", "mp_rank_01_model_states.pt"):
        ours = torch.load(tmp_path / "two/0" / name, weights_only=True)["module"]
        theirs = torch.load(golden / "model/megatron_MP2/7" / name, weights_only=True)["module"]
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], tensor) for key, tensor in theirs.items())


@pytest.mark.parametrize("prefix", ["", "glm.", "model.", "module.", "module.model.", "model.glm."])
def test_prefixes_of_keys(prefix: str, golden: Path, tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    stored = load_file(golden / "model/model.safetensors")
    save_file({prefix + key: tensor.half() for key, tensor in stored.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((golden / "model/hf_port/config.json").read_bytes())
    check(glmkit.load(tmp_path, dtype="float32"), tensors)


def test_a_run_s_directory_without_its_tracker(golden: Path, tensors: dict[str, torch.Tensor]) -> None:
    check(glmkit.load(golden / "model/megatron_MP2/7", dtype="float32", num_heads=4), tensors)
