"""How much arithmetic a Transformer is, from the matrix products of its blocks."""

from glmkit.families.spec import MatmulShapes, ModelConfig


def training_flops(
    config: ModelConfig, block: MatmulShapes, attention_width: int, seq_length: int, targets_per_token: float
) -> float:
    """Floating point operations of forward and backward for a token of text, given the products of one `block`.

    6 for each weight it meets (2 forward, 4 backward), 12 L T D for attention of width D over T tokens, and the output
    matrix where there is a target.
    """
    weights, layers = sum(k * n for _, k, n in block), config.num_layers
    output = targets_per_token * config.vocab_size * config.hidden_size
    return 6 * (weights * layers + output) + 12 * layers * seq_length * attention_width
