"""What is written, filled and scored over HTTP is what the model gives in Python."""

import json
import math
from typing import Any

import pytest
import torch

from glmkit.serve.models import Models

from .conftest import Served

FAMILIES = ("chatglm3", "chatglm2", "chatglm", "glm", "neoglm")


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_is_that_of_generate(server: Served, models: Models, name: str, stream: bool) -> None:
    expected = models.models[name].model.generate("Once upon a time", 12)
    fields = {"model": name, "prompt": "Once upon a time", "max_tokens": 12, "temperature": 0, "stream": stream}
    reply = server.post("/v1/completions", fields)
    if stream:
        assert "".join(event["choices"][0]["text"] for event in reply.events) == expected
    else:
        assert reply.json["choices"][0]["text"] == expected


@pytest.mark.parametrize("name", ["chatglm3", "chatglm2", "chatglm"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_is_that_of_chat(server: Served, models: Models, name: str, stream: bool) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello, who are you?"},
        {"role": "assistant", "content": "I am."},
        {"role": "user", "content": "好"},
    ]
    expected = models.models[name].model.chat(messages, max_new_tokens=16, temperature=0)
    reply = server.chat(model=name, messages=messages, max_tokens=16, temperature=0, stream=stream)
    if stream:
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in reply.events)
    else:
        text = reply.json["choices"][0]["message"]["content"]
    assert text == (expected if isinstance(expected, str) else text)


def test_sampling_is_that_of_python(server: Served, models: Models) -> None:
    how = {"temperature": 0.9, "top_p": 0.7, "top_k": 40, "min_p": 0.01, "seed": 11, "repetition_penalty": 1.2}
    how |= {"presence_penalty": 0.5, "frequency_penalty": 0.25}
    expected = models.models["chatglm2"].model.generate("hello", 16, logit_bias={65: 1.5}, **how)
    fields = {"model": "chatglm2", "prompt": "hello", "max_tokens": 16, "logit_bias": {"65": 1.5}, **how}
    assert server.post("/v1/completions", fields).json["choices"][0]["text"] == expected


# Completions


def reference(models: Models, name: str, ids: list[int]) -> torch.Tensor:
    """log p [T - 1, V] behind each of `ids` but the last, by the model alone."""
    return models.models[name].model.logits([ids])[0, :-1].log_softmax(-1)


@pytest.mark.parametrize("form", ["text", "ids", "framed ids"])
def test_echo_gives_one_entry_a_token_and_the_models_numbers(server: Served, models: Models, form: str) -> None:
    served = models.models["chatglm2"]
    tokenizer, frame = served.model.tokenizer, served.model.prompt_format
    texts = ["the cat sat", "中"]
    ids = [tokenizer.encode(text) for text in texts]
    prompts = {"text": texts, "ids": ids, "framed ids": [frame.continuation(one) for one in ids]}[form]
    fields = {"model": "chatglm2", "prompt": prompts, "max_tokens": 1, "logprobs": 1, "temperature": 0, "seed": 1234}
    reply = server.post("/v1/completions", fields | {"echo": True}).json
    framed = len(frame.begin) if form == "framed ids" else 0
    for choice, prompt in zip(sorted(reply["choices"], key=lambda one: one["index"]), ids, strict=True):
        logprobs = choice["logprobs"]
        assert {len(column) for column in logprobs.values()} == {framed + len(prompt) + 1}
        assert logprobs["token_logprobs"][: framed + (framed == 0)] == [None] * (framed + (framed == 0))
        expected = reference(models, "chatglm2", frame.continuation(prompt))[1:]  # behind sop, ...
        for place in range(1, len(prompt)):
            value, top = (logprobs[key][framed + place] for key in ("token_logprobs", "top_logprobs"))
            assert value == pytest.approx(float(expected[place, prompt[place]]), abs=1e-4)
            assert max(top.values()) == pytest.approx(float(expected[place].max()), abs=1e-4)
            assert (value == max(top.values())) == (int(expected[place].argmax()) == prompt[place])
        if form != "framed ids":
            assert choice["text"].startswith(tokenizer.decode(prompt))
            assert logprobs["text_offset"][0] == 0
    greedy = reply["choices"][0]["logprobs"]
    assert greedy["token_logprobs"][-1] == max(greedy["top_logprobs"][-1].values())


def test_echo_of_a_model_that_reads_both_ways(server: Served, models: Models) -> None:
    for name in ("glm", "chatglm", "neoglm"):
        fields = {"model": name, "prompt": "the cat", "max_tokens": 0, "logprobs": 2, "echo": True}
        choice = server.post("/v1/completions", fields).json["choices"][0]
        assert (choice["text"], choice["finish_reason"]) == ("the cat", "length")
        values = choice["logprobs"]["token_logprobs"]
        assert values[0] is None
        assert all(value < 0 for value in values[1:])
        heat = server.post("/logprobs", {"model": name, "text": "the cat"}).json["tokens"]
        assert [token["logprob"] for token in heat] == values


