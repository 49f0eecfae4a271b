"""NeoGLM against its definition, its first weights, its sizes, and what a config refuses."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from glmkit.core.config import from_mapping, to_mapping
from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask
from glmkit.families.neoglm import NEOGLM_FAMILY, PRESETS
from glmkit.models.neoglm import MLPConfig, NeoGLM, NeoGLMConfig, NormConfig, RopeConfig, initialize
from glmkit.nn import positions
from glmkit.nn.mlp import relu2
from glmkit.testing import DOUBLE_TOLERANCE, MODEL_TOLERANCE
from tests.reference import mask as mask_oracle
from tests.reference import neoglm as oracle

CONFIG = NeoGLMConfig(
    num_layers=2,
    hidden_size=32,
    num_heads=4,
    num_kv_heads=2,
    vocab_size=60,
    max_positions=64,
    mlp=MLPConfig(intermediate_size=48),
)
VARIANTS = {
    "as it is": CONFIG,
    "rms": replace(CONFIG, norm=NormConfig(kind="rms", qk="rms")),
    "without QK-norm": replace(CONFIG, norm=NormConfig(qk="none")),
    "swiglu": replace(CONFIG, mlp=MLPConfig(intermediate_size=24, kind="swiglu")),
    "gelu": replace(CONFIG, mlp=MLPConfig(intermediate_size=24, kind="gelu")),
    "one group": replace(CONFIG, num_kv_heads=1),
    "no groups, half and half": replace(CONFIG, num_kv_heads=4, rope=RopeConfig(base=300.0, place_share=0.5)),
}
# The [M] on [M] mat | sop the | sop cat sat
POSITIONS = [[0, 1, 2, 3, 4, 3, 3, 1, 1, 1], [0, 0, 0, 0, 0, 1, 2, 1, 2, 3]]


def random_model(config: NeoGLMConfig, seed: int = 0) -> NeoGLM:
    """With large weights, none of them zero."""
    model, generator = NeoGLM(config).eval(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3, generator=generator)
    return model


def inputs(config: NeoGLMConfig = CONFIG) -> tuple[Tensor, Tensor, AttentionMask]:
    tokens = torch.randint(0, config.vocab_size, (1, 10), generator=torch.Generator().manual_seed(1))
    return tokens, torch.tensor(POSITIONS)[None], AttentionMask.prefix([5])


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_forward_pass_is_its_definition(config: NeoGLMConfig, dtype: torch.dtype) -> None:
    model, (tokens, places, mask) = random_model(config).to(dtype), inputs(config)
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    visible = mask_oracle.visible(5, 0, None, 0, 10)
    hidden, logits = oracle.forward(weights, config, tokens[0].tolist(), POSITIONS, visible)
    with torch.no_grad():
        result = model(tokens, places, mask)
        scores = model.logits(result)
    # Rotary tables are float32 in every type, so a model in float64 is nearer to its definition, not equal to it.
    tolerance = 1000 * DOUBLE_TOLERANCE if dtype == torch.float64 else MODEL_TOLERANCE
    torch.testing.assert_close(result[0].double(), torch.from_numpy(hidden), atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(scores[0].double(), torch.from_numpy(logits), atol=tolerance, rtol=tolerance)


def test_a_head_is_turned_as_drawn() -> None:
    """The drawing of nn/positions.py: which element of a head is of which pair, and which channel turns it."""
    (line,) = (line for line in (positions.__doc__ or "").splitlines() if "NeoGLM " in line)
    letters = line.split()[1:9]
    assert letters == ["a", "a", "b", "b", "c", "c", "A", "A"]
    for place, step in ((3, 0), (0, 3), (3, 3)):
        rotation = positions.two_channel_rope(torch.tensor([[[place], [step]]]), (6, 2), base=100.0)
        turned = rotation(torch.eye(8).reshape(1, 8, 1, 8))[0, :, 0]  # row i: what becomes of element i
        for i, one in enumerate(letters):
            reached = {j for j in range(8) if abs(turned[i, j]) > 1e-6}
            moves = place if one.islower() else step
            assert reached == ({j for j in range(8) if letters[j] == one} if moves else {i})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_relu2_and_its_gradient_are_those_of_relu_and_square(dtype: torch.dtype) -> None:
    x = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    mine, wanted = relu2(one), other.relu().square()
    assert torch.equal(mine, wanted)
    gradient = torch.randn_like(x)
    mine.backward(gradient)
    wanted.backward(gradient)
    assert torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_every_weight_learns(config: NeoGLMConfig) -> None:
    model = random_model(config)
    model.logits(model(*inputs(config))).log_softmax(-1)[..., 0].sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_from_its_first_weights_every_part_has_learned_after_three_steps() -> None:
    """Outputs that begin at zero learn first; what is before them as soon as they are not zero."""
    model = NeoGLM(CONFIG)
    initialize(model, torch.Generator().manual_seed(0))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    tokens, places, mask = inputs()
    for _ in range(3):
        optimizer.zero_grad()
        scores = model.logits(model(tokens, places, mask))[0]
        torch.nn.functional.cross_entropy(scores[5:9], tokens[0, 6:]).backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter, before[name]), name


def test_first_weights() -> None:
    model = NeoGLM(replace(CONFIG, num_labels=3))
    initialize(model, torch.Generator().manual_seed(0))
    for name, parameter in model.named_parameters():
        if name.endswith((".attention.out.weight", ".mlp.down.weight", "bias")):
            assert not parameter.any(), name
        else:
            assert 0.015 < parameter.std() < 0.025, name
    tokens, places, mask = inputs()
    with torch.no_grad():
        wanted = model.norm(model.embedding(tokens))
        assert torch.equal(model(tokens, places, mask), wanted), "the blocks begin as nothing"


def test_residual_outputs_can_begin_as_those_of_a_glm() -> None:
    model = NeoGLM(replace(CONFIG, residual_init="scaled"))
    initialize(model, torch.Generator().manual_seed(0))
    assert 0.008 < model.blocks[0].mlp.down.weight.std() < 0.012  # 0.02 / sqrt(2 * 2)


def test_there_is_no_bias_and_no_weight_of_a_norm() -> None:
    names = set(NeoGLM(CONFIG).state_dict())
    assert not [name for name in names if "bias" in name or "norm" in name]
    assert {f"blocks.0.attention.qkv.{part}.weight" for part in "qkv"} < names


@pytest.mark.parametrize(
    ("name", "millions"),
    [("neoglm-nano", 2.49), ("neoglm-mini", 9.50), ("neoglm-base", 98.99), ("neoglm-large", 290.05)],
)
def test_the_sizes(name: str, millions: float) -> None:
    with torch.device("meta"):
        model = NeoGLM(PRESETS[name])
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)
    assert PRESETS[name].head_dim == 64


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_the_products_of_a_block_are_its_matrices(config: NeoGLMConfig) -> None:
    weights = sum(p.numel() for p in NeoGLM(config).blocks[0].parameters())
    assert sum(k * n for _, k, n in NEOGLM_FAMILY.matmul_shapes(config, 1)) == weights
    seq_length, targets = 100, 0.15
    output, attention = targets * config.vocab_size * 32, 2 * seq_length * config.num_layers * 32
    wanted = 6 * (config.num_layers * weights + output + attention)
    assert NEOGLM_FAMILY.flops_per_token(config, seq_length, targets) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"num_layers": 0}, "num_layers must be a whole number from 1 to 10,000, got 0"),
        ({"num_heads": 5}, "hidden_size 32 must be a multiple of num_heads 5: heads are equally wide"),
        ({"num_kv_heads": 3}, "num_heads 4 must be a multiple of num_kv_heads 3: each group of keys and values serves"),
        ({"hidden_size": 36, "num_heads": 4}, "hidden_size 36 and num_heads 4 make heads of 9: give sizes that make"),
        ({"hidden_size": 8, "num_heads": 4}, "hidden_size 8 and num_heads 4 make heads of 2: give sizes that make it"),
        (
            {"rope": {"place_share": 0.6}},
            "rope.place_share 0.6 is 4.8 of the 8 elements of a head, which are turned",
        ),
        ({"rope": {"place_share": 0.125}}, "rope.place_share 0.125 is 1 of the 8 elements of a head.*: give 0.25"),
        ({"rope": {"place_share": 1.0}}, "rope.place_share must be a finite number greater than 0 and less than 1"),
        ({"rope": {"base": 0}}, "rope.base must be a finite number of at least 2, got 0"),
        ({"rope": {"theta": 1}}, "unknown key 'theta'"),
        ({"mlp": {"intermediate_size": 0}}, "mlp.intermediate_size must be a whole number from 1 to 1,048,576, got 0"),
        ({"mlp": {"intermediate_size": 8, "kind": "relu"}}, "kind must be one of relu2, swiglu, gelu, got 'relu'"),
        ({"mlp": {}}, "mlp: missing 'intermediate_size'"),
        ({"norm": {"kind": "batch"}}, "kind must be one of layer, rms, got 'batch'"),
        ({"norm": {"qk": True}}, "qk must be one of layer, rms, none, got True"),
        ({"residual_init": "one"}, "residual_init must be one of zero, scaled, got 'one'"),
        ({"dropout": 1.0}, "dropout must be a finite number of at least 0 and less than 1, got 1.0"),
        ({"head_dim": 64}, "unknown key 'head_dim'"),
    ],
)
def test_a_config_refuses_what_cannot_be(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=rf"^config\.json: .*{said}") as error:
        from_mapping(NeoGLMConfig, to_mapping(CONFIG) | changed, "config.json")
    assert "\n" not in str(error.value)


def test_a_config_is_written_and_read() -> None:
    for config in VARIANTS.values():
        assert from_mapping(NeoGLMConfig, to_mapping(config), "config.json") == config
