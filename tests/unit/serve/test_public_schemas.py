"""The JSON Schema organization's own tests (github.com/json-schema-org/JSON-Schema-Test-Suite), if the environment
variable JSON_SCHEMA_TEST_SUITE names a copy of them: a schema is refused, or no document that is wrong is written."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.unit.serve.sampled import sample, write

from glmkit.serve.constrained import Grammars
from glmkit.serve.schema_check import GrammarError
from glmkit.text.tokenizer import Tokenizer

SUITE = os.environ.get("JSON_SCHEMA_TEST_SUITE", "")
pytestmark = pytest.mark.skipif(not SUITE, reason="JSON_SCHEMA_TEST_SUITE names no copy of the public test suite")
DRAFTS = {"draft7": jsonschema.Draft7Validator, "draft2020-12": jsonschema.Draft202012Validator}


def cases() -> Iterator[tuple[str, Any, list[Any], str]]:
    for draft in DRAFTS if SUITE else ():
        for path in sorted((Path(SUITE) / "tests" / draft).glob("*.json")):
            for number, case in enumerate(json.loads(path.read_text(encoding="utf-8"))):
                wrong = [test["data"] for test in case["tests"] if not test["valid"]]
                yield f"{draft}-{path.stem}-{number}", case["schema"], wrong, draft


@pytest.fixture(scope="module")
def grammars(tokenizer: Tokenizer) -> Grammars:
    return Grammars(tokenizer, 512)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "schema", "wrong", "draft"), list(cases()))
def test_no_wrong_document_is_written(name: str, schema: Any, wrong: list[Any], draft: str, grammars: Grammars) -> None:
    if isinstance(schema, dict):
        schema.setdefault("$schema", DRAFTS[draft].META_SCHEMA["$schema"])
    try:
        grammar = grammars.json_schema(schema)
    except GrammarError as error:
        pytest.skip(f"refused: {error}")
    for document in wrong:
        assert not write(grammar, json.dumps(document, ensure_ascii=False)), document
    validator = DRAFTS[draft](schema)
    for seed in range(3):
        result = sample(grammar, 60, seed)
        if result.finish_reason == "stop":
            try:
                validator.validate(json.loads(grammar.document(result.text)))
            except re.error as error:
                pytest.skip(f"the validator cannot read the pattern: {error}")
