"""A Ray cluster of two nodes on this machine: the same shards, the same table, and one line for what is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import glmkit
from glmkit.core.errors import UserError
from glmkit.data.cluster import prepare_on_ray
from glmkit.data.parts import job_of
from glmkit.data.prepare import Encoding, prepare
from glmkit.tasks.run import table
from glmkit.testing import tiny
from glmkit.text.tokenizer import Tokenizer

from ..unit.data.test_prepare import files_of


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster whose nodes have a processor each."""
    pytest.importorskip("ray", reason="ray is not installed")
    from ray.cluster_utils import Cluster

    before = {name: os.environ.get(name) for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ADDRESS", "PYTHONPATH")}
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 1 << 27}
    )
    try:
        nodes.add_node(num_cpus=1, object_store_memory=1 << 27)
        nodes.wait_for_nodes()
        os.environ["RAY_ADDRESS"] = nodes.address
        yield nodes.address
    finally:
        nodes.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(scope="module")
def texts(corpus: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    for number in range(6):
        (folder / f"{number}.txt").write_text("\n\n".join(corpus[number * 20 :][:20]))
    return folder


@pytest.mark.slow
def test_two_nodes_write_the_shards_of_one_process(
    cluster: str, texts: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    prepare([texts], tokenizer, tmp_path / "alone", part_bytes=1)
    job = job_of([texts], tokenizer, tmp_path / "data", Encoding(), part_bytes=1)
    done: list[int] = []
    manifest = prepare_on_ray(job, done.append)
    assert len(manifest["shards"]) == len(job.parts) == len(done) == 6
    assert files_of(tmp_path / "data") == files_of(tmp_path / "alone")
    assert not (tmp_path / "data.parts").exists()


@pytest.mark.slow
def test_what_is_wrong_in_a_file_is_one_line(cluster: str, texts: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "good"}\n{"text": \n')
    job = job_of([texts, tmp_path / "bad.jsonl"], tokenizer, tmp_path / "data", Encoding(), part_bytes=1)
    with pytest.raises(UserError, match=r"bad\.jsonl:2: not JSON") as raised:
        prepare_on_ray(job)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "data").exists()
    (tmp_path / "bad.jsonl").write_text('{"text": "good"}\n')
    job = job_of([texts, tmp_path / "bad.jsonl"], tokenizer, tmp_path / "data", Encoding(), part_bytes=1)
    with pytest.raises(UserError, match=r"was prepared of other files or with other settings; remove"):
        prepare_on_ray(job)


@pytest.mark.slow
def test_an_evaluation_by_two_nodes_is_the_same_table(cluster: str, texts: Path, tmp_path: Path) -> None:
    tiny("glm").save(tmp_path / "model")
    rows = [{"text": f"ba de {number}", "kind": "ba" if number % 2 else "de"} for number in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = []
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(
            f'name: {name}\npattern: "{{text}} [MASK]"\nwords: {{ba: ba, de: de}}\nlabel: kind\n'
            "data: {dev: rows.jsonl}\n"
        )
        tasks.append(str(tmp_path / f"{name}.yaml"))
    wanted = glmkit.evaluate(tmp_path / "model", tasks=tasks, perplexity=texts / "0.txt")
    units: list[int] = []
    results = glmkit.evaluate(
        tmp_path / "model",
        tasks=tasks,
        perplexity=texts / "0.txt",
        engine="ray",
        on_rows=lambda name, count: units.append,
    )
    assert len(results) == len(units) == 4
    assert repr(table(results)) == repr(table(wanted))
    assert [result.log for result in results] == [result.log for result in wanted]
    with pytest.raises(UserError, match=r"nosuch\.yaml: no such file"):
        glmkit.evaluate(tmp_path / "model", tasks=str(tmp_path / "nosuch.yaml"), engine="ray")


@pytest.mark.slow
def test_the_command_line_prepares_on_the_cluster(
    cluster: str, texts: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    tokenizer.save(tmp_path / "tok")
    prepare([texts], tokenizer, tmp_path / "alone")
    done = subprocess.run(
        [sys.executable, "-m", "glmkit.cli.main", "data", "prepare", "data", str(texts), "--tokenizer", "tok",
         "--engine", "ray"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 shard in data" in done.stderr
    assert files_of(tmp_path / "data") == files_of(tmp_path / "alone")


@pytest.mark.slow
def test_a_cluster_out_of_reach_and_no_ray_are_one_line_each(texts: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    tokenizer.save(tmp_path / "tok")
    command = [sys.executable, "-m", "glmkit.cli.main", "data", "prepare", "data", str(texts), "--tokenizer", "tok"]
    hidden = tmp_path / "hidden"
    (hidden / "ray").mkdir(parents=True)
    (hidden / "ray" / "__init__.py").write_text("raise ImportError('hidden')")
    path = os.pathsep.join([str(hidden), *(path for path in sys.path if path)])
    for changed, said in (
        ({"PYTHONPATH": path}, 'ray is not installed; run: pip install "glmkit[cluster]"'),
        ({"RAY_ADDRESS": "127.0.0.1:9"}, "the Ray cluster (127.0.0.1:9): "),
    ):
        done = subprocess.run(
            [*command, "--engine", "ray"],
            cwd=tmp_path, env=os.environ | changed, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"glmkit: {said}")
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "data").exists()
