"""What a report says of the machine."""

import json
import os
import platform
import subprocess
import sys

import pytest
import torch

from glmkit.core import machine
from glmkit.core.errors import UserError


def test_the_description_can_be_written_down() -> None:
    result = machine.describe()
    assert json.loads(json.dumps(result)) == result
    assert result["torch"] == torch.__version__
    assert result["cores"] >= 1
    assert result["memory_gib"] > 0
    assert result["processor"]


def test_the_default_device_and_type_can_be_computed_with() -> None:
    device = machine.default_device()
    dtype = machine.fastest_dtype(device)
    assert dtype in (torch.float32, torch.bfloat16)
    assert torch.ones(2, 2, dtype=dtype, device=device).matmul(torch.ones(2, dtype=dtype, device=device)).sum() == 4


def test_a_device_is_one_that_there_is() -> None:
    assert machine.device_of("auto") == machine.default_device()
    assert machine.device_of("cpu") == "cpu"
    assert machine.device_of(machine.default_device()) == machine.default_device()


@pytest.mark.parametrize("name", ["foo", "", "meta", "cuda:99", "cuda:x", "mps:7"])
def test_a_device_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"^no device '{name}' on this machine, as torch sees it; use auto, cpu"):
        machine.device_of(name)


def test_a_rate_is_measured_over_all_shapes() -> None:
    assert machine.matmul_rate([(4, 8, 16), (1, 2, 3)], torch.float32, "cpu", seconds=0.01) > 0


@pytest.mark.parametrize("least", [0.0, 0.01])
def test_however_short_the_time_something_is_measured(least: float) -> None:
    calls = []
    assert machine.seconds_of(lambda: calls.append(1), "cpu", least) > 0
    assert len(calls) >= 2, "one to warm up, one to measure"


def test_memory_is_kept_during_the_block_and_given_back_after_it() -> None:
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc is told")

    def use(mebibytes: int = 16) -> int:
        """Takes and frees memory; the pages that took."""
        pages = machine.page_faults()
        torch.ones(mebibytes << 18)
        return machine.page_faults() - pages

    with machine.keep_memory():
        again = min(use() for _ in range(6))
    with machine.keep_memory(large=False):
        several = min(use() for _ in range(6))
        large = min(use(64) for _ in range(6))
    after = use()
    assert again < 100, "a piece lies where one before it lay, unless something small has taken the first bytes of that"
    assert several < 100, "a piece of 16 MiB is kept there too"
    assert large > 16_000, "one of 64 MiB is not"
    assert after > 4000, "it went back to the system"


def test_blocks_of_kept_memory_end_where_something_is_raised() -> None:
    with pytest.raises(ValueError, match="inside"), machine.keep_memory():
        raise ValueError("inside")


@pytest.mark.parametrize(
    ("variables", "spins"),
    [({}, "2000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_turn_briefly_unless_the_user_says_otherwise(variables: dict[str, str], spins: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import glmkit, os, sys; assert 'torch' not in sys.modules; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], env=kept | variables, capture_output=True, text=True)
    assert done.stdout.strip() == spins, done.stderr