def test_offsets_count_characters(server: Served) -> None:
    fields = {"model": "chatglm2", "prompt": "中a", "max_tokens": 0, "logprobs": 0, "echo": True}
    logprobs = server.post("/v1/completions", fields).json["choices"][0]["logprobs"]
    assert logprobs["text_offset"] == [0, 0, 0, 1]
    assert logprobs["tokens"] == ["bytes:\\xe4", "bytes:\\xb8", "bytes:\\xad", "a"]


def test_the_best_of_several(server: Served) -> None:
    fields = {"model": "chatglm2", "prompt": "x", "max_tokens": 5, "seed": 3, "logprobs": 0, "temperature": 1}
    all_of_them = server.post("/v1/completions", fields | {"n": 4}).json["choices"]

    def mean(choice: Any) -> float:
        values = choice["logprobs"]["token_logprobs"]
        return sum(values) / len(values)

    (best,) = server.post("/v1/completions", fields | {"best_of": 4}).json["choices"]
    assert best["text"] == max(all_of_them, key=mean)["text"]
    assert server.post("/v1/completions", fields | {"best_of": 4, "stream": True}).error["param"] == "best_of"
    assert server.post("/v1/completions", fields | {"n": 3, "best_of": 2}).error["param"] == "best_of"


def test_prompts_that_are_none(server: Served) -> None:
    for prompt in ([], [[]], ["x", 1], [1, "x"], [[1], "x"], {"a": 1}, 3):
        reply = server.post("/v1/completions", {"model": "chatglm2", "prompt": prompt})
        assert (reply.status, reply.error["param"].startswith("prompt")) == (400, True), prompt
    assert server.post("/v1/completions", {"model": "chatglm2"}).error["code"] == "missing_required_parameter"
    assert server.post("/v1/completions", {"model": "chatglm2", "prompt": "", "max_tokens": 2}).status == 200
    assert server.post("/v1/completions", {"model": "chatglm2", "prompt": "", "max_tokens": 0}).status == 400


# Blanks

TEXT = "She ate [MASK] for [MASK]."
BLANKS = "She ate ____ for ____."


def test_an_infilling_is_that_of_infill(server: Served, models: Models) -> None:
    for name in ("glm", "chatglm", "neoglm"):
        expected = models.models[name].model.infill(TEXT, max_tokens=5)
        reply = server.post("/infill", {"model": name, "text": BLANKS, "max_tokens": 5}).json
        (filling,) = reply["fillings"]
        assert filling["text"] == expected.text
        ended = [blank["finish_reason"] == "length" for blank in filling["blanks"]]
        assert ended == [reason == "length" for reason in expected.finish_reason]
        assert filling["logprob"] == pytest.approx(expected.logprob, abs=1e-4)
        completion = {"model": name, "prompt": TEXT, "max_tokens": 5, "temperature": 0}
        (choice,) = server.post("/v1/completions", completion | {"echo": True}).json["choices"]
        assert (choice["text"], len(choice["blanks"])) == (expected.text, 2)


def test_a_suffix_is_infilling(server: Served, models: Models) -> None:
    expected = models.models["glm"].model.infill("She ate [MASK] for lunch.", max_tokens=5)
    fields = {"model": "glm", "prompt": "She ate ", "suffix": " for lunch.", "max_tokens": 5, "temperature": 0}
    (choice,) = server.post("/v1/completions", fields).json["choices"]
    assert f"She ate {choice['text']} for lunch." == expected.text
    events = server.post("/v1/completions", fields | {"stream": True}).events
    assert "".join(event["choices"][0]["text"] for event in events) == choice["text"]
    refused = server.post("/v1/completions", fields | {"model": "chatglm2"})
    assert (refused.status, refused.error["param"]) == (400, "suffix")


def test_alternatives_come_best_first_and_beams_are_those_of_python(server: Served, models: Models) -> None:
    from glmkit import Beam

    fields = {"model": "glm", "text": BLANKS, "max_tokens": 4}
    drawn = server.post("/infill", fields | {"n": 5, "seed": 1}).json["fillings"]
    logprobs = [filling["logprob"] for filling in drawn]
    assert (len(drawn), logprobs) == (5, sorted(logprobs, reverse=True))
    expected = models.models["glm"].model.infill(TEXT, Beam(beams=4), max_tokens=4, alternatives=3)
    found = server.post("/infill", fields | {"n": 3, "beams": 4}).json["fillings"]
    assert [filling["text"] for filling in found] == [one.text for one in expected.alternatives]
    assert server.post("/infill", fields | {"n": 5, "beams": 4}).error["param"] == "n"


