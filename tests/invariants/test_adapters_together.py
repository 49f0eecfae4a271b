"""Sequences of several adapters of one model, written together, get what each gets alone."""

import copy
import gc
import json
import pickle
import random
import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import glmkit
from glmkit.core.errors import CorruptFile, UserError
from glmkit.families.adapter import AdapterOf, fingerprint
from glmkit.families.load import open_model, read
from glmkit.generate.beam import Beam, search
from glmkit.generate.request import Request, SequenceGroup
from glmkit.generate.sampling import Greedy, SamplingParams
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Token
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import write
from glmkit.nn.lora import AdaptedLayer, Adapter, LowRank, with_adapters
from glmkit.testing import tiny
from glmkit.train.lora import LoraConfig
from glmkit.train.methods import tune
from glmkit.train.ptuning import PrefixConfig

peft = pytest.importorskip("peft", reason="LoRA needs peft")

PEFT: dict[str, dict[str, Any]] = {
    "patterns": {
        "target_modules": "all-linear",
        "rank_pattern": {"mlp.up": 2},
        "alpha_pattern": {"qkv": 64},
        "use_rslora": True,
    },
    "dora": {"target_modules": ["attention.qkv", "mlp.down"], "use_dora": True},
    "biased": {"target_modules": ["attention.out", "mlp.up"], "lora_bias": True},
    "vectors": {"target_modules": ["words", "output", "mlp.up"]},
}
SMALL = 12  # ids that texts are made of
HOW = [
    Greedy(),
    SamplingParams(p=0.9, temperature=0.4, seed=1),
    SamplingParams(p=1.0, k=5, temperature=2.0, seed=2),
    Beam(beams=2),
]
Directories = dict[str, Path]


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Directories]]:
    """The directories of a tiny model and of its adapters, ours and peft's, every number of which is random."""
    made: dict[str, tuple[Path, Directories]] = {}

    def make(family: str) -> tuple[Path, Directories]:
        if family not in made:
            root = tmp_path_factory.mktemp(family)
            tiny(family).save(root / "base")
            methods = ["lora"] if family == "glm" else ["lora", "ptuning", "projected"]
            made[family] = (
                root / "base",
                {
                    **{method: _ours(root / "base", root / method, method) for method in methods},
                    **{name: _of_peft(root / "base", root / name, how) for name, how in PEFT.items()},
                },
            )
        return made[family]

    return make


def _ours(base: Path, path: Path, method: str) -> Path:
    loaded = read(base, dtype=torch.float32)
    kind: Any = "lora" if method == "lora" else "ptuning"
    row = AdapterOf(method=kind, family=loaded.family.name, base=str(base), fingerprint=fingerprint(open_model(base)))
    tuned = tune(kind, loaded, row, LoraConfig(rank=4), PrefixConfig(num=5, projection=method == "projected"), seed=1)
    _randomize(tuned.loaded.model)
    path.mkdir()
    tuned.write(path, {"config": {}})
    return path


def _of_peft(base: Path, path: Path, how: dict[str, Any]) -> Path:
    model = glmkit.load(base)
    if model.family.name == "neoglm" and "attention.qkv" in how["target_modules"]:  # three matrices there
        rest = [target for target in how["target_modules"] if target != "attention.qkv"]
        how = how | {"target_modules": ["qkv.q", "qkv.k", "qkv.v", *rest]}
    torch.manual_seed(0)  # peft draws A from torch's own generator
    model = peft.get_peft_model(model.module, peft.LoraConfig(r=4, lora_alpha=16, **how))
    _randomize(model, 0.1)
    model.save_pretrained(str(path), save_embedding_layers=False)
    return path


def _randomize(model: Any, std: float = 0.2) -> None:
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += torch.empty_like(parameter).normal_(0, std, generator=generator)


def with_all(base: Path, adapters: Directories, **how: Any) -> glmkit.Model:
    model = glmkit.load(base, **how)
    for name, path in adapters.items():
        model.add_adapter(name, path)
    return model


