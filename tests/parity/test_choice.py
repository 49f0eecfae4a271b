"""transformers and glmkit read the same files of a directory, whatever lies in it."""

import json
from itertools import combinations
from pathlib import Path

import pytest

from glmkit.conversion.choice import ORDER, choose

modeling = pytest.importorskip("transformers.modeling_utils", reason="needs transformers: pip install glmkit[export]")


@pytest.mark.parametrize("names", [n for size in (1, 2, 3, 4) for n in combinations(ORDER, size)], ids="+".join)
def test_the_same_files(names: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("a.safetensors", "a.bin"):
        (tmp_path / name).write_bytes(b"shard")
    for name in names:
        shard = "a.safetensors" if "safetensors" in name else "a.bin"
        (tmp_path / name).write_text(json.dumps({"metadata": {}, "weight_map": {"a": shard}}))
    theirs, _ = modeling._get_resolved_checkpoint_files(
        str(tmp_path), variant=None, gguf_file=None, use_safetensors=None, user_agent=None, is_remote_code=False
    )
    assert [str(tmp_path / name) for name in choose(tmp_path).files] == theirs
