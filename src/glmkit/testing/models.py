"""Tiny random models, with every part of the real ones.

Ids of their tokenizers: 0 .. 255 bytes | padding, end, [MASK], [gMASK], [sMASK], sop, eop, [CLS] | roles of ChatGLM3.
"""

import torch
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers
from torch import nn

from glmkit.api import Model
from glmkit.core.errors import UserError, nearest
from glmkit.core.kinds import TEXT, check, whole
from glmkit.families.registry import family
from glmkit.families.spec import ModelConfig
from glmkit.models.chatglm import ChatGLMConfig
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.models.glm import GLMConfig
from glmkit.models.neoglm import MLPConfig, NeoGLMConfig
from glmkit.text.bytelevel import ByteLevel
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer

_PAD, _EOD, _MASK, _GMASK, _SMASK, _SOP, _EOP, _CLS = range(256, 264)
_ROLES = {role: 264 + i for i, role in enumerate(("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"))}
_ROWS = 288  # more than there are ids, as in the real models

_CHATGLM2 = ChatGLM2Config(
    num_layers=2,
    hidden_size=64,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    intermediate_size=96,
    vocab_size=_ROWS,
    max_positions=1024,
)
_MODELS: dict[str, tuple[str, ModelConfig]] = {  # name: family, config
    "glm": ("glm", GLMConfig(num_layers=2, hidden_size=64, num_heads=4, vocab_size=_ROWS, max_positions=512)),
    "chatglm": (
        "chatglm",
        ChatGLMConfig(
            num_layers=2,
            hidden_size=64,
            num_heads=4,
            intermediate_size=128,
            vocab_size=_ROWS,
            max_positions=512,
            mask=_MASK,
            gmask=_GMASK,
            sop=_SOP,
        ),
    ),
    "neoglm": (
        "neoglm",
        NeoGLMConfig(
            num_layers=2,
            hidden_size=64,
            num_heads=4,
            num_kv_heads=2,
            vocab_size=_ROWS,
            max_positions=512,
            mlp=MLPConfig(intermediate_size=128),
        ),
    ),
    "chatglm2": ("chatglm2", _CHATGLM2),
    "chatglm3": ("chatglm2", _CHATGLM2),
    "codegeex2": ("chatglm2", _CHATGLM2),
}


def build(name: str, seed: int) -> Model:
    """See `glmkit.testing.tiny`."""
    check(name, TEXT, "name")
    check(seed, whole(low=0, high=2**63 - 1), "seed")
    if name not in _MODELS:
        raise UserError(f"no tiny model {name!r}{nearest(name, _MODELS)}")
    family_name, config = _MODELS[name]
    spec = family(family_name)
    module = spec.build(config).eval()
    randomize(module, torch.Generator().manual_seed(seed))
    return Model(spec, config, module, byte_tokenizer(name))


@torch.no_grad()
def randomize(module: nn.Module, generator: torch.Generator) -> None:
    """Weights N(0, 0.2), those of norms around 1; nothing is zero."""
    for parameter in module.parameters():
        parameter.normal_(0, 0.2, generator=generator)
    for part in module.modules():
        if isinstance(part, nn.LayerNorm | nn.RMSNorm) and part.elementwise_affine:
            part.weight.add_(1)


def byte_tokenizer(name: str) -> Tokenizer:
    """A tokenizer that knows no piece longer than a byte, with the special tokens and the chat format of `name`."""
    shown = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Backend(models.BPE({character: id for id, character in enumerate(shown)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    cls = _CLS if name in ("glm", "neoglm", "chatglm") else None
    marks = {"<pad>": _PAD, "<eod>": _EOD, "[MASK]": _MASK, "[gMASK]": _GMASK, "[sMASK]": _SMASK}
    marks |= {"<sop>": _SOP, "<eop>": _EOP} | ({} if cls is None else {"[CLS]": cls})
    special = SpecialIds(
        pad=_PAD,
        eod=_EOD,
        cls=cls,
        mask=_MASK,
        smask=_SMASK,
        gmask=_GMASK,
        sop=_SOP,
        eop=_EOP,
        other=() if cls is not None else (_CLS,),  # no text has it, so it is never written
    )
    roles = _ROLES if name == "chatglm3" else {}
    return Tokenizer(ByteLevel(backend), special, marks | roles, chat=None if name in ("glm", "neoglm") else name)
