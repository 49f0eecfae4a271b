"""Minimal pairs: each way's score is what the model says of the sentence when asked one by one, and a tie is wrong."""

import json
from pathlib import Path

import pytest
import torch

from glmkit import api
from glmkit.api.evaluation import Evaluation
from glmkit.core.errors import CorruptFile, UserError
from glmkit.tasks.blimp import WAYS, MinimalPair, blimp, is_right, read_pairs, scores, ways
from glmkit.tasks.run import Plan, table
from glmkit.testing import MODEL_TOLERANCE, shared_path, tiny

PAIRS = [
    ("Who sees Ng's dogs nap?", "Who see Ng's dogs nap?"),
    ("All cats nap.", "All cat nap."),
    ("It is so.", "It so is."),
]


def pair(good: str, bad: str) -> MinimalPair:
    return MinimalPair(uid="x-0", good=good, bad=bad, field="syntax", term="order", where="x.jsonl:1")


def uncounted(name: str, rows: int) -> object:
    return lambda count: None


def one_by_one(model: api.Model, way: str, sentence: str) -> float:
    """The score of a sentence by what anybody can call."""
    if way == "after [gMASK]":
        context = "[gMASK]" if model.prompt_format.fills_blanks else ""
        return model.score(context, [sentence], ended=False)[0]
    if way == "left to right":
        ids = [*model.prompt_format.opening, *model.tokenizer.encode(sentence)]
        logprobs = model.logits([ids]).log_softmax(-1)[0]
        return sum(float(logprobs[place, id]) for place, id in enumerate(ids[1:]))
    words = sentence.rstrip(".?").split(" ")
    end = sentence[len(sentence.rstrip(".?")) :]
    texts = [" ".join([*words[:at], "[MASK]", *words[at + 1 :]]) + end for at in range(len(words))]
    return sum(model.logprob(text, [word]).value for text, word in zip(texts, words, strict=True))


@pytest.mark.parametrize("name", ["glm", "neoglm", "chatglm", "chatglm2"])
def test_a_score_is_what_the_model_says_of_the_sentence(name: str) -> None:
    model = tiny(name)
    able = ways(model.prompt_format, "all")
    assert able == {"chatglm": [*WAYS][::2], "chatglm2": [*WAYS][:1]}.get(name, [*WAYS])
    for way in able:
        for sentences, found in zip(PAIRS, scores(model.scorer, [pair(*p) for p in PAIRS], WAYS[way]), strict=True):
            wanted = [one_by_one(model, way, sentence) for sentence in sentences]
            assert found == pytest.approx(wanted, abs=MODEL_TOLERANCE * len(sentences[0]))


def test_left_to_right_alone_is_what_a_causal_model_reads() -> None:
    """The plain log p of the text behind what begins every text."""
    model = tiny("chatglm2")
    begin, ids = model.prompt_format.opening, model.tokenizer.encode("It is so.")
    logprobs = model.logits([[*begin, *ids]]).log_softmax(-1)[0, len(begin) - 1 :]
    wanted = sum(float(logprobs[place, id]) for place, id in enumerate(ids))
    ((found, _),) = scores(model.scorer, [pair("It is so.", "So is it.")], WAYS["after [gMASK]"])
    assert found == pytest.approx(wanted, abs=10 * MODEL_TOLERANCE)


def test_a_tie_is_wrong(tmp_path: Path) -> None:
    """To a model for which all tokens are alike, sentences of one length tie: nothing is right by chance."""
    model = tiny("neoglm")
    with torch.no_grad():
        model.module.get_parameter("embedding.words.weight").zero_()
    _write(tmp_path, [{"sentence_good": "He naps.", "sentence_bad": "Naps he."}])
    for result in blimp(model.scorer, tmp_path, pattern="all", counter=uncounted):  # type: ignore[arg-type]
        assert result.metrics["accuracy"].value == 0
        assert result.log[0]["good"] == result.log[0]["bad"]


def test_the_same_sentence_twice_ties_whatever_rounding_says() -> None:
    scorer = tiny("glm").scorer
    assert is_right(scorer, pair("He naps.", "Naps he."), -1.0, -2.0)
    assert not is_right(scorer, pair("He naps.", "He naps."), -1.0, -1.0000001)
    assert not is_right(scorer, pair("He naps.", "Naps he."), -1.0, -1.0)


