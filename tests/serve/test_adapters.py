"""Adapters by name: each is served beside its model, whose weights are in memory once."""

from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.api.shared_adapter import shares_weights, with_adapter
from glmkit.nn.shared_copy import shared_copy
from glmkit.serve.models import Models, ServedModel
from glmkit.testing import tiny

from .conftest import serving, settings

pytest.importorskip("peft", reason="LoRA needs peft")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model `base` and an adapter `lora` of it that says something else."""
    from glmkit.train.lora import LoraConfig, add_lora, write_lora

    place = tmp_path_factory.mktemp("adapters")
    tiny("chatglm2").save(place / "base")
    model = glmkit.load(place / "base")
    add_lora(model.module, LoraConfig(rank=2), seed=1)
    for name, parameter in model.module.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, 0, 0.3, generator=torch.Generator().manual_seed(len(name)))
    write_lora(place / "lora", model.module, str(place / "base"))
    return place


@pytest.mark.parametrize("how", [{}, {"dtype": "bfloat16"}, {"quantize": "int4", "dtype": "bfloat16"}])
def test_an_adapter_shares_the_weights_and_changes_nobody_else(place: Path, how: dict[str, str]) -> None:
    model = glmkit.load(place / "base", **how)
    before = model.logits([[1, 2, 3]])
    assert shares_weights(model, place / "lora")
    over = with_adapter(model, place / "base", place / "lora")
    expected = glmkit.load(place / "base", adapter=place / "lora", **how).logits([[1, 2, 3]])
    assert torch.equal(over.logits([[1, 2, 3]]), expected)
    assert torch.equal(model.logits([[1, 2, 3]]), before)
    assert not torch.equal(before, expected)
    own = {tensor.data_ptr() for name, tensor in over.module.state_dict().items() if "lora_" not in name}
    if "quantize" not in how:  # packed weights are unpacked by state_dict
        assert own <= {tensor.data_ptr() for tensor in model.module.state_dict().values()}


def test_a_copy_has_its_own_parts() -> None:
    module = tiny("glm").module
    twin = shared_copy(module)
    assert next(twin.parameters()) is next(module.parameters())
    name = next(name for name, part in twin.named_modules() if isinstance(part, torch.nn.Linear))
    twin.set_submodule(name, torch.nn.Identity())
    assert isinstance(module.get_submodule(name), torch.nn.Linear)


def test_requests_name_an_adapter(place: Path) -> None:
    base = glmkit.load(place / "base")
    over = with_adapter(base, place / "base", place / "lora")
    models = Models([ServedModel("base", base), ServedModel("poems", over, "base")])
    body = {"prompt": "hello", "max_tokens": 8, "temperature": 0}
    with serving(lambda progress: models, settings()) as served:
        listed = served.get("/v1/models").json["data"]
        assert [(model["id"], model["parent"]) for model in listed] == [("base", None), ("poems", "base")]
        for name, model in (("base", base), ("poems", over)):
            text = served.post("/v1/completions", body | {"model": name}).json["choices"][0]["text"]
            assert text == model.generate("hello", 8)
        assert served.post("/v1/completions", body).error["param"] == "model"
        assert served.post("/v1/completions", body | {"model": "other"}).error["code"] == "model_not_found"


@pytest.mark.slow
def test_the_command_serves_adapters(place: Path) -> None:
    from .test_command import ask, running

    with running(place / "base", "--adapter", f"poems={place / 'lora'}") as (_, url):
        assert [model["id"] for model in ask(f"{url}/v1/models")["data"]] == ["base", "poems"]
        body = {"model": "poems", "prompt": "hello", "max_tokens": 8, "temperature": 0}
        expected = glmkit.load(place / "base", adapter=place / "lora").generate("hello", 8)
        assert ask(f"{url}/v1/completions", body)["choices"][0]["text"] == expected
