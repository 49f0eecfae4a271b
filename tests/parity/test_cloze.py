"""Cloze examples against the original's goldens (golden/glm/cloze): every id, position and target, every item."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glmkit.infill.layout import Layout, answer_layout
from glmkit.infill.position_schemes import TwoChannel, example
from glmkit.objective.choices import ScoringRequest, choice_batch
from glmkit.tasks.cloze import Context, Encoder, segments
from glmkit.tasks.pair import pair_input
from glmkit.tasks.pattern import fill
from glmkit.tasks.registry import TASKS
from glmkit.testing import shared_path
from glmkit.text.prompts import InfillPrompt
from glmkit.text.tokenizer import Tokenizer

from . import cloze

PSEUDO = 1_000_000  # the first id of continuous prompts here; the original writes 0 and keeps their places
SAME_AS_RTE = {"ax-b": "rte"}


@pytest.fixture(scope="module")
def files() -> Path:
    path = shared_path("data", "tokenizers")
    if path is None:
        pytest.skip("no vocabularies: set GLMKIT_SHARED to the folder that holds data/tokenizers")
    return path


def load(golden: Path, name: str) -> dict[str, Any]:
    return json.loads((golden / f"cloze/{name}.json").read_text(encoding="utf-8"))


def check_row(layout: Layout, row: dict[str, Any], where: str) -> None:
    """A layout is one row of the golden: Part A, Part B, positions and targets."""
    ours = example(layout, TwoChannel())
    sep = row["sep"]
    tokens = np.where(ours.tokens >= PSEUDO, 0, ours.tokens)
    assert ours.context == sep, where
    assert tokens[:sep].tolist() == row["part_a"], where
    assert tokens[sep:].tolist() == row["part_b"], where
    assert ours.positions[:, sep:].tolist() == row["position_b"], where
    np.testing.assert_array_equal(ours.positions[:, :sep], [np.arange(sep), np.zeros(sep)], where)
    if "target_b" in row:  # rows of single tokens have no target
        assert ours.targets[sep:].tolist() == row["target_b"], where
    assert ours.weights.tolist() == [0] * sep + [1] * len(row["part_b"])


class Checker:
    """Encodes the items of one file as their options ask, and compares."""

    def __init__(self, table: dict[str, Any], tokenizer: Tokenizer) -> None:
        self.table, self.tokenizer = table, tokenizer
        self.seen: Counter[str] = Counter()

    def check(self, item: dict[str, Any]) -> None:
        options = item["options"]
        task = TASKS[SAME_AS_RTE.get(item["task"], item["task"])]
        where = f"{item['task']} pattern {item['pattern']} {item['example']} {item['seq_length']} {options}"
        self.instance = cloze.instance(task.name, self.table["examples"][item["example"]])
        number = item["pattern"]
        if item["task"] == "copa":  # the original has another pattern 2 for continuous prompts
            number = 3 if options.get("continuous_prompt") and number == 2 else min(number, 2)
        elif item["task"] == "race":
            number = min(number, 1)
        elif item["task"] in ("record", "squad"):
            number = 0
        self.pattern = task.pattern_for(self.instance, number)
        self.encoder = Encoder(
            tokenizer=self.tokenizer,
            prompt=InfillPrompt(self.tokenizer.special),
            length=item["seq_length"],
            prompts=options.get("num_prompt_tokens", 0),
            prefix=options.get("prefix_prompt", 0),
            prompt_base=PSEUDO,
        )
        getattr(self, item["variant"])(task, item, where)
        self.seen[item["variant"]] += 1

    def single(self, task: Any, item: dict[str, Any], where: str) -> None:
        ours = self.encoder.encode(task, self.instance, self.pattern)
        (context,) = ours.contexts
        assert [choice for (choice,) in ours.choices] == item["verbalizer_ids"], where
        assert ours.gold == item["label"]
        assert ours.single
        assert bool(context.cut) == item.get("truncated", False), where
        check_row(answer_layout(context.ids, context.blank, [0], self.tokenizer.special.sop), item["row"], where)
        self.check_prompts([context], item)

    def context_for(self, choice: int, room: int) -> Context:
        """The context as the original cuts it, for each answer apart."""
        fields = self.instance.fields
        if self.pattern.per_choice:
            fields = {**fields, "choice": self.instance.choices[choice]}
        return self.encoder.context(self.encoder.parts(self.pattern.fill(fields)), room)

    def multi(self, task: Any, item: dict[str, Any], where: str) -> None:
        special = self.tokenizer.special
        answers = [[*ids, special.eop] for ids in self.encoder.choices(self.instance, self.pattern)]
        contexts = [self.context_for(number, len(answer)) for number, answer in enumerate(answers)]
        rows = list(zip(contexts, answers, strict=True))
        if length := item["options"].get("segment_length"):
            pieces = [segments(context, answer, length) for context, answer in rows]
            assert [n for n, group in enumerate(pieces) for _ in group] == item["segment_id"], where
            rows = [row for group in pieces for row in group]
        for (context, answer), theirs in zip(rows, item["choices"], strict=True):
            theirs = {"part_a": item.get("part_a")} | theirs
            check_row(answer_layout(context.ids, context.blank, answer, special.sop), theirs, where)
        assert any(context.cut for context in contexts) == item.get("truncated", False), where
        if task.name != "record" and not task.match:  # where right answers are texts, its labels say nothing
            assert self.instance.gold == item["label"], where
        self.check_prompts(contexts, item)
        if not any(context.cut for context in contexts) and "segment_length" not in item["options"]:
            whole = self.encoder.encode(task, self.instance, self.pattern)
            if not whole.single:  # what scoring reads is the same
                for number, theirs in enumerate(item["choices"]):
                    theirs = {"part_a": item.get("part_a")} | theirs
                    check_row(whole.layout(number, special.sop, special.eop), theirs, where)

    def lm(self, task: Any, item: dict[str, Any], where: str) -> None:
        special = self.tokenizer.special
        (answer, *_) = self.encoder.choices(self.instance, self.pattern)
        context = self.context_for(0, len(answer) + 1)
        check_row(answer_layout(context.ids, context.blank, [*answer, special.eop], special.sop), item["row"], where)

    def fast_decode(self, task: Any, item: dict[str, Any], where: str) -> None:
        """The original's cached form: the same ids, an answer cut at 16 tokens, room made for none."""
        special = self.tokenizer.special
        for number, ids in enumerate(self.encoder.choices(self.instance, self.pattern)):
            context = self.context_for(number, 1)
            answer = [*ids, special.eop][: item["dec_length"]]
            theirs = {"part_a": item["context"]["part_a"], "sep": item["context"]["sep"]} | item["choices"][number]
            check_row(answer_layout(context.ids, context.blank, answer, special.sop), theirs, where)

    def pattern_text(self, task: Any, item: dict[str, Any], where: str) -> None:
        """A solved example, and the pattern with its blank open."""
        if item["options"]["labeled"]:
            ours = self.encoder.solved(task, self.instance, self.pattern)
        else:
            ours = self.context_for(0, 1).ids[1:-1].tolist()
        assert ours == item["ids"], where

    def check_prompts(self, contexts: list[Context], item: dict[str, Any]) -> None:
        if "prompt_pos" in item:
            theirs = item["prompt_pos"]
            theirs = theirs if isinstance(theirs[0], list) else [theirs]
            for context, places in zip(contexts, theirs, strict=True):
                assert np.flatnonzero(context.ids >= PSEUDO).tolist() == places
                assert context.ids[places].tolist() == list(range(PSEUDO, PSEUDO + len(places)))


