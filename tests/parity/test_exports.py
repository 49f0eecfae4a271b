"""Exports of the ChatGLM family: what others read is the model that was exported."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import glmkit
from glmkit.api import Model
from glmkit.api.verify import verify
from glmkit.conversion.weights import open_weights
from glmkit.core.errors import MissingExtra, UserError
from glmkit.families.chatglm2 import CHATGLM2_FAMILY
from glmkit.families.conversion import convert
from glmkit.families.directory import write
from glmkit.families.load import open_model
from glmkit.families.registry import family
from glmkit.kernels.quantized import QuantFormat
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.nn.quantized import QuantizedLinear
from glmkit.testing import MODEL_TOLERANCE, tiny
from glmkit.testing.models import randomize
from glmkit.text.chat import chat_format
from glmkit.text.export import gguf_vocabulary
from tests.parity.chatglm import publish, tokenizer_of
from tests.parity.official import Tensors, close, tensors_of
from tests.reference.llama_spm import encode

# Narrow, with every row of the published models and heads of whole blocks.
NARROW = ChatGLM2Config(
    num_layers=2,
    hidden_size=64,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    intermediate_size=96,
    vocab_size=65024,
    max_positions=8192,
    rope_scaling="positions",
)
CAUSAL = ["v2", "v3", "v2_32k", "v3_32k"]
CHATS = ["chatglm2", "chatglm3", "codegeex2"]
Exported = Callable[[str, str], Path]


# llama.cpp runs in a process of its own, which it may end. Weights stay as they are: packed for the instructions of one
# processor they need a permission that some machines do not give.
LLAMA = """
import json, sys
import llama_cpp
from llama_cpp import llama_cpp as library

default = library.llama_model_default_params

def plain():
    parameters = default()
    parameters.use_extra_bufts = False
    return parameters

library.llama_model_default_params = plain

def greedy(model, ids, new):
    found = []
    model.reset()
    model.eval(ids)
    for _ in range(new):
        found.append(int(model.scores[model.n_tokens - 1].argmax()))
        model.eval(found[-1:])
    return found