def test_blanks_have_lengths_of_their_own(server: Served) -> None:
    segments = [
        {"text": "She "},
        {"blank": {"id": "verb", "max_tokens": 2}},
        {"text": " it "},
        {"blank": {"max_tokens": 6, "min_tokens": 6}},
        {"text": "."},
    ]
    for fields in ({}, {"temperature": 1, "seed": 4, "n": 3}):
        for filling in server.post("/infill", {"model": "glm", "segments": segments, **fields}).json["fillings"]:
            assert [blank["id"] for blank in filling["blanks"]] == ["verb", "1"]
            assert 1 <= len(filling["blanks"][0]["tokens"]) <= 2
            assert len(filling["blanks"][1]["tokens"]) == 6


def test_a_stream_of_fillings_ends_with_the_whole(server: Served) -> None:
    fields = {"model": "glm", "text": BLANKS, "n": 2, "seed": 2, "max_tokens": 4, "top_logprobs": 2}
    whole = server.post("/infill", fields).json
    *chunks, last = server.post("/infill", fields | {"stream": True}).events
    assert last["fillings"] == whole["fillings"]
    for filling in range(2):
        for blank in range(2):
            own = [chunk for chunk in chunks if (chunk["filling"], chunk["blank"]) == (filling, blank)]
            text = "".join(chunk["delta"] for chunk in own)
            assert text in [one["blanks"][blank]["text"] for one in whole["fillings"]]
            assert [chunk["finish_reason"] for chunk in own][:-1] == [None] * (len(own) - 1)
            assert own[-1]["finish_reason"] in ("end", "length")


def test_candidates_are_scored_in_their_blank(server: Served, models: Models) -> None:
    segments = [{"text": "She ate "}, {"blank": {"candidates": ["lunch", "a stone"]}}, {"text": "."}]
    reply = server.post("/infill", {"model": "glm", "segments": segments, "max_tokens": 2}).json
    (candidates,) = reply["candidates"]
    expected = models.models["glm"].model.score("She ate [MASK].", ["lunch", "a stone"])
    scores = candidates["scores"]
    assert [one["logprob"] for one in scores] == pytest.approx(expected, abs=1e-4)
    assert sum(one["share"] for one in scores) == pytest.approx(1)
    assert math.log(scores[0]["share"] / scores[1]["share"]) == pytest.approx(expected[0] - expected[1], abs=1e-3)
    alone = server.post("/score", {"model": "glm", "text": "She ate ____.", "choices": ["lunch", "a stone"]}).json
    assert [one["logprob"] for one in alone["scores"]] == pytest.approx(expected, abs=1e-4)


def test_scores_behind_a_context(server: Served, models: Models) -> None:
    for ended in (True, False):
        expected = models.models["chatglm2"].model.score("She ate", [" lunch", " it"], ended=ended)
        fields = {"model": "chatglm2", "context": "She ate", "choices": [" lunch", " it"], "ended": ended}
        reply = server.post("/score", fields).json
        assert [one["logprob"] for one in reply["scores"]] == pytest.approx(expected)
    assert server.post("/score", {"model": "glm", "context": "She", "choices": ["a"]}).status == 400
    assert server.post("/score", {"model": "glm", "text": BLANKS, "choices": ["a"]}).status == 400
    assert server.post("/score", {"model": "glm", "text": "____", "choices": []}).status == 400


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"text": "no blank"}, "segments"),
        ({}, "text"),
        ({"text": "_" * 3, "segments": []}, "text"),
        ({"text": " ____" * 65}, "segments"),
        ({"text": "a", "marker": ""}, "marker"),
        ({"segments": [{"text": "a", "blank": {}}]}, "segments[0]"),
        ({"segments": [{"text": 3}]}, "segments[0].text"),
        ({"segments": ["a"]}, "segments[0]"),
        ({"segments": [{"blank": {"max_tokens": 0}}]}, "segments[0].blank.max_tokens"),
        ({"segments": [{"blank": {"max_tokens": 2, "min_tokens": 3}}]}, "segments[0].blank"),
        ({"segments": [{"blank": {"candidates": []}}]}, "segments[0].blank.candidates"),
        ({"segments": [{"blank": {"candidates": ["a"] * 65}}]}, "segments[0].blank.candidates"),
        ({"text": "____", "n": 21}, "n"),
        ({"text": "____", "beams": 33}, "beams"),
        ({"text": "x" * 600 + "____"}, None),
        ({"text": "____", "stop": ["x"]}, None),
    ],
)
def test_infillings_that_cannot_be(server: Served, fields: dict[str, Any], param: str | None) -> None:
    reply = server.post("/infill", {"model": "glm"} | fields)
    if "stop" in fields:
        assert reply.headers["x-ignored-fields"] == "stop"
        return
    assert (reply.status, reply.error["param"]) == (400, param), reply.body