def config_of(model: glmkit.Model, **how: Any) -> DecodeConfig:
    special = model.tokenizer.special
    return DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=replace(special, other=(*special.other, *range(SMALL, 256))),
        vocab_size=len(model.tokenizer),
        **{"max_tokens": 10, **how},
    )


def request_of(rng: random.Random, config: DecodeConfig, adapter: str | None) -> Request:
    ids = [rng.randrange(SMALL) for _ in range(rng.randint(1, 90))]
    if config.position_scheme.channels > 1:
        ids.insert(rng.randrange(len(ids) + 1), config.special.gmask)
    how = rng.choice(HOW)
    copies = 1 if isinstance(how, Beam) else rng.randint(1, 2)
    return Request(
        config=replace(config, max_tokens=rng.randint(1, 10)),
        prompt=ids,
        strategy=how,
        num_return_sequences=copies,
        keep=rng.random() < 0.5,
        adapter=adapter,
    )


def finished(scheduler: Scheduler, requests: list[Request]) -> list[list[Token]]:
    groups = [scheduler.add(request) for request in requests]
    tokens: dict[int, list[Token]] = {group.id: [] for group in groups}
    while scheduler.has_work:
        for group, token in scheduler.step():
            tokens[group.id].append(token)
    assert [group.error for group in groups] == [None] * len(groups)
    return [tokens[group.id] for group in groups]


def check_alone(group: SequenceGroup, tokens: list[Token], alone: glmkit.Model) -> None:
    """What a request got, against the closed loop over a model that its adapter is applied to as a whole."""
    request = group.request
    assert group.error is None
    config = replace(request.config, model=alone.module)
    if isinstance(request.strategy, Beam):
        expected = search(config, request.prompt, request.strategy)
        assert [[b.ids for b in one.blanks] for one in group.hypotheses] == [
            [b.ids for b in e.blanks] for e in expected
        ]
        return
    steps = write(config, [request.prompt], request.strategy, num_return_sequences=request.num_return_sequences)
    closed = [token for step in steps for token in step]
    for row in range(request.num_return_sequences):
        mine, theirs = ([t for t in some if t.row == row] for some in (tokens, closed))
        assert [(t.blank, t.id, t.finish_reason) for t in mine] == [(t.blank, t.id, t.finish_reason) for t in theirs]
        assert [t.logprob for t in mine] == pytest.approx([t.logprob for t in theirs], abs=1e-4)


def check_schedule(base: Path, adapters: Directories, seed: int, **how: Any) -> None:
    """Requests of all adapters and of none join at any step, and some are cancelled."""
    rng = random.Random(seed)
    model = with_all(base, adapters, **how)
    alone = {name: glmkit.load(base, adapter=path, **how) for name, path in adapters.items()} | {
        "": glmkit.load(base, **how)
    }
    scheduler = Scheduler(model.module, max_rows=rng.randint(3, 8), kept_rows=2, adapters=model.adapters)
    config, names = config_of(model), [None, *adapters, *adapters]
    rng.shuffle(names)
    written: dict[SequenceGroup, list[Token]] = {}
    cancelled: list[SequenceGroup] = []
    while names or scheduler.has_work:
        if names and rng.random() < 0.4:
            written[scheduler.add(request_of(rng, config, names.pop()))] = []
        if written and rng.random() < 0.03:
            cancelled.append(rng.choice([*written]))
            scheduler.cancel(cancelled[-1])
        for group, token in scheduler.step():
            written[group].append(token)
    for group, tokens in written.items():
        if group not in cancelled:
            check_alone(group, tokens, alone[group.request.adapter or ""])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", ["glm", "neoglm", "chatglm", "chatglm2"])
def test_each_gets_what_it_gets_alone(family: str, seed: int, directories: Any) -> None:
    base, adapters = directories(family)
    check_schedule(base, adapters, seed)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_over_quantized_weights(quantize: str, directories: Any) -> None:
    base, adapters = directories("chatglm2")
    adapters = {name: adapters[name] for name in ("lora", "ptuning", "patterns", "biased")}
    check_schedule(base, adapters, 1, quantize=quantize, dtype="float32", activations="exact")
    with pytest.raises(UserError, match=r"use_dora of adapter_config.json needs the weights themselves"):
        glmkit.load(base, quantize=quantize).add_adapter("dora", directories("chatglm2")[1]["dora"])


