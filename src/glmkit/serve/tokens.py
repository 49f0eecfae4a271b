"""/tokenize, /detokenize, /tokenizer_info: the model's vocabulary, as lm-eval and others ask for it."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import FLAG, TEXT, Kind, list_of
from glmkit.serve.chat import prompt_ids
from glmkit.serve.errors import bad_request, json_response
from glmkit.serve.fields import ARRAY, ID, Fields, outlined, token_ids
from glmkit.serve.messages import MESSAGES, read_messages
from glmkit.serve.models import ServedModel
from glmkit.serve.service import Call, Service
from glmkit.serve.token_text import spelled
from glmkit.serve.tools import TOOL_CHOICE, TOOLS, read_tools
from glmkit.text.tokenizer import Tokenizer

TOKENIZE: dict[str, Kind] = {
    "model": TEXT,
    "prompt": TEXT,
    "content": TEXT,
    "messages": MESSAGES,
    "tools": TOOLS,
    "tool_choice": TOOL_CHOICE,
    "functions": TOOLS,
    "function_call": TOOL_CHOICE,
    "add_special_tokens": FLAG,
    "add_special": FLAG,
    "parse_special": FLAG,
    "return_token_strs": FLAG,
    "with_pieces": FLAG,
    "add_generation_prompt": FLAG,
}
DETOKENIZE: dict[str, Kind] = {"model": TEXT, "tokens": outlined(ARRAY, list_of(ID))}
TOKENIZER_INFO: dict[str, Kind] = {"model": TEXT}  # in its address


async def tokenize(call: Call) -> Response:
    """The ids of a text or a conversation. Names of special tokens are read as such unless `parse_special` is false;
    those of a conversation never are."""
    served, fields = call.served(), call.fields
    if sum(name in fields for name in ("prompt", "content", "messages")) != 1:
        raise bad_request("give one of prompt (text) and messages", "prompt")
    size = len(fields.get("prompt", fields.get("content", ""))) or 1 << 20
    ids = await call.text_work(lambda: _ids(served, fields), size)
    table: JsonObject = {"tokens": ids, "count": len(ids), "max_model_len": served.limit}
    if fields.get("return_token_strs") or fields.get("with_pieces"):
        table["token_strs"] = [spelled(served.model.tokenizer, id) for id in ids]
    return json_response(table)


def _ids(served: ServedModel, fields: Fields) -> list[int]:
    tokenizer = served.model.tokenizer
    if "messages" in fields:
        form = served.chat_format
        return prompt_ids(served, form, read_messages(fields["messages"], form, read_tools(fields)))[0]
    text = fields.get("prompt", fields.get("content", ""))
    ids = tokenizer.encode_marked(text) if fields.get("parse_special", True) else tokenizer.encode(text)
    framed = fields.get("add_special_tokens", fields.get("add_special", "prompt" in fields))
    return served.model.prompt_format.continuation(ids) if framed else ids


async def detokenize(call: Call) -> Response:
    """The text of ids."""
    served = call.served()
    ids = token_ids(call.fields["tokens"], "tokens", served.vocabulary)
    text = await call.text_work(lambda: decoded(served.model.tokenizer, ids), len(ids))
    return json_response({"prompt": text, "content": text})


def decoded(tokenizer: Tokenizer, ids: list[int]) -> str:
    """The text of ids. Raises ApiError for one that has none."""
    try:
        return tokenizer.decode(ids)
    except ValueError as error:
        raise bad_request(f"tokens: {error}", "tokens") from None


def tokenizer_info(service: Service) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that says what lm-eval asks of a remote tokenizer."""

    async def answer(request: Request) -> Response:
        """Its special tokens and sizes."""
        service.check_ready()
        served = service.models.find(request.query_params.get("model"))
        tokenizer = served.model.tokenizer
        special = tokenizer.special
        begin = next(iter(served.model.prompt_format.begin), None)
        return json_response(
            {
                "tokenizer_class": tokenizer.pieces.kind,
                "vocab_size": len(tokenizer),
                "model_max_length": served.limit,
                "eos_token": _mark(tokenizer, special.eod),
                "bos_token": _mark(tokenizer, begin),
                "pad_token": _mark(tokenizer, special.pad),
                "unk_token": None,
                "chat_template": None,
                "special_tokens": tokenizer.marks,
            }
        )

    return answer


def _mark(tokenizer: Tokenizer, id: int | None) -> str | None:
    """The spelling that /tokenize reads as one id; none where there is none."""
    return next((mark for mark, other in tokenizer.marks.items() if other == id), None)
