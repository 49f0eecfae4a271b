"""The GLM family: sizes people ask for by name, and the row that ties it together."""

from glmkit.core.errors import UserError, nearest
from glmkit.families.flops import training_flops
from glmkit.families.layouts.glm import HF_PORT, MEGATRON, longer
from glmkit.families.spec import FamilySpec, MatmulShapes
from glmkit.infill.position_schemes import Detached, OneChannel, PositionScheme, TwoChannel
from glmkit.models.glm import GLM, GLMConfig, initialize
from glmkit.text.prompts import InfillPrompt

# name: (layers, width, heads, vocabulary rows, positions). All but the first two are published (families/published.py),
# with the vocabulary of their tokenizer; the first two take theirs from the user's tokenizer.
_SIZES = {
    "glm-nano": (4, 192, 3, 4096, 512),
    "glm-mini": (6, 256, 4, 16384, 512),
    "glm-base": (12, 768, 12, 30592, 512),
    "glm-large": (24, 1024, 16, 30592, 512),
    "glm-doc": (24, 1024, 16, 30592, 512),
    "glm-410m": (30, 1024, 16, 30592, 512),
    "glm-515m": (30, 1152, 18, 30592, 512),
    "glm-roberta-large": (24, 1024, 16, 50304, 512),
    "glm-large-chinese": (24, 1024, 16, 50048, 1024),
    "glm-2b": (36, 2048, 32, 50304, 1024),
    "glm-10b": (48, 4096, 64, 50304, 1024),
    "glm-10b-chinese": (48, 4096, 64, 50048, 1024),
}

PRESETS = {
    name: GLMConfig(num_layers=layers, hidden_size=width, num_heads=heads, vocab_size=rows, max_positions=positions)
    for name, (layers, width, heads, rows, positions) in _SIZES.items()
}


def preset(name: str) -> GLMConfig:
    """The config called `name`."""
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}{nearest(name, PRESETS)}")
    return PRESETS[name]


def position_scheme(config: GLMConfig) -> PositionScheme:
    """How a GLM numbers positions: two channels, unless it is an ablation."""
    if config.positions == "one-channel":
        return OneChannel()
    if config.positions == "detached":
        return Detached(far=config.max_positions)
    return TwoChannel()


def matmul_shapes(config: GLMConfig, tokens: int) -> MatmulShapes:
    """The matrix products of one block."""
    d = config.hidden_size
    return [(tokens, d, 3 * d), (tokens, d, d), (tokens, d, 4 * d), (tokens, 4 * d, d)]


def flops_per_token(config: GLMConfig, seq_length: int, targets_per_token: float) -> float:
    """See `training_flops`."""
    return training_flops(config, matmul_shapes(config, 1), config.hidden_size, seq_length, targets_per_token)


_READ_BOTH_WAYS = (
    "its text is read in both directions and numbered in two channels, which no other program does; load it with "
    "glmkit, or convert --to glm-hf-port for the port's own code"
)

GLM_FAMILY = FamilySpec(
    name="glm",
    config=GLMConfig,
    build=GLM,
    initialize=initialize,
    positions=position_scheme,
    prompt=InfillPrompt,
    presets=PRESETS,
    matmul_shapes=matmul_shapes,
    flops_per_token=flops_per_token,
    formats=(HF_PORT, MEGATRON),
    options=("gelu", "max_positions", "dropout"),
    resize_weights=longer,
    unsupported_exports={"glm-hf": _READ_BOTH_WAYS, "gguf": _READ_BOTH_WAYS},
)
