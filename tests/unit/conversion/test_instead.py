"""A directory without weights is named as what it is, with the command that helps."""

from pathlib import Path

import pytest

from glmkit.conversion.instead import instead
from glmkit.conversion.weights import open_weights
from glmkit.core.errors import UserError

SEEN = [
    (["adapter_config.json", "adapter_model.safetensors"], "it is an adapter; give the model .* adapter="),
    (["checkpoint-500/x", "checkpoint-3000/x", "trainer_state.json"], r"newest checkpoint is .*/checkpoint-3000; give"),
    (["adapter_model.bin", "checkpoint-500/x"], "it is an adapter"),
    (["zero_to_fp32.py", "latest", "global_step9/mp_rank_00_model_states.pt"], r"DeepSpeed .*zero_to_fp32\.py"),
    (["bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"], "it is a checkpoint of DeepSpeed"),
    (["pytorch_model_fsdp.bin", "optimizer.bin"], r"rename it pytorch_model\.bin"),
    (["pytorch_model_fsdp_0/__0_0.distcp"], "accelerate merge-weights .*pytorch_model_fsdp_0"),
    (["__0_0.distcp", ".metadata"], "accelerate merge-weights "),
    (["quantize_config.json", "gptq_model-4bit-128g.safetensors"], "codes of GPTQ or AWQ .*glmkit quantize"),
    (["model-00001-of-00002.safetensors"], r"are shards, and model\.safetensors\.index\.json,"),
    (["pytorch_model-00001-of-00008.bin"], r"are shards, and pytorch_model\.bin\.index\.json,"),
    (["consolidated.00.pth", "params.json"], "in a layout that glmkit does not read"),
    (["consolidated.safetensors"], "in a layout that glmkit does not read"),
    (["chatglm2-q4_0.gguf"], "for another program"),
    (["chatglm-ggml.bin"], "for another program"),
    (["model.fp16.safetensors"], r"if model\.fp16\.safetensors is the model, rename it model\.safetensors"),
    (["chatglm2.pt", "optimizer.pt"], r"if chatglm2\.pt is the model, rename it pytorch_model\.bin"),
    (["training_args.bin", "optimizer.pt", "rng_state.pth"], "is the state of a training run"),
]


@pytest.mark.parametrize(("names", "line"), SEEN, ids=[row[0][0] for row in SEEN])
def test_what_it_is(names: list[str], line: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=f"holds no weights: .*{line}") as refused:
        open_weights(tmp_path)
    assert "\n" not in str(refused.value)


def test_inside_a_folder_of_parts_the_command_names_the_folder_above(tmp_path: Path) -> None:
    (tmp_path / "zero_pp_rank_0_mp_rank_00_model_states.pt").write_bytes(b"x")
    assert f"python {tmp_path.parent / 'zero_to_fp32.py'} {tmp_path.parent} OUT" in str(instead(tmp_path))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin.index.json"])
def test_a_directory_with_weights_is_none_of_these(name: str, tmp_path: Path) -> None:
    for there in (name, "model-00001-of-00002.safetensors", "optimizer.pt"):
        (tmp_path / there).write_bytes(b"x")
    assert instead(tmp_path) is None


def test_nothing_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert instead(tmp_path) is None
