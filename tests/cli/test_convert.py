"""glmkit convert and glmkit info."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glmkit.api import Model
from glmkit.families.glm import GLM_FAMILY
from glmkit.kernels.quantized import QuantFormat
from glmkit.models.glm import GLM, GLMConfig
from glmkit.nn.quantized import QuantizedLinear
from glmkit.testing import tiny
from glmkit.testing.models import randomize

from .conftest import Run


def test_there_and_back(run: Run, model_directory: Path, tmp_path: Path) -> None:
    code, out, errors = run("convert", model_directory, tmp_path / "port", "--to", "glm-hf-port")
    assert (code, errors) == (0, "")
    assert "as glm-hf-port" in out
    code, _, errors = run("convert", tmp_path / "port", tmp_path / "back")
    assert code == 0, errors
    names = ("model.safetensors", "tokenizer.json", "special_tokens.json")
    assert all((tmp_path / "back" / name).read_bytes() == (model_directory / name).read_bytes() for name in names)
    code, _, errors = run("infill", tmp_path / "port", "a [MASK]", "--max-tokens", 2)
    assert code == 0, errors


def test_ranks_and_types(run: Run, model_directory: Path, tmp_path: Path) -> None:
    code, _, errors = run(
        "convert", model_directory, tmp_path / "mp", "--to", "megatron", "--ranks", 2, "--dtype", "float16"
    )
    assert code == 0, errors
    assert sorted(path.name for path in (tmp_path / "mp/0").iterdir()) == [
        "mp_rank_00_model_states.pt",
        "mp_rank_01_model_states.pt",
    ]
    code, out, _ = run("info", tmp_path / "mp", "--json")
    assert json.loads(out)["bytes"].keys() == {"float16"}


def test_info_for_programs(run: Run, model_directory: Path) -> None:
    code, out, _ = run("info", model_directory, "--json", "--keys", "--verify")
    facts = json.loads(out)
    assert code == 0
    assert (facts["family"], facts["layout"], facts["missing"]) == ("glm", "native", [])
    assert facts["parameters"] * 4 == facts["bytes"]["float32"]
    assert facts["tokenizer"]["special"]["[MASK]"] == 3
    assert facts["files"].keys() >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert {row["name"] for row in facts["keys"]} >= {"embedding.words.weight", "norm.bias"}


def test_info_for_people(run: Run, model_directory: Path, tmp_path: Path) -> None:
    run("convert", model_directory, tmp_path / "port", "--to", "glm-hf-port")
    (tmp_path / "port/special_tokens.json").unlink()
    code, out, _ = run("info", tmp_path / "port", "--keys")
    assert code == 0
    assert "family glm, layout glm-hf-port" in out
    assert "missing     " in out
    assert "put the tokenizer's files there" in out
    assert "blocks.0.attention.qkv.weight  [96, 32] float32  <- transformer.layers.0.attention.query_key_value" in out


def test_info_says_which_model_it_is_taken_for_and_why(run: Run, tmp_path: Path) -> None:
    tiny("chatglm3").save(tmp_path / "native")
    run("convert", tmp_path / "native", tmp_path / "out", "--to", "chatglm-hf")
    assert "model       chatglm3 (chatglm3: special_tokens.json: chat)" in run("info", tmp_path / "out")[1]
    (tmp_path / "out/special_tokens.json").unlink()
    (tmp_path / "out/tokenizer_config.json").write_text('{"chat_template": "[Round 1]"}')
    (tmp_path / "out/tokenizer.model").write_bytes(b"")
    _, out, errors = run("info", tmp_path / "out")
    assert "model       unknown (chatglm3: config.json: _name_or_path 'THUDM/chatglm3-6b'; chatglm2: tokenizer" in out
    assert "missing     " in out, errors
    assert "--published chatglm3-6b at the command line" in out


def test_mistakes(run: Run, model_directory: Path, tmp_path: Path) -> None:
    for arguments, line in (
        (["--to", "glm-hf-prt"], "is not written as 'glm-hf-prt'; did you mean 'glm-hf-port'?"),
        (["--to", "glm-hf"], "cannot be written as glm-hf: its text is read in both directions"),
        (["--to", "gguf"], "convert --to glm-hf-port for the port's own code"),
        (["--dtype", "q8_0"], "native is not written in q8_0; leave out --dtype q8_0, or give --to gguf"),
        (["--ranks", "2"], "--ranks is nothing to choose of the layout native; leave it out, or convert to megatron"),
        (["--to", "megatron", "--ranks", "3"], "cannot be cut into 3 ranks"),
        (["--to", "megatron", "--safetensors"], "leave it out, or convert to glm-hf-port"),
        (["--set", "gelu"], "write KEY=VALUE"),
        (["--set", "gleu=erf"], "no option 'gleu'; did you mean 'gelu'?"),
        (["--tokenizer", tmp_path], "not a tokenizer"),
    ):
        code, _, errors = run("convert", model_directory, tmp_path / "new", *arguments)
        assert code == 2
        assert line in errors
        assert len(errors.strip().splitlines()) == 1
        assert not list(tmp_path.iterdir())
    code, _, errors = run("convert", model_directory, model_directory)
    assert code == 2
    assert "exists" in errors


@pytest.mark.slow
def test_bench_load_tells_time_and_memory(run: Run, tmp_path: Path) -> None:
    code, out, errors = run(
        "bench", "load", "--preset", "glm-nano", "--layout", "glm-hf-port", "--directory", tmp_path, "--json"
    )
    assert code == 0, errors
    results = {row["name"]: row for row in json.loads(out)["results"]}
    assert results["peak memory"]["limit"] > 0
    assert results["time to load"]["value"] > 0
    assert not list(tmp_path.iterdir())
    quantized = ("bench", "load", "--preset", "glm-nano", "--quantize", "int4", "--directory", tmp_path, "--json")
    code, out, errors = run(*quantized)
    assert code == 0, errors
    rows = {row["name"]: row for row in json.loads(out)["results"]}
    assert rows["time to the first token"]["value"] >= rows["time to load"]["value"]
    assert rows["peak memory"]["limit"] < results["peak memory"]["limit"]
    code, _, errors = run(*quantized, "--layout", "glm-hf-port")
    assert code == 2
    assert "writes our own layout" in errors
    code, _, errors = run("bench", "load", "--preset", "glm-3b")
    assert code == 2
    assert "did you mean 'glm-2b'?" in errors


def test_verify(run: Run, model_directory: Path, tmp_path: Path) -> None:
    code, out, errors = run("convert", model_directory, tmp_path / "port", "--to", "glm-hf-port", "--verify")
    assert (code, errors) == (0, "")
    assert "reads" in out
    assert out.rstrip().endswith("the same model")
    code, out, errors = run("convert", model_directory, tmp_path / "half", "--dtype", "bfloat16", "--verify")
    assert (code, errors) == (0, "")
    code, out, errors = run("convert", model_directory, tmp_path / "half", "--verify")  # it is there: compare only
    assert (code, out) == (1, "")
    assert "not the same model" in errors
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.parametrize("to", ["native", "glm-hf"])
def test_an_export_of_another_size_is_not_the_same(to: str, run: Run, tmp_path: Path) -> None:
    if to == "glm-hf":
        pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
    for name, rows in (("small", 288), ("large", 300)):
        m = tiny("chatglm2")
        config = replace(m.config, vocab_size=rows)
        module = m.family.build(config)
        randomize(module, torch.Generator().manual_seed(0))
        Model(m.family, config, module, None).save(tmp_path / name)
        code, _, errors = run("convert", tmp_path / name, tmp_path / f"{name}-out", "--to", to)
        assert code == 0, errors
    for source, export, line in (("small", "large", "300 .* 288"), ("large", "small", "288 .* 300")):
        how = ("convert", tmp_path / source, tmp_path / f"{export}-out", "--to", to, "--verify")
        code, out, errors = run(*how)
        assert (code, out) == (1, "")
        assert re.search(f"{line.replace(' .* ', ' vocabulary rows where the source has ')}: not the same", errors)
        assert len(errors.strip().splitlines()) == 1


def test_an_export_for_shorter_texts_is_not_the_same(run: Run, tmp_path: Path) -> None:
    for name, positions in (("long", 64), ("short", 8)):
        config = GLMConfig(num_layers=1, hidden_size=32, num_heads=2, vocab_size=64, max_positions=positions)
        module = GLM(config).eval()
        randomize(module, torch.Generator().manual_seed(0))
        Model(GLM_FAMILY, config, module, None).save(tmp_path / name)
    code, _, errors = run("convert", tmp_path / "long", tmp_path / "short", "--verify")
    assert code == 1
    assert "at most 8 positions where the source has more: not the same model" in errors
    code, _, errors = run("convert", tmp_path / "short", tmp_path / "copy", "--verify")
    assert (code, errors) == (0, "")


def test_an_export_of_another_layout_is_said_to_be_one(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
    m = tiny("chatglm2")
    Model(m.family, m.config, m.module, None).save(tmp_path / "m")
    code, _, errors = run("convert", tmp_path / "m", tmp_path / "m", "--to", "glm-hf", "--verify")
    assert code == 2
    assert "is of layout native; say so by --to" in errors


def test_heads_that_no_file_tells_are_given(run: Run, model_directory: Path, tmp_path: Path) -> None:
    run("convert", model_directory, tmp_path / "mp", "--to", "megatron")
    path = tmp_path / "mp/0/mp_rank_00_model_states.pt"
    table = torch.load(path)
    del table["num_attention_heads"]
    torch.save(table, path)
    code, _, errors = run("info", tmp_path / "mp")
    assert code == 2
    assert "give num_heads=N (--set num_heads=N)" in errors
    code, out, errors = run("info", tmp_path / "mp", "--set", "num_heads=2")
    assert (code, errors) == (0, "")
    assert "num_heads=2" in out


def test_a_quantized_model_is_written_out(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs the package gguf: pip install glmkit[gguf]")
    m = tiny("chatglm2")
    for block in m.module.blocks:
        block.mlp.up = QuantizedLinear.of(block.mlp.up, QuantFormat(bits=8))
    Model(m.family, m.config, m.module, None).save(tmp_path / "m")
    code, out, errors = run("convert", tmp_path / "m", tmp_path / "m.gguf", "--to", "gguf", "--dtype", "q4_0")
    assert (code, errors) == (0, "")
    assert "m.gguf: " in out
    assert "the source is quantized" in out
    assert "without a tokenizer" in out
    assert (tmp_path / "m.gguf").read_bytes().startswith(b"GGUF")
