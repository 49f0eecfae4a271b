"""NeoGLM as transformers reads it: by the modelling file beside the weights, which is run as a user would."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import glmkit
from glmkit.api import Model
from glmkit.api.verify import verify
from glmkit.core.errors import CorruptFile, UserError
from glmkit.families.conversion import convert
from glmkit.families.layouts.neoglm_hf import CODE
from glmkit.infill.position_schemes import encode_prompt
from glmkit.models.neoglm import NeoGLMConfig
from glmkit.testing import MODEL_TOLERANCE, tiny
from glmkit.testing.models import randomize
from glmkit.text.tokenizer import Tokenizer
from tests.unit.models.test_neoglm import VARIANTS

transformers = pytest.importorskip("transformers", reason="needs transformers: pip install glmkit[export]")
PAGE = Path(__file__).parents[2] / "docs/neoglm.md"
Make = Callable[..., tuple[Model, Path]]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A random model, and its export."""
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "cache"))

    def make(config: NeoGLMConfig | None = None, words: Tokenizer | None = None) -> tuple[Model, Path]:
        model = tiny("neoglm")
        if config is not None or words is not None:
            config = config or model.config
            config = replace(config, vocab_size=512 if words else 288)
            module = model.family.build(config).eval()
            randomize(module, torch.Generator().manual_seed(0))
            model = Model(model.family, config, module, words or model.tokenizer)
        model.save(tmp_path / "model")
        convert(tmp_path / "model", tmp_path / "export", "neoglm-hf")
        return model, tmp_path / "export"

    return make


def loaded(path: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(path, trust_remote_code=True, dtype=torch.float32).eval()


def prompt(model: Model) -> list[int]:
    special, encode = model.tokenizer.special, model.tokenizer.encode
    return [special.cls or 0, *encode("ab"), special.mask, *encode("c"), special.mask, special.eod, special.sop]


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_its_logits_are_ours(made: Make, config: NeoGLMConfig, tmp_path: Path) -> None:
    model, path = made(config)
    assert verify(tmp_path / "model", path, "neoglm-hf").same
    scheme, ids = model.position_scheme, prompt(model)[:-1]
    encoded = encode_prompt(scheme, ids, model.tokenizer.special)
    ours = model.logits(encoded.tokens[None].tolist(), torch.from_numpy(encoded.positions)[None], encoded.context)
    with torch.no_grad():
        theirs = loaded(path)(torch.from_numpy(encoded.tokens)[None]).logits
    torch.testing.assert_close(theirs, ours, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)


def test_generate_fills_blanks_one_after_another(made: Make) -> None:
    model, path = made()
    export, special = loaded(path), model.tokenizer.special
    wanted = model.infill("ab[MASK]c[MASK]", max_tokens=6).ids
    ids, never = torch.tensor([prompt(model)]), [id for id in range(256, 288) if id != special.eop]
    how: dict[str, Any] = {"do_sample": False, "eos_token_id": special.eop, "suppress_tokens": never}
    for span in wanted:
        done = export.generate(ids, max_new_tokens=6, **how)
        written = done[0, ids.shape[1] :].tolist()
        assert [id for id in written if id != special.eop] == span
        ids = torch.cat([ids, torch.tensor([[*span, special.sop]])], dim=1)


def test_rows_of_a_batch_are_padded_on_the_left(made: Make) -> None:
    model, path = made()
    export, special = loaded(path), model.tokenizer.special
    short = [special.cls or 0, special.mask, special.eod, special.sop]
    long = prompt(model)
    missing = len(long) - len(short)
    rows = torch.tensor([[special.pad] * missing + short, long])
    mask = torch.tensor([[0] * missing + [1] * len(short), [1] * len(long)])
    together = export.generate(rows, attention_mask=mask, max_new_tokens=5, do_sample=False, eos_token_id=-1)
    for row, alone in zip(together, (short, long), strict=True):
        one = export.generate(torch.tensor([alone]), max_new_tokens=5, do_sample=False, eos_token_id=-1)
        assert row[-5:].tolist() == one[0, -5:].tolist()


def test_with_a_cache_as_without(made: Make) -> None:
    model, path = made()
    export = loaded(path)
    how: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": -1}
    ids = torch.tensor([prompt(model)])
    assert torch.equal(export.generate(ids, **how), export.generate(ids, use_cache=False, **how))
    special = model.tokenizer.special
    with pytest.raises(ValueError, match=r"2 <sop> .* and 1 blanks"):
        export(torch.tensor([[special.mask, special.sop, 5, special.sop]]))


def test_it_is_trained_with_labels(made: Make) -> None:
    model, path = made()
    export, ids = loaded(path), torch.tensor([prompt(model)])
    labels = torch.full_like(ids, -100)
    labels[0, -1] = 7
    loss = export(ids, labels=labels).loss
    torch.testing.assert_close(loss, -export(ids).logits.log_softmax(-1)[0, -1, 7])
    loss.backward()
    assert all(parameter.grad is not None for parameter in export.parameters())


def test_a_trained_tokenizer_is_read_by_transformers(made: Make, tokenizer: Tokenizer) -> None:
    model, path = made(words=tokenizer)
    special = tokenizer.special
    theirs = transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=True)
    ids = theirs("ba [MASK] de").input_ids
    assert ids == model.prompt_format.fill(tokenizer.encode_marked("ba [MASK] de"))
    assert (theirs.pad_token_id, theirs.eos_token_id) == (special.pad, special.eop)
    assert transformers.GenerationConfig.from_pretrained(path).eos_token_id == [special.eop, special.eod]