"""


@pytest.fixture(scope="session")
def llama() -> Callable[[str], str]:
    """Runs a script that has llama.cpp and returns what it prints; skips without llama.cpp."""
    requests = subprocess.run([sys.executable, "-c", "import llama_cpp"], capture_output=True, text=True, check=False)
    if requests.returncode:
        pytest.skip("needs llama-cpp-python: pip install glmkit[llama]")

    def run(script: str) -> str:
        done = subprocess.run([sys.executable, "-c", LLAMA + script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


def narrow(name: str, folder: Path, **changes: Any) -> Path:
    """A directory of ours: a narrow random model with the published vocabulary of `name`."""
    config = replace(NARROW, **changes)
    model = CHATGLM2_FAMILY.build(config)
    randomize(model, torch.Generator().manual_seed(3))
    folder.mkdir()
    write(folder, CHATGLM2_FAMILY, config, model.half(), tokenizer_of(name), None)
    return folder


@pytest.fixture
def exported(chatglm_golden: Path, tmp_path: Path) -> Exported:
    """Converts a directory of the goldens to a layout."""

    def make(directory: str, to: str) -> Path:
        convert(chatglm_golden / directory, tmp_path / to, to)
        return tmp_path / to

    return make


def every_tensor(directory: Path) -> Tensors:
    weights = open_weights(directory)
    return {key: weights.get(key) for key in weights.keys()}  # noqa: SIM118


class TestOfficial:
    @pytest.mark.parametrize(
        "directory",
        [f"{version}/checkpoint_{kind}" for version in ("v1", *CAUSAL) for kind in ("bin", "safetensors")]
        + [f"{version}/{codes}_bin" for version in ("v1", "v2") for codes in ("int8", "int4")]
        + ["v2/seqcls", "v3/seqcls"],
    )
    def test_every_tensor_comes_back_bit_by_bit(self, directory: str, chatglm_golden: Path, exported: Exported) -> None:
        built = exported(directory, "chatglm-hf")
        wanted, result = every_tensor(chatglm_golden / directory), every_tensor(built)
        assert result.keys() == wanted.keys()
        for key, tensor in wanted.items():
            assert result[key].dtype == tensor.dtype
            assert torch.equal(result[key], tensor), key
        before, after = glmkit.load(chatglm_golden / directory), glmkit.load(built)
        assert before.config == after.config
        for name, tensor in before.module.state_dict().items():
            assert torch.equal(after.module.state_dict()[name], tensor)

    def test_scales_of_codes_keep_their_type(self, chatglm_golden: Path, tmp_path: Path) -> None:
        for to in ("chatglm-hf", "native"):
            convert(chatglm_golden / "v2/int4_bin", tmp_path / to, to, dtype=torch.bfloat16)
            dtypes = {key: entry.dtype for key, entry in open_model(tmp_path / to).weights.entries.items()}
            assert set(dtypes.values()) == {torch.int8, torch.float16, torch.bfloat16}
            assert {kind for key, kind in dtypes.items() if key.endswith("_scale")} == {torch.float16}

    def test_config_says_what_the_official_one_says_and_names_no_code(
        self, chatglm_golden: Path, exported: Exported
    ) -> None:
        for version in ("v1", *CAUSAL):
            built = exported(f"{version}/checkpoint_bin", "chatglm-hf")
            ours = json.loads((built / "config.json").read_text())
            theirs = json.loads((chatglm_golden / version / "checkpoint_bin/config.json").read_text())
            for key in theirs.keys() - {"auto_map", "transformers_version", "_name_or_path"}:
                assert ours[key] == theirs[key], key
            assert "auto_map" not in ours
            shutil.rmtree(built)

    @pytest.mark.parametrize("name", ["chatglm", *CHATS])
    def test_the_tokenizer_goes_along(self, name: str, tmp_path: Path) -> None:
        text = tokenizer_of(name)
        m = tiny(name)
        source = tmp_path / "source"
        source.mkdir()
        config = replace(m.config, vocab_size=len(text)) if name != "chatglm" else replace(m.config, vocab_size=130528)
        write(source, m.family, config, m.family.build(config), text, None)
        convert(source, tmp_path / "made", "chatglm-hf")
        assert glmkit.load(tmp_path / "made").tokenizer.fingerprint == text.fingerprint
        (tmp_path / "made/special_tokens.json").unlink()  # as others have it: the published files alone
        again = glmkit.load(tmp_path / "made").tokenizer
        assert (again.chat, again.fingerprint) == (name, text.fingerprint)
        publish(name, tmp_path / "published")
        (vocabulary,) = (tmp_path / "published").glob("*.model")
        assert (tmp_path / "made" / vocabulary.name).read_bytes() == vocabulary.read_bytes()

    def test_groups_of_codes_have_no_place(self, tmp_path: Path) -> None:
        m = tiny("chatglm2")
        for block in m.module.blocks:
            block.mlp.up = QuantizedLinear.of(block.mlp.up, QuantFormat(bits=8, group=32))
        m.save(tmp_path / "m")
        with pytest.raises(UserError, match="one scale a row, not one a group"):
            convert(tmp_path / "m", tmp_path / "made", "chatglm-hf")
        assert not (tmp_path / "made").exists()


class TestGlmHf:
    @pytest.mark.parametrize("version", CAUSAL)
    def test_there_and_back(self, version: str, chatglm_golden: Path, exported: Exported, tmp_path: Path) -> None:
        built = exported(f"{version}/checkpoint_bin", "glm-hf")
        before, after = glmkit.load(chatglm_golden / version / "checkpoint_bin"), glmkit.load(built)
        for name, tensor in before.module.state_dict().items():
            assert torch.equal(after.module.state_dict()[name], tensor)
        cases = tensors_of(chatglm_golden / version / "cases.safetensors")
        after.module.float()
        close(after.logits(cases["prefill.input_ids"]), cases["prefill.logits"])
        close(after.logits(cases["long.input_ids"])[:, -8:], cases["long.last_logits"])

    @pytest.mark.parametrize("version", CAUSAL)
    def test_transformers_computes_what_the_official_code_does(
        self, version: str, chatglm_golden: Path, exported: Exported
    ) -> None:
        transformers = pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
        built = exported(f"{version}/checkpoint_bin", "glm-hf")
        model = transformers.AutoModelForCausalLM.from_pretrained(built, dtype=torch.float32).eval()
        assert type(model) is transformers.GlmForCausalLM
        cases = tensors_of(chatglm_golden / version / "cases.safetensors")
        with torch.inference_mode():
            close(model(input_ids=cases["prefill.input_ids"]).logits, cases["prefill.logits"])
            close(model(input_ids=cases["long.input_ids"]).logits[:, -8:], cases["long.last_logits"])
        greedy = json.loads((chatglm_golden / version / "cases.json").read_text())["greedy"]
        for case in greedy[:2]:
            ids = torch.tensor([case["prompt_ids"]])
            new = model.generate(ids, max_new_tokens=16, do_sample=False, eos_token_id=None)[0, ids.shape[1] :]
            assert new.tolist() == case["new_ids"]

    @pytest.mark.parametrize("codes", ["int8", "int4"])
    def test_codes_become_the_numbers_they_mean(self, codes: str, chatglm_golden: Path, exported: Exported) -> None:
        m = glmkit.load(exported(f"v2/{codes}_bin", "glm-hf"), dtype="float32")
        cases = tensors_of(chatglm_golden / "v2/quant_cases.safetensors")
        close(m.logits(cases["input_ids"]), cases[f"{codes}.logits_half_dequant"])

    def test_transformers_chats_as_glmkit_does(self, tmp_path: Path) -> None:
        transformers = pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
        name, source = "chatglm3", narrow("chatglm3", tmp_path / "source")
        convert(source, tmp_path / "made", "glm-hf")
        tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "made")
        messages = [{"role": "user", "content": "你好, what is def f(x): return x?"}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        assert ids == chat_format(tokenizer_of(name)).prompt(tokenizer_of(name), messages)
        model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "made", dtype=torch.float32)
        assert model.generation_config.eos_token_id == list(
            chat_format(tokenizer_of(name)).stop_ids(tokenizer_of(name))
        )
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids])).logits
        torch.testing.assert_close(
            logits, glmkit.load(source, dtype="float32").logits([ids]), atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE
        )

    def test_ids_of_the_exported_file(self, tmp_path: Path) -> None:
        from tokenizers import Tokenizer

        name = "chatglm2"
        convert(narrow(name, tmp_path / "source"), tmp_path / "made", "glm-hf")
        backend = Tokenizer.from_file(str(tmp_path / "made/tokenizer.json"))
        for text in TEXTS:
            assert backend.encode(text, add_special_tokens=False).ids == tokenizer_of(name).encode(text)
        assert glmkit.load(tmp_path / "made").tokenizer.fingerprint == tokenizer_of(name).fingerprint

    def test_what_it_has_no_place_for(self, chatglm_golden: Path, tmp_path: Path) -> None:
        for to in ("glm-hf", "gguf"):
            with pytest.raises(
                UserError, match=f"{to} has no place for this model's classifier; convert --to chatglm-hf"
            ):
                convert(chatglm_golden / "v2/seqcls", tmp_path / "made", to)
        assert list(tmp_path.iterdir()) == []

    def test_a_config_that_no_chatglm_has(self, exported: Exported) -> None:
        built = exported("v2/checkpoint_bin", "glm-hf")
        table = json.loads((built / "config.json").read_text())
        for change, line in (
            ({"vocab_size": 151552}, "is a GLM-4"),
            ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "rotary positions of type 'yarn'"),
        ):
            (built / "config.json").write_text(json.dumps(table | change))
            with pytest.raises(UserError, match=line):
                glmkit.load(built)
        (built / "config.json").write_text(json.dumps({k: v for k, v in table.items() if k != "head_dim"}))
        with pytest.raises(UserError, match=r"config.json lacks head_dim"):
            glmkit.load(built)

    @pytest.mark.parametrize("version", ["v2_32k", "v3_32k"])
    def test_older_configs_without_rope_parameters(
        self, version: str, chatglm_golden: Path, exported: Exported
    ) -> None:
        built = exported(f"{version}/checkpoint_bin", "glm-hf")
        table = json.loads((built / "config.json").read_text())
        del table["rope_parameters"]
        (built / "config.json").write_text(json.dumps(table))
        before, after = glmkit.load(chatglm_golden / version / "checkpoint_bin").config, glmkit.load(built).config
        assert (after.rope_ratio, after.rope_scaling) == (before.rope_ratio, before.rope_scaling)
        transformers = pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
        rope = transformers.AutoConfig.from_pretrained(built).rope_parameters
        assert rope["partial_rotary_factor"] == 0.5
        assert (rope["rope_type"] == "linear") == (version == "v2_32k")


TEXTS = [
    "你好，世界！晚上睡不着应该怎么办",
    "The quick brown fox — it's 3.14, isn't it?",
    "  two  spaces\tand\n\n    def f(x):\n        return {x: [1, 2]}  # 注释",
    "sophie develops 👩‍👩‍👧 𠮷 한국어",
    "1234567890" * 3,
]


class TestGguf:
    @pytest.fixture
    def gguf(self) -> Any:
        return pytest.importorskip("gguf", reason="needs the package gguf: pip install glmkit[gguf]")

    @pytest.mark.parametrize("blocks", [None, "q8_0", "q4_0"])
    @pytest.mark.parametrize("version", ["v2", "v3_32k"])
    def test_the_tensors_that_were_written(
        self, gguf: Any, blocks: str | None, version: str, chatglm_golden: Path, tmp_path: Path
    ) -> None:
        convert(chatglm_golden / version / "checkpoint_bin", tmp_path / "m.gguf", "gguf", blocks=blocks)
        source = every_tensor(chatglm_golden / version / "checkpoint_bin")
        reader = gguf.GGUFReader(tmp_path / "m.gguf")
        result = {tensor.name: tensor for tensor in reader.tensors}
        assert len(result) == 3 * 7 + 3
        layer = "transformer.encoder.layers.1."
        for name, key in (
            ("token_embd.weight", "transformer.embedding.word_embeddings.weight"),
            ("output.weight", "transformer.output_layer.weight"),
            ("output_norm.weight", "transformer.encoder.final_layernorm.weight"),
            ("blk.1.attn_norm.weight", layer + "input_layernorm.weight"),
            ("blk.1.attn_qkv.weight", layer + "self_attention.query_key_value.weight"),
            ("blk.1.attn_qkv.bias", layer + "self_attention.query_key_value.bias"),
            ("blk.1.attn_output.weight", layer + "self_attention.dense.weight"),
            ("blk.1.ffn_norm.weight", layer + "post_attention_layernorm.weight"),
            ("blk.1.ffn_up.weight", layer + "mlp.dense_h_to_4h.weight"),
            ("blk.1.ffn_down.weight", layer + "mlp.dense_4h_to_h.weight"),
        ):
            tensor, wanted = result[name], source[key].float()
            numbers = torch.tensor(gguf.dequantize(tensor.data, tensor.tensor_type)).view(wanted.shape)
            kind = tensor.tensor_type.name
            if wanted.ndim == 1 or blocks is None:
                assert kind == ("F32" if wanted.ndim == 1 else "F16")
                assert torch.equal(numbers, wanted), name
            else:
                table = name in ("token_embd.weight", "output.weight")
                assert kind == ("Q8_0" if table else blocks.upper())
                largest = wanted.view(len(wanted), -1, 32).abs().amax(-1, keepdim=True)
                codes = 127 if kind == "Q8_0" else 8
                away = (numbers - wanted).view(len(wanted), -1, 32).abs() / (largest / codes)
                # Half a step, in 4 bits a whole one at the end where the codes stop, and the scale's own rounding.
                assert float(away.max()) <= (0.5 if kind == "Q8_0" else 1) + codes * 2**-11, name

    def test_the_facts_that_were_written(self, gguf: Any, chatglm_golden: Path, tmp_path: Path) -> None:
        for version, base, factor in (("v2", 10000, None), ("v2_32k", 10000, 8), ("v3_32k", 500000, None)):
            convert(chatglm_golden / version / "checkpoint_bin", tmp_path / f"{version}.gguf", "gguf")
            facts = facts_of(gguf, tmp_path / f"{version}.gguf")
            assert facts["general.architecture"] == "chatglm"
            assert facts["general.file_type"] == 1
            assert facts["chatglm.rope.freq_base"] == base
            assert facts.get("chatglm.rope.scaling.factor") == factor
            assert (facts["chatglm.rope.dimension_count"], facts["chatglm.attention.head_count_kv"]) == (8, 2)
            assert (facts["chatglm.feed_forward_length"], facts["chatglm.block_count"]) == (96, 3)
            assert facts["tokenizer.ggml.model"] == "no_vocab"

    @pytest.mark.parametrize("name", CHATS)
    def test_the_vocabulary_cuts_text_as_ours(self, gguf: Any, name: str) -> None:
        text = tokenizer_of(name)
        facts = gguf_vocabulary(text, 65024)
        tokens, kinds = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
        assert len(tokens) == len(set(tokens)) == len(kinds) == len(facts["tokenizer.ggml.scores"]) == 65024
        for case in TEXTS:
            result = encode(
                case, tokens, facts["tokenizer.ggml.scores"], space_before=facts["tokenizer.ggml.add_space_prefix"]
            )
            assert result == text.encode(case)
        kind = gguf.TokenType
        for id, mark in ((1, "<s>"), (2, "</s>"), (64790, "[gMASK]"), (64792, "<sop>")):
            assert (tokens[id], kinds[id]) == (mark, kind.CONTROL)
        assert (kinds[0], kinds[3], kinds[100], kinds[30910]) == (kind.UNKNOWN, kind.BYTE, kind.BYTE, kind.NORMAL)
        assert kinds[65023] == kind.UNUSED
        assert (facts["tokenizer.ggml.eos_token_id"], facts["tokenizer.ggml.add_bos_token"]) == (2, False)
        role = (tokens[64795], kinds[64795], facts.get("tokenizer.ggml.eot_token_id"))
        if name == "chatglm3":
            assert role == ("<|user|>", kind.CONTROL, 64795)
            assert facts["tokenizer.ggml.eom_token_id"] == 64797
        else:
            assert role == ("[PAD64795]", kind.UNUSED, None)
        assert ("[Round " in facts["tokenizer.chat_template"]) == (name != "chatglm3")

    @pytest.mark.slow
    def test_the_vocabulary_is_in_the_file(self, gguf: Any, tmp_path: Path) -> None:
        convert(narrow("chatglm3", tmp_path / "m"), tmp_path / "m.gguf", "gguf", blocks="q8_0")
        fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
        for name, wanted in gguf_vocabulary(tokenizer_of("chatglm3"), 65024).items():
            if isinstance(wanted, list):
                result = fields[name].contents(slice(30000, 30100))
                assert result == pytest.approx(wanted[30000:30100]) if "scores" in name else wanted[30000:30100]
                assert len(fields[name].data) == len(wanted)
            else:
                assert fields[name].contents() == wanted

    def test_llama_writes_what_the_official_code_writes(
        self, gguf: Any, llama: Callable[[str], str], chatglm_golden: Path, tmp_path: Path
    ) -> None:
        prompts, wanted = {}, {}
        for version in CAUSAL:
            convert(chatglm_golden / version / "checkpoint_bin", tmp_path / version, "gguf")
            cases = json.loads((chatglm_golden / version / "cases.json").read_text())["greedy"]
            prompts[str(tmp_path / version)] = [case["prompt_ids"] for case in cases]
            wanted[str(tmp_path / version)] = [case["new_ids"] for case in cases]
        script = f"""
