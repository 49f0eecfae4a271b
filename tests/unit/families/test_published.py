"""The ten published models: sizes, parameter counts, tokenizers by their files, and each one's oddity."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.core.errors import UserError
from glmkit.families.assemble import blank
from glmkit.families.conversion import convert
from glmkit.families.glm import GLM_FAMILY, PRESETS
from glmkit.families.published import MODELS, named, tokenizer_of
from glmkit.models.glm import GLM, GLMConfig
from glmkit.testing import shared_path
from glmkit.text.published import PUBLISHED, published

PARAMETERS = {  # README of THUDM/GLM and facts computed from it
    "glm-base": 109_338_624,
    "glm-large": 334_688_256,
    "glm-doc": 334_688_256,
    "glm-410m": 410_265_600,
    "glm-515m": 514_632_960,
    "glm-roberta-large": 354_873_344,
    "glm-large-chinese": 355_659_776,
    "glm-2b": 1_920_122_880,
    "glm-10b": 9_880_682_496,
    "glm-10b-chinese": 9_879_633_920,
}
FILES = {  # tokenizer -> files under their published names
    "bert": {"vocab.txt": "bert/bert-base-uncased-vocab.txt"},
    "roberta": {"vocab.json": "gpt2/roberta-vocab.json", "merges.txt": "gpt2/roberta-merges.txt"},
    "gpt2": {"vocab.json": "gpt2/gpt2-vocab.json", "merges.txt": "gpt2/gpt2-merges.txt"},
    "chinese": {"cog-pretrain.model": "glm-chinese/cog-pretrain.model"},
    "chinese-unfixed": {"cog-pretrain.model": "glm-chinese/cog-pretrain.model"},
}
ODD = (3, 64, 1000)  # the sizes of no published model


def put(kind: str, directory: Path) -> Path:
    root = shared_path("data", "tokenizers")
    if root is None:
        pytest.skip("shared data/tokenizers is not here")
    for name, source in FILES[kind].items():
        shutil.copy(root / source, directory / name)
    return directory


def test_all_ten_are_there() -> None:
    assert MODELS.keys() == PARAMETERS.keys() <= PRESETS.keys()
    for name, row in MODELS.items():
        config = PRESETS[name]
        assert row.sizes == (config.num_layers, config.hidden_size, config.vocab_size)
        assert config.hidden_size == 64 * config.num_heads


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    assert sum(p.numel() for p in blank(GLM_FAMILY.build, PRESETS[name]).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_rows_are_the_tokenizer_s_ids_padded_to_a_multiple_of_128(name: str) -> None:
    row = PUBLISHED[MODELS[name].tokenizer]
    assert -(-(1 + max(row.ids.values())) // 128) * 128 == MODELS[name].sizes[2]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("port", [False, True])
def test_each_gets_its_tokenizer_from_the_published_files(name: str, port: bool, tmp_path: Path) -> None:
    row = MODELS[name]
    tokenizer, missing = tokenizer_of(put(row.tokenizer, tmp_path), row.sizes, name, port=port)
    assert tokenizer is not None
    assert not missing
    kind = (port and row.port_tokenizer) or row.tokenizer
    assert tokenizer.fingerprint == published(kind, tmp_path, row.variant).fingerprint
    assert named(row.sizes) in (name, "glm-large")


def test_glm_10b_chinese_has_two_sets_of_ids(tmp_path: Path) -> None:
    sizes = MODELS["glm-10b-chinese"].sizes
    original, _ = tokenizer_of(put("chinese", tmp_path), sizes, None, port=False)
    port, _ = tokenizer_of(tmp_path, sizes, None, port=True)
    assert original is not None
    assert port is not None
    assert original.special.gmask == original.special.eop == 50007
    assert (port.special.gmask, port.special.eop) == (50009, 50007)
    assert 50009 in port.special.never_generated
    assert 50007 not in original.special.never_generated


def test_the_mask_of_glm_roberta_is_the_one_it_was_trained_with(tmp_path: Path) -> None:
    put("roberta", tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[MASK]": 50267, "<|startofpiece|>": 50265}))
    tokenizer, _ = tokenizer_of(tmp_path, MODELS["glm-roberta-large"].sizes, None, port=True)
    assert tokenizer is not None
    assert tokenizer.special.mask == tokenizer.marks["[MASK]"] == 50264


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "chinese"])
def test_a_model_of_other_sizes_is_known_by_its_files(kind: str, tmp_path: Path) -> None:
    tokenizer, _ = tokenizer_of(put(kind, tmp_path), ODD, None, port=True)
    assert tokenizer is not None
    assert tokenizer.fingerprint == published(kind, tmp_path, "task_mask").fingerprint


def test_tokens_that_a_user_added_are_read(tmp_path: Path) -> None:
    put("gpt2", tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[gMASK]": 50263, "[UNUSED9]": 50299, "<user>": 50300}))
    tokenizer, _ = tokenizer_of(tmp_path, ODD, None, port=True)
    assert tokenizer is not None
    assert tokenizer.encode_marked("<user>") == [50300]
    assert "[UNUSED9]" not in tokenizer.marks


def test_missing_files_are_named(tmp_path: Path) -> None:
    _, missing = tokenizer_of(tmp_path, MODELS["glm-2b"].sizes, None, port=True)
    assert "lacks the vocabulary of glm-2b: put vocab.json and merges.txt; or gpt2-vocab.json" in missing
    _, missing = tokenizer_of(tmp_path, ODD, None, port=True)
    assert "holds no vocabulary glmkit knows" in missing


def test_the_wrong_name_and_the_wrong_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no published model is called 'glm-10'; did you mean 'glm-10b'\?"):
        named(ODD, "glm-10")
    with pytest.raises(UserError, match=r"glm-2b has 36 layers .*, these files have 3 layers .*: they are not glm-2b"):
        named(ODD, "glm-2b")
    with pytest.raises(UserError, match=r"has 50265 pieces, the vocabulary of gpt2 has 50257"):
        tokenizer_of(put("roberta", tmp_path), MODELS["glm-2b"].sizes, None, port=True)


def test_a_port_of_glm_10b_chinese_gets_a_row_for_its_gmask(tmp_path: Path) -> None:
    """As its converter does: eop's row is copied to the id the port gives [gMASK]."""
    config = GLMConfig(num_layers=1, hidden_size=64, num_heads=1, vocab_size=50048, max_positions=8)
    model = GLM(config)
    GLM_FAMILY.initialize(model, torch.Generator().manual_seed(0))
    (tmp_path / "vocabulary").mkdir()
    tokenizer = published("chinese-unfixed", put("chinese", tmp_path / "vocabulary"), "task_mask+dblock")
    from glmkit.families import directory

    (tmp_path / "native").mkdir()
    directory.write(tmp_path / "native", GLM_FAMILY, config, model, tokenizer, None)
    convert(tmp_path / "native", tmp_path / "port", "glm-hf-port")
    port = glmkit.load(tmp_path / "port")
    words = port.module.embedding.words.weight
    assert torch.equal(words[50009], model.embedding.words.weight[50007])
    assert torch.equal(words[:50009], model.embedding.words.weight[:50009])
    assert port.tokenizer.special.gmask == 50009
    assert (tmp_path / "port/cog-pretrain.model").is_file()
