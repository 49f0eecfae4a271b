"""Metrics of written texts, against numbers worked out by hand and by the packages themselves."""

import pytest

from glmkit.core.errors import UserError
from glmkit.tasks.overlap import characters, is_chinese, overlap


def test_words_and_characters() -> None:
    assert characters("GLM-130B，是 模型。") == ["glm", "130b", "是", "模", "型"]
    assert is_chinese([["这是"], ["a"]])
    assert not is_chinese([["this is it"], ["好"]])


def test_exact_and_f1_take_the_best_right_answer() -> None:
    rights = [["The cat", "a dog"], ["blue"]]
    assert overlap(["exact", "f1"], ["cat!", "dark blue"], rights) == {
        "exact": 50.0,
        "f1": pytest.approx(100 * (1 + 2 / 3) / 2),
    }
    assert overlap(["f1"], ["北京市"], [["北京"]]) == {"f1": pytest.approx(80.0)}
    with pytest.raises(UserError, match="did you mean 'rouge'"):
        overlap(["rogue"], ["a"], [["a"]])


def test_rouge_of_words_and_of_characters() -> None:
    pytest.importorskip("rouge_score.rouge_scorer", reason="ROUGE needs rouge-score")
    english = overlap(["rouge"], ["the cat sat"], [["the cat ran"]])
    assert english["rouge1"] == pytest.approx(100 * 2 / 3)
    assert english["rouge2"] == pytest.approx(50.0)
    assert overlap(["rouge"], ["今天天气"], [["今天有雨", "今天天气好"]])["rouge1"] == pytest.approx(100 * 8 / 9)


def test_bleu_by_the_tokenizer_of_the_language() -> None:
    sacrebleu = pytest.importorskip("sacrebleu", reason="BLEU needs sacrebleu")
    written, right = ["今天的天气很好"], [["今天天气很好啊"]]
    expected = sacrebleu.corpus_bleu(written, [["今天天气很好啊"]], tokenize="zh").score
    assert overlap(["bleu"], written, right)["bleu"] == pytest.approx(expected)
    assert overlap(["bleu"], ["a b c d e"], [["a b c d e", "x"]])["bleu"] == pytest.approx(100.0)
