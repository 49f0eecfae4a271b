"""Tasks put to a model that fills no blanks: a choice goes on from the text before it, with the text behind it."""

from pathlib import Path

import pytest

from glmkit.api.evaluation import Evaluation, uncounted
from glmkit.core.errors import UserError
from glmkit.tasks.custom import CustomTask, build
from glmkit.tasks.evaluate import check, encode
from glmkit.tasks.instance import Instance
from glmkit.tasks.registry import TASKS
from glmkit.tasks.run import Plan
from glmkit.tasks.score import score
from glmkit.testing import MODEL_TOLERANCE, shared_path, tiny

ROWS = [Instance(uid=str(n), fields={"text": text}, gold=0) for n, text in enumerate(["ba", "de ki lo", "mu"])]
WORDS = {"a": "yes", "b": "not at all"}


@pytest.mark.parametrize("name", ["chatglm2", "chatglm3"])
@pytest.mark.parametrize("pattern", ["{text} It was [MASK].", "{text}? [MASK], so {text}", "[MASK]: {text}"])
def test_a_choice_is_scored_with_what_follows_it(name: str, pattern: str) -> None:
    """As the model scores the whole text after what stands before the blank."""
    model = tiny(name)
    scorer, task = model.scorer, build(CustomTask(name="t", pattern=pattern, words=WORDS), "t")
    clozes, notes = encode(scorer, task, ROWS, 0, (), 64)
    assert notes
    for row, scores in zip(ROWS, score(scorer, clozes), strict=True):
        before, after = (part.format(**row.fields) for part in pattern.split("[MASK]"))
        space = " " if before.endswith(" ") else ""
        answers = [space + word + after for word in WORDS.values()]
        assert [len(item) for item in scores.logprobs] == [*map(len, answers)]
        alone = [model.logprob(before.rstrip(), [answer]).value for answer in answers]
        assert scores.totals().tolist() == pytest.approx(alone, abs=MODEL_TOLERANCE)


def test_shots_and_cut_rows_keep_their_begin() -> None:
    scorer = tiny("chatglm2").scorer
    task = build(CustomTask(name="t", pattern="{text} It was [MASK].", words=WORDS), "t")
    (cloze, *_), _ = encode(scorer, task, ROWS, 0, ROWS[1:2], 99)
    special, decode = scorer.special, scorer.tokenizer.decode
    (context,) = cloze.contexts
    assert context.ids[:2].tolist() == [special.gmask, special.sop]
    assert decode(context.ids[2 : context.blank].tolist()) == "de ki lo It was yes.ba It was"
    long = Instance(uid="9", fields={"text": "x" * 99}, gold=0)
    (cut,), _ = encode(scorer, task, [long], 0, (), 40)
    assert len(cut.contexts[0].ids) + len(" not at all") + 1 == 40
    assert cut.cut > 0


def test_what_the_family_cannot_do_is_said(tmp_path: Path) -> None:
    data = shared_path("data")
    if data is None:
        pytest.skip("the shared data are not here")
    scorer = tiny("chatglm2").scorer
    plan = Plan(tasks=("cmmlu", "copa", "lambada", "tnews"), data=data, limit=2)
    assert [item.rows for item in Evaluation(plan, None).run(scorer, uncounted)] == [2, 2, 2, 2, 2]
    with pytest.raises(UserError, match="task cmrc asks whether a model would write exactly"):
        Evaluation(Plan(tasks=("cmrc",), data=data, limit=2), None).run(scorer, uncounted)
    row = Instance(uid="", fields={}, choices=("Mark", "Tom"), gold=1)
    check(scorer, TASKS["wsc"], [row])  # candidates are chosen among, nothing is written
