"""The tutorial runs block by block, in either language, on a tiny stand-in and real reviews where they are there."""

import csv
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import glmkit
from glmkit.families.registry import family_of, preset
from glmkit.testing import shared_path, tiny

DOCS = Path(__file__).parents[2] / "docs"
OWN = [("1", "房间很大，服务也好。"), ("0", "房间太小。其他的都一般。")] * 12


def reviews(part: str, count: int) -> list[tuple[str, str]]:
    """Short rows of ChnSentiCorp, or some of our own."""
    path = shared_path(f"data/classification/chnsenticorp/{part}.tsv")
    if path is None:
        return OWN[:count]
    with path.open(encoding="utf-8") as file:
        rows = [(row["label"], row["text_a"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    short = [row for row in rows if len(row[1]) < 60]
    return short[:count]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["tutorial-chatglm2.md", "tutorial-chatglm2.zh.md"])
def test_every_block_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("peft", reason="LoRA needs peft")
    monkeypatch.chdir(tmp_path)
    tiny("chatglm2").save(Path("chatglm2-6b"))
    for part, count in (("train", 16), ("dev", 6)):
        lines = ["label\ttext_a", *("\t".join(row) for row in reviews(part, count))]
        Path(f"{part}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    results = SimpleNamespace(**names)
    assert set(results.understand_and_generate("房间很大。")) == {"label", "reply"}
    assert 0 <= results.accuracy <= 1
    assert results.run.model == Path("runs/reviews/model")
    assert glmkit.load(results.sorter.model).classify(["房间很大。"]).sum() == pytest.approx(1)


def test_the_facts_of_its_table() -> None:
    config = preset("chatglm2-6b")
    with torch.device("meta"):
        model = family_of(config).build(config)
    assert sum(weight.numel() for weight in model.parameters()) == 6_243_584_000
    assert (config.num_layers, config.num_heads, config.num_kv_heads, config.head_dim) == (28, 32, 2, 128)
    assert any(isinstance(module, torch.nn.RMSNorm) for module in model.modules())
    for page in ("tutorial-chatglm2.md", "tutorial-chatglm2.zh.md", "faq.md", "faq.zh.md"):
        assert "6,243,584,000" in (DOCS / page).read_text(encoding="utf-8")
