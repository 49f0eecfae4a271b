"""Whole official directories, config.json, weights and the published vocabulary: which model and which tokenizer."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import glmkit
from glmkit.conversion.weights import Weights
from glmkit.core.errors import UserError
from glmkit.families.conversion import convert
from glmkit.families.inspect import inspect
from glmkit.families.registry import family
from glmkit.testing import shared_path

# name: family, golden, vocabulary file, its published name, tokenizer_config.json, what config.json says
SOURCES: dict[str, tuple[str, str, str, str, str | None, str]] = {
    "chatglm": ("chatglm", "v1", "chatglm-6b/ice_text.v1.1.model", "ice_text.model", None, "THUDM/chatglm-6b"),
    "chatglm2": (
        "chatglm2",
        "v2",
        "chatglm2-3-6b/tokenizer.model",
        "tokenizer.model",
        "chatglm2-3-6b/tokenizer_config.chatglm2.json",
        "output/checkpoint-3000",
    ),
    "chatglm3": (
        "chatglm2",
        "v3",
        "chatglm2-3-6b/tokenizer.model",
        "tokenizer.model",
        "chatglm2-3-6b/tokenizer_config.chatglm3.json",
        "output/checkpoint-3000",
    ),
    "codegeex2": ("chatglm2", "v2", "codegeex2-6b/tokenizer.model", "tokenizer.model", None, "output/checkpoint-3000"),
}
ROWS = {"chatglm": 130528, "chatglm2": 65024}


@pytest.fixture(params=SOURCES)
def directory(request: pytest.FixtureRequest, chatglm_golden: Path, tmp_path: Path) -> Path:
    """A model of the real vocabulary's size; its rope_ratio asks which rule it was trained with."""
    name, golden, vocabulary, published, tokenizer_config, path = SOURCES[request.param]
    source = shared_path("data", "tokenizers", vocabulary)
    if source is None:
        pytest.skip(f"no {vocabulary} among the shared tokenizers")
    place = tmp_path / "model"
    place.mkdir()
    shutil.copy(source, place / published)
    if tokenizer_config:
        shutil.copy(source.parents[1] / tokenizer_config, place / "tokenizer_config.json")
    table: dict[str, Any] = json.loads((chatglm_golden / golden / "checkpoint_bin/config.json").read_text())
    table |= {"_name_or_path": path, "hidden_size": 16, "num_layers": 1, "transformers_version": "5.0.0"}
    table |= {"vocab_size" if name == "chatglm" else "padded_vocab_size": ROWS[name]}
    if name == "chatglm2":
        table |= {"rope_ratio": 16, "kv_channels": 4, "ffn_hidden_size": 8}
    else:
        table |= {"mask_token_id": 130000, "gmask_token_id": 130001, "bos_token_id": 130004}
    (place / "config.json").write_text(json.dumps(table))
    write_weights(family(name), table, place)
    return place


def write_weights(spec: Any, table: dict[str, Any], place: Path) -> None:
    config = spec.formats[0].config(table, Weights(place, {}))
    known = {"rope_scaling": "base"} if spec.name == "chatglm2" else {}
    model = spec.build(replace(config, **known)).half()
    spec.initialize(model, torch.Generator().manual_seed(0))
    weights = model.state_dict()
    places = spec.formats[0].statemap(config).external(weights)
    save_file(
        {p.keys[0]: p.packing.to_external(weights[n])[0].contiguous() for n, p in places.items()},
        place / "model.safetensors",
    )


