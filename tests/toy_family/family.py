"""The row that ties the toy together."""

from glmkit.families.flops import training_flops
from glmkit.families.spec import FamilySpec, MatmulShapes
from glmkit.infill.position_schemes import Sequential
from glmkit.text.prompts import CausalPrompt

from .model import Toy, ToyConfig, initialize

NANO = ToyConfig(num_layers=2, hidden_size=32, num_heads=2, vocab_size=512, max_positions=128)


def matmul_shapes(config: ToyConfig, tokens: int) -> MatmulShapes:
    d = config.hidden_size
    return [(tokens, d, 3 * d), (tokens, d, d), (tokens, d, 4 * d), (tokens, 4 * d, d)]


def flops_per_token(config: ToyConfig, seq_length: int, targets_per_token: float) -> float:
    return training_flops(config, matmul_shapes(config, 1), config.hidden_size, seq_length, targets_per_token)


TOY_FAMILY = FamilySpec(
    name="toy",
    config=ToyConfig,
    build=Toy,
    initialize=initialize,
    positions=lambda config: Sequential(),
    prompt=CausalPrompt,
    presets={"toy-nano": NANO},
    matmul_shapes=matmul_shapes,
    flops_per_token=flops_per_token,
    options=("dropout",),
    vocab_weights=("words.weight",),
)
