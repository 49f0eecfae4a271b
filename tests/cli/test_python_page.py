"""The example of docs/python.md runs, on a small tokenizer and small files."""

import json
import random
import re
import shutil
from pathlib import Path

import pytest

import glmkit

PAGE = Path(glmkit.__file__).parents[2] / "docs/python.md"
SMALL = {"steps=500": "steps=2, seq_length=32, batch_size=2, micro_batch_size=2", "epochs=2": "epochs=1, length=32"}


def test_the_example_runs(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(prepared, "prepared")
    rng = random.Random(0)
    for split in ("train", "dev"):
        lines = [f"{' '.join(rng.choices(['ba', 'de', 'mu'], k=4))}\t{('neg', 'pos')[n % 2]}" for n in range(8)]
        Path(f"{split}.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    Path("book.txt").write_text("ba de mu ki lo na mu. " * 60)
    row = {"premise": "Ba.", "choice1": "De.", "choice2": "Mu.", "question": "cause", "label": 0, "idx": 0}
    Path("data/superglue/COPA").mkdir(parents=True)
    Path("data/superglue/COPA/val.jsonl").write_text(json.dumps(row) + "\n")
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for setting, smaller in SMALL.items():
        assert setting in example
        example = example.replace(setting, smaller)
    results: dict[str, object] = {}
    exec(example, results)
    assert results["model"] == Path("runs/nano/model")
    assert results["sorter"].model == Path("runs/reviews/model")
    assert any("accuracy" in line for line in results["sorter"].report)
    assert results["both_ways"].metrics["perplexity"].value > 1
    assert results["small"].quality.divergence > 0
    for name in ("nano-int4", "nano-port", results["sorter"].model):
        assert isinstance(glmkit.load(name), glmkit.Model)


def test_settings_are_the_keys_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(glmkit.UserError, match="unknown recipe 'glm-nan'; did you mean 'glm-nano'"):
        glmkit.pretrain("glm-nan")
    with pytest.raises(glmkit.UserError, match="pretrain: unknown key 'stepz'; did you mean 'steps'"):
        glmkit.pretrain("glm-nano", stepz=3)
    with pytest.raises(glmkit.UserError, match="pretrain: schedule: unknown key 'peek'; did you mean 'peak'"):
        glmkit.pretrain("glm-nano", schedule={"peek": 3})
    with pytest.raises(glmkit.UserError, match="pretrain: schedule: unknown key 'peek'"):
        glmkit.pretrain("glm-nano", **{"schedule.peek": 3})
    with pytest.raises(glmkit.UserError, match="steps has no keys of its own"):
        glmkit.pretrain("glm-nano", **{"steps.peek": 3})
    with pytest.raises(glmkit.UserError, match="unknown method 'lola'; did you mean 'lora'"):
        glmkit.finetune(tmp_path, method="lola")
    with pytest.raises(glmkit.UserError, match="finetune: data: unknown key 'trian'; did you mean 'train'"):
        glmkit.finetune(tmp_path, data={"trian": "x"})
