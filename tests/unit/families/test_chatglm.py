"""Which ChatGLM a directory holds, what its config.json means, and what is refused."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import glmkit
from glmkit.conversion.weights import Weights
from glmkit.core.errors import CorruptFile, UserError
from glmkit.families.chatglm import CHATGLM_FAMILY
from glmkit.families.chatglm2 import CHATGLM2_FAMILY
from glmkit.families.layouts.chatglm import rope_scaling
from glmkit.families.spec import FamilySpec
from glmkit.testing import tiny

Write = Callable[..., Path]

V2 = {
    "model_type": "chatglm",
    "num_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
    "kv_channels": 16,
    "ffn_hidden_size": 96,
    "padded_vocab_size": 288,
    "seq_length": 1024,
    "add_qkv_bias": True,
}
V1 = {
    "model_type": "chatglm",
    "num_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "inner_hidden_size": 128,
    "vocab_size": 288,
    "max_sequence_length": 512,
    "mask_token_id": 258,
    "gmask_token_id": 259,
    "bos_token_id": 261,
}


def official(m: glmkit.Model) -> dict[str, Tensor]:
    """The model's weights by their official names and packing."""
    names = m.module.state_dict()
    places = m.family.formats[0].statemap(m.config).external(names)
    return {
        key: tensor.contiguous()
        for name, place in places.items()
        for key, tensor in zip(place.keys, place.packing.to_external(names[name]), strict=True)
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an official directory: config.json and weights."""

    def written(table: Mapping[str, Any], weights: Mapping[str, Tensor], name: str = "m") -> Path:
        directory = tmp_path / name
        directory.mkdir()
        (directory / "config.json").write_text(json.dumps(table), encoding="utf-8")
        save_file(dict(weights), directory / "model.safetensors")
        return directory

    return written


IDS = torch.tensor([[5, 6, 259, 261, 7, 8]])


@pytest.mark.parametrize(("name", "table"), [("chatglm", V1), ("chatglm2", V2)])
def test_the_official_names_and_packing_are_read_back(write: Write, name: str, table: dict[str, Any]) -> None:
    m = tiny(name)
    back = glmkit.load(write(table, official(m)), device="cpu")
    assert back.family.name == m.family.name
    assert torch.equal(back.logits(IDS), m.logits(IDS))


@pytest.mark.parametrize(("name", "table"), [("chatglm", V1), ("chatglm2", V2)])
def test_stray_keys_with_a_known_reason_are_no_harm(write: Write, name: str, table: dict[str, Any]) -> None:
    m = tiny(name)
    stray = {
        "chatglm": {"lm_head.weight": torch.zeros(288, 64), "transformer.layers.1.attention.rotary_emb.inv_freq": IDS},
        "chatglm2": {"lm_head.weight": torch.zeros(288, 64), "transformer.rotary_pos_emb.inv_freq": IDS},
    }
    back = glmkit.load(write(table, official(m) | stray[name]), device="cpu")
    assert torch.equal(back.logits(IDS), m.logits(IDS))


def test_one_copy_of_the_word_table_is_enough_whatever_it_is_called(write: Write) -> None:
    """safetensors stores shared tensors once."""
    m = tiny("chatglm")
    weights = official(m)
    weights["lm_head.weight"] = weights.pop("transformer.word_embeddings.weight")
    assert torch.equal(glmkit.load(write(V1, weights), device="cpu").logits(IDS), m.logits(IDS))


def test_keys_that_nothing_uses_are_named(write: Write) -> None:
    weights = official(tiny("chatglm2")) | {"transformer.encoder.layers.0.mlp.gate.weight": IDS}
    with pytest.raises(CorruptFile, match=r"holds transformer\.encoder\.layers\.0\.mlp\.gate\.weight"):
        glmkit.load(write(V2, weights))


def test_without_groups_the_projection_is_packed_by_head(write: Write) -> None:
    """The same numbers whether config.json calls four groups of one head groups or not: what differs is the packing."""
    m = tiny("chatglm2")
    config = replace(m.config, num_kv_heads=4)
    module = CHATGLM2_FAMILY.build(config)
    CHATGLM2_FAMILY.initialize(module, torch.Generator().manual_seed(0))
    m = glmkit.Model(m.family, config, module.eval(), None)
    grouped = glmkit.load(write(V2 | {"multi_query_group_num": 4}, official(m), "grouped"), device="cpu")
    by_head = official(m)
    for name, tensor in by_head.items():
        if "query_key_value" in name:
            by_head[name] = tensor.unflatten(0, (3, 4, 16)).transpose(0, 1).flatten(0, 2).contiguous()
    split = glmkit.load(write(V2 | {"multi_query_attention": False}, by_head, "by_head"), device="cpu")
    assert torch.equal(split.logits(IDS), grouped.logits(IDS))


SHAPES = {"chatglm-6b": CHATGLM_FAMILY} | dict.fromkeys(("chatglm2-6b", "chatglm3-6b", "codegeex2-6b"), CHATGLM2_FAMILY)


@pytest.mark.parametrize("name", SHAPES)
def test_presets_are_the_published_models(chatglm_golden: Path, name: str) -> None:
    """Key by key and shape by shape, those that the official code ignores apart."""
    facts = json.loads((chatglm_golden / "real_shapes.json").read_text(encoding="utf-8"))[name]
    family: FamilySpec = SHAPES[name]
    config = family.presets[name]
    with torch.device("meta"):
        module = family.build(config)
    weights = module.state_dict()
    statemap = family.formats[0].statemap(config)
    result = {place.keys[0]: list(weights[name].shape) for name, place in statemap.external(weights).items()}
    wanted = {key: shape for key, shape in facts["shapes"].items() if statemap.reason_to_ignore(key) is None}
    assert result == wanted
    assert sum(p.numel() for p in module.parameters()) == facts.get("parameters_unique", facts["parameters"])
    assert (
        config == replace(read_config(family, facts["config"], name), rope_scaling=config.rope_scaling)
        if (family is CHATGLM2_FAMILY)
        else read_config(family, facts["config"], name)
    )


def read_config(family: FamilySpec, table: dict[str, Any], name: str) -> Any:
    return family.formats[0].config(table, Weights(Path(name), {}))


LONG = V2 | {"rope_ratio": 8}


@pytest.mark.parametrize(
    ("table", "files", "wanted"),
    [
        ({"_name_or_path": "THUDM/chatglm2-6b-32k"}, {}, "positions"),
        ({"_name_or_path": "zai-org/ChatGLM3-6B-32K"}, {}, "base"),
        ({"auto_map": {"AutoModel": "THUDM/chatglm3-6b-32k--modeling_chatglm.X"}}, {}, "base"),
        ({"_name_or_path": "output"}, {"modeling_chatglm.py": "base = base * self.rope_ratio"}, "base"),
        ({"_name_or_path": "output"}, {"modeling_chatglm.py": "seq_idx = arange(n) / self.rope_ratio"}, "positions"),
        ({"rotary_percent": 0.5}, {}, "positions"),
        ({"transformers_version": "4.27.1"}, {}, "positions"),
        ({"transformers_version": "4.30.2"}, {}, None),  # tools of ChatGLM2 want it, too
        ({"_name_or_path": "output"}, {"modeling_chatglm.py": "class ChatGLMModel: ..."}, None),
        ({"_name_or_path": "chatglm2-6b"}, {"modeling_chatglm.py": "base = base * self.rope_ratio"}, None),
        ({"_name_or_path": "chatglm2-6b", "rotary_percent": 0.5}, {}, "positions"),
        ({"transformers_version": "4.40.0"}, {}, None),
        ({}, {}, None),
    ],
)
def test_what_tells_chatglm2_from_chatglm3(
    tmp_path: Path, table: dict[str, Any], files: dict[str, str], wanted: str | None
) -> None:
    directory = tmp_path / "m"
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    assert rope_scaling(table, directory) == wanted


def test_the_name_of_the_directory_tells_too(tmp_path: Path) -> None:
    (snapshot := tmp_path / "models--THUDM--chatglm3-6b-32k" / "snapshots" / "0af").mkdir(parents=True)
    assert rope_scaling({}, snapshot) == "base"
    (moved := tmp_path / "chatglm2-6b-32k").mkdir()
    assert rope_scaling({}, moved) == "positions"


def test_how_a_model_reads_farther_must_be_known_or_said(write: Write) -> None:
    directory = write(LONG, official(tiny("chatglm2")))
    with pytest.raises(UserError, match=r'rope_ratio 8.*model="chatglm2-6b-32k".*rope_scaling="positions" or "base"'):
        glmkit.load(directory)
    one, other = (glmkit.load(directory, device="cpu", rope_scaling=rule) for rule in ("positions", "base"))
    assert not torch.allclose(one.logits(IDS), other.logits(IDS))
    named = [glmkit.load(directory, device="cpu", model=f"THUDM/chatglm{n}-6b-32k").logits(IDS) for n in (2, 3)]
    assert torch.equal(named[0], one.logits(IDS))
    assert torch.equal(named[1], other.logits(IDS))


def test_the_official_half_precision_tables_are_an_option(write: Write) -> None:
    """They are other numbers in half precision only, and for ChatGLM2 far from the truth."""
    directory = write(V2 | {"_name_or_path": "THUDM/chatglm2-6b"}, official(tiny("chatglm2")))
    tokens, far = IDS.expand(1, -1), torch.arange(900, 906).view(1, 1, -1) * torch.tensor([1, 0, 1, 0, 1, 0])
    logits = {
        (dtype, table): glmkit.load(directory, dtype=dtype, device="cpu", rope_table=table).logits(tokens, far)
        for dtype in ("float32", "bfloat16")
        for table in ("float32", "reference")
    }
    assert torch.equal(logits["float32", "float32"], logits["float32", "reference"])
    rounding = (logits["bfloat16", "float32"] - logits["float32", "float32"]).abs().max()
    assert (logits["bfloat16", "reference"] - logits["float32", "float32"]).abs().max() > 3 * rounding


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (V2 | {"padded_vocab_size": 151552}, "is a GLM-4, which glmkit does not read"),
        (V2 | {"add_bias_linear": True}, "add_bias_linear = True, which no published model has"),
        (V2 | {"add_qkv_bias": False}, "add_qkv_bias = False"),
        (V2 | {"pre_seq_len": 128}, "pre_seq_len = 128 in config.json but no prefix"),
        (V1 | {"vocab_size": 150528}, "is the first ChatGLM-6B, whose ids are 20000 higher"),
        (V1 | {"position_encoding_2d": False}, "position_encoding_2d = False"),
        (V1 | {"quantization_embeddings": True}, "quantization_embeddings = True"),
        ({key: value for key, value in V1.items() if key != "gmask_token_id"}, "config.json lacks gmask_token_id"),
    ],
)
def test_what_is_not_like_the_published_models_is_refused(write: Write, table: dict[str, Any], said: str) -> None:
    with pytest.raises((UserError, CorruptFile), match=said):
        glmkit.load(write(table, {"transformer.word": torch.zeros(1)}))


def test_a_prefix_alone_is_no_model(write: Write) -> None:
    prefix = {"transformer.prefix_encoder.embedding.weight": torch.zeros(4, 128)}
    directory = write(V2 | {"pre_seq_len": 4}, prefix)
    with pytest.raises(UserError, match="holds only a prefix; load the base model"):
        glmkit.load(directory)


def test_a_prefix_is_laid_over_the_model_it_belongs_to(write: Write) -> None:
    m = tiny("chatglm2")
    before = m.logits(IDS)
    fits = write(V2, {"transformer.prefix_encoder.embedding.weight": torch.randn(4, 128)}, "fits")
    prefixed = m.with_prefix(fits)
    assert not torch.allclose(prefixed.logits(IDS), before)
    assert torch.equal(m.logits(IDS), before), "the base model is as it was"
    assert prefixed.module.embedding is m.module.embedding, "all other weights are shared"
    other = write(V2, {"transformer.prefix_encoder.embedding.weight": torch.randn(4, 64)}, "other")
    with pytest.raises(CorruptFile, match=r"is \[4, 64\]"):
        m.with_prefix(other)
    with pytest.raises(UserError, match="holds no prefix"):
        m.with_prefix(write(V2, official(m), "base"))
    with pytest.raises(UserError, match="a model of family glm takes no prefix"):
        tiny("glm").with_prefix(fits)


def test_a_prefix_among_all_weights_is_read_with_them(write: Write, tmp_path: Path) -> None:
    prefix = {"transformer.prefix_encoder.embedding.weight": torch.randn(4, 128)}
    m = tiny("chatglm2")
    whole = glmkit.load(write(V2 | {"pre_seq_len": 4}, official(m) | prefix), device="cpu")
    laid = m.with_prefix(write(V2, prefix, "prefix"))
    assert torch.equal(whole.logits(IDS), laid.logits(IDS))
    laid.save(tmp_path / "saved")
    assert torch.equal(glmkit.load(tmp_path / "saved", device="cpu").logits(IDS), laid.logits(IDS))


def test_bare_ids_without_an_answer_are_refused() -> None:
    m = tiny("chatglm")
    with pytest.raises(UserError, match=r"a prompt holds a blank \(259 or 258\) and then 261"):
        m.logits([[1, 2, 3]])
    positions = torch.tensor([[[0, 1, 2], [0, 0, 0]]])
    assert m.logits([[1, 2, 3]], positions=positions, context=3).shape == (1, 3, 288)
