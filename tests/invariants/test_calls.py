"""Every public call is answered: whatever is given for one of its arguments, the call does its work or says in one line
which argument is wrong.

Each call stands in CALLS with arguments that are right; its other arguments are found by its signature, so that a new
one cannot be forgotten, and a test sees that no call is missing.
"""

import dataclasses
import importlib
import inspect
import math
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import glmkit
from glmkit import Beam, Greedy, Model, Penalties, SamplingParams, TopP, load
from glmkit.core.errors import ExportDiffers, UserError, short
from glmkit.core.kinds import ANY, Kind
from glmkit.families.registry import family
from glmkit.finetuning.config import FinetuneConfig
from glmkit.generate.settings import SETTINGS
from glmkit.testing import tiny
from glmkit.testing.models import byte_tokenizer, randomize
from glmkit.train.config import PretrainConfig

END = {257: 1e4}  # what is written ends at once, so that no wrong length makes a test wait
JUNK: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 10**30, 2**63, 10**400, 0.0, 0.5, 1.5, -0.5, 1e-45, 1e300, math.nan, math.inf,
    -math.inf, 1j, "", "a", "abc", "a\ud83d", "a [MASK] b", "x\0y", "word " * 600, b"x", [], {}, (), set(), [1], [-1],
    [1.5], [math.nan], [None], [""], ["a", 2], ["a\ud83d"], ["a [MASK]"], [["a"]], [["a", "b"]], [[1, 2], [3]],
    [[0, 1]], [[10**30]], [[[0, 1], [0, 0]]], [(0, 1)], [(1, 0)], [(0, 99)], {"a": 1}, {"a": "b"}, {1: math.nan},
    {-1: 1.0}, {10**30: 1.0}, {1: 1.0}, [{}], [{"role": "user"}], [{"role": "user", "content": "\ud83d"}],
    [{"role": 3, "content": "a"}], object(), object, TopP, TopP(seed=1), Greedy(), Beam(beams=2), [Greedy()],
    Penalties(repetition=2.0), torch.ones(2), torch.tensor([[1, 2]]), torch.tensor([[0.5]]), torch.tensor(1),
    np.array([1.5]), np.array([[1, 2]]), np.float32("nan"), Path("nowhere"), range(3), (text for text in "ab"),
)  # fmt: skip
PARTS = st.none() | st.booleans() | st.integers(-3, 2**64) | st.floats() | st.text(max_size=3) | st.just("\ud83d")
NESTED = st.recursive(
    PARTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
)

MESSAGES = [{"role": "user", "content": "a"}]
WRITING = {"max_new_tokens": 1, "logit_bias": END}
FILLING = {"max_tokens": 2, "logit_bias": END}
CALLS: dict[str, dict[str, Any]] = {
    "generate": {"prompt": "a", **WRITING},
    "stream": {"prompt": "a", **WRITING},
    "generate_batch": {"prompts": ["a", "b"], **WRITING},
    "chat": {"messages": MESSAGES, **WRITING},
    "stream_chat": {"messages": MESSAGES, **WRITING},
    "infill": {"text": "a [MASK] b", **FILLING},
    "infill_batch": {"texts": ["a [MASK] b"], **FILLING},
    "check_blanks": {"text": "a [MASK] b"},
    "logprob": {"text": "a [MASK]", "spans": ["b"]},
    "score": {"context": "a [MASK]", "choices": ["b"]},
    "embed": {"texts": ["a"]},
    "classify": {"texts": ["a"]},
    "logits": {"token_ids": [[65, 259, 261, 66]]},
    "save": {"path": "new"},
    "with_prefix": {"path": "nowhere"},
}
FAMILIES = {
    "glm": {*CALLS} - {"chat", "stream_chat", "classify", "with_prefix"},
    "neoglm": {*CALLS} - {"chat", "stream_chat", "classify"},
    "chatglm": {*CALLS} - {"classify"},
    "chatglm2": {*CALLS} - {"infill", "infill_batch", "check_blanks"},
    "chatglm3": {*CALLS} - {"infill", "infill_batch", "check_blanks"},
}
WORDS = ("max_new_tokens", "sampling", "stop", "overflow", "adapter", *SETTINGS)  # what **how and **settings take
OFFICIAL = {"tokenizer", "query", "history"}  # of the official code's way to chat
# What official scripts call to change a model: each time it is given one of its own.
CHANGES = (
    "add_tokens",
    "eval",
    "train",
    "requires_grad_",
    "half",
    "bfloat16",
    "float",
    "cpu",
    "cuda",
    "to",
    "quantize",
)
CHANGES += ("free", "remove_adapter", "use_draft")
MODELS: dict[str, Model] = {}


