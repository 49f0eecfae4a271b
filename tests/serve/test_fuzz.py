"""Whatever a body holds, the answer is no 500, and an error says which field it is about."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glmkit.serve.chat import CHAT
from glmkit.serve.completions import COMPLETIONS
from glmkit.serve.embeddings import EMBEDDINGS
from glmkit.serve.fields import REFUSED
from glmkit.serve.infill import INFILL
from glmkit.serve.layout import LAYOUT
from glmkit.serve.score import CLASSIFY, LOGPROBS, SCORE
from glmkit.serve.tokens import DETOKENIZE, TOKENIZE

from .conftest import Served

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(
        ["user", "assistant", "system", "tool", "text", "function", "json_object", "____", "[MASK]", "auto"]
    )
)
KEYS = st.text(max_size=4) | st.sampled_from(
    [
        "role",
        "content",
        "type",
        "text",
        "name",
        "function",
        "parameters",
        "json_schema",
        "schema",
        "blank",
        "65",
        "tools",
    ]
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
TEXTS = st.text(max_size=20)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": TEXTS}),
    min_size=1,
    max_size=4,
)
SOUND: dict[str, Any] = {
    "messages": MESSAGES,
    "prompt": TEXTS,
    "input": TEXTS,
    "text": TEXTS,
    "choices": st.lists(TEXTS),
}
ENDPOINTS = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/infill": INFILL,
    "/score": SCORE,
    "/classify": CLASSIFY,
    "/logprobs": LOGPROBS,
    "/layout": LAYOUT,
    "/tokenize": TOKENIZE,
    "/detokenize": DETOKENIZE,
}


def bodies(path: str) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of which most fields are sound."""
    sound = {name: kind for name, kind in SOUND.items() if name in ENDPOINTS[path]}
    others = st.sampled_from(sorted({*ENDPOINTS[path], *REFUSED, "unknown", "model"}))
    return st.builds(
        lambda base, odd: base | odd, st.fixed_dictionaries(sound), st.dictionaries(others, VALUES, max_size=2)
    )


@pytest.mark.parametrize("examples", [15, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_no_body_is_answered_with_500(server: Served, path: str, examples: int) -> None:
    names = ["glm"] if path in ("/infill", "/layout", "/score") else ["chatglm3", "chatglm2"]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(bodies(path), st.sampled_from(names))
    def ask(body: dict[str, Any], name: str) -> None:
        limited = {"max_tokens": 4} if path in ("/v1/chat/completions", "/v1/completions", "/infill") else {}
        reply = server.post(path, {"model": name} | limited | body)
        assert reply.status < 500 or reply.status == 503, (body, reply.body)
        if reply.status >= 400:
            assert reply.error.keys() == {"message", "type", "param", "code"}
            assert reply.error["message"]

    ask()
    assert server.get("/ready").status == 200