found = {{}}
for path, prompts in {prompts}.items():
    model = llama_cpp.Llama(path, n_ctx=128, logits_all=True, verbose=False)
    found[path] = [greedy(model, ids, 16) for ids in prompts]
print(json.dumps(found))
"""
        assert json.loads(llama(script)) == wanted

    @pytest.mark.parametrize("name", CHATS)
    def test_llama_reads_a_conversation_as_glmkit_does(
        self, gguf: Any, llama: Callable[[str], str], name: str, tmp_path: Path
    ) -> None:
        source = narrow(name, tmp_path / "m")
        convert(source, tmp_path / "m.gguf", "gguf")
        messages = [{"role": "user", "content": text} for text in TEXTS[:1]]
        script = f"""
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

model = llama_cpp.Llama({str(tmp_path / "m.gguf")!r}, n_ctx=128, logits_all=True, verbose=False)
prompt = Jinja2ChatFormatter(model.metadata["tokenizer.chat_template"], "", "")(messages={messages!r}).prompt
ids = model.tokenize(prompt.encode(), special=True)
print(json.dumps({{
    "texts": [model.tokenize(text.encode(), special=False) for text in {TEXTS!r}],
    "back": [model.detokenize(model.tokenize(text.encode())).decode() for text in {TEXTS!r}],
    "ids": ids,
    "new": greedy(model, ids, 12),
    "ends": [id for id in range(64789, 64800) if library.llama_vocab_is_eog(model._model.vocab, id)],
}}))
"""
        result, text = json.loads(llama(script)), tokenizer_of(name)
        assert result["texts"] == [text.encode(case) for case in TEXTS]
        before = "" if name == "codegeex2" else " "  # which glmkit leaves out at the beginning
        assert result["back"] == [before + case for case in TEXTS]
        assert result["ids"] == chat_format(text).prompt(text, messages)
        assert [2, *result["ends"]] == list(chat_format(text).stop_ids(text))
        ids, m = list(result["ids"]), glmkit.load(source, dtype="float32")
        for new in result["new"]:
            logits = m.logits([ids])[0, -1]
            assert float(logits.max() - logits[new]) < 0.05  # the best, or as good as the best
            ids.append(new)

    def test_mistakes_leave_nothing_behind(self, gguf: Any, chatglm_golden: Path, tmp_path: Path) -> None:
        source = chatglm_golden / "v2/checkpoint_bin"
        (tmp_path / "there.gguf").write_text("mine")
        with pytest.raises(UserError, match="exists already"):
            convert(source, tmp_path / "there.gguf", "gguf")
        with pytest.raises(UserError, match=r"not written in 'q4_1'; did you mean 'q4_0'\?"):
            convert(source, tmp_path / "m.gguf", "gguf", blocks="q4_1")
        with pytest.raises(UserError, match="glm-hf is not written in q8_0"):
            convert(source, tmp_path / "m", "glm-hf", blocks="q8_0")
        tiny("chatglm2").save(tmp_path / "tiny")
        for to in ("gguf", "glm-hf"):
            with pytest.raises(UserError, match=r"vocab\.json and merges\.txt, cannot be written as"):
                convert(tmp_path / "tiny", tmp_path / "m", to)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["there.gguf", "tiny"]
        assert (tmp_path / "there.gguf").read_text() == "mine"

    def test_without_the_package(self, chatglm_golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "gguf", None)
        with pytest.raises(MissingExtra, match=r'gguf is not installed; run: pip install "glmkit\[gguf\]"'):
            convert(chatglm_golden / "v2/checkpoint_bin", tmp_path / "m.gguf", "gguf")
        assert list(tmp_path.iterdir()) == []


def facts_of(gguf: Any, path: Path) -> dict[str, Any]:
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


@pytest.mark.parametrize("name", ["glm", "chatglm"])
def test_models_that_read_both_ways_have_no_target(name: str, tmp_path: Path) -> None:
    tiny(name).save(tmp_path / "m")
    for to in ("glm-hf", "gguf"):
        with pytest.raises(UserError, match=f"family {name} cannot be written as {to}: its .* in both directions"):
            convert(tmp_path / "m", tmp_path / "made", to)
    assert set(family(name).unsupported_exports) == {"glm-hf", "gguf"}


class TestVerify:
    def test_by_glmkit(self, chatglm_golden: Path, tmp_path: Path) -> None:
        for version, to in (("v1", "chatglm-hf"), ("v2_32k", "native")):
            source, built = chatglm_golden / version / "checkpoint_bin", tmp_path / version
            convert(source, built, to, dtype=torch.bfloat16)
            assert verify(source, built, to, dtype="bfloat16").same
            assert not verify(source, built, to).same  # it was rounded
            other = chatglm_golden / ("v2" if version == "v2_32k" else version) / "checkpoint_bin"
            assert verify(other, built, to, dtype="bfloat16").same == (version == "v1")

    def test_by_transformers(self, chatglm_golden: Path, exported: Exported) -> None:
        pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
        built = exported("v3_32k/checkpoint_bin", "glm-hf")
        result = verify(chatglm_golden / "v3_32k/checkpoint_bin", built, "glm-hf")
        assert result.same
        assert result.by.startswith("transformers ")
        table = json.loads((built / "config.json").read_text())
        table["rope_parameters"]["rope_theta"] = 10000.0
        (built / "config.json").write_text(json.dumps(table))
        result = verify(chatglm_golden / "v3_32k/checkpoint_bin", built, "glm-hf")
        assert not result.same
        assert result.largest > 0.1

    def test_a_quantized_source(self, chatglm_golden: Path, exported: Exported) -> None:
        pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
        assert verify(chatglm_golden / "v2/int4_bin", exported("v2/int4_bin", "glm-hf"), "glm-hf").same

    def test_by_llama(self, llama: Callable[[str], str], chatglm_golden: Path, tmp_path: Path) -> None:
        pytest.importorskip("gguf", reason="needs the package gguf: pip install glmkit[gguf]")
        source = chatglm_golden / "v2_32k/checkpoint_bin"
        for blocks in (None, "q8_0", "q4_0"):
            convert(source, tmp_path / f"{blocks}.gguf", "gguf", blocks=blocks)
        script = f"""
