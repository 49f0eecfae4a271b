"""The NeoGLM family: sizes to train, and the row that ties it together."""

from glmkit.families.flops import training_flops
from glmkit.families.layouts.neoglm_hf import NEOGLM_HF
from glmkit.families.spec import FamilySpec, MatmulShapes
from glmkit.infill.position_schemes import PositionScheme, TwoChannel
from glmkit.models.neoglm import MLPConfig, NeoGLM, NeoGLMConfig, RopeConfig, initialize
from glmkit.text.prompts import InfillPrompt

# name: (layers, width, heads, groups of keys and values, vocabulary rows, positions, rotary base). Few wide blocks: at
# equal parameters they read more tokens a second. The base grows with the rows that a size is trained on. The first two
# take their vocabulary from the user's tokenizer; so do the others, whose rows are the published GLMs'.
_SIZES = {
    "neoglm-nano": (2, 256, 4, 2, 4096, 512, 300.0),
    "neoglm-mini": (4, 320, 5, 1, 16384, 512, 1000.0),
    "neoglm-base": (12, 768, 12, 4, 30592, 1024, 10000.0),
    "neoglm-large": (18, 1152, 18, 6, 30592, 1024, 10000.0),
}

PRESETS = {
    name: NeoGLMConfig(
        num_layers=layers,
        hidden_size=width,
        num_heads=heads,
        num_kv_heads=groups,
        vocab_size=rows,
        max_positions=positions,
        mlp=MLPConfig(intermediate_size=4 * width),
        rope=RopeConfig(base=base),
    )
    for name, (layers, width, heads, groups, rows, positions, base) in _SIZES.items()
}


def _scheme(config: NeoGLMConfig) -> PositionScheme:
    return TwoChannel()


def matmul_shapes(config: NeoGLMConfig, tokens: int) -> MatmulShapes:
    """The matrix products of one block."""
    d, inner, groups = config.hidden_size, config.mlp.intermediate_size, config.num_kv_heads * config.head_dim
    up = [(tokens, d, inner)] * (2 if config.mlp.kind == "swiglu" else 1)
    return [(tokens, d, d), *[(tokens, d, groups)] * 2, (tokens, d, d), *up, (tokens, inner, d)]


def flops_per_token(config: NeoGLMConfig, seq_length: int, targets_per_token: float) -> float:
    """See `training_flops`."""
    return training_flops(config, matmul_shapes(config, 1), config.hidden_size, seq_length, targets_per_token)


_NO_SUCH_MODEL = (
    "its text is read in both directions and its heads are turned by two channels of positions, which no model there "
    "does; load it with glmkit, or convert --to neoglm-hf for transformers, with its own modelling file"
)

NEOGLM_FAMILY = FamilySpec(
    name="neoglm",
    config=NeoGLMConfig,
    build=NeoGLM,
    initialize=initialize,
    positions=_scheme,
    prompt=InfillPrompt,
    presets=PRESETS,
    matmul_shapes=matmul_shapes,
    flops_per_token=flops_per_token,
    formats=(NEOGLM_HF,),
    options=("max_positions", "dropout"),
    unsupported_exports={"gguf": _NO_SUCH_MODEL, "glm-hf": _NO_SUCH_MODEL},
)
