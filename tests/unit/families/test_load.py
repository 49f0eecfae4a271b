"""Loading: options, growth, what is missing and what is wrong. One line each, and never a made-up weight."""

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import glmkit
from glmkit.conversion.write import write_weights
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.seal import sealed
from glmkit.families import directory
from glmkit.families.conversion import convert
from glmkit.families.glm import GLM_FAMILY
from glmkit.families.inspect import inspect
from glmkit.families.layouts.glm import stretched
from glmkit.models.glm import GLM, GLMConfig
from glmkit.text.tokenizer import Tokenizer

NORM = "glm.transformer.final_layernorm"
CONFIG = GLMConfig(num_layers=2, hidden_size=64, num_heads=1, vocab_size=512, max_positions=32)


@pytest.fixture(scope="module")
def saved(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model in our layout, with its tokenizer."""
    model = GLM(CONFIG)
    GLM_FAMILY.initialize(model, torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("native")
    directory.write(path, GLM_FAMILY, CONFIG, model, tokenizer, None)
    return path


@pytest.fixture
def native(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "model")


@pytest.fixture(params=["native", "glm-hf-port", "megatron"])
def layout(request: pytest.FixtureRequest, saved: Path, tmp_path: Path) -> Path:
    """The same model in each layout, to be broken."""
    convert(saved, tmp_path / "model", request.param, ranks=2 if request.param == "megatron" else None)
    return tmp_path / "model"


def files_of_weights(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.suffix in {".safetensors", ".bin", ".pt"})


def test_every_layout_gives_the_same_model_and_tokenizer(layout: Path, saved: Path) -> None:
    model, wanted = glmkit.load(layout), glmkit.load(saved)
    assert all(torch.equal(a, b) for a, b in zip(model.module.parameters(), wanted.module.parameters(), strict=True))
    assert model.config == wanted.config
    assert model.tokenizer.fingerprint == wanted.tokenizer.fingerprint
    assert not model.module.training


class TestOptions:
    def test_an_unknown_one_names_the_nearest(self, native: Path) -> None:
        with pytest.raises(UserError, match=r"family glm has no option 'max_position'; did you mean 'max_positions'\?"):
            glmkit.load(native, max_position=3)
        with pytest.raises(UserError, match=r"no option 'num_heads'"):
            glmkit.load(native, num_heads=2)
        with pytest.raises(UserError, match=r"gelu must be one of tanh, erf, got 'exact'"):
            glmkit.load(native, gelu="exact")
        with pytest.raises(UserError, match=r"unknown quantize 'int3'"):
            glmkit.load(native, quantize="int3")

    def test_a_directory_of_ours_needs_no_name(self, native: Path) -> None:
        with pytest.raises(UserError, match=r"says itself what it is; leave out the name 'glm-2b'"):
            glmkit.load(native, model="glm-2b")

    def test_types(self, native: Path) -> None:
        assert glmkit.load(native, dtype="bfloat16").module.norm.weight.dtype == torch.bfloat16
        with pytest.raises(UserError, match=r"unknown dtype 'float23'"):
            glmkit.load(native, dtype="float23")

    def test_positions_grow_and_short_texts_get_what_they_got(self, native: Path, tmp_path: Path) -> None:
        before, after = glmkit.load(native), glmkit.load(native, max_positions=100)
        ids = torch.randint(0, 400, (2, 33))
        assert torch.equal(before.logits(ids, context=20), after.logits(ids, context=20))
        assert after.logits(torch.randint(0, 400, (1, 101))).isfinite().all()
        after.save(tmp_path / "longer")
        again = glmkit.load(tmp_path / "longer")
        assert again.config.max_positions == 100
        assert torch.equal(again.module.embedding.steps.weight, after.module.embedding.steps.weight)

    def test_positions_do_not_shrink(self, native: Path) -> None:
        with pytest.raises(UserError, match=r"can only grow: the model has 32, asked for 31"):
            glmkit.load(native, max_positions=31)

    def test_new_rows_lie_between_old_ones(self) -> None:
        table = torch.arange(5.0)[:, None].expand(5, 3)  # row r holds r: a stretched table is a straight line
        grown = stretched(table, 9)
        assert torch.equal(grown[:5], table)
        torch.testing.assert_close(grown[5:, 0], torch.tensor([2.5, 3.0, 3.5, 4.0]))


class TestMoreTokens:
    def test_into_the_rows_of_padding_and_then_beyond(self, native: Path, tmp_path: Path) -> None:
        model = glmkit.load(native)
        first = len(model.tokenizer)
        before = model.module.embedding.words.weight.detach().clone()
        assert model.add_tokens(["<user>", "<system>"]) == {"<user>": first, "<system>": first + 1}
        assert model.config.vocab_size == 512
        mean = before[:first].mean(0)
        torch.testing.assert_close(model.module.embedding.words.weight[first : first + 2], mean.expand(2, -1))
        assert torch.equal(model.module.embedding.words.weight[:first], before[:first])
        more = model.add_tokens([f"<{number}>" for number in range(200)])
        assert model.config.vocab_size == model.module.config.vocab_size == 768
        assert max(more.values()) < 768
        model.save(tmp_path / "more")
        again = glmkit.load(tmp_path / "more")
        assert again.tokenizer.encode_marked("a <user>")[-1] == first
        assert torch.equal(again.logits([[1, 2, first]]), model.logits([[1, 2, first]]))
        assert again.tokenizer.decode([more["<7>"]]) == "<7>"

    def test_text_that_looks_like_one_stays_text(self, native: Path) -> None:
        model = glmkit.load(native)
        ids = model.add_tokens(["<user>"])
        assert ids["<user>"] not in model.tokenizer.encode("<user>")

    @pytest.mark.parametrize("token", ["[MASK]", ""])
    def test_one_that_is_there(self, token: str, native: Path) -> None:
        with pytest.raises(UserError, match=r"is a token of this model already"):
            glmkit.load(native).add_tokens([token])


class TestWithoutATokenizer:
    @pytest.mark.parametrize("name", ["special_tokens.json", "tokenizer.json"])
    def test_ids_work_and_text_calls_say_what_is_missing(self, name: str, native: Path) -> None:
        (native / name).unlink()
        model = glmkit.load(native)
        assert model.logits([[1, 2, 3]]).shape == (1, 3, 512)
        with pytest.raises(UserError, match=f"has no tokenizer: .*{name}.*put .* there; ids still work"):
            model.infill("a [MASK]")

    def test_of_a_published_layout(self, layout: Path) -> None:
        for name in ("special_tokens.json", "tokenizer.json"):
            (layout / name).unlink()
        model = glmkit.load(layout)
        with pytest.raises(UserError, match=r"put the tokenizer's files there"):
            model.generate("a")

    def test_it_may_lie_elsewhere(self, native: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
        tokenizer.save(tmp_path / "tok")
        (native / "special_tokens.json").unlink()
        assert glmkit.load(native, tokenizer=tmp_path / "tok").tokenizer.fingerprint == tokenizer.fingerprint
        with pytest.raises(UserError, match=r"not a tokenizer"):
            glmkit.load(native, tokenizer=tmp_path)

    def test_one_of_another_model(self, native: Path) -> None:
        table = json.loads((native / "config.json").read_text())
        (native / "config.json").write_text(json.dumps(sealed(table | {"tokenizer": "01" * 32})))
        with pytest.raises(UserError, match=r"is not the one the model was trained with"):
            glmkit.load(native)


Change = Callable[[dict[str, Any]], object]


class TestRefused:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"nowhere: no such directory"):
            glmkit.load(tmp_path / "nowhere")
        with pytest.raises(UserError, match=r"has no config\.json: not a model directory nor a training run"):
            glmkit.load(tmp_path)
        (tmp_path / "file").write_text("")
        with pytest.raises(UserError, match=r"file: not a directory; give the one it is in"):
            glmkit.load(tmp_path / "file")

    @pytest.mark.parametrize(
        ("table", "line"),
        [
            ({"family": "glmm"}, "unknown model family 'glmm'; did you mean 'glm'"),
            ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "does not know .*'llama'.*known: .*glm"),
            ({"model_type": "glm4", "num_hidden_layers": 40}, "is of a model glmkit does not know"),
        ],
    )
    def test_an_unknown_family(self, table: dict[str, Any], line: str, native: Path) -> None:
        (native / "config.json").write_text(json.dumps(table))
        with pytest.raises(UserError, match=line):
            glmkit.load(native)

    def test_a_damaged_config(self, native: Path) -> None:
        (native / "config.json").write_text('{"family": "glm"')
        with pytest.raises(CorruptFile, match=r"config\.json is damaged"):
            glmkit.load(native)

    def test_a_git_lfs_pointer(self, layout: Path) -> None:
        files_of_weights(layout)[-1].write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n")
        with pytest.raises(CorruptFile, match=r"is a git-LFS pointer, not the file itself"):
            glmkit.load(layout)

    @pytest.mark.parametrize("share", [0.2, 0.99])
    def test_a_truncated_file(self, share: float, layout: Path) -> None:
        path = files_of_weights(layout)[-1]
        os.truncate(path, int(path.stat().st_size * share))
        with pytest.raises(CorruptFile, match=f"{path.name} is (damaged|cut short)"):
            glmkit.load(layout)

    def test_a_missing_file(self, layout: Path) -> None:
        files_of_weights(layout)[-1].unlink()
        with pytest.raises(UserError, match=r"is missing; copy|holds no weights: put|holds 1 ranks, the run had 2"):
            glmkit.load(layout)

    @pytest.fixture
    def port(self, saved: Path, tmp_path: Path) -> Callable[[Change], Path]:
        """The Hugging Face port's layout with its tensors or its config changed."""
        convert(saved, tmp_path / "port", "glm-hf-port")

        def change(change: Change) -> Path:
            path = tmp_path / "port"
            tensors = torch.load(path / "pytorch_model.bin", weights_only=True)
            table = json.loads((path / "config.json").read_text())
            change({"tensors": tensors, "config": table})
            torch.save(tensors, path / "pytorch_model.bin")
            (path / "config.json").write_text(json.dumps(table))
            return path

        return change

    @pytest.mark.parametrize(
        ("change", "line"),
        [
            (lambda m: m["tensors"].pop("glm.transformer.layers.1.mlp.dense_h_to_4h.bias"), r"lacks .*h_to_4h\.bias"),
            (lambda m: m["tensors"].pop("glm.word_embeddings.weight"), "not the weights of a GLM"),
            (lambda m: m["tensors"].update(lm_head=torch.ones(2)), "holds lm_head, which no part of this model uses"),
            (lambda m: m["tensors"].update({f"{NORM}.bias": torch.ones(3)}), r"is \[3\], the config asks for \[64\]"),
            (lambda m: m["tensors"].update({"word_embeddings.weight": torch.ones(2, 2)}), "twice.*mixed up"),
            (lambda m: m["config"].update(num_layers=3), "config.json: num_layers is 3, the weights have 2"),
            (
                lambda m: m["config"].update(relative_encoding=True),
                "relative_encoding = True, which no published model has",
            ),
        ],
    )
    def test_weights_and_config_that_do_not_belong_together(
        self, change: Change, line: str, port: Callable[[Change], Path]
    ) -> None:
        with pytest.raises(UserError, match=line):
            glmkit.load(port(change))

    def test_a_head_beside_the_model_is_not_in_the_way(self, port: Callable[[Change], Path]) -> None:
        def with_head(m: dict[str, Any]) -> None:
            m["tensors"].update({"pool_layer.weight": torch.ones(2, 2), "out_proj.bias": torch.ones(3)})

        assert glmkit.load(port(with_head)).config == CONFIG

    def test_small_weights_are_compared_with_their_checksum_and_large_ones_by_size(
        self, native: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = bytearray((native / "model.safetensors").read_bytes())
        data[-1] ^= 1
        (native / "model.safetensors").write_bytes(data)
        with pytest.raises(CorruptFile, match=r"model.safetensors is damaged: SHA-256 .* copy it again"):
            glmkit.load(native)
        monkeypatch.setattr(directory, "CHECKED_BYTES", 0)
        glmkit.load(native)
        with pytest.raises(CorruptFile, match=r"SHA-256"):
            inspect(native, verify=True)
        (native / "model.safetensors").write_bytes(data + b"x")
        with pytest.raises(CorruptFile, match=r"is damaged: [\d,]+ bytes, config.json says"):
            glmkit.load(native)


def test_large_models_are_written_in_several_files(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = glmkit.load(native)
    monkeypatch.setattr(directory, "write_weights", partial(write_weights, shard_bytes=100_000))
    wanted.save(tmp_path / "sharded")
    assert len(list((tmp_path / "sharded").glob("model-*.safetensors"))) > 3
    model = glmkit.load(tmp_path / "sharded")
    assert all(torch.equal(a, b) for a, b in zip(model.module.parameters(), wanted.module.parameters(), strict=True))
    next((tmp_path / "sharded").glob("model-00002*")).unlink()
    with pytest.raises(CorruptFile, match=r"model-00002-of-\d+\.safetensors is missing"):
        glmkit.load(tmp_path / "sharded")


def test_progress_ends_at_the_total(native: Path) -> None:
    seen: list[tuple[int, int]] = []
    glmkit.load(native, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == sum(p.nbytes for p in GLM(CONFIG).parameters())
    assert seen == sorted(seen)
