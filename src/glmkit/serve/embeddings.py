"""/v1/embeddings: one vector for each text, as numbers or as base64 of little-endian float32."""

import base64

from starlette.responses import Response

from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import TEXT, Kind, one_of
from glmkit.serve.errors import bad_request, json_response, too_long
from glmkit.serve.fields import check_field
from glmkit.serve.models import ServedModel
from glmkit.serve.service import Call

MAX_TEXTS = 2048
EMBEDDINGS: dict[str, Kind] = {
    "model": TEXT,
    "input": Kind("a text or a list of texts", lambda value: None),
    "encoding_format": one_of("float", "base64"),
}


async def embeddings(call: Call) -> Response:
    """Answers an embeddings request."""
    served, texts = call.served(), texts_of(call.fields["input"])
    lengths = await call.text_work(lambda: _lengths(served, texts), sum(map(len, texts)))
    as_base64 = call.fields.get("encoding_format") == "base64"
    vectors = await call.read(served, lambda model: model.embed(texts).cpu().numpy())
    data: list[JsonObject] = []
    for index, vector in enumerate(vectors):
        encoded = base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_base64 else vector.tolist()
        data.append({"object": "embedding", "index": index, "embedding": encoded})
    used = {"prompt_tokens": sum(lengths), "total_tokens": sum(lengths)}
    call.log["prompt_tokens"] = used["prompt_tokens"]
    return json_response({"object": "list", "data": data, "model": served.name, "usage": used})


def texts_of(value: object) -> list[str]:
    """The texts of an input. Raises ApiError for token ids, which are of another vocabulary."""
    if isinstance(value, str):
        return [check_field(value, TEXT, "input")]
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_TEXTS:
        raise bad_request(f"input must be a text or a list of 1 to {MAX_TEXTS:,} texts, got {short(value)}", "input")
    first = value[0]
    if type(first) is int or (isinstance(first, list) and all(type(one) is int for one in first)):
        raise bad_request(
            "input holds token ids, which clients make with another model's vocabulary: send texts "
            "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))",
            "input",
        )
    return [check_field(text, TEXT, f"input[{place}]") for place, text in enumerate(value)]


def _lengths(served: ServedModel, texts: list[str]) -> list[int]:
    tokenizer, frame = served.model.tokenizer, served.model.prompt_format
    lengths = [len(frame.document(ids)) for ids in tokenizer.encode_batch(texts)]
    for place, length in enumerate(lengths):
        if length > served.limit:
            raise too_long(length, served.limit, f"input[{place}]", f"input[{place}]")
    return lengths