@pytest.mark.parametrize(
    ("name", "count"), [("superglue_bert", 441), ("superglue_gpt2", 186), ("chinese", 51), ("other_english_bert", 168)]
)
def test_every_item(name: str, count: int, golden: Path, files: Path, tmp_path: Path) -> None:
    table = load(golden, name)
    checker = Checker(table, cloze.tokenizer(table["tokenizer"], files, tmp_path))
    for item in table["items"]:
        checker.check(item)
    assert sum(checker.seen.values()) == count


def test_processors(golden: Path) -> None:
    """From the rows of the files to examples: mended indices, mirrored COPA, candidates in groups."""
    for group in load(golden, "processors")["groups"]:
        task = TASKS[group["task"]]
        ours = task.instances(group["raw"], group["set_type"], task.labels)
        assert len(ours) == len(group["examples"]), group
        for mine, theirs in zip(ours, group["examples"], strict=True):
            check_example(task.name, mine, theirs, group["set_type"])


def check_example(task: str, mine: Any, theirs: dict[str, Any], split: str) -> None:
    (expected,) = TASKS[task].instances([cloze.raw(task, theirs)], "dev", TASKS[task].labels)
    assert mine.fields == expected.fields
    if task == "record":
        assert list(mine.choices) == theirs["meta"]["candidates"]
        assert sorted(mine.golds) == sorted(theirs["meta"]["answers"])
    elif task == "wsc":
        assert list(mine.choices[1:]) == theirs["meta"].get("candidates", [])
    else:
        assert mine.choices == expected.choices
    if not (task == "wic" and split == "test"):  # without a label the original says "false", we say nothing
        assert mine.gold == expected.gold or task == "record"
    if task == "multirc":
        assert mine.group == str(theirs["meta"]["question_idx"])


