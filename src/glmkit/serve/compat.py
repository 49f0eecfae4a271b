"""The request of the official api.py (ChatGLM-6B and ChatGLM2-6B): POST / with a prompt and its history.

{"prompt": "你好", "history": [["hi", "hello"]], "max_length": 2048, "top_p": 0.7, "temperature": 0.95}
{"response": "...", "history": [["hi", "hello"], ["你好", "..."]], "status": 200, "time": "2026-11-29 10:00:00"}

As there `max_length` counts the prompt, too. Otherwise than there temperature 0 is 0: the most probable token.
"""

import time
from dataclasses import replace

from starlette.responses import Response

from glmkit.core.errors import short
from glmkit.core.kinds import TEXT, Kind, list_of, number, whole
from glmkit.serve.chat import read_chat
from glmkit.serve.errors import bad_request, json_response, too_long
from glmkit.serve.fields import ARRAY, Fields, at_most, outlined
from glmkit.serve.service import Call

USUAL_LENGTH = 2048
API: dict[str, Kind] = {
    "prompt": TEXT,
    "history": outlined(ARRAY, list_of(at_most(list_of(TEXT, least=2), 2))),
    "max_length": whole(low=1, high=2**31 - 1),
    "top_p": number(above=0, high=1),
    "temperature": number(0, 2),
}


async def api(call: Call) -> Response:
    """Answers a prompt as api.py does."""
    fields = call.fields
    history = _history(fields.get("history", []))
    said = [
        message
        for question, answer in history
        for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    ]
    messages = [*said, {"role": "user", "content": fields["prompt"]}]
    sampling = {name: fields[name] for name in ("top_p", "temperature") if name in fields}
    chat = await read_chat(replace(call, fields=Fields({"messages": messages} | sampling)))
    request = chat.ticket.request
    left = fields.get("max_length", USUAL_LENGTH) - len(request.prompt)
    if left < 1:
        raise too_long(
            len(request.prompt) + 1, fields.get("max_length", USUAL_LENGTH), "the conversation", "max_length"
        )
    config = replace(request.config, max_tokens=min(left, request.config.max_tokens))
    chat.ticket.request = replace(request, config=config)
    reply = await chat.whole()
    text = reply["choices"][0]["message"]["content"]
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return json_response(
        {"response": text, "history": [*history, [fields["prompt"], text]], "status": 200, "time": now}
    )


def _history(value: list[object]) -> list[list[str]]:
    pairs = []
    for place, pair in enumerate(value):
        if not isinstance(pair, list) or len(pair) != 2 or any(TEXT.find(text) for text in pair):
            raise bad_request(f"history[{place}] must be [question, answer], got {short(pair)}", f"history[{place}]")
        pairs.append(pair)
    return pairs