@pytest.mark.parametrize("quantize", [None, "int4"])
def test_deterministic_sequences_are_their_own_in_16_bits(quantize: str | None, directories: Any) -> None:
    base, adapters = directories("chatglm2")
    adapters = {name: adapters[name] for name in ("lora", "ptuning", "vectors")}
    model = with_all(base, adapters, dtype="bfloat16", quantize=quantize)
    config, rng = config_of(model, max_tokens=12, min_tokens=12), random.Random(2)
    prompts = [[rng.randrange(SMALL) for _ in range(rng.randint(1, 90))] for _ in range(8)]
    requests = [
        Request(config=config, prompt=prompt, strategy=Greedy(), top=2, adapter=name)
        for prompt, name in zip(prompts, [None, *adapters] * 2, strict=True)
    ]

    def engine() -> Scheduler:
        return Scheduler(model.module, deterministic=True, adapters=model.adapters)

    together = finished(engine(), requests)
    assert together == [finished(engine(), [request])[0] for request in requests]


def test_calls_take_an_adapter(directories: Any) -> None:
    """By name, whatever is written, and the model itself stays as it was."""
    base, adapters = directories("chatglm")
    model = with_all(base, adapters)
    plain = glmkit.load(base)
    messages, blank = [{"role": "user", "content": "Ab?"}], "Fill [MASK] here."
    for name, path in {"": None, "lora": adapters["lora"], "ptuning": adapters["ptuning"]}.items():
        alone = plain if path is None else glmkit.load(base, adapter=path)
        how = {"adapter": name} if name else {}
        assert model.generate("abc", 9, **how) == alone.generate("abc", 9)
        assert [*model.stream("abc", 9, **how)] == [*alone.stream("abc", 9)]
        assert [g.ids for g in model.generate_batch(["a", "bcd"], 9, **how)] == [
            g.ids for g in alone.generate_batch(["a", "bcd"], 9)
        ]
        assert model.infill(blank, max_tokens=9, **how).ids == alone.infill(blank, max_tokens=9).ids
        assert [f.ids for f in model.infill_batch([blank, "[gMASK]"], sampling=Beam(beams=2), max_tokens=5, **how)] == [
            f.ids for f in alone.infill_batch([blank, "[gMASK]"], sampling=Beam(beams=2), max_tokens=5)
        ]
        said = alone.chat(messages, max_new_tokens=9, seed=1)
        assert model.chat(messages, max_new_tokens=9, seed=1, **how) == said
        assert "".join(model.stream_chat(messages, max_new_tokens=9, seed=1, **how)) == said
    for call in (model.generate, model.infill, model.stream, lambda text, **how: model.chat(messages, **how)):
        with pytest.raises(UserError, match=r"unknown adapter 'lorra'; did you mean 'lora'\?"):
            call(blank, adapter="lorra")
    with pytest.raises(UserError, match=r"unknown adapter 'lora'; none was added to this model"):
        plain.generate("abc", adapter="lora")
    assert model.module.state_dict().keys() == plain.module.state_dict().keys()


def test_conversations_of_different_adapters_share_no_prefix(directories: Any) -> None:
    base, adapters = directories("chatglm2")
    model = with_all(base, adapters)
    model.scheduler.prefix_cache.max_rows = 4
    said = [{"role": "user", "content": "What is the same to all? " * 4}, {"role": "assistant", "content": "No " * 30}]
    for name in (None, "lora", "ptuning"):
        for known in (False, True):
            answer = model.stream_chat([*said, {"role": "user", "content": "Go on."}], max_new_tokens=3, adapter=name)
            "".join(answer)
            assert (answer.cached_tokens > 0) == known


