"""Codes in the kernels' order in our directories: the same codes as in rows, and read where they lie."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import glmkit
from glmkit.cli.main import main
from glmkit.core.errors import CorruptFile
from glmkit.core.seal import sealed
from glmkit.core.types import AttentionMask
from glmkit.families import directory
from glmkit.families.assemble import blank
from glmkit.families.conversion import convert
from glmkit.families.directory import WEIGHTS
from glmkit.kernels.library import library
from glmkit.kernels.quantized import QuantFormat
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization import tile_blocks
from glmkit.testing import tiny
from glmkit.text.tokenizer import SPECIAL_FILE

pytestmark = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")

FORMATS = [
    QuantFormat(bits=b, group=g, asymmetric=a) for b in (8, 4) for g in (None, 32, 64, 128) for a in (False, True)
]
INT4 = QuantFormat(bits=4, group=32, asymmetric=True)
IDS = torch.tensor([[5, 6, 259, 261, 7, 8]])


@pytest.fixture
def through_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """From its call on the compiled library is not there."""

    def leave() -> None:
        monkeypatch.setenv("GLMKIT_KERNELS", "torch")
        library.cache_clear()

    yield leave
    monkeypatch.undo()
    library.cache_clear()


def saved(path: Path, format: QuantFormat = INT4, name: str = "chatglm2") -> glmkit.Model:
    """A bfloat16 model of codes, and its directory at `path`."""
    m = tiny(name)
    m.module.bfloat16()
    for layer, part in [(p, part) for p, part in m.module.named_modules() if isinstance(part, nn.Linear)]:
        if layer.startswith("blocks."):
            m.module.set_submodule(layer, QuantizedLinear.of(part, format))
    m.save(path)
    return m


def digest(path: Path) -> str:
    return hashlib.sha256((path / WEIGHTS).read_bytes()).hexdigest()


def mapped(path: Path) -> list[range]:
    """Where a file lies in this process's memory."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    result = [re.match(r"(\w+)-(\w+) ", line) for line in lines if line.endswith(str(path))]
    return [range(int(item[1], 16), int(item[2], 16)) for item in result if item is not None]


SIZES = [(16, 128), (21, 384), (40, 64), (3, 96), (16, 8)]
FITTING = [(format, *size) for format in FORMATS for size in SIZES if size[1] % (format.group or 1) == 0]