def test_it_is_the_model_and_the_tokenizer_it_was(directory: Path, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["directory"]
    m = glmkit.load(directory, device="cpu")
    assert m.family.name == SOURCES[name][0]
    assert m.tokenizer.chat == name
    assert m.logits([[130001, 130004]] if name == "chatglm" else [[1, 2]]).isfinite().all()
    if m.family.name == "chatglm2":
        assert m.config.rope_scaling == ("base" if name == "chatglm3" else "positions")
    ids = {"chatglm": [5, 74874], "chatglm2": [36474, 54591], "chatglm3": [36474, 54591], "codegeex2": None}[name]
    assert ids is None or m.tokenizer.encode("你好") == ids


def test_without_its_vocabulary_ids_still_work(directory: Path) -> None:
    next(p for p in directory.iterdir() if p.suffix == ".model").unlink()
    for file in directory.glob("tokenizer_config.json"):
        file.unlink()
    known = {"rope_scaling": "base"} if "rope_ratio" in (directory / "config.json").read_text() else {}
    m = glmkit.load(directory, device="cpu", **known)
    assert m.logits([[130001, 130004, 5] if m.family.name == "chatglm" else [1, 2, 3]]).isfinite().all()
    with pytest.raises(UserError, match=r"tokenizer\.model|ice_text\.model"):
        m.tokenizer.encode("a")


def test_what_a_user_says_it_is_counts_and_info_says_why(directory: Path, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["directory"]
    if name not in ("chatglm2", "chatglm3"):
        pytest.skip("its vocabulary tells")
    summary = inspect(directory)["model"]
    assert summary["name"] == name
    assert summary["evidence"][0].startswith(f"{name}: tokenizer_config.json: ")
    (directory / "added_tokens.json").write_text('{"<kb>": 64800}')
    glmkit.load(directory, device="cpu").tokenizer.save(directory)  # special_tokens.json, as an export of ours has it
    other = "chatglm3" if name == "chatglm2" else "chatglm2"
    assert glmkit.load(directory, device="cpu").tokenizer.chat == name
    m = glmkit.load(directory, device="cpu", model=f"{other}-6b")
    assert (m.tokenizer.chat, m.config.rope_scaling) == (other, "base" if other == "chatglm3" else "positions")
    assert (m.tokenizer.encode_marked("<kb>"), m.tokenizer.decode([64800])) == ([64800], "<kb>")
    assert inspect(directory, model=other)["model"]["evidence"] == [f"{other}: the name {other!r} that was given"]
    with pytest.raises(UserError, match="no model of the ChatGLM family is called 'chatglm9'"):
        glmkit.load(directory, device="cpu", model="chatglm9")
    if name == "chatglm2":
        (directory / "added_tokens.json").write_text('{"<kb>": 65024}')
        with pytest.raises(UserError, match="gives '<kb>' the id 65024, but the model has 65024 rows"):
            glmkit.load(directory, device="cpu", model="chatglm3", tokenizer=bare(directory))


def bare(directory: Path) -> Path:
    """The tokenizer's files as a folder of their own, without our record."""
    place = directory.parent / "tokenizer"
    shutil.copytree(directory, place, ignore=shutil.ignore_patterns("special_tokens.json", "*.safetensors"))
    return place


def test_tokens_that_were_added_survive(directory: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    first = 130400 if request.node.callspec.params["directory"] == "chatglm" else 64799
    known = {"[gMASK]": 130001} if first > 100000 else {"[gMASK]": 64790}
    (directory / "added_tokens.json").write_text(json.dumps(known | {"<kb>": first, "<问>": first + 2}))
    m = glmkit.load(directory, device="cpu")
    m.save(tmp_path / "native")
    convert(tmp_path / "native", tmp_path / "back", "chatglm-hf")
    (tmp_path / "back/special_tokens.json").unlink()  # as somebody else's tools leave it
    for m in (m, glmkit.load(tmp_path / "native"), glmkit.load(tmp_path / "back")):  # noqa: B020
        text = m.tokenizer
        assert text.encode_marked("<kb><问>") == [first, first + 2]
        assert text.decode([first, first + 2]) == "<kb><问>"
        assert first not in text.encode("<kb>")
        assert first + 1 in text.special.never_generated
    (directory / "added_tokens.json").write_text(json.dumps({"<kb>": known["[gMASK]"]}))
    with pytest.raises(UserError, match=r"which is that of '\[gMASK\]'"):
        glmkit.load(directory, device="cpu")
