"""NeoGLM for `transformers`, in one file that stands beside its weights and needs torch and transformers alone.

    tokens         [CLS] The [MASK] on [MASK] mat <eod> | <sop> cat sat <eop> | <sop> the
    places           0    1     2    3    4    5    6   |   2    2   2    2   |   4    4
    steps            0    0     0    0    0    0    0   |   1    2   3    4   |   1    2
    read both ways   x    x     x    x    x    x    x

The n-th <sop> writes into the n-th blank. A row without <sop> is read both ways as a whole. So `generate` fills the
first blank of a text that ends with <sop>, and the next one when another <sop> is put behind the <eop>.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

# What this version of transformers calls the keys and values of tokens that were read.
_CACHE = "cache" if hasattr(CausalLMOutputWithPast, "cache") else "past_key_values"


class NeoGLMConfig(PretrainedConfig):
    """Sizes and parts. `norm` and `qk_norm`: layer or rms (qk_norm: or none); `mlp`: relu2, swiglu or gelu; `rotary`:
    how many elements of a head turn by the place, and by the step."""

    model_type = "neoglm"
    keys_to_ignore_at_inference = ["past_key_values", "cache"]  # noqa: RUF012

    def __init__(
        self,
        num_hidden_layers: int = 2,
        hidden_size: int = 256,
        num_attention_heads: int = 4,
        num_key_value_heads: int = 2,
        intermediate_size: int = 1024,
        vocab_size: int = 4096,
        max_position_embeddings: int = 512,
        mlp: str = "relu2",
        norm: str = "layer",
        qk_norm: str = "layer",
        norm_epsilon: float = 1e-5,
        rotary: tuple[int, int] = (48, 16),
        rotary_base: float = 10000.0,
        blank_token_ids: tuple[int, ...] = (),
        sop_token_id: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_hidden_layers = num_hidden_layers
        self.hidden_size = hidden_size
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads
        self.intermediate_size = intermediate_size
        self.vocab_size = vocab_size
        self.max_position_embeddings = max_position_embeddings
        self.mlp = mlp
        self.norm = norm
        self.qk_norm = qk_norm
        self.norm_epsilon = norm_epsilon
        self.rotary = list(rotary)
        self.rotary_base = rotary_base
        self.blank_token_ids = list(blank_token_ids)
        self.sop_token_id = sop_token_id
        super().__init__(**{"tie_word_embeddings": False} | kwargs)


def normalized(x: Tensor, kind: str, epsilon: float) -> Tensor:
    """The last axis by LayerNorm or RMSNorm without weights."""
    if kind == "none":
        return x
    return (F.layer_norm if kind == "layer" else F.rms_norm)(x, x.shape[-1:], eps=epsilon)


def rotary_tables(config: Any, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [B, 1, T, pairs] at `positions` [B, 2, T]."""
    angles = [
        places[:, None, :, None].float()
        / config.rotary_base ** (torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size)
        for places, size in zip(positions.unbind(1), config.rotary, strict=True)
    ]
    joined = torch.cat(angles, dim=-1)
    return joined.cos(), joined.sin()