@pytest.mark.parametrize(("format", "rows", "columns"), FITTING)
def test_weights_come_back_from_tile_blocks_bit_for_bit(format: QuantFormat, rows: int, columns: int) -> None:
    assert tile_blocks.format_of(tile_blocks.stored_shape(format, rows, columns), rows, columns) == format
    exact = nn.Sequential(nn.Linear(columns, rows))
    model = nn.Sequential(QuantizedLinear.of(exact[0], format))
    stored = tile_blocks.stored_state(model, Path("here"))
    assert {key: stored.dtype(key) for key in stored.entries} == {"0.weight": torch.uint8, "0.bias": torch.float32}
    assert stored.get("0.weight").shape == stored.shape("0.weight")
    for reader in (exact, model):
        rows_again, packs = tile_blocks.to_row_major(stored, reader)
        assert list(packs) == ["0"]
        for key, wanted in model.state_dict().items():
            assert torch.equal(rows_again.get(key), wanted)
            assert rows_again.dtype(key) == wanted.dtype
        assert torch.equal(tile_blocks.to_tiled(rows_again, model).get("0.weight"), stored.get("0.weight"))


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "glm", "neoglm"])
def test_a_directory_in_rows_and_one_of_records_are_one_model(
    name: str, tmp_path: Path, through_torch: Callable[[], None]
) -> None:
    m = saved(tmp_path / "records", name=name)
    records_of_it = glmkit.load(tmp_path / "records", device="cpu")
    same = records_of_it.logits(IDS)
    records_of_it.save(tmp_path / "again")
    assert digest(tmp_path / "again") == digest(tmp_path / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile_blocks, "library", lambda: None)
        m.save(tmp_path / "rows")
    assert torch.equal(glmkit.load(tmp_path / "rows", device="cpu").logits(IDS), same)
    stored = {kind: load_file(tmp_path / kind / WEIGHTS) for kind in ("records", "rows")}
    key = "blocks.0.mlp.up.weight"
    assert [stored[kind][key].dtype for kind in ("records", "rows")] == [torch.uint8, torch.int8]
    assert f"{key}_scale" in stored["rows"]
    assert f"{key}_scale" not in stored["records"]
    for way in ({"dtype": "float32"}, {"activations": "exact"}):
        one, other = (glmkit.load(tmp_path / kind, device="cpu", **way) for kind in ("records", "rows"))
        assert torch.equal(one.logits(IDS), other.logits(IDS))
    through_torch()
    one, other = (glmkit.load(tmp_path / kind, device="cpu") for kind in ("records", "rows"))
    assert torch.equal(one.logits(IDS), other.logits(IDS))
    assert torch.equal(one.logits(IDS), m.logits(IDS))
    one.save(tmp_path / "rows again")
    assert digest(tmp_path / "rows again") == digest(tmp_path / "rows")
    orders = [json.loads((tmp_path / kind / "config.json").read_text()) for kind in ("records", "rows again")]
    assert [table["quantization"]["order"] for table in orders] == ["tiles", "rows"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")
def test_weights_are_used_where_they_lie_and_the_file_never_changes(tmp_path: Path) -> None:
    saved(tmp_path / "model")
    before = digest(tmp_path / "model")
    m = glmkit.load(tmp_path / "model", device="cpu")
    lies = mapped(tmp_path / "model" / WEIGHTS)
    packed = [part.packed for part in m.module.modules() if isinstance(part, QuantizedLinear)]
    tensors = [*m.module.parameters(), *(item.tile_blocks for item in packed if item is not None)]
    assert len(packed) == 8
    assert all(any(tensor.data_ptr() in where for where in lies) for tensor in tensors)
    optimizer = torch.optim.SGD(m.module.parameters(), lr=1.0)
    places = torch.arange(IDS.shape[1]).expand(1, m.position_scheme.channels, -1)
    hidden = m.module(IDS, places, AttentionMask.prefix([0]))
    m.module.logits(hidden).float().logsumexp(-1).sum().backward()
    first = next(m.module.parameters())
    copy = first.detach().clone()
    optimizer.step()
    assert not torch.equal(first, copy)
    with torch.no_grad():
        tensors[-1].zero_()
    m.module.half().bfloat16()
    assert digest(tmp_path / "model") == before
    again = glmkit.load(tmp_path / "model", device="cpu")
    assert torch.equal(next(again.module.parameters()), copy)


def test_a_directory_is_converted_from_records(tmp_path: Path) -> None:
    m = saved(tmp_path / "model")
    convert(tmp_path / "model", tmp_path / "same")
    assert load_file(tmp_path / "same" / WEIGHTS).keys() == load_file(tmp_path / "model" / WEIGHTS).keys()
    assert torch.equal(*(glmkit.load(tmp_path / name, device="cpu").logits(IDS) for name in ("model", "same")))
    (tmp_path / "model" / SPECIAL_FILE).unlink()  # a tokenizer of bytes is not written there
    convert(tmp_path / "model", tmp_path / "hf", "glm-hf", dtype=torch.float32)
    exact = glmkit.load(tmp_path / "hf", dtype="float32", device="cpu").module.blocks[1].mlp.down.weight
    assert torch.equal(exact, m.module.blocks[1].mlp.down.dequantize())
    saved(tmp_path / "rows of one scale", QuantFormat(bits=8))
    convert(tmp_path / "rows of one scale", tmp_path / "official", "chatglm-hf")
    convert(tmp_path / "official", tmp_path / "back")
    assert torch.equal(
        *(glmkit.load(tmp_path / name, device="cpu").logits(IDS) for name in ("rows of one scale", "back"))
    )


def test_restoring_takes_records(tmp_path: Path) -> None:
    m = saved(tmp_path / "model")
    expected = m.module.state_dict()
    into = blank(m.family.build, m.config).to_empty(device="cpu").bfloat16()
    for layer, part in list(m.module.named_modules()):
        if isinstance(part, QuantizedLinear):
            into.set_submodule(
                layer, QuantizedLinear(part.in_features, part.out_features, INT4, bias=part.bias is not None)
            )
    into.bfloat16()
    directory.restore(tmp_path / "model", into)
    assert all(torch.equal(part, expected[key]) for key, part in into.state_dict().items())


def test_records_of_another_shape_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(tmp_path / "model")
    tensors = load_file(tmp_path / "model" / WEIGHTS)
    key = "blocks.0.mlp.down.weight"
    tensors[key] = tensors[key][..., :-1].contiguous()
    save_file(tensors, tmp_path / "model" / WEIGHTS)
    table = json.loads((tmp_path / "model" / "config.json").read_text())
    data = (tmp_path / "model" / WEIGHTS).read_bytes()
    table["weights"][WEIGHTS] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (tmp_path / "model" / "config.json").write_text(json.dumps(sealed(table)))
    with pytest.raises(CorruptFile, match=rf"{key} is \[.*\] in uint8, which is no format .* copy the model again"):
        glmkit.load(tmp_path / "model")
    assert main(["info", str(tmp_path / "model")]) == 2
    assert key in capsys.readouterr().err