def test_the_page_says_how(
    made: Make, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, path = made(words=tokenizer)
    path.rename(path.with_name("neo-hf"))
    monkeypatch.chdir(path.parent)
    (block,) = PAGE.read_text(encoding="utf-8").split("```python\n")[1:]
    exec(block.split("```")[0], {})
    assert capsys.readouterr().out.endswith("\n")


def test_glmkit_reads_it_back(made: Make, tmp_path: Path) -> None:
    model, path = made()
    back = glmkit.load(path)
    assert (back.family.name, back.config) == ("neoglm", model.config)
    assert back.infill("a [MASK] b", max_tokens=4) == model.infill("a [MASK] b", max_tokens=4)
    assert (path / CODE.name).read_text() == CODE.read_text()
    assert not [line for line in CODE.read_text().splitlines() if line.startswith(("import glmkit", "from glmkit"))]


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"rotary": [8, 4]}, UserError, r"rope\.place_share 0\.666667 is 10\.6667 of the 16 elements of a head"),
        ({"rotary": [6, 2]}, UserError, r"rotary = \[6, 2\] is not the width of a head, 16"),
        ({"mlp": "relu"}, UserError, "kind must be one of relu2, swiglu, gelu, got 'relu'"),
        ({"num_hidden_layers": 3}, CorruptFile, "config.json says 3 layers, the weights have 2"),
        ({"hidden_size": None}, CorruptFile, "hidden_size"),
    ],
)
def test_a_config_that_is_not_its(made: Make, changed: dict[str, Any], error: type[Exception], said: str) -> None:
    _, path = made()
    table = json.loads((path / "config.json").read_text()) | changed
    (path / "config.json").write_text(json.dumps(table))
    with pytest.raises(error, match=said):
        glmkit.load(path)


def test_what_it_has_no_place_for(tmp_path: Path) -> None:
    model = tiny("neoglm")
    for name, what in (("num_prefix", "prefix of P-tuning"), ("num_labels", "classifier")):
        config = replace(model.config, **{name: 3})
        Model(model.family, config, model.family.build(config), model.tokenizer).save(tmp_path / name)
        with pytest.raises(UserError, match=f"neoglm-hf has no place for this model's {what}"):
            convert(tmp_path / name, tmp_path / "out", "neoglm-hf")
    model.save(tmp_path / "m")
    for to in ("gguf", "glm-hf"):
        with pytest.raises(UserError, match=f"family neoglm cannot be written as {to}: its .*--to neoglm-hf"):
            convert(tmp_path / "m", tmp_path / "out", to)


def test_quantized_weights_are_written_dequantized(tmp_path: Path) -> None:
    tiny("neoglm").quantize(8).save(tmp_path / "int8")
    convert(tmp_path / "int8", tmp_path / "export", "neoglm-hf")
    assert verify(tmp_path / "int8", tmp_path / "export", "neoglm-hf").same
