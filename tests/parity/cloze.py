"""The original's examples as the rows they came from, and its tokenizers from the public vocabulary files."""

import shutil
from pathlib import Path
from typing import Any

from glmkit.tasks.instance import Instance
from glmkit.tasks.registry import TASKS
from glmkit.text.published import published
from glmkit.text.tokenizer import Tokenizer


def tokenizer(name: str, files: Path, scratch: Path) -> Tokenizer:
    """The tokenizer a golden names, from `files` (data/tokenizers)."""
    if name.startswith("bert"):
        shutil.copy(files / "bert/bert-base-uncased-vocab.txt", scratch / "vocab.txt")
        return published("bert", scratch, "plain")
    return published("gpt2", files / "gpt2") if name.startswith("gpt2") else published("chinese", files / "glm-chinese")


def instance(task: str, example: dict[str, Any], split: str = "dev") -> Instance:
    """What our reader makes of the row behind one of the original's examples."""
    row, labels = raw(task, example), TASKS[task].labels
    (result,) = TASKS[task].instances([row], split, labels)
    return result


_PAIRS = {  # the columns behind text_a and text_b, where that is all there is
    "rte": ("premise", "hypothesis", "label"),
    "ax-b": ("premise", "hypothesis", "label"),
    "cb": ("premise", "hypothesis", "label"),
    "boolq": ("passage", "question", "label"),
    "mnli": ("sentence1", "sentence2", "gold_label"),
    "qnli": ("question", "sentence", "label"),
    "qqp": ("question1", "question2", "is_duplicate"),
    "mrpc": ("#1 String", "#2 String", "Quality"),
    "sst2": ("sentence", "", "label"),
    "cola": ("3", "", "1"),
    "agnews": ("1", "2", "0"),
    "yelp-polarity": ("1", "", "0"),
    "yelp-full": ("1", "", "0"),
    "xstance": ("question", "comment", "label"),
    "tnews": ("sentence", "keywords", "label"),
    "afqmc": ("sentence1", "sentence2", "label"),
}


def raw(task: str, example: dict[str, Any]) -> dict[str, Any]:
    text, meta = example["text_a"], example["meta"]
    row: dict[str, Any] = {"idx": example["idx"], "label": example["label"]}
    if task in _PAIRS:
        first, second, label = _PAIRS[task]
        return row | {first: text, second: example.get("text_b"), label: example["label"]}
    if task == "wic":
        return row | {"sentence1": text, "sentence2": example["text_b"], "word": meta["word"]}
    if task == "copa":
        return row | {"premise": text} | meta
    if task == "multirc":
        answer = {"idx": 0, "text": meta["answer"], "label": example["label"]}
        question = {"idx": meta["question_idx"], "question": example["text_b"], "answers": [answer]}
        return row | {"passage": {"text": text, "questions": [question]}}
    if task == "record":
        places = [text.find(entity) for entity in meta["candidates"]]
        spans = [{"start": at, "end": at + len(e) - 1} for at, e in zip(places, meta["candidates"], strict=True)]
        answers = [{"text": answer} for answer in meta["answers"]]
        query = {"idx": 0, "query": example["text_b"], "answers": answers}
        return row | {"passage": {"text": text, "entities": spans}, "qas": [query]}
    if task in ("wsc", "cluewsc"):
        candidates = {"candidates": [{"text": c} for c in meta["candidates"]]} if "candidates" in meta else {}
        return row | {"text": text, "target": meta} | candidates
    if task == "race":
        questions = {"questions": [example["text_b"]], "options": [meta["choices"]], "answers": [example["label"]]}
        return row | {"id": 0, "article": text} | questions
    if task == "yahoo":
        return row | {"0": example["label"], "1": text, "2": "", "3": example["text_b"]}
    answer = meta["answer"] if isinstance(meta["answer"], str) else meta["answer"]["text"]
    paragraph = {"context": text, "qas": [{"id": 0, "question": example["text_b"], "answers": [{"text": answer}]}]}
    return row | {"paragraphs": [paragraph]}