def test_other_markers(server: Served) -> None:
    fields = {"model": "glm", "text": "She <?> it ____ here", "marker": "<?>", "max_tokens": 3}
    (filling,) = server.post("/infill", fields).json["fillings"]
    assert len(filling["blanks"]) == 1
    assert "____" in filling["text"]


# Looking inside


def test_a_heat_map_of_a_conversation(server: Served, models: Models) -> None:
    messages = [{"role": "user", "content": "hello"}]
    tokens = server.post("/logprobs", {"model": "chatglm3", "messages": messages, "top_logprobs": 2}).json["tokens"]
    ids = server.post("/tokenize", {"model": "chatglm3", "messages": messages}).json["tokens"]
    assert [token["id"] for token in tokens] == ids
    expected = reference(models, "chatglm3", ids)
    assert [token["logprob"] for token in tokens[:2]] == [None, None]
    for place in range(2, len(ids)):
        assert tokens[place]["logprob"] == pytest.approx(float(expected[place - 1, ids[place]]), abs=1e-4)
        assert len(tokens[place]["top_logprobs"]) == 2


def test_a_layout_is_what_the_engine_reads(server: Served, models: Models) -> None:
    from glmkit.infill.layout import answer_layout

    model = models.models["glm"].model
    reply = server.post("/layout", {"model": "glm", "text": "She ate ____.", "fillings": ["lunch"]}).json
    import numpy as np

    prompt = model.prompt_format.fill(model.tokenizer.encode_marked("She ate [MASK]."))
    blank = prompt.index(model.tokenizer.special.mask)
    special = model.tokenizer.special
    answer = [*model.tokenizer.encode(" lunch"), special.eop]
    layout = answer_layout(np.array(prompt), blank, answer, special.sop)
    assert [token["id"] for token in reply["tokens"]] == layout.tokens.tolist()
    assert reply["positions"] == model.position_scheme.positions(layout).tolist()
    assert (reply["context"], reply["mask_rule"]) == (layout.context, "prefix")
    assert [target["id"] for target in reply["targets"][layout.context :]] == answer
    causal = server.post("/layout", {"model": "chatglm2", "text": "ab"}).json
    assert (causal["mask_rule"], causal["context"], causal["positions"]) == ("causal", 0, [[0, 1, 2, 3]])


def test_ids_and_texts(server: Served, models: Models) -> None:
    for name in FAMILIES:
        tokenizer, bare = models.models[name].model.tokenizer, {"model": name, "add_special_tokens": False}
        ids = server.post("/tokenize", bare | {"prompt": "héllo 中"}).json["tokens"]
        assert ids == tokenizer.encode("héllo 中")
        assert server.post("/detokenize", {"model": name, "tokens": ids}).json["prompt"] == "héllo 中"
        info = server.get(f"/tokenizer_info?model={name}").json
        (eos,) = server.post("/tokenize", bare | {"prompt": info["eos_token"]}).json["tokens"]
        assert eos == tokenizer.special.eod
    strings = server.post("/tokenize", {"model": "glm", "prompt": "a中", "return_token_strs": True}).json["token_strs"]
    assert strings[1:5] == ["a", "bytes:\\xe4", "bytes:\\xb8", "bytes:\\xad"]


def test_metrics_and_load(server: Served) -> None:
    server.chat(model="chatglm3", max_tokens=3, ignore_eos=True)
    page = server.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    text = page.body.decode()
    for name in (
        *("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "prefix_cache_queries_total"),
        *("prompt_tokens_total", "generation_tokens_total", "time_to_first_token_seconds_bucket"),
        *("inter_token_latency_seconds_count", "e2e_request_latency_seconds_sum", "iteration_tokens_total_bucket"),
    ):
        assert f'glmkit:{name}{{model_name="chatglm3"' in text or f'glmkit:{name}{{le="' in text, name
    assert 'glmkit:request_success_total{finished_reason="length",model_name="chatglm3"}' in text
    load = server.get("/load").json
    assert (load["running"], load["waiting"], load["loading"]) == (0, 0, None)
    info = server.get("/info").json
    assert {model["id"]: model["fills_blanks"] for model in info["models"]} == {
        "chatglm3": False,
        "chatglm2": False,
        "chatglm": True,
        "glm": True,
        "neoglm": True,
    }
    assert json.loads(server.get("/version").body).keys() == {"version"}
