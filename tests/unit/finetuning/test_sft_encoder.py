"""Rows written out: what is read is what infill and chat read; what is learned is the target and its end."""

from pathlib import Path

import numpy as np
import pytest

from glmkit.core.errors import UserError
from glmkit.finetuning.config import DataConfig
from glmkit.finetuning.conversations import Conversation, SourceTarget, read_source_targets
from glmkit.finetuning.decode import decode
from glmkit.finetuning.forms import form
from glmkit.finetuning.sft_encoder import SFTEncoder
from glmkit.tasks.score import ScoringModel
from glmkit.testing import shared_path, tiny


def scribe(name: str, kind: str = "plain", length: int = 64, target_length: int = 16) -> SFTEncoder:
    model = tiny(name)
    scorer = ScoringModel(
        model=model.module,
        position_scheme=model.position_scheme,
        prompt=model.prompt_format,
        tokenizer=model.tokenizer,
        max_length=model.config.max_positions,
    )
    return SFTEncoder(scorer=scorer, form=form(kind), length=length, target_length=target_length)


def pair(source: str, *targets: str, **fields: str) -> SourceTarget:
    return SourceTarget(where="here", source=source, targets=targets, fields=fields)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("plain", "a b[sMASK]"),
        ("summary", "[sMASK] Content: a b"),
        ("question", "a b Question: [sMASK] Answer: x"),
        ("answer", "q? [MASK]. a b"),
        ("cmrc", "问题：q?答案：[MASK]a b"),
    ],
)
def test_a_glm_reads_what_infill_reads(kind: str, text: str) -> None:
    row = pair("a b", "t", question="q?", answer="x")
    built = scribe("glm", kind)
    assert built.prompt(row) == tiny("glm")._blanked(text, "text")
    (example,) = built.source_target(row).examples
    scored = example.targets[example.weights > 0].tolist()
    assert scored == [*built.scorer.tokenizer.encode("t"), built.scorer.special.eop]
    assert example.context == len(built.prompt(row))
    assert example.tokens[: example.context].tolist() == built.prompt(row)


def test_text_that_looks_like_a_mask_is_text() -> None:
    built = scribe("glm")
    ids = built.prompt(pair("see [MASK]", "t"))
    assert [id for id in ids if id in built.scorer.special.masks] == [built.scorer.special.smask]


def test_several_blanks_are_filled_in_order() -> None:
    built = scribe("glm", "fill")
    (example,) = built.source_target(pair("a [MASK] b [MASK]", "x", "yz")).examples
    decode = built.scorer.tokenizer.decode
    assert decode(example.targets[example.weights > 0].tolist()) == "x<eop>yz<eop>"
    with pytest.raises(UserError, match="2 blanks and 1 targets"):
        built.source_target(pair("a [MASK] b [MASK]", "x"))


def test_a_long_source_keeps_what_the_form_wants() -> None:
    source = "".join(f"{n:02d}" for n in range(30)) + "XX" + "".join(f"{n:02d}" for n in range(31, 60))
    for kind, kept in (("plain", source[-30:]), ("summary", source[:30]), ("answer", "29XX31")):
        built = scribe("glm", kind)
        row = pair(source, "XX", question="q")
        written = built.source_target(row)
        text = built.scorer.tokenizer.decode(built.prompt(row))
        assert kept in text
        assert written.cut > 0
        assert len(written.examples[0]) <= 64


def test_an_oldest_round_is_left_out_and_an_end_is_cut() -> None:
    built = scribe("chatglm2")
    old = [{"role": "user", "content": "x" * 40}, {"role": "assistant", "content": "y" * 10}]
    new = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    written = built.conversation(Conversation(where="here", messages=(*old, *new)))
    assert written.cut > 0
    (example,) = written.examples
    assert example.targets[example.weights > 0].tolist()[0] == built.scorer.tokenizer.encode("a")[0]
    assert built.conversation(Conversation(where="here", messages=tuple(old))).examples == []


@pytest.mark.parametrize("name", ["glm", "neoglm", "chatglm", "chatglm2", "chatglm3"])
def test_rows_are_decoded_together_as_alone(name: str) -> None:
    built = scribe(name)
    rows = [pair("a", "t"), pair("a longer source", "t"), pair("b", "t")]
    together = [item.written for item in decode(built, rows, max_tokens=5)]
    assert together == [next(decode(built, [row], max_tokens=5)).written for row in rows]


def test_a_context_too_long_is_read_in_windows_that_cover_it() -> None:
    built = scribe("glm", "answer")
    source = "".join(chr(65 + n % 26) for n in range(150))
    windows = built.windows(pair(source, "t", question="q"))
    assert len(windows) > 2
    covered = np.zeros(len(source), dtype=bool)
    for window in windows:
        begin = source.find(window.source)
        covered[begin : begin + len(window.source)] = True
    assert windows[-1].source.endswith(source[-1])
    assert len(list(decode(built, [pair(source, "t", question="q")], max_tokens=3))) == 1


def test_questions_of_cmrc_are_pairs() -> None:
    path = shared_path("data", "lm_eval", "cmrc2018_dev.json")
    if path is None:
        pytest.skip("the shared data are not here")
    rows = read_source_targets(Path(path), DataConfig())
    assert len(rows) == 3219
    assert rows[0].targets[0] in rows[0].source
    assert rows[0].fields["question"].endswith("？")