def test_a_pass_without_adapters_is_the_model_itself() -> None:
    """So it goes through all that makes it fast; a token without an adapter beside others keeps every bit."""
    layer = torch.nn.Linear(5, 3).eval()
    model = torch.nn.ModuleDict({"inner": torch.nn.ModuleDict({"linear": layer})})
    low = LowRank(torch.randn(2, 5), torch.randn(3, 2), 0.5)
    one, prefix = Adapter({"inner.linear": low}), Adapter(prefix=torch.zeros(1, 2, 1, 1, 4, 1))
    here = torch.device("cpu")
    assert with_adapters(model, [(None, 3), (prefix, 2)], here) is model
    adapted = with_adapters(model, [(None, 2), (one, 2), (None, 1), (one, 1)], here)
    assert model["inner"]["linear"] is layer
    with torch.no_grad():
        x = torch.randn(1, 6, 5)
        before, after = layer(x), adapted["inner"]["linear"](x)
        assert isinstance(adapted["inner"]["linear"], AdaptedLayer)
        torch.testing.assert_close(after[:, [2, 3, 5]], (before + x @ low.a.T @ low.b.T * 0.5)[:, [2, 3, 5]])
    assert torch.equal(after[:, [0, 1, 4]], before[:, [0, 1, 4]])


def test_products_apart_are_those_of_each_row_alone() -> None:
    """To the last bit; those of several rows at once are summed in another order."""
    generator = torch.Generator().manual_seed(0)
    low = LowRank(*(torch.randn(shape, generator=generator) for shape in ((8, 3000), (2000, 8))), 0.5)
    adapter, x = Adapter({"0": low}), torch.randn(9, 3000, generator=generator)
    model = torch.nn.Sequential(_Zero())
    with torch.no_grad():
        together = with_adapters(model, [(adapter, 4), (adapter, 5)], torch.device("cpu"), apart=True)(x)
        alone = with_adapters(model, [(adapter, 1)], torch.device("cpu"))
        assert torch.equal(together, torch.cat([alone(row) for row in x[:, None]]))