def model(name: str) -> Model:
    """A tiny model, those of ChatGLM2 with a head that sorts into three classes."""
    if name in MODELS:
        return MODELS[name]
    built = tiny(name)
    if name in ("chatglm2", "chatglm3"):
        config = dataclasses.replace(built.config, num_labels=3)
        module = family("chatglm2").build(config).eval()
        randomize(module, torch.Generator().manual_seed(0))
        built = Model(built.family, config, module, byte_tokenizer(name))
    MODELS[name] = built
    return built


def parameters(call: Callable[..., Any]) -> list[str]:
    """The names a call takes, the words of sampling in place of its keywords."""
    result = inspect.signature(call).parameters
    names = [name for name, item in result.items() if item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)]
    if any(value.kind is value.VAR_KEYWORD for value in result.values()) and call is not load:
        names += [word for word in (WORDS if "how" in result else SETTINGS) if word not in names]
    return [name for name in names if name != "self" and name not in OFFICIAL]


def answer(call: Callable[..., Any], arguments: dict[str, Any], name: str, value: object) -> None:
    """Calls with `value` for the argument `name`. Whatever is refused is refused by its name, or names the value."""
    given = {**arguments, name: value}
    if name == "sampling":
        given.pop("logit_bias", None)
    said = refused(call, given, OSError if name == "path" else UserError)
    assert "\n" not in said
    named = [
        name.removesuffix("s"),
        *([repr(value)[:40], str(value)[:40] or "''"] if isinstance(value, str | Path) else ()),
    ]
    assert not said or any(item in said for item in named), f"{name}={short(value)}: {said}"


def refused(call: Callable[..., Any], given: dict[str, Any], also: type[Exception]) -> str:
    """What the call says against its arguments; nothing where it does its work."""
    try:
        result = call(**given)
        if isinstance(result, Iterator):
            list(result)
    except (UserError, ValueError, ExportDiffers, also) as error:
        return str(error) or repr(error)
    return ""


@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in FAMILIES.items() for call in sorted(calls)])
def test_every_call_names_the_argument_that_is_wrong(
    name: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    method = getattr(model(name), call)
    for argument in parameters(method):
        for value in JUNK:
            answer(method, CALLS[call], argument, value)


@pytest.mark.parametrize("call", CHANGES)
def test_every_change_names_the_argument_that_is_wrong(call: str) -> None:
    for argument in parameters(getattr(Model, call)):
        for value in JUNK:
            answer(getattr(tiny("glm"), call), {"tokens": ["<new>"]} if call == "add_tokens" else {}, argument, value)


def test_adding_an_adapter_names_the_argument_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in JUNK:
        answer(tiny("glm").add_adapter, {"name": "a"}, "path", value)
        said = refused(tiny("glm").add_adapter, {"name": value, "path": "nowhere"}, UserError)
        assert "\n" not in said
        assert "name" in said or said.startswith("nowhere: no such directory")


@settings(max_examples=400)
@given(data=st.data())
def test_every_call_is_answered_whatever_it_is_given(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FAMILIES)))
    call = data.draw(st.sampled_from(sorted(FAMILIES[name] - {"save", "with_prefix"})))
    method = getattr(model(name), call)
    argument = data.draw(st.sampled_from(parameters(method)))
    answer(method, CALLS[call], argument, data.draw(NESTED))


