"""All blocks at once against the blocks one by one, at every level; and what must go one by one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glmkit.core.types import AttentionMask
from glmkit.kernels.library import library
from glmkit.models import chatglm, chatglm2, glm, neoglm
from glmkit.models.chatglm import ChatGLM, ChatGLMConfig
from glmkit.models.chatglm2 import ChatGLM2, ChatGLM2Config
from glmkit.models.glm import GLM, GLMConfig
from glmkit.models.neoglm import MLPConfig, NeoGLM, NeoGLMConfig, NormConfig
from glmkit.nn import stack
from glmkit.nn.accelerate import accelerate
from glmkit.nn.lora import Adapter, LowRank, with_adapters
from glmkit.nn.prefix import PrefixedCache
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization.plan import PLANS

pytestmark = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
CHATGLM2 = ChatGLM2Config(
    num_layers=2,
    hidden_size=128,
    num_heads=8,
    num_kv_heads=2,
    head_dim=32,
    intermediate_size=192,
    vocab_size=64,
    max_positions=512,
)
NEOGLM = NeoGLMConfig(
    num_layers=2,
    hidden_size=128,
    num_heads=4,
    num_kv_heads=2,
    vocab_size=64,
    max_positions=512,
    mlp=MLPConfig(intermediate_size=192),
)
CONFIGS = {
    "glm": GLMConfig(num_layers=2, hidden_size=128, num_heads=4, vocab_size=64, max_positions=512),
    "chatglm": ChatGLMConfig(
        num_layers=2,
        hidden_size=128,
        num_heads=4,
        intermediate_size=192,
        vocab_size=64,
        max_positions=512,
        mask=60,
        gmask=61,
        sop=62,
    ),
    "chatglm2": CHATGLM2,
    "queries of 4 heads, keys of 4": replace(CHATGLM2, num_heads=4, num_kv_heads=4),
    "of 6, of 2": replace(CHATGLM2, num_heads=6),
    "of 2, of 1": replace(CHATGLM2, num_heads=2, num_kv_heads=1),
    "neoglm": NEOGLM,
    "neoglm, rms and swiglu": replace(
        NEOGLM, norm=NormConfig(kind="rms", qk="rms"), mlp=MLPConfig(intermediate_size=192, kind="swiglu")
    ),
    "neoglm, gelu": replace(NEOGLM, norm=NormConfig(qk="none"), mlp=MLPConfig(intermediate_size=192, kind="gelu")),
}
CLASSES: dict[type, tuple[Callable[..., nn.Module], Callable[..., None]]] = {
    GLMConfig: (GLM, glm.initialize),
    ChatGLMConfig: (ChatGLM, chatglm.initialize),
    ChatGLM2Config: (ChatGLM2, chatglm2.initialize),
    NeoGLMConfig: (NeoGLM, neoglm.initialize),
}


def model(name: str = "chatglm2", quantize: str | None = "int4", **changes: Any) -> Any:
    """A ready bfloat16 model whose hidden states are of many sizes, and whose biases and norms all matter."""
    config = replace(CONFIGS[name], **changes)
    build, initialize = CLASSES[type(config)]
    built = build(config)
    generator = torch.Generator().manual_seed(0)
    initialize(built, generator)
    with torch.no_grad():
        for parameter_name, parameter in built.named_parameters():
            if parameter.ndim == 2:
                scale = parameter.std() if parameter.std() > 0 else 0.02
                parameter.normal_(0, float(scale), generator=generator).mul_(8)
            else:
                parameter.add_(torch.linspace(-1, 1, parameter.numel()) * (0.2 if "norm" in parameter_name else 1))
    for part_name, part in list(built.blocks.named_modules()):
        if isinstance(part, nn.Linear) and quantize is not None:
            form = PLANS[quantize].format_of(f"blocks.{part_name}", part.in_features)
            assert form is not None
            built.blocks.set_submodule(part_name, QuantizedLinear.of(part, form))
    built = built.to(torch.bfloat16).eval()
    accelerate(built, torch.bfloat16)
    return built


@torch.inference_mode()
def write(
    made: Any, rows: int, begin: int = 0, capacity: int = 16, adapters: list[tuple[Adapter | None, int]] | None = None
) -> tuple[Tensor, Any]:
    """Hidden states [rows, 9, D] of nine tokens one after the other behind twelve, and the cache."""
    tokens = torch.randint(0, 60, (rows, 21), generator=torch.Generator().manual_seed(1))
    cache, mask = made.new_cache(rows, capacity), AttentionMask.prefix([0] * rows, [begin] * rows)
    channels = 1 if isinstance(made, ChatGLM2) else 2
    places = torch.stack([torch.arange(21), torch.arange(21) % 5][:channels]).expand(rows, channels, -1)
    adapted = made if adapters is None else with_adapters(made, adapters, torch.device("cpu"))
    made(tokens[:, :12], places[..., :12], mask, cache)
    hidden = [adapted(tokens[:, i : i + 1], places[..., i : i + 1], mask, cache) for i in range(12, 21)]
    return torch.cat(hidden, dim=1).float(), cache


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "fused_decode", lambda *_: None)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call of the model went through all blocks at once."""
    calls, whole = [], stack.fused_decode

    def watched(*given: Any) -> Tensor | None:
        result = whole(*given)
        calls.append(result is not None)
        return result

    monkeypatch.setattr(stack, "fused_decode", watched)
    return calls


