"""Adapters, damaged: LoRA as peft writes it, and a prefix of P-tuning."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.cli.main import main
from glmkit.core.errors import UserError
from glmkit.families.adapter import AdapterOf, fingerprint
from glmkit.families.load import open_model, read
from glmkit.testing import tiny
from glmkit.train.lora import LoraConfig
from glmkit.train.methods import Name, tune
from glmkit.train.ptuning import PrefixConfig

from .values import WRONG, Damage, bit_flips, file_damages, json_damages

# What peft reads in training alone, and numbers that are as good as others.
FREE = {
    "r": {"absent"},
    "lora_alpha": {"absent", "a part of a number", "below zero", "ten to the twelfth"},
    "use_rslora": {"true"},
    "use_dora": {"true"},
}


def built(base: Path, path: Path, method: Name) -> None:
    tiny("chatglm2").save(base)
    loaded = read(base, dtype=torch.float32)
    row = AdapterOf(method=method, family="chatglm2", base=str(base), fingerprint=fingerprint(open_model(base)))
    tuned = tune(method, loaded, row, LoraConfig(rank=2), PrefixConfig(num=3), seed=1)
    generator = torch.Generator().manual_seed(3)
    for parameter in tuned.loaded.model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(0, 0.2, generator=generator)
    path.mkdir()
    tuned.write(path, {"config": {}})


def damages(path: Path) -> Iterator[Damage]:
    for file in sorted(path.iterdir()):
        content = file.read_bytes()
        if file.suffix == ".json":
            yield from json_damages(file.name, content.decode(), FREE)
        elif file.suffix == ".safetensors":
            yield from file_damages(file.name, content)
            yield from bit_flips(file.name, content, 8 + int.from_bytes(content[:8], "little"))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "ptuning"])
def test_an_adapter(method: Name, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if method == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft")
    base, path = tmp_path / "base", tmp_path / "adapter"
    built(base, path, method)
    ids = torch.arange(3, 12).expand(1, -1)
    whole = glmkit.load(base, adapter=path, dtype="float32").logits(ids)
    every, wrong = list(damages(path)), []
    assert len(every) > len(WRONG)
    for damage in every:
        before = (path / damage.file).read_bytes()
        damage.do(path)
        code = main(["generate", str(base), "ba", "--adapter", str(path), "--max-new-tokens", "1"])
        said = capsys.readouterr().err
        if code == 0:
            try:
                if not torch.equal(glmkit.load(base, adapter=path, dtype="float32").logits(ids), whole):
                    wrong.append(f"{damage.file}, {damage.what}: computes something else")
            except UserError as error:
                said = f"{error}\n"
        if code not in (0, 2) or (code and said.count("\n") != 1):
            wrong.append(f"{damage.file}, {damage.what}: {code} {said[:300]}")
        (path / damage.file).write_bytes(before)
    assert not wrong, "\n".join(wrong)
