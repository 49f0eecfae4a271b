"""/layout: a text with blanks as it is written out for training, for people to look at: tokens, positions, targets.

tokens      She ate [M] . | sop lunch
positions     0   1  2  3 |  2    2          place in the corrupted text
              0   0  0  0 |  1    2          place inside the span
targets                   | lunch eop
"""

import numpy as np
from starlette.responses import Response

from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import TEXT, TEXTS, Kind
from glmkit.infill.layout import prompt_layout
from glmkit.infill.position_schemes import start_span
from glmkit.serve.blanks import SEGMENTS, Segment, blanked_ids, blanks_of, read_segments, texts_of
from glmkit.serve.errors import bad_request, json_response, too_long
from glmkit.serve.fields import Fields
from glmkit.serve.models import ServedModel
from glmkit.serve.service import Call
from glmkit.serve.token_text import token_text

LAYOUT: dict[str, Kind] = {"model": TEXT, "segments": SEGMENTS, "text": TEXT, "marker": TEXT, "fillings": TEXTS}


async def layout(call: Call) -> Response:
    """The layout of a text, its blanks filled with `fillings` if they are given."""
    served, fields = call.served(), call.fields
    size = len(fields.get("text", "")) or 1 << 16
    return json_response(await call.text_work(lambda: _layout(served, fields), size))


def _layout(served: ServedModel, fields: Fields) -> JsonObject:
    if not served.model.prompt_format.bidirectional:
        return _causal(served, fields)
    segments = read_segments(fields)
    model, special = served.model, served.model.tokenizer.special
    prompt = np.array(blanked_ids(served, segments))
    read = prompt_layout(prompt)
    tokens: list[int] = prompt.tolist()
    targets: list[int | None] = [None] * len(tokens)
    positions = [channel.tolist() for channel in model.position_scheme.positions(read)]
    places = [place for place, id in enumerate(tokens) if id == special.mask]
    for place, filling in zip(places, _fillings(served, segments, fields), strict=False):
        at = start_span(model.position_scheme, prompt, place, special.sop).positions[:, -1]
        for id, target in zip([special.sop, *filling], [*filling, special.eop], strict=True):
            tokens.append(id)
            targets.append(target)
            for channel, number in zip(positions, at.tolist(), strict=True):
                channel.append(number)
            at = model.position_scheme.advance(at)
    return _table(served, tokens, positions, int(model.position_scheme.context(read)), targets, "prefix")


def _fillings(served: ServedModel, segments: list[Segment], fields: Fields) -> list[list[int]]:
    """Ids of the fillings, with the white space before their blanks, which belongs to them."""
    tokenizer, given = served.model.tokenizer, fields.get("fillings", [])
    if len(given) > len(blanks_of(segments)):
        raise bad_request(f"{len(given)} fillings of {len(blanks_of(segments))} blanks", "fillings")
    spaces = [tokenizer.space_before_blank(text) for text in texts_of(segments)]
    return [tokenizer.encode(space + filling) for space, filling in zip(spaces, given, strict=False)]


def _causal(served: ServedModel, fields: Fields) -> JsonObject:
    """Of a model that reads from left to right a text is its own layout."""
    if "text" not in fields or "segments" in fields:
        raise bad_request("this model fills no blanks: give text alone", "segments" if "text" in fields else "text")
    ids = served.model.prompt_format.document(served.model.tokenizer.encode(fields["text"]))
    if len(ids) > served.limit:
        raise too_long(len(ids), served.limit, "the text", "text")
    return _table(served, ids, [list(range(len(ids)))], 0, [*ids[1:], None], "causal")


def _table(
    served: ServedModel,
    tokens: list[int],
    positions: list[list[int]],
    context: int,
    targets: list[int | None],
    rule: str,
) -> JsonObject:
    tokenizer = served.model.tokenizer

    def shown(id: int) -> JsonObject:
        return {"text": token_text(tokenizer, id), "id": id}

    return {
        "object": "layout",
        "model": served.name,
        "tokens": [shown(id) for id in tokens],
        "positions": positions,
        "context": context,
        "targets": [None if id is None else shown(id) for id in targets],
        "mask_rule": rule,
    }
