"""/score, /classify, /logprobs: how probable texts are, which class they are of, what each token of them was expected
to be."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import FLAG, TEXT, TEXTS, Kind, whole
from glmkit.serve.blanks import blanks_of, read_segments
from glmkit.serve.chat import prompt_ids
from glmkit.serve.errors import bad_request, json_response
from glmkit.serve.fields import ARRAY, MAX_TOP, Fields, at_most
from glmkit.serve.generation import MAX_ANSWER
from glmkit.serve.infill import score_blank, scores_table
from glmkit.serve.messages import read_messages
from glmkit.serve.models import ServedModel
from glmkit.serve.prompt_scores import score_prompt
from glmkit.serve.service import Call
from glmkit.serve.token_text import logprob_table
from glmkit.serve.tools import ToolChoice

MAX_CHOICES, MAX_ROWS = 256, 256
SCORE: dict[str, Kind] = {
    "model": TEXT,
    "text": TEXT,
    "segments": ARRAY,
    "marker": TEXT,
    "context": TEXT,
    "choices": at_most(TEXTS, MAX_CHOICES),
    "ended": FLAG,
}
CLASSIFY: dict[str, Kind] = {"model": TEXT, "input": Kind("a text, or a list of texts or rows", lambda value: None)}
LOGPROBS: dict[str, Kind] = {
    "model": TEXT,
    "text": TEXT,
    "messages": ARRAY,
    "top_logprobs": whole(0, MAX_TOP),
}


async def score(call: Call) -> Response:
    """log p of each choice: in the one blank of a text, or behind a `context`."""
    served, fields = call.served(), call.fields
    choices, ended = fields["choices"], fields.get("ended", True)
    if not choices:
        raise bad_request("choices is empty: there is nothing to score", "choices")
    if "context" not in fields:
        segments = read_segments(fields)
        if len(blanks_of(segments)) > 1:
            raise bad_request("fillings of one blank are scored; /infill takes candidates of several", "text")
        logprobs = await call.read(served, lambda model: score_blank(served, model, segments, 0, choices, ended=ended))
    else:
        if served.model.prompt_format.writes_in_blank:
            raise bad_request("context: this model writes into blanks; give text with one blank, ____", "context")
        if served.fills_blanks and any(mark in fields["context"] for mark in served.model.tokenizer.blanks):
            raise bad_request("context: its blank is written ____ in text, or put into segments", "context")
        totals = await call.read(served, lambda model: model.score(fields["context"], choices, ended=ended))
        logprobs = [[total] for total in totals]
    return json_response({"object": "score", "model": served.name, "scores": scores_table(choices, logprobs)})


async def classify(call: Call) -> Response:
    """The class of each text, with the probabilities of all."""
    served, rows = call.served(), _rows(call.fields["input"])
    probabilities = (await call.read(served, lambda model: model.classify(rows))).tolist()
    labels = list(served.model.labels) or [str(place) for place in range(len(probabilities[0]))]
    data = [
        {
            "index": index,
            "label": labels[max(range(len(row)), key=row.__getitem__)],
            "probs": row,
            "probabilities": dict(zip(labels, row, strict=True)),
            "num_classes": len(row),
        }
        for index, row in enumerate(probabilities)
    ]
    return json_response({"object": "list", "model": served.name, "labels": labels, "data": data})


def _rows(value: Any) -> list[Any]:
    rows = [value] if isinstance(value, str | Mapping) else value
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS:
        raise bad_request(f"input must be a text, or a list of 1 to {MAX_ROWS} texts, got {short(value)}", "input")
    return rows


async def logprobs(call: Call) -> Response:
    """log p of each token of a text, or of a conversation as the model reads it, given those before it."""
    served, fields, top = call.served(), call.fields, call.fields.get("top_logprobs", 0)
    if ("text" in fields) == ("messages" in fields):
        raise bad_request("give text or messages", "text")
    size = len(fields.get("text", "")) or 1 << 20
    ids = await call.text_work(lambda: _text_ids(served, fields), size)
    if len(ids) * (top + 1) > MAX_ANSWER:
        raise bad_request(f"top_logprobs {top} of {len(ids)} tokens are too many; ask for fewer", "top_logprobs")
    tokenizer = served.model.tokenizer
    tokens: list[JsonObject] = []
    for scored in await call.read(served, lambda model: score_prompt(served, model, ids, top)):
        table = logprob_table(tokenizer, scored.id, scored.logprob or 0.0)
        others = [logprob_table(tokenizer, id, value) for id, value in scored.top]
        known = {"logprob": None} if scored.logprob is None else {}
        tokens.append(table | known | {"id": scored.id, "top_logprobs": others})
    return json_response({"object": "logprobs", "model": served.name, "tokens": tokens})


def _text_ids(served: ServedModel, fields: Fields) -> list[int]:
    if "text" in fields:
        return served.model.tokenizer.encode(fields["text"])
    form = served.chat_format
    return prompt_ids(served, form, read_messages(fields["messages"], form, ToolChoice()))[0]
