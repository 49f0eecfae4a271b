"""glmkit list: the models of this machine, wherever tools put them."""

import json
from pathlib import Path

import pytest

from glmkit.families.hub import local
from glmkit.testing import tiny

from .conftest import Run

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a run, and empty caches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    constants = pytest.importorskip("huggingface_hub.constants", reason="the extra `hub` is not installed")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf/hub"))  # the library reads its settings once
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    tiny("glm").save(Path("runs/first/model"))
    return tmp_path


def listed(run: Run, *directories: str) -> dict[str, dict[str, object]]:
    code, out, errors = run("list", *directories, "--json")
    assert code == 0, errors
    return {row["name"]: row for row in json.loads(out)}


def test_runs_and_both_caches_are_listed(place: Path, run: Run) -> None:
    snapshot = place / "hf/hub/models--zai-org--chatglm2-6b/snapshots" / _COMMIT
    tiny("chatglm2").save(snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text(_COMMIT)
    tiny("chatglm").save(place / "ms/hub/models/ZhipuAI/chatglm-6b___1")  # as its older tools write a dot
    tiny("neoglm").save(place / "ms/models/team--neo/snapshots/master")  # as its newest do
    rows = listed(run)
    assert {name: row["family"] for name, row in rows.items()} == {
        "runs/first": "glm",
        "zai-org/chatglm2-6b": "chatglm2",
        "ZhipuAI/chatglm-6b.1": "chatglm",
        "team/neo": "neoglm",
    }
    for name, row in rows.items():
        model = local(name)
        files = [file for file in model.rglob("*") if file.is_file() and "checkpoints" not in file.parts]
        assert row["bytes"] == sum(file.stat().st_size for file in files)
        assert row["precision"] == "float32"
        code, out, _ = run("info", name, "--json")
        assert code == 0
        assert row["parameters"] == json.loads(out)["parameters"]


def test_a_quantized_model_says_its_bits(place: Path, run: Run) -> None:
    tiny("chatglm2").save(place / "wide")
    assert run("quantize", "wide", "narrow", "--bits", "4")[0] == 0
    assert listed(run, "narrow")["narrow"]["precision"] == "int4"


def test_what_cannot_be_loaded_is_listed_with_the_reason(place: Path, run: Run) -> None:
    (place / "runs/first/model/model.safetensors").unlink()
    (row,) = listed(run).values()
    assert row["parameters"] is None
    assert "model.safetensors" in str(row["note"])
    code, out, _ = run("list")
    assert code == 0
    assert str(row["note"]) in out


def test_a_published_model_of_which_a_file_is_missing_is_listed(place: Path, run: Run) -> None:
    tiny("chatglm2").save(place / "own")
    assert run("convert", "own", "models/official", "--to", "chatglm-hf")[0] == 0
    for file in (place / "models/official").glob("*.safetensors"):
        file.write_bytes(b"cut")
    row = listed(run, "models")["models/official"]
    assert (row["family"], row["parameters"]) == ("chatglm2", None)


def test_an_adapter_names_its_model(place: Path, run: Run) -> None:
    adapter = place / "runs/tuned/model"
    adapter.mkdir(parents=True)
    (adapter / "adapter.json").write_text(
        json.dumps({"method": "lora", "family": "glm", "base": "runs/first", "fingerprint": "0" * 64})
    )
    (adapter / "adapter_config.json").write_text("{}")
    row = listed(run)["runs/tuned"]
    assert (row["family"], row["note"], row["parameters"]) == ("LoRA adapter", "of runs/first", None)


def test_models_of_other_families_are_left_out(place: Path, run: Run) -> None:
    other = place / "hf/hub/models--google--bert/snapshots" / _COMMIT
    other.mkdir(parents=True)
    (other / "config.json").write_text('{"model_type": "bert"}')
    assert set(listed(run)) == {"runs/first"}


def test_directories_are_searched_instead(place: Path, run: Run) -> None:
    tiny("glm").save(place / "mine/group/model")
    assert set(listed(run, "mine")) == {"mine/group"}
    assert run("list", "hf") == (2, "", "glmkit: hf: no such directory\n")
    (place / "empty").mkdir()
    assert run("list", "empty")[1] == "no models below empty\n"


def test_with_none_it_says_how_to_get_one(place: Path, run: Run) -> None:
    (place / "runs").rename(place / "elsewhere")
    assert "demo trains one" in run("list")[1]


def test_a_table_has_a_row_for_each(place: Path, run: Run) -> None:
    head, row = run("list")[1].splitlines()
    assert head.split() == ["model", "family", "parameters", "precision", "on", "disk"]
    assert row.split()[:2] == ["runs/first", "glm"]
