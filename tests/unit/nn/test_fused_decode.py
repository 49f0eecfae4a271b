"""All blocks at once against the blocks one by one, at every level; and what must go one by one."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glmkit.core.types import AttentionMask
from glmkit.kernels.library import library
from glmkit.models import chatglm2
from glmkit.models.chatglm2 import ChatGLM2, ChatGLM2Config, initialize
from glmkit.nn.accelerate import accelerate
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization.plan import PLANS

pytestmark = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
HEADS = [(8, 2), (4, 4), (6, 2), (2, 1)]  # so many queries read the same keys: 4, 1, 3, 2


def model(heads: tuple[int, int] = (8, 2), quantize: str | None = "int4") -> ChatGLM2:
    """A ready bfloat16 model whose hidden states are of many sizes."""
    config = ChatGLM2Config(
        num_layers=2,
        hidden_size=128,
        num_heads=heads[0],
        num_kv_heads=heads[1],
        head_dim=32,
        intermediate_size=192,
        vocab_size=64,
        max_positions=512,
    )
    built = ChatGLM2(config)
    initialize(built, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            parameter.mul_(1 if "norm" in name else 8)
            if name.endswith("qkv.bias"):
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()))
    for name, part in list(built.blocks.named_modules()):
        if isinstance(part, nn.Linear) and quantize is not None:
            form = PLANS[quantize].format_of(f"blocks.{name}", part.in_features)
            assert form is not None
            built.blocks.set_submodule(name, QuantizedLinear.of(part, form))
    built = built.to(torch.bfloat16).eval()
    accelerate(built, torch.bfloat16)
    return built


@torch.inference_mode()
def write(made: ChatGLM2, rows: int, begin: int = 0, capacity: int = 16) -> tuple[Tensor, Any]:
    """Hidden states [rows, 9, D] of nine tokens one after the other behind twelve, and the cache."""
    tokens = torch.randint(0, 64, (rows, 21), generator=torch.Generator().manual_seed(1))
    cache, mask = made.new_cache(rows, capacity), AttentionMask.prefix([0] * rows, [begin] * rows)
    places = torch.arange(21).expand(rows, 1, -1)
    made(tokens[:, :12], places[..., :12], mask, cache)
    hidden = [made(tokens[:, i : i + 1], places[..., i : i + 1], mask, cache) for i in range(12, 21)]
    return torch.cat(hidden, dim=1).float(), cache


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chatglm2, "fused_decode", lambda *_: None)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call of the model went through all blocks at once."""
    calls, whole = [], chatglm2.fused_decode

    def watched(*given: Any) -> Tensor | None:
        result = whole(*given)
        calls.append(result is not None)
        return result

    monkeypatch.setattr(chatglm2, "fused_decode", watched)
    return calls


@pytest.mark.parametrize("heads", HEADS, ids=str)
@pytest.mark.parametrize(("quantize", "rows"), [("int4", 1), ("int4", 3), ("int8", 9), (None, 1)])
def test_the_same_as_one_by_one(
    level: str, heads: tuple[int, int], quantize: str | None, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = model(heads, quantize)
    calls = counted(monkeypatch)
    result, cache = write(built, rows)  # the cache grows on the way: it has room for 16 of 21 tokens
    assert calls == [False] + [True] * 9
    one_by_one(monkeypatch)
    expected, other = write(built, rows)
    scale = expected.square().mean().sqrt()
    assert (result - expected).square().mean().sqrt() < 0.03 * scale  # bfloat16 in two orders: 8 bits, twice
    assert cache.length == other.length == 21
    torch.testing.assert_close(cache.values[0][:, :, :21], other.values[0][:, :, :21], atol=0, rtol=0)
    torch.testing.assert_close(cache.keys[0][:, :, :21], other.keys[0][:, :, :21], atol=0, rtol=0)


def test_no_farther_from_float32_than_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    built = model(quantize=None)
    exact, _ = write(ChatGLM2.to(model(quantize=None), torch.float32), 1)
    at_once, _ = write(built, 1)
    one_by_one(monkeypatch)
    item, _ = write(built, 1)
    assert (at_once - exact).norm() < 1.2 * (item - exact).norm()


def test_hidden_tokens_and_several_tokens_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch)
    write(model(), 2, begin=3)
    assert not any(calls)


def test_gradients_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    built, calls = model(), counted(monkeypatch)
    built(torch.tensor([[3]]), torch.zeros(1, 1, 1, dtype=torch.long), AttentionMask.prefix([0]), built.new_cache(1, 4))
    assert calls == [False]


@pytest.mark.parametrize("layer", ["attention", "attention.qkv", "mlp.down", "mlp_norm"])
def test_who_listens_is_told(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built, calls, heard = model(), counted(monkeypatch), []
    built.blocks[1].get_submodule(layer).register_forward_hook(lambda *_: heard.append(1))
    write(built, 1)
    assert len(heard) == 10
    assert not any(calls)


def test_another_layer_in_place_of_one_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubled(QuantizedLinear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    built, calls = model(), counted(monkeypatch)
    plain, _ = write(built, 1)
    down = built.blocks[0].mlp.down
    assert isinstance(down, QuantizedLinear)
    down.__class__ = Doubled
    changed, _ = write(built, 1)
    assert calls == [False] + [True] * 9 + [False] * 10
    assert (changed - plain).abs().max() > 0.1