def test_classifier_inputs(golden: Path, files: Path, tmp_path: Path) -> None:
    """Pairs of texts. Where they are too long the original cuts the end off and we shorten the longer one: there the
    uncut pair is compared, cut as the original does."""
    table = load(golden, "classifier_bert")
    tokenizer = cloze.tokenizer(table["tokenizer"], files, tmp_path)
    for item in table["items"]:
        task = TASKS[item["task"]]
        instance = cloze.instance(task.name, table["examples"][item["example"]])
        for number, row in enumerate(item["rows"]):
            fields = {**instance.fields, **({"choice": instance.choices[number]} if instance.choices else {})}
            first, second = (fill(template, fields) for template in task.pair)
            whole, _ = pair_input(tokenizer, InfillPrompt(tokenizer.special), first, second, 10_000)
            length = item["seq_length"]
            assert (whole if len(whole) <= length else [*whole[: length - 1], whole[-1]]) == row["ids"], item
            ours, cut = pair_input(tokenizer, InfillPrompt(tokenizer.special), first, second, length)
            assert len(ours) == min(len(whole), length)
            assert cut == len(whole) - len(ours)
            assert ours.count(tokenizer.special.sep) == 1


def choices_of(tokenizer: Tokenizer, item: dict[str, Any]) -> ScoringRequest:
    """Read both ways the last blank is asked about, and one is put at the end of a text that has none; read from left
    to right the choices go on with the text. Too long a text loses its beginning."""
    special, question = tokenizer.special, item["item"]
    answers = tokenizer.encode_batch(question["choices_pretokenized"])
    ids, room = (
        tokenizer.encode_marked(question["inputs_pretokenized"]),
        item["seq_length"] - 2 - max(map(len, answers)),
    )
    if item["unidirectional"]:
        return ScoringRequest(
            context=[special.begin, special.gmask], blank=1, answers=answers, forced_prefix=ids[-room:]
        )
    if special.mask not in ids:
        ids.append(special.mask)
    context = [special.begin, *ids[-room:], special.eod]
    return ScoringRequest(context=context, blank=len(context) - 1 - context[::-1].index(special.mask), answers=answers)


def test_multiple_choice(golden: Path, files: Path, tmp_path: Path) -> None:
    """Zero-shot choices, both ways: ids, positions and targets of every choice."""
    for item in load(golden, "multichoice_zero_shot")["items"]:
        tokenizer = cloze.tokenizer(item["tokenizer"], files, tmp_path)
        requests = choices_of(tokenizer, item)
        batch = choice_batch(TwoChannel(), tokenizer.special, [requests])
        size = len(requests.context)
        for number, theirs in enumerate(item["choices"], start=1):
            segments = batch.mask.segments[0]
            seen = np.flatnonzero((segments == 0) | (segments == number))
            scored = np.flatnonzero(segments == number)
            assert size == theirs["sep"]
            assert len(seen) == len(theirs["ids"])
            assert batch.tokens[0, seen].tolist() == theirs["ids"]
            assert batch.positions[0][:, seen].tolist() == theirs["position_ids"]
            assert batch.targets[0, scored].tolist() == theirs["target"]
            assert len(seen) - len(scored) == theirs["first_scored"]