def _write(folder: Path, rows: list[dict[str, str]], name: str = "paradigm") -> None:
    common = {"field": "syntax", "linguistics_term": "order"}
    (folder / "blimp").mkdir(exist_ok=True)
    text = "".join(json.dumps(common | row) + "\n" for row in rows)
    (folder / "blimp" / f"{name}.jsonl").write_text(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"sentence_good": "a", ', r"x.jsonl:2: .*; every line must be one object"),
        ('{"sentence_good": "a", "field": "f", "linguistics_term": "t"}', r"x.jsonl:2: no 'sentence_bad'"),
        (
            '{"sentence_good": "a", "sentence_bad": " ", "field": "f", "linguistics_term": "t"}',
            r"x.jsonl:2: column 'sentence_bad' is empty",
        ),
        (
            '{"sentence_good": ["a"], "sentence_bad": "b", "field": "f", "linguistics_term": "t"}',
            r"x.jsonl:2: column 'sentence_good' holds .*; it must be text",
        ),
        ("[1]", r"x.jsonl:2: .* where an object is needed"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    _write(tmp_path, [{"sentence_good": "a", "sentence_bad": "b"}], "x")
    with open(tmp_path / "blimp/x.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises((UserError, CorruptFile), match=message):
        read_pairs(tmp_path)


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task blimp: no .jsonl in .*; put the benchmark's own files there"):
        read_pairs(tmp_path)
    with pytest.raises(UserError, match="task blimp has no pattern 2 for this model; it has 0"):
        ways(tiny("chatglm2").prompt_format, "2")
    _write(tmp_path, [{"sentence_good": "x" * 40, "sentence_bad": "y"}])
    with pytest.raises(UserError, match=r"paradigm.jsonl:1: a sentence has 4\d tokens, and at most 32 are read"):
        blimp(tiny("glm").scorer, tmp_path, length=32, counter=uncounted)  # type: ignore[arg-type]


def test_a_limit_takes_an_equal_share_of_every_paradigm(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 1), ("c", 3)):
        _write(tmp_path, [{"sentence_good": f"{name}{n}", "sentence_bad": "no"} for n in range(count)], name)
    assert [p.good for p in read_pairs(tmp_path, 5)] == ["a0", "b0", "c0", "a1", "c1"]
    assert len(read_pairs(tmp_path)) == 7


def test_results_by_phenomenon(tmp_path: Path) -> None:
    """As `glmkit eval` asks for them: the whole sentence in the ways the family has, blanks where they are named."""
    _write(tmp_path, [{"sentence_good": good, "sentence_bad": bad} for good, bad in PAIRS])
    _write(tmp_path, [{"sentence_good": "He naps.", "sentence_bad": "Him naps.", "linguistics_term": "case"}], "y")
    scorer = tiny("glm").scorer
    results = Evaluation(Plan(tasks=("BLiMP",), data=tmp_path), None).run(scorer, uncounted)  # type: ignore[arg-type]
    assert [item.pattern for item in results] == ["after [gMASK]", "left to right"]
    for result in results:
        by_term = [result.metrics[name].value for name in ("case", "order")]
        assert result.metrics["accuracy"].value == pytest.approx((by_term[0] + 3 * by_term[1]) / 4)
        assert result.rows == len(result.log) == 4
        assert json.dumps(table([result]))
    (result,) = Evaluation(Plan(tasks=("blimp",), data=tmp_path, pattern="2"), None).run(scorer, uncounted)  # type: ignore[arg-type]
    assert result.pattern == "through blanks"


def test_the_benchmark_itself() -> None:
    data = shared_path("data/blimp")
    if data is None:
        pytest.skip("the shared data are not here")
    pairs = read_pairs(data.parent, 134)
    assert len({pair.uid.rsplit("-", 1)[0] for pair in pairs}) == 67
    assert len({pair.term for pair in pairs}) == 13
    (result,) = blimp(tiny("chatglm2").scorer, data, limit=67, counter=uncounted)  # type: ignore[arg-type]
    assert result.rows == 67
    assert 0 <= result.metrics["accuracy"].low <= result.metrics["accuracy"].value
