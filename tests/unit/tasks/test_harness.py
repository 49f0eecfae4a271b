"""A model in lm-evaluation-harness, by its real API; skipped where lm-eval is not installed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from glmkit.api import Model
from glmkit.core.errors import MissingExtra
from glmkit.families.glm import GLM_FAMILY
from glmkit.models.glm import GLM
from glmkit.tasks.harness import as_lm, continuations, until, whole
from glmkit.tasks.language import perplexity
from glmkit.tasks.score import ScoringModel
from glmkit.text.tokenizer import Tokenizer


@pytest.fixture
def model(tiny_glm: GLM, tokenizer: Tokenizer) -> Model:
    return Model(GLM_FAMILY, tiny_glm.config, tiny_glm, tokenizer)


@pytest.fixture
def scorer(model: Model) -> ScoringModel:
    return replace(model.scorer, max_length=256)


def test_continuations_are_scored_as_fillings(model: Model, scorer: ScoringModel) -> None:
    """Those of one context together, in the order asked; the space before the blank goes to the continuation."""
    pairs = [("ba de", " ki"), ("mu na ", "lo"), ("ba de", " lo mu")]
    result = continuations(scorer, pairs, both_ways=True)
    for pair, (value, _) in zip(pairs, result, strict=True):
        assert continuations(scorer, [pair], both_ways=True)[0][0] == pytest.approx(value, abs=1e-4)
    context = [scorer.special.cls, *scorer.tokenizer.encode("mu na"), scorer.special.gmask]
    requests = scorer.continuing(scorer.tokenizer.encode("mu na"), [scorer.tokenizer.encode(" lo")], both_ways=True)
    assert list(requests.context) == context
    (scores,) = scorer.answers([[requests]])
    assert result[1][0] == pytest.approx(float(scores.totals()[0]), abs=1e-4)
    assert continuations(scorer, [("", "ba de")], both_ways=False)[0][0] < 0


def test_a_whole_text_is_its_tokens_one_by_one(scorer: ScoringModel) -> None:
    text = "ba de ki lo."
    first = continuations(scorer, [("", scorer.tokenizer.decode(scorer.tokenizer.encode(text)[:1]))], both_ways=False)
    rest = perplexity(scorer, [text], left_to_right=True)
    assert whole(scorer, text) < first[0][0]
    assert rest.tokens == len(scorer.tokenizer.encode(text)) - 1
    assert whole(scorer, "") == 0


def test_writing_stops_before_a_stop_string(model: Model) -> None:
    written = model.generate("ba de", 12)
    assert (
        until(model, [("ba de", {"until": [written[3:5]], "max_gen_toks": 12})], 99)[0]
        == written[: written.find(written[3:5])]
    )
    assert until(model, [("ba de", {"until": "\0", "max_gen_toks": 12})], 99) == [written]


@pytest.mark.slow  # importing the harness takes seconds
def test_it_runs_tasks_of_every_kind(model: Model, tmp_path: Path) -> None:
    lm_eval = pytest.importorskip("lm_eval", reason="lm-eval is not installed: pip install glmkit[eval]")
    rows = [{"text": "ba de", "choices": [" ki", " lo mu"], "label": n % 2, "answer": "ki"} for n in range(4)]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    kinds = {
        "choices": ("multiple_choice", "doc_to_choice: choices\ndoc_to_target: label", "acc"),
        "rolling": ("loglikelihood_rolling", "doc_to_target: '{{text}}'", "word_perplexity"),
        "writing": (
            "generate_until",
            "doc_to_target: answer\ngeneration_kwargs: {until: ['.'], max_gen_toks: 4}",
            "exact_match",
        ),
    }
    for name, (kind, more, metric) in kinds.items():
        context = "''" if kind == "loglikelihood_rolling" else "text"
        (tmp_path / f"{name}.yaml").write_text(
            f"task: tiny_{name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\n"
            f"test_split: test\noutput_type: {kind}\n"
            f"doc_to_text: {context}\n{more}\nmetric_list:\n  - metric: {metric}\n"
        )
    result = lm_eval.simple_evaluate(
        model=as_lm(model),
        tasks=[f"tiny_{name}" for name in kinds],
        task_manager=lm_eval.tasks.TaskManager(include_path=str(tmp_path), include_defaults=False),
        bootstrap_iters=0,
    )
    values = {
        name: next(iter(v for k, v in item.items() if "," in k and "stderr" not in k))
        for name, item in result["results"].items()
    }
    assert 0 <= values["tiny_choices"] <= 1
    assert values["tiny_rolling"] > 1
    assert values["tiny_writing"] in (0, 1)


def test_without_lm_eval_the_extra_is_named(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lm_eval.api.model", None)
    with pytest.raises(MissingExtra, match=r'pip install "glmkit\[eval\]"'):
        as_lm(model)
