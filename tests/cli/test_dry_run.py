"""`glmkit pretrain --dry-run`: what a run would take, on any mesh, and that nothing of it is started."""

from pathlib import Path

import pytest

from .conftest import Run


def test_a_mesh_that_is_not_there(prepared: Path, run: Run, tmp_path: Path) -> None:
    code, out, err = run(
        "pretrain", "glm-nano", f"data={prepared}", f"output={tmp_path / 'run'}", "seq_length=32", "--dry-run",
        "parallel.shard=4", "parallel.replicate=2", "micro_batch_size=1",
    )  # fmt: skip
    assert code == 0, err
    assert "8 processes: 2 of 4 that hold the model once" in out
    assert "memory of a process:" in out
    assert "2 micro-batches a process; 7 all-reduces, 18 all-gathers, 5 reduce-scatters" in out
    assert "whole gradients until the last" in out
    assert "read about" in out
    assert "tokens/s" in out
    assert "checkpoint: " in out
    assert list(tmp_path.iterdir()) == []


def test_without_data_or_output(run: Run) -> None:
    code, out, err = run("pretrain", "--dry-run", "chatglm2-nano")
    assert code == 0, err
    assert "one process" in out
    assert "nothing is sent" in out
    assert "give output to time its file system" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["parallel.shard=32"], "batch_size 16 is less than the 32 processes"),
        (["output=/proc/none"], "could not write to /proc"),
        (["data=nowhere"], "nowhere"),
    ],
)
def test_what_would_stop_the_run_stops_it(arguments: list[str], line: str, run: Run) -> None:
    code, _, err = run("pretrain", "glm-nano", "--dry-run", *arguments)
    assert code == 2
    assert line in err
    assert err.count("\n") == 1
