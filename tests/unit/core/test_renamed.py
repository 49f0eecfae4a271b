"""What glmkit 0.1.0 wrote is read, and what was written for it still works, with a word about the new name."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import glmkit
from glmkit.cli.configure import Older, configure
from glmkit.cli.keys import real_key
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.core.renamed import KEYS, current_keys
from glmkit.core.seal import SEAL, sealed
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.testing import tiny
from glmkit.train.config import OLD_KEYS, PretrainConfig, modern
from glmkit.train.run import _refuse_changes

OLD = {new: old for old, new in KEYS.items()}


def test_a_model_directory_with_the_old_keys_loads(tmp_path: Path) -> None:
    model = tiny("chatglm2")
    model.save(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    table = json.loads(path.read_text())
    table.pop(SEAL)
    table["model"] = {OLD.get(key, key): value for key, value in table["model"].items()}
    assert {"num_groups", "inner_size", "long_context"} <= table["model"].keys()  # alias
    path.write_text(json.dumps(sealed(table)))
    assert glmkit.load(tmp_path / "model").config == model.config


def test_keys_of_a_file_are_read_in_silence(recwarn: pytest.WarningsRecorder) -> None:
    config = from_mapping(PretrainConfig, {"heldout": 0.5, "heldout_every": 3}, "run.json")  # alias
    assert (config.validation, config.validation_every) == (0.5, 3)
    assert not [warning for warning in recwarn if warning.category is DeprecationWarning]
    with pytest.raises(UserError, match=r"run\.json: validation is given twice"):
        from_mapping(PretrainConfig, {"heldout": 0.5, "validation": 0.5}, "run.json")  # alias
    with pytest.raises(UserError, match="unknown key 'num_groups'"):  # alias
        from_mapping(PretrainConfig, {"num_groups": 2}, "run.json")  # alias


def test_a_run_of_before_goes_on() -> None:
    before = {"config": {"heldout": 0.01, "model": {"num_groups": 2}}, "data": None}  # alias
    assert current_keys(before["config"]) == {"validation": 0.01, "model": {"num_kv_heads": 2}}
    now = {"config": {"validation": 0.01, "data": ""}, "data": None}
    before["config"] |= {"data": ""}
    _refuse_changes(before, now, Path("run"), frozenset())
    with pytest.raises(UserError, match=r"validation=0\.01 \(now 0\.02\)"):
        _refuse_changes(before, {**now, "config": {"validation": 0.02, "data": ""}}, Path("run"), frozenset())


def test_configs_take_the_old_names_in_python() -> None:
    config = tiny("chatglm2").config
    with pytest.warns(
        DeprecationWarning, match=r"ChatGLM2Config\(num_groups=\.\.\.\) is called num_kv_heads now"
    ):  # alias
        old = ChatGLM2Config(
            **{OLD.get(key, key): value for key, value in asdict(config).items() if key != "rope_scaling"}
        )
    assert replace(old, rope_scaling=config.rope_scaling) == config
    with pytest.warns(DeprecationWarning, match="num_kv_heads"):
        assert old.num_groups == config.num_kv_heads  # type: ignore[attr-defined]  # alias


def test_the_command_line_takes_the_old_keys(capsys: pytest.CaptureFixture[str]) -> None:
    older = Older(OLD_KEYS, modern)
    config = configure(PretrainConfig(), ["heldout=0.25"], verb="pretrain", example="", older=older)  # alias
    assert config.validation == 0.25
    assert capsys.readouterr().err == "glmkit: heldout is now validation; the old key still works\n"  # alias
    assert real_key("model.num_groups", ["model.num_kv_heads"]) == "model.num_kv_heads"  # alias


def test_a_model_answers_to_the_old_names_of_its_parts() -> None:
    model = tiny("glm")
    with pytest.warns(DeprecationWarning, match=r"Model\.geometry is called position_scheme now"):  # alias
        assert model.geometry is model.position_scheme  # alias
    with pytest.warns(DeprecationWarning, match=r"Model\.subject is called scorer now"):
        assert model.subject.special == model.scorer.special  # alias
