"""ChatGLM's first weights, gradients through prefixes and what configs refuse."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask
from glmkit.models import chatglm, chatglm2
from glmkit.models.chatglm import ChatGLM, ChatGLMConfig
from glmkit.models.chatglm2 import ChatGLM2, ChatGLM2Config

V1 = ChatGLMConfig(
    num_layers=4,
    hidden_size=64,
    num_heads=4,
    intermediate_size=256,
    vocab_size=500,
    max_positions=40,
    mask=1,
    gmask=2,
    sop=3,
)
V2 = ChatGLM2Config(
    num_layers=4,
    hidden_size=64,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    intermediate_size=96,
    vocab_size=500,
    max_positions=40,
)


def built(config: Any, seed: int = 0) -> Any:
    room = chatglm if isinstance(config, ChatGLMConfig) else chatglm2
    model: Any = ChatGLM(config) if room is chatglm else ChatGLM2(config)
    room.initialize(model, torch.Generator().manual_seed(seed))
    return model.eval()


@pytest.mark.parametrize("config", [V1, V2])
def test_first_weights_have_a_known_spread_and_follow_the_seed(config: Any) -> None:
    model, other = built(config), built(config, seed=1)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            writes_to_the_residual = config is V2 and (".attention.out." in name or ".mlp.down." in name)
            wanted = 0.02 / math.sqrt(2 * 4) if writes_to_the_residual else 0.02
            assert abs(parameter.std().item() - wanted) < 5 * wanted / math.sqrt(2 * parameter.numel()), name
            assert not torch.equal(parameter, other.get_parameter(name)), name


@pytest.mark.parametrize("config", [V1, V2])
def test_it_is_built_without_memory(config: Any) -> None:
    """Nothing a checkpoint does not hold is stored in the model."""
    with torch.device("meta"):
        model = ChatGLM(config) if config is V1 else ChatGLM2(config)
    assert not list(model.buffers())


@pytest.mark.parametrize("config", [V1, V2])
@pytest.mark.parametrize("projection", [False, True])
def test_a_prefix_learns_while_the_model_is_frozen(config: Any, projection: bool) -> None:
    model = built(replace(config, num_prefix=3, prefix_projection=projection)).requires_grad_(False)
    model.prefix.requires_grad_(True)
    channels = 2 if config is V1 else 1
    positions = torch.arange(6).expand(1, channels, 6)
    hidden = model(torch.arange(6)[None], positions, AttentionMask.prefix([0]))
    model.logits(hidden)[..., 0].sum().backward()
    assert all(parameter.grad.any() for parameter in model.prefix.parameters() if parameter.dim() > 1)


def test_a_model_whose_rule_is_unknown_still_has_a_config() -> None:
    assert replace(V2, rope_ratio=8.0, rope_scaling="unknown").rope_scaling == "unknown"


def test_half_precision_is_close_to_float32() -> None:
    model = built(V2)
    inputs = torch.arange(30)[None], torch.arange(30).expand(1, 1, 30), AttentionMask.prefix([0])
    exact = model(*inputs)
    for dtype in (torch.bfloat16, torch.float16):
        hidden = built(V2).to(dtype)(*inputs)
        assert hidden.dtype == dtype
        assert (hidden.float() - exact).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize(
    ("config", "changed", "said"),
    [
        (V1, {"num_layers": 0}, "num_layers must be a whole number from 1 to 10,000, got 0"),
        (V1, {"num_heads": 5}, "hidden_size 64 must be a multiple of 4 * num_heads 5"),
        (V1, {"rope_table": "half"}, "rope_table must be one of float32, reference, got 'half'"),
        (V1, {"dropout": 1.0}, "dropout must be a finite number of at least 0 and less than 1, got 1.0"),
        (V2, {"num_kv_heads": 3}, "num_heads 4 must be a multiple of num_kv_heads 3"),
        (V2, {"head_dim": 6}, "head_dim must be a multiple of 4, got 6"),
        (V2, {"rope_ratio": 0.0}, "rope_ratio must be a finite number greater than 0, got 0.0"),
        (V2, {"rope_scaling": "ntk"}, "rope_scaling must be one of positions, base, unknown, got 'ntk'"),
        (V2, {"vocab_size": 0}, "vocab_size must be a whole number from 1 to 16,777,216, got 0"),
    ],
)
def test_a_config_refuses_what_cannot_be(config: Any, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as raised:
        replace(config, **changed)
    assert said in str(raised.value)