from pathlib import Path
from glmkit.api import Model
from glmkit.api.verify import verify

folder, source = Path({str(tmp_path)!r}), Path({str(source)!r})
found = [verify(source, folder / f"{{blocks}}.gguf", "gguf") for blocks in (None, "q8_0", "q4_0")]
other = source.parents[1] / "v2/checkpoint_bin"
found.append(verify(source, folder / "None.gguf", "gguf", rope_ratio=7.0))
found.append(verify(other, folder / "q4_0.gguf", "gguf"))
print(json.dumps([[one.same, one.divergence] for one in found]))
"""
        result = json.loads(llama(script))
        assert [same for same, _ in result] == [True, True, True, False, False]
        divergences = [divergence for _, divergence in result]
        assert divergences[0] < 1e-4 < divergences[1] < divergences[2] < divergences[4]

    def test_a_damaged_gguf(self, llama: Callable[[str], str], tmp_path: Path) -> None:
        gguf = pytest.importorskip("gguf", reason="needs the package gguf: pip install glmkit[gguf]")
        model = tiny("chatglm2")
        Model(model.family, model.config, model.module, None).save(tmp_path / "m")
        convert(tmp_path / "m", tmp_path / "whole.gguf", "gguf")
        whole = (tmp_path / "whole.gguf").read_bytes()
        tensor = next(item for item in gguf.GGUFReader(tmp_path / "whole.gguf").tensors if "down" in item.name)
        name = tensor.name.encode()
        columns, rows = tensor.shape.tolist()
        info = name + struct.pack("<I2Q", 2, columns, rows)
        assert whole.count(info) == 1
        exponent = tensor.data_offset + 3  # of the first number, as large as numbers can be afterwards
        damaged = {
            "byte": whole[:exponent] + b"\x7f" + whole[exponent + 1 :],
            "shape": whole.replace(info, name + struct.pack("<I2Q", 2, rows, columns)),
            "half": whole.replace(info, name + struct.pack("<I2Q", 2, columns // 2, rows)),
            "name": whole.replace(name, name.replace(b"down", b"dawn")),
            "cut": whole[:-1000],
            "head": whole[:100],
        }
        for case, data in damaged.items():
            (tmp_path / f"{case}.gguf").write_bytes(data)
        script = f"""
import contextlib, io
from glmkit.cli.main import main

def said(case):
    file = {str(tmp_path)!r} + f"/{{case}}.gguf"
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        code = main(["convert", {str(tmp_path / "m")!r}, file, "--to", "gguf", "--verify"])
    return code, errors.getvalue()

print(json.dumps({{case: said(case) for case in {["whole", *damaged]!r}}}))
"""
        result = json.loads(llama(script))
        assert result.pop("whole") == [0, ""]
        code, line = result.pop("byte")
        assert (code, line.endswith(f"not the same model as {tmp_path / 'm'}\n")) == (1, True)
        for case, (code, line) in result.items():
            assert (code, line.count("\n")) == (2, 1), case
            assert line.startswith(f"glmkit: {tmp_path / case}.gguf is damaged, or of a model that llama.cpp does not")

    @pytest.mark.parametrize("package", ["transformers", "llama_cpp"])
    def test_without_the_package(
        self, package: str, chatglm_golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        to = {"transformers": "glm-hf", "llama_cpp": "gguf"}[package]
        with pytest.raises(MissingExtra, match="is not installed; run: pip install"):
            verify(chatglm_golden / "v2/checkpoint_bin", tmp_path, to)