class _Zero(torch.nn.Module):
    """A layer whose own sums are the same for any number of rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(*x.shape[:-1], 2000)


def test_what_is_refused_is_refused_as_over_the_whole_model(directories: Any, tmp_path: Path) -> None:
    base, adapters = directories("chatglm2")
    other = tmp_path / "other"
    tiny("chatglm2", seed=1).save(other)
    bad = {"nowhere": tmp_path / "none", "model": other, "family": directories("glm")[1]["lora"]}
    for name in ("cut", "strange", "loftq", "rank"):
        bad[name] = tmp_path / name
        shutil.copytree(adapters["patterns" if name == "rank" else "lora"], bad[name])
    weights = bad["cut"] / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    tensors = load_file(bad["strange"] / "adapter_model.safetensors")
    save_file(dict([*tensors.items()][1:]), bad["strange"] / "adapter_model.safetensors")
    for name, keys in {"loftq": {"init_lora_weights": "loftq"}, "rank": {"rank_pattern": {"mlp.up": 3}}}.items():
        file = bad[name] / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | keys))
    model = glmkit.load(base)
    before = copy.deepcopy(model.module.state_dict())
    asked = [parameter.requires_grad for parameter in model.module.parameters()]
    for path in bad.values():
        with pytest.raises(UserError) as whole:
            glmkit.load(base, adapter=path)
        with pytest.raises(type(whole.value)) as beside:
            model.add_adapter("a", path)
        assert str(beside.value) == str(whole.value)
    assert isinstance(whole.value, CorruptFile)
    with pytest.raises(UserError, match="was trained on other weights"):
        glmkit.load(other).add_adapter("a", adapters["lora"])
    assert not model.adapters
    model.add_adapter("a", adapters["dora"])
    assert [parameter.requires_grad for parameter in model.module.parameters()] == asked
    for name, tensor in model.module.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(
    ("key", "how"),
    [
        ("init_lora_weights", {"init_lora_weights": "pissa"}),
        ("bias", {"bias": "all"}),
        ("modules_to_save", {"modules_to_save": ["norm"]}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_changes_the_model_as_a_whole_is_not_for_some(
    key: str, how: dict[str, Any], directories: Any, tmp_path: Path
) -> None:
    base, _ = directories("chatglm2")
    path = _of_peft(base, tmp_path / "adapter", {"target_modules": ["qkv"], **how})
    model = glmkit.load(base)
    before = copy.deepcopy(model.module.state_dict())
    with pytest.raises(UserError, match=rf"{key} of adapter_config.json changes the model as a whole.*adapter='/"):
        model.add_adapter("a", path)
    for name, tensor in model.module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_names(directories: Any) -> None:
    base, adapters = directories("chatglm2")
    model = with_all(base, adapters)
    with pytest.raises(UserError, match=r"has an adapter 'lora' already; remove_adapter\('lora'\) first"):
        model.add_adapter("lora", adapters["dora"])
    with pytest.raises(UserError, match="must not be empty"):
        model.add_adapter("", adapters["dora"])
    with pytest.raises(UserError, match="name must be text, got 3"):
        model.add_adapter(3, adapters["dora"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"unknown adapter 'ptunin'; did you mean 'ptuning'\?"):
        model.remove_adapter("ptunin")
    for name in ("lora", "ptuning"):
        with pytest.raises(UserError, match="is applied to this model as a whole; load the model without it"):
            glmkit.load(base, adapter=adapters[name]).add_adapter("b", adapters["dora"])


@pytest.mark.parametrize("name", ["lora", "ptuning"])
def test_memory_comes_back_when_an_adapter_is_removed(name: str, directories: Any) -> None:
    base, adapters = directories("chatglm2")
    model = with_all(base, {name: adapters[name]})
    alone = glmkit.load(base, adapter=adapters[name]).generate("abc", 9)
    answer = model.stream_chat([{"role": "user", "content": "Ab?"}], max_new_tokens=5, adapter=name)
    "".join(answer)
    assert model.scheduler.stats.cache_bytes_used > 0
    gone = weakref.ref(model.adapters[name])
    pieces = model.stream("abc", 9, adapter=name)
    begun = next(pieces)
    model.remove_adapter(name)
    with pytest.raises(UserError, match="unknown adapter"):
        model.generate("abc", 9, adapter=name)
    assert begun + "".join(pieces) == alone  # to its end
    del pieces
    gc.collect()
    assert gone() is None
    assert model.scheduler.stats.cache_bytes_used == 0
    model.add_adapter(name, adapters[name])
    assert model.generate("abc", 9, adapter=name) == alone


def test_a_model_moves_and_is_copied_with_its_adapters(directories: Any) -> None:
    base, adapters = directories("chatglm2")
    model = with_all(base, {name: adapters[name] for name in ("lora", "ptuning")})
    before = [model.generate("abc", 9, adapter=name) for name in model.adapters]
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), model.to("cpu", torch.float64).float()):
        assert [other.generate("abc", 9, adapter=name) for name in other.adapters] == before
    other = copy.copy(model)
    other.remove_adapter("lora")
    assert "lora" in model.adapters
    model.quantize(4)
    alone = glmkit.load(base, quantize="int4", adapter=adapters["lora"])
    assert model.generate("abc", 9, adapter="lora") == alone.generate("abc", 9)


def test_a_prefix_counts_as_memory(directories: Any) -> None:
    base, adapters = directories("chatglm2")
    model = with_all(base, {"ptuning": adapters["ptuning"]})
    config = config_of(model)
    row = model.module.new_cache(1, 256).nbytes // 256
    room = Scheduler(model.module, cache_bytes=row * 1000).budget
    scheduler = Scheduler(model.module, cache_bytes=room.limit, adapters=model.adapters)
    groups = [
        scheduler.add(Request(config=config, prompt=[1], strategy=Greedy(), adapter=a)) for a in (None, "ptuning")
    ]
    plain, prefixed = (room.most(active) for active in scheduler.waiting)
    assert groups[0].adapter is None
    assert prefixed >= plain + 5 * row