def error(result: Tensor, expected: Tensor) -> float:
    return float((result - expected).square().mean().sqrt() / expected.square().mean().sqrt())


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("quantize", "rows"), [("int4", 1), ("int4", 3), ("int8", 9), (None, 1)])
def test_the_same_as_one_by_one(
    level: str, name: str, quantize: str | None, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = model(name, quantize)
    calls = counted(monkeypatch)
    result, cache = write(built, rows)  # the cache grows on the way: it has room for 16 of 21 tokens
    assert calls == [False] + [True] * 9
    one_by_one(monkeypatch)
    expected, other = write(built, rows)
    assert error(result, expected) < 0.03  # bfloat16 in two orders: 8 bits, twice
    assert cache.length == other.length == 21
    # Before the first attention nothing but norms and GELU is summed in another order.
    for layers, others in ((cache.values, other.values), (cache.keys, other.keys)):
        assert error(layers[0][:, :, :21].float(), others[0][:, :, :21].float()) < 4e-3


def low_rank(layer: nn.Module, seed: int, bias: bool = False) -> LowRank:
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(*shape, generator=generator) for shape in ((4, layer.in_features), (layer.out_features, 4)))
    return LowRank(a * 0.1, b * 0.1, 1.5, torch.randn(layer.out_features, generator=generator) * 0.1 if bias else None)


def adapter(built: Any, seed: int) -> Adapter:
    """Over every linear layer of the blocks."""
    layers = {name: part for name, part in built.named_modules() if isinstance(part, nn.Linear | QuantizedLinear)}
    inside = {name: layer for name, layer in layers.items() if name.startswith("blocks.")}
    return Adapter({name: low_rank(layer, seed + i, i == 1) for i, (name, layer) in enumerate(inside.items())})


@pytest.mark.parametrize("name", ["glm", "chatglm2", "neoglm"])
@pytest.mark.parametrize("quantize", ["int4", None])
def test_adapters_of_rows_are_added_at_once_too(
    level: str, name: str, quantize: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = model(name, quantize)
    one, two = adapter(built, 0), adapter(built, 50)
    rows: list[tuple[Adapter | None, int]] = [(one, 1), (None, 1), (two, 1), (one, 1)]
    calls = counted(monkeypatch)
    result, _ = write(built, 4, adapters=rows)
    plain, _ = write(built, 4)
    assert calls == ([False] + [True] * 9) * 2
    one_by_one(monkeypatch)
    expected, _ = write(built, 4, adapters=rows)
    assert error(result, expected) < 0.03
    torch.testing.assert_close(result[1], plain[1], atol=0, rtol=0)
    for row in (0, 2, 3):
        assert error(result[row], plain[row]) > 0.2


def test_an_adapter_that_rescales_goes_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    built, calls = model(), counted(monkeypatch)
    scaled = {name: replace(layer, gain=torch.ones(128)) for name, layer in adapter(built, 0).layers.items()}
    down = {name: layer for name, layer in scaled.items() if name.endswith("down")}
    write(built, 1, adapters=[(Adapter(down), 1)])
    assert not any(calls)


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "neoglm"])
def test_a_learned_prefix_is_seen_at_once_too(level: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built, calls = model(name, num_prefix=5), counted(monkeypatch)
    result, cache = write(built, 2)
    assert isinstance(cache, PrefixedCache)
    assert cache.length == 21
    assert calls == [False] + [True] * 9
    one_by_one(monkeypatch)
    assert error(result, write(built, 2)[0]) < 0.03


def test_no_farther_from_float32_than_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    built = model(quantize=None)
    exact, _ = write(model(quantize=None).to(torch.float32), 1)
    at_once, _ = write(built, 1)
    one_by_one(monkeypatch)
    item, _ = write(built, 1)
    assert (at_once - exact).norm() < 1.2 * (item - exact).norm()


@pytest.mark.parametrize("name", ["glm", "chatglm2"])
def test_hidden_tokens_and_several_tokens_go_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch)
    write(model(name), 2, begin=3)
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
