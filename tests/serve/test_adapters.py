"""Adapters by name: each is served beside its model, whose weights are in memory once."""

from pathlib import Path

import pytest
import torch

import glmkit
from glmkit.api.adapters import shares_weights
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


def test_requests_name_an_adapter(place: Path) -> None:
    """What is written and what is read, both by the one engine."""
    base, over = glmkit.load(place / "base"), glmkit.load(place / "base", adapter=place / "lora")
    assert shares_weights(base, place / "lora")
    base.add_adapter("poems", place / "lora")
    models = Models([ServedModel("base", base), ServedModel("poems", base, "base", together=True)])
    body = {"prompt": "hello", "max_tokens": 8, "temperature": 0}
    with serving(lambda progress: models, settings(), adapters=base.adapters) as served:
        listed = served.get("/v1/models").json["data"]
        assert [(model["id"], model["parent"]) for model in listed] == [("base", None), ("poems", "base")]
        for name, model in (("base", base), ("poems", over)):
            text = served.post("/v1/completions", body | {"model": name}).json["choices"][0]["text"]
            assert text == model.generate("hello", 8)
            said = served.post("/score", {"model": name, "context": "hello", "choices": [" you", " me"]}).json
            expected = model.score("hello", [" you", " me"])
            assert [one["logprob"] for one in said["scores"]] == pytest.approx(expected, abs=1e-3)
            said = served.post("/v1/embeddings", {"model": name, "input": ["one", "and two"]}).json
            vectors = torch.tensor([one["embedding"] for one in said["data"]])
            torch.testing.assert_close(vectors, model.embed(["one", "and two"]), atol=1e-3, rtol=1e-3)
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
