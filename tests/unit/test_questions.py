"""The questions that docs/experiments asks about hidden tokens, against log p of spans as glmkit.objective gives it."""

import importlib.util
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from glmkit.data.chunks import ExampleSource, cut
from glmkit.data.prepare import prepare
from glmkit.data.shards import open_shards
from glmkit.infill.corruption import TokenBlanks, Vocabulary
from glmkit.infill.layout import Blanked
from glmkit.infill.position_schemes import OneChannel, TwoChannel
from glmkit.objective.read_padded import read_padded
from glmkit.objective.spans import span_logprob
from glmkit.testing import MODEL_TOLERANCE, tiny

PATH = Path(__file__).parents[2] / "docs/experiments/questions.py"
WAYS = ("through blanks", "masked", "masked, one by one", "left to right")


@pytest.fixture(scope="module")
def questions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("questions", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ExampleSource:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text(
        "It was the best of times, it was the worst of times, it was the age of wisdom. " * 4
    )
    tokenizer = tiny("neoglm").tokenizer
    prepare([folder / "text.txt"], tokenizer, folder / "data")
    shards = open_shards(folder / "data")
    return ExampleSource(
        shards=shards,
        table=cut(shards.lengths, shards.prompts, np.arange(len(shards)), 40),
        opening=(tokenizer.special.begin,),
        vocabulary=Vocabulary(special=tokenizer.special, size=len(tokenizer), sentence_ends=tokenizer.sentence_ends),
        objective=TokenBlanks(),
        position_scheme=TwoChannel(),
        seed=0,
    )


@pytest.mark.parametrize("name", ["one token", "three in a row", "several"])
def test_the_same_tokens_are_hidden_in_every_way(questions: ModuleType, source: ExampleSource, name: str) -> None:
    model, eop = tiny("neoglm").module, source.vocabulary.special.eop
    hidden = []
    for way in WAYS:
        parts = [
            questions.losses_of(model, source, questions.Question(*questions.QUESTIONS[name], write), torch.float32)[1]
            for write in questions.ways_of(way, name)
        ]
        targets = np.concatenate(parts)
        hidden.append(sorted(targets[targets != eop].tolist()))
    assert len(hidden[0]) >= len(source) * questions.QUESTIONS[name][0]
    assert hidden[1:] == hidden[:-1]


@pytest.mark.parametrize("scheme", [TwoChannel(), OneChannel()], ids=["two channels", "one channel"])
def test_orders_are_log_p_of_the_spans(questions: ModuleType, source: ExampleSource, scheme: TwoChannel) -> None:
    model = tiny("neoglm")
    special = source.vocabulary.special
    read = partial(read_padded, model.module, special.pad)
    question = questions.Question(*questions.QUESTIONS["several"], questions.through_blanks(range(3)))
    source = replace(source, position_scheme=scheme, objective=question)
    results = []
    for index in range(len(source)):
        blanked = source.draw(0, index)
        assert isinstance(blanked, Blanked)
        spans = [blanked.tokens[start:stop].tolist() for start, stop in blanked.spans]
        prompt, last = [], 0
        for start, stop in blanked.spans:
            prompt += [*blanked.tokens[last:start].tolist(), special.mask]
            last = stop
        prompt += blanked.tokens[last:].tolist()
        results.append(span_logprob(read, scheme, special, prompt, spans, questions.ORDERS).by_order)
    expected = -np.array(results)
    orders = questions.orders(model.module, source, torch.float32, draws=1)
    whole = [expected[:, 0].mean(), expected[:, 1:].mean()]
    np.testing.assert_allclose(orders["whole text"], whole, rtol=MODEL_TOLERANCE)
    np.testing.assert_allclose(orders["spread"], expected.std(axis=1).mean(), rtol=10 * MODEL_TOLERANCE)
    assert orders["spread"] > 0
