"""Names of weights as trainers leave them: the model's own, or a line that says what the weights are."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glmkit.conversion.statemap import StateMap
from glmkit.conversion.weights import open_weights
from glmkit.conversion.wrappers import refuse_external_codes
from glmkit.core.errors import CorruptFile, UserError

NAME = "transformer.encoder.layers.0.mlp.dense_h_to_4h.weight"
INNER = "transformer.encoder.layers.0"


def names(tmp_path: Path, *keys: str, shape: tuple[int, ...] = (2, 2)) -> list[str]:
    save_file({key: torch.ones(shape) for key in keys}, tmp_path / "model.safetensors")
    return open_weights(tmp_path).keys()


@pytest.mark.parametrize(
    "key",
    [
        NAME,
        f"module.{NAME}",
        f"module.module.{NAME}",
        f"_orig_mod.{NAME}",
        f"module._orig_mod.{NAME}",
        f"_orig_mod.module.{NAME}",
        f"base_model.model.{NAME}",
        f"base_model.{NAME}",
        f"pretrained_model.base_model.model.{NAME}",
        f"_fsdp_wrapped_module.{NAME}",
        f"_forward_module.{NAME}",
        NAME.replace(INNER, f"{INNER}._orig_mod"),
        NAME.replace(INNER, f"{INNER}._fsdp_wrapped_module._checkpoint_wrapped_module"),
        f"base_model.model.{NAME}".replace(".weight", ".base_layer.weight"),
    ],
)
def test_wrappers_are_taken_away(key: str, tmp_path: Path) -> None:
    assert names(tmp_path, key) == [NAME]


@pytest.mark.parametrize("key", ["a.module_list.b", "a.base_layers.b", "my_module.a", "a.base_model.b", "a.module.b"])
def test_names_that_look_alike_stay(key: str, tmp_path: Path) -> None:
    assert names(tmp_path, key) == [key]


def test_a_name_twice(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match=r"holds a twice, as .*a too: two checkpoints are mixed up"):
        names(tmp_path, "a", "module.a")


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("a.lora_A.default.weight", r"an adapter of peft beside .*\.merge_and_unload\(\)"),
        ("a.lora_B.weight", "an adapter of peft"),
        ("a.lora_magnitude_vector.default.weight", "an adapter of peft"),
        ("a.modules_to_save.default.weight", "an adapter of peft"),
        ("a.original_module.weight", "an adapter of peft"),
        ("a.weight.absmax", r"codes of bitsandbytes .*model\.dequantize\(\)"),
        ("a.weight.quant_map", "codes of bitsandbytes"),
        ("a.weight.quant_state.bitsandbytes__nf4", "codes of bitsandbytes"),
        ("a.SCB", "codes of bitsandbytes"),
        ("a.qweight", "codes of GPTQ or AWQ .*glmkit quantize MODEL OUT"),
        ("a.qzeros", "codes of GPTQ or AWQ"),
        ("_fsdp_wrapped_module._flat_param", "weights that FSDP has flattened"),
    ],
)
def test_what_is_no_model_yet_is_named(key: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=line) as refused:
        names(tmp_path, "a.weight", key)
    assert "\n" not in str(refused.value)


def test_what_zero_3_has_not_gathered(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.weight is empty \(shape \[0\]\), as DeepSpeed.*zero_to_fp32\.py"):
        names(tmp_path, "a.weight", shape=(0,))


def test_a_name_of_several_lines_is_shown_on_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\('a\\n\.lora_A\.weight'\)"):
        names(tmp_path, "a\n.lora_A.weight")


@pytest.mark.parametrize(
    "said", [{"quant_method": "gptq", "bits": 4}, {"load_in_4bit": True}, {"quant_method": 3}, "awq"]
)
def test_a_config_that_speaks_of_codes(said: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"says that its weights are codes \(.*glmkit quantize"):
        refuse_external_codes({"quantization_config": said}, tmp_path)
    refuse_external_codes({"quantization_config": None}, tmp_path)


def test_a_value_head_is_not_used() -> None:
    assert "value head" in str(StateMap(()).reason_to_ignore("v_head.summary.weight"))
    assert StateMap(()).reason_to_ignore("my_v_head.weight") is None
