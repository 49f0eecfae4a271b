"""Loading takes hardly more memory than the model."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from glmkit.families.assemble import blank
from glmkit.families.conversion import convert
from glmkit.families.directory import write
from glmkit.families.glm import GLM_FAMILY
from glmkit.families.registry import family
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.models.glm import GLM, GLMConfig

CONFIG = GLMConfig(num_layers=32, hidden_size=1024, num_heads=16, vocab_size=4096, max_positions=64)
SMALL = GLMConfig(num_layers=1, hidden_size=64, num_heads=1, vocab_size=128, max_positions=8)

# Peak memory of loading, beyond what it takes to load a model of no size. Run in a process of its own.
SCRIPT = """
import sys
import glmkit

def memory(what):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

glmkit.load(sys.argv[1], dtype="float32")
before = memory("VmRSS")
model = glmkit.load(sys.argv[2], dtype=sys.argv[3])
print(memory("VmHWM") - before, sum(parameter.nbytes for parameter in model.module.parameters()))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small")
    write(path, GLM_FAMILY, SMALL, GLM(SMALL), None, None)
    return path


@pytest.fixture(scope="module", params=[("native", None), ("glm-hf-port", None), ("megatron", 1), ("megatron", 2)])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """400 million parameters in float16, in one layout."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "native").mkdir()
    model = blank(GLM, CONFIG).half().to_empty(device="cpu")
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    write(folder / "native", GLM_FAMILY, CONFIG, model, None, None)
    layout, ranks = request.param
    convert(folder / "native", folder / "model", layout, ranks=ranks)
    yield folder / "model"
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_peak_memory_is_at_most_1_15_times_the_model(large: Path, dtype: str, small: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(small), str(large), dtype]
    used, size = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert size > 800e6
    assert used <= 1.15 * size, f"{used / size:.3f} times the model"


CONVERSION = """
import sys
from pathlib import Path
from glmkit.families.conversion import convert

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

small, large, out, to, blocks = sys.argv[1:]
convert(Path(small), Path(out, "small"), to, blocks=blocks or None)
before = peak()
convert(Path(large), Path(out, "large"), to, blocks=blocks or None)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize(("to", "blocks"), [("glm-hf", ""), ("chatglm-hf", ""), ("gguf", ""), ("gguf", "q4_0")])
def test_an_export_holds_one_matrix_at_a_time(to: str, blocks: str, tmp_path: Path) -> None:
    if to == "gguf":
        pytest.importorskip("gguf", reason="needs the package gguf: pip install glmkit[gguf]")
    spec = family("chatglm2")
    wide = {"hidden_size": 1024, "num_heads": 8, "num_kv_heads": 2, "head_dim": 128, "max_positions": 64}
    for name, layers, inner, rows in (("small", 1, 64, 512), ("large", 10, 6144, 65024)):
        config = ChatGLM2Config(num_layers=layers, intermediate_size=inner, vocab_size=rows, **wide)
        model = blank(spec.build, config).half().to_empty(device="cpu")
        for parameter in model.parameters():
            torch.nn.init.constant_(parameter, 0.01)
        (tmp_path / name).mkdir()
        write(tmp_path / name, spec, config, model, None, None)
        del model
    paths = [str(tmp_path / name) for name in ("small", "large", "out")]
    command = [sys.executable, "-c", CONVERSION, *paths, to, blocks]
    used = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    table = 65024 * 1024 * 2  # bytes of the largest matrix; in blocks it is float32, in parts, beside what is written
    assert used <= 2.5 * table, f"{used / table:.2f} times the largest matrix"