@pytest.mark.parametrize("made", [SamplingParams, Greedy, Penalties, Beam, tiny], ids=lambda built: built.__name__)
def test_strategies_name_the_number_that_is_wrong(made: Callable[..., Any]) -> None:
    for argument in parameters(made):
        for value in JUNK:
            answer(made, {"name": "glm"} if made is tiny else {}, argument, value)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calls") / "model"
    tiny("glm").save(path)
    return path


def test_load_names_the_argument_that_is_wrong(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for argument in [*parameters(load), "gelu", "nonsense"]:
        for value in JUNK:
            if not isinstance(value, type):  # a progress that takes no numbers is the caller's own fault
                answer(load, {"path": saved}, argument, value)


# Every verb as a function, with arguments that end it soon; a run's settings are tested as arguments of their own.
VERBS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "quantize": (["model", "new"], {"bits": 4, "calibrate": "text.txt", "scheme": "gptq"}),
    "convert": (["model", "new"], {}),
    "evaluate": (["model"], {"perplexity": "short.txt", "seq2seq": "rows.jsonl", "max_tokens": 1}),
    "pretrain": (["glm-nano"], {}),
    "finetune": (["model"], {}),
}
SETTINGS_OF = {"pretrain": PretrainConfig, "finetune": FinetuneConfig}
NOT_TO_CALL = {"observers", "say", "progress", "on_rows"}  # one that takes nothing is the caller's own fault
SLOW = {"max_tokens", "threads"}  # not to be tried with large numbers, or for the whole process


@pytest.fixture
def with_files(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(saved, tmp_path / "model")
    (tmp_path / "text.txt").write_text("A cat sat on the mat. " * 20)
    (tmp_path / "short.txt").write_text("A cat sat on the mat.")
    (tmp_path / "rows.jsonl").write_text('{"source": "a", "target": "b"}\n')
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_names_the_argument_that_is_wrong(verb: str, with_files: None) -> None:
    call = getattr(glmkit, verb)
    places, rest = VERBS[verb]
    result = inspect.signature(call).parameters
    names = [name for name, item in result.items() if item.kind is not item.VAR_KEYWORD]
    settings = [field.name for field in dataclasses.fields(SETTINGS_OF[verb])] if verb in SETTINGS_OF else []
    names += [name for name in settings if name not in names]
    for number, name in enumerate(names):
        if name in SLOW:
            continue
        for value in JUNK:
            if name in NOT_TO_CALL and callable(value):
                continue
            arguments, given = [*places], dict(rest)
            if number < len(places):
                arguments[number] = value
            else:
                given[name] = value
            said = refused(partial(call, *arguments), given, OSError)
            assert "\n" not in said
            if (wrong := kinds(verb, name).find(value)) is not None:
                assert name in said, f"{verb}({name}={short(value)}) said {said!r}, wanted {wrong.wanted}"
            if name in settings and not said.startswith("no "):  # data, output, rows: what comes after the settings
                named = name in said or str(value) in said or repr(value) in said
                assert named, f"{verb}({name}={short(value)}) said {said!r}"
            shutil.rmtree("new", ignore_errors=True)


def kinds(verb: str, name: str) -> Kind:
    """The kind of an argument, which says what its call must refuse; of a run's settings the config itself does."""
    return importlib.import_module(f"glmkit.api.{verb}")._KINDS.get(name, ANY)


def test_no_call_is_forgotten() -> None:
    public = {name for name in dir(Model) if not name.startswith("_") and inspect.isfunction(getattr(Model, name))}
    assert public == CALLS.keys() | set(CHANGES) | {"add_adapter"}
    assert set().union(*FAMILIES.values()) == CALLS.keys()
    callables = {name for name in glmkit.__all__ if callable(getattr(glmkit, name))}
    summary = {"Answer", "Generation", "Infilling", "Model", "UserError"}  # what calls give, which nobody makes
    assert callables - summary == {"load", "SamplingParams", "TopP", "Greedy", "Penalties", "Beam", *VERBS}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_what_a_family_cannot_do_it_says(name: str) -> None:
    for call in sorted(CALLS.keys() - FAMILIES[name]):
        with pytest.raises(UserError):
            getattr(model(name), call)(**CALLS[call])