def rotated(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Heads [B, H, T, head_dim], turned in pairs of neighbours."""
    a, b = heads.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2).to(heads.dtype)


class NeoGLMAttention(nn.Module):
    """Grouped heads, whose queries and keys are normalized and turned."""

    def __init__(self, config: NeoGLMConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        self.head_dim = config.hidden_size // config.num_attention_heads
        groups = config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, groups, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, groups, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor, visible: Tensor, tables: tuple[Tensor, Tensor], cache: DynamicCache | None) -> Tensor:
        q, k, v = (
            layer(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = (rotated(normalized(heads, self.config.qk_norm, self.config.norm_epsilon), *tables) for heads in (q, k))
        if cache is not None:
            k, v = cache.update(k, v, self.layer)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=visible, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class NeoGLMMLP(nn.Module):
    """Up, activation, down; of SwiGLU with a gate."""

    def __init__(self, config: NeoGLMConfig) -> None:
        super().__init__()
        self.kind = config.mlp
        if config.mlp == "swiglu":
            self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        up = self.up_proj(x)
        if self.kind == "swiglu":
            return self.down_proj(F.silu(self.gate_proj(x)) * up)
        return self.down_proj(F.relu(up).square() if self.kind == "relu2" else F.gelu(up, approximate="tanh"))


class NeoGLMLayer(nn.Module):
    """A pre-norm block."""

    def __init__(self, config: NeoGLMConfig, layer: int) -> None:
        super().__init__()
        self.config = config
        self.self_attn = NeoGLMAttention(config, layer)
        self.mlp = NeoGLMMLP(config)

    def forward(self, x: Tensor, visible: Tensor, tables: tuple[Tensor, Tensor], cache: DynamicCache | None) -> Tensor:
        kind, epsilon = self.config.norm, self.config.norm_epsilon
        x = x + self.self_attn(normalized(x, kind, epsilon), visible, tables, cache)
        return x + self.mlp(normalized(x, kind, epsilon))


class NeoGLMForCausalLM(PreTrainedModel, GenerationMixin):
    """The model; its output matrix is the word table."""

    config_class = NeoGLMConfig
    base_model_prefix = "model"
    _no_split_modules = ["NeoGLMLayer"]  # noqa: RUF012
    _supports_sdpa = True

    def __init__(self, config: NeoGLMConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(NeoGLMLayer(config, layer) for layer in range(config.num_hidden_layers))
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.embed_tokens

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        context_lengths: Tensor | None = None,
        cache: DynamicCache | None = None,
        past_key_values: DynamicCache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits of `input_ids` [B, T] behind those in `cache`, which was `past_key_values`.

        `attention_mask` [B, all]: 0 where there is padding. `position_ids` [B, 2, T] and `context_lengths` [B], how
        many tokens from the beginning of a row are read both ways, follow from whole rows. `labels` [B, T]: what
        follows each token (already shifted), -100 where that does not count.
        """
        cache = past_key_values if cache is None else cache
        length = 0 if cache is None else cache.get_seq_length()
        if position_ids is None or context_lengths is None:
            if length:
                raise ValueError(
                    "rows that go on need position_ids and context_lengths: see prepare_inputs_for_generation"
                )
            position_ids, context_lengths = self.read_rows(input_ids, attention_mask)
        if use_cache and cache is None:
            cache = DynamicCache()
        x = self.embed_tokens(input_ids)
        visible = self.visible(length, input_ids.shape[1], context_lengths, attention_mask)
        tables = rotary_tables(self.config, position_ids)
        for layer in self.layers:
            x = layer(x, visible, tables, cache)
        x = normalized(x, self.config.norm, self.config.norm_epsilon)
        logits = F.linear(x, self.embed_tokens.weight)
        loss = None if labels is None else F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        kept: dict[str, Any] = {_CACHE: cache}
        return CausalLMOutputWithPast(loss=loss, logits=logits, **kept)

    def read_rows(self, ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Positions [B, 2, T] and context lengths [B] of whole rows, as drawn above."""
        rows = [self._read_row(row, mask) for row, mask in zip(ids, _or_ones(attention_mask, ids), strict=True)]
        return torch.stack([places for places, _ in rows]), torch.tensor([c for _, c in rows], device=ids.device)

    def _read_row(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, int]:
        index = torch.arange(len(ids), device=ids.device)
        real = (mask.cumsum(0) - 1).clamp(min=0)
        starts = index[(ids == self.config.sop_token_id) & (mask != 0)]
        context = int(starts[0]) if len(starts) else len(ids)
        blank_ids = torch.tensor(self.config.blank_token_ids, device=ids.device)
        blanks = real[torch.isin(ids, blank_ids) & (index < context) & (mask != 0)]
        if len(blanks) < len(starts):
            raise ValueError(f"a row has {len(starts)} <sop> (id {self.config.sop_token_id}) and {len(blanks)} blanks")
        span = torch.searchsorted(starts, index, right=True) - 1  # the span a token is of, -1 in the text
        if not len(starts):
            return torch.stack((real, torch.zeros_like(real))), context
        inside, of = span >= 0, span.clamp(min=0)
        place = torch.where(inside, blanks[of], real)
        return torch.stack((place, torch.where(inside, index - starts[of] + 1, 0))), context

    def visible(self, start: int, length: int, context_lengths: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Which keys [B, 1, length, start + length] each token sees."""
        keys = torch.arange(start + length, device=context_lengths.device)
        visible = (keys <= keys[start:, None]) | (keys < context_lengths[:, None, None])
        if attention_mask is not None:
            real = attention_mask[:, None, : start + length].bool()
            visible = visible & (real | (keys == keys[start:, None]))  # padding sees itself, so that nothing is NaN
        return visible[:, None]

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The tokens that are not in the cache yet, and where they are in the row so far."""
        positions, context_lengths = self.read_rows(input_ids, attention_mask)
        cache = kwargs.get(_CACHE)
        length = 0 if cache is None else cache.get_seq_length()
        return {
            "input_ids": input_ids[:, length:],
            "position_ids": positions[..., length:],
            "context_lengths": context_lengths,
            "attention_mask": attention_mask,
            _CACHE: cache,
            "use_cache": kwargs.get("use_cache", True),
        }


def _or_ones(mask: Tensor | None, ids: Tensor) -> Tensor:
    return torch.ones_like(ids) if mask is None else mask
