"""Models of random weights under grammars, written by the engine beside others that are free."""

import json

import pytest

from glmkit.generate.follow import run
from glmkit.generate.request import Request
from glmkit.generate.sampling import Greedy, SamplingParams, Strategy
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.session import DecodeConfig
from glmkit.serve.constrained import Grammars
from glmkit.serve.grammar import Grammar
from glmkit.testing import tiny

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"enum": ["a", "bc"]}}},
    "required": ["name", "tags"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("family", ["glm", "neoglm", "chatglm", "chatglm2", "chatglm3"])
@pytest.mark.parametrize("lookup", [True, False])
def test_documents_of_an_engine_are_closed(family: str, lookup: bool) -> None:
    model = tiny(family)
    grammars = Grammars(model.tokenizer, model.config.vocab_size)
    special, prompt = model.tokenizer.special, model.tokenizer.encode("abc")
    prompt += {"glm": [special.mask], "neoglm": [special.mask], "chatglm": [special.gmask, special.sop]}.get(family, [])
    config = DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=special,
        vocab_size=len(model.tokenizer),
        max_tokens=40,
    )
    asks: list[tuple[Grammar | None, Strategy]] = [
        (None, Greedy()),
        (grammars.json_schema(SCHEMA), Greedy()),
        (grammars.json_schema(SCHEMA), SamplingParams(seed=1, p=0.9)),
        (grammars.json_object(), SamplingParams(seed=2, temperature=2.0)),
        (grammars.choices(["yes", "no"]), Greedy()),
    ]
    requests = [
        Request(config=config, prompt=prompt, strategy=how, constraint=grammar, num_return_sequences=2, lookup=lookup)
        for grammar, how in asks
    ]
    groups = run(Scheduler(model.module), requests)
    for (grammar, _), group in zip(asks, groups, strict=True):
        if grammar is None:
            continue
        for row in range(2):
            ids = [token.id for token in group.inbox if token.row == row and token.is_text]
            document = grammar.document(model.tokenizer.decode(ids))
            assert json.loads(document) is not None if grammar.json else document in ("yes", "no")
            assert len(ids) <= 40
