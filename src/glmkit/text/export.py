"""How `transformers`, vLLM and llama.cpp read a tokenizer of ChatGLM2, ChatGLM3 or CodeGeeX2, or one that was trained
here for such a model, without our code: files for the first two, facts in a GGUF file for the last.

tokenizer.json           a SentencePiece vocabulary as BPE of the `tokenizers` library, special tokens at their ids
tokenizer_config.json    the names of the special tokens, the chat template
generation_config.json   the ids that end a reply

sop and eop are written <sop> and <eop>: as bare words they would be cut out of "sophie". Unlike glmkit, those readers
take special tokens that are written out in a message for special tokens.
"""

import json

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.text.chat import chat_format
from glmkit.text.chatglm import OFFICIAL, ChatGLMPieces
from glmkit.text.export_trained import gguf_pieces, gguf_table
from glmkit.text.export_trained import tokenizer_json as trained_json
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.trained import TrainedPieces

_SPACE = "▁"

_ROUNDS = """\
{%- set state = namespace(round=1, system='') -%}
{{- '[gMASK]<sop>' -}}
{%- for message in messages -%}
{%- if message['role'] == 'system' and loop.first -%}
{%- set state.system = message['content'] -%}
{%- elif message['role'] == 'user' -%}
{{- '[Round ' ~ state.round ~ ']\\n\\n问：' ~ state.system ~ message['content'] ~ '\\n\\n答：' -}}
{%- set state.system = '' -%}
{%- elif message['role'] == 'assistant' -%}
{{- message['content'] ~ '\\n\\n' -}}
{%- set state.round = state.round + 1 -%}
{%- else -%}
{{- raise_exception('roles are system (first), user and assistant') -}}
{%- endif -%}
{%- endfor -%}
"""

# Metadata and content are texts of their own, so the space in front of a content is that of a new text.
_ROLES = """\
{{- '[gMASK]<sop>' -}}
{%- if tools and messages[0]['role'] != 'system' -%}
{{- raise_exception('tools belong to a system message; begin with one') -}}
{%- endif -%}
{%- for message in messages -%}
{%- set role = 'observation' if message['role'] == 'tool' else message['role'] -%}
{%- set known = tools if tools and loop.first else message.get('tools') -%}
{%- set schema = '\\n' ~ (known | tojson(indent=4)) if known is not none else '' -%}
{%- set content = message['content'] ~ schema -%}
{{- '<|' ~ role ~ '|>' ~ message.get('metadata', '') ~ '\\n' ~ (' ' if content else '') ~ content -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|assistant|>' -}}
{%- endif -%}
"""

TEMPLATES = {"chatglm2": _ROUNDS, "chatglm3": _ROLES, "codegeex2": _ROUNDS}


def serving_files(tokenizer: Tokenizer, *, max_length: int) -> dict[str, str]:
    """Name -> content of the files above. Raises UserError for a tokenizer that those readers cannot hold."""
    template = _template(tokenizer, "tokenizer.json")
    pad, end = tokenizer.piece(tokenizer.special.pad), tokenizer.piece(tokenizer.special.eod)
    own = ("<unk>", "<s>", pad, end)  # which have roles of their own
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "padding_side": "left",
        **({} if isinstance(tokenizer.pieces, TrainedPieces) else {"unk_token": "<unk>"}),
        "pad_token": pad,
        "eos_token": end,
        "additional_special_tokens": [t["content"] for t in _added(tokenizer) if t["content"] not in own],
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "chat_template": template,
    }
    stop_ids = list(chat_format(tokenizer).stop_ids(tokenizer))
    generation = {"eos_token_id": stop_ids, "pad_token_id": tokenizer.special.pad}
    return {
        "tokenizer.json": tokenizer_json(tokenizer),
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False, indent=1) + "\n",
        "generation_config.json": json.dumps(generation, indent=1) + "\n",
    }


def infill_files(tokenizer: Tokenizer, *, max_length: int) -> dict[str, str]:
    """The files above for a model that fills blanks: a text stands between [CLS] and <eod>, an answer ends with <eop>.

    Of a tokenizer that was trained here; none of another, which is read with glmkit alone.
    """
    if not isinstance(tokenizer.pieces, TrainedPieces):
        return {}
    special = tokenizer.special
    begin, end, stop, pad = (tokenizer.piece(id) for id in (special.begin, special.eod, special.eop, special.pad))
    # The space before a blank belongs to what fills it.
    added = [token | {"lstrip": token["content"] in tokenizer.blanks} for token in _added(tokenizer)]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "padding_side": "left",
        "pad_token": pad,
        "cls_token": begin,
        "eos_token": stop,
        "additional_special_tokens": [t["content"] for t in added if t["content"] not in (begin, stop, pad)],
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    generation = {"eos_token_id": [special.eop, special.eod], "pad_token_id": special.pad}
    return {
        "tokenizer.json": trained_json(tokenizer, added, [begin], [end]),
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False, indent=1) + "\n",
        "generation_config.json": json.dumps(generation, indent=1) + "\n",
    }


def _template(tokenizer: Tokenizer, what: str) -> str:
    """The chat template of a tokenizer. Raises UserError for one that cannot be written as `what`."""
    if tokenizer.chat not in TEMPLATES or not isinstance(tokenizer.pieces, ChatGLMPieces | TrainedPieces):
        raise UserError(
            f"the tokenizer of {tokenizer.chat or 'a GLM'}, kept in {' and '.join(tokenizer.pieces.files)}, cannot be "
            f"written as {what}; the tokenizer.model published with {', '.join(TEMPLATES)} can, and those of "
            "`glmkit tokenizer train`"
        )
    return TEMPLATES[tokenizer.chat]


# Kinds of a token in a GGUF file.
_TEXT, _UNKNOWN, _CONTROL, _UNUSED, _BYTE = 1, 2, 3, 5, 6


def gguf_vocabulary(tokenizer: Tokenizer, rows: int) -> JsonObject:
    """The vocabulary of a model of `rows` rows as facts of a GGUF file: name -> value.

    A SentencePiece is llama.cpp's `llama`. Special tokens are control tokens: only a template can write them.
    Raises UserError for a tokenizer that llama.cpp cannot hold.
    """
    template = _template(tokenizer, "gguf")
    end, *others = chat_format(tokenizer).stop_ids(tokenizer)
    trained = isinstance(tokenizer.pieces, TrainedPieces)
    return {
        **(gguf_pieces(tokenizer, rows) if trained else _sentence_pieces(tokenizer, rows)),
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.padding_token_id": tokenizer.special.pad,
        **{f"tokenizer.ggml.{name}_token_id": id for name, id in zip(("eot", "eom"), others, strict=False)},
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template,
    }


def _sentence_pieces(tokenizer: Tokenizer, rows: int) -> JsonObject:
    """A published vocabulary as facts of a GGUF file."""
    pieces = tokenizer.pieces
    assert isinstance(pieces, ChatGLMPieces)
    special = {token["id"]: token["content"] for token in _added(tokenizer)}
    tokens, scores, kinds = [], [], []
    for id in range(rows):
        if id < pieces.size:
            control = _UNKNOWN if id == 0 else _CONTROL
            tokens.append(pieces.piece(id))
            scores.append(pieces.score(id))
            kinds.append(control if id in special else _BYTE if pieces.is_byte(id) else _TEXT)
        else:
            tokens.append(special.get(id, f"[PAD{id}]"))
            scores.append(0.0)
            kinds.append(_CONTROL if id in special else _UNUSED)
    space_before = OFFICIAL[str(tokenizer.chat)].begins.startswith(_SPACE)
    return gguf_table(tokens, scores, kinds, unknown=0, space_before=space_before)


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """The tokenizer as one file of the `tokenizers` library: the same ids for any text without special tokens."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, normalizers, processors

    pieces = tokenizer.pieces
    if isinstance(pieces, TrainedPieces):
        return trained_json(tokenizer, _added(tokenizer), ["[gMASK]", "<sop>"])
    assert isinstance(pieces, ChatGLMPieces)
    model = models.BPE(*pieces.merges(), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    backend = Backend(model)
    spaced = OFFICIAL[str(tokenizer.chat)].begins.startswith(_SPACE)  # a text begins with a space of its own
    written = [normalizers.Replace(" ", _SPACE)]
    backend.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), *written] if spaced else written)
    read = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    backend.decoder = decoders.Sequence([*read, decoders.Strip(" ", 1, 0)] if spaced else read)
    opening = [("[gMASK]", tokenizer.special.gmask), ("<sop>", tokenizer.special.sop)]
    backend.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A", pair="[gMASK] <sop> $A $B:1 </s>:1", special_tokens=[*opening, ("</s>", 2)]
    )
    state = json.loads(backend.to_str())
    state["added_tokens"] = _added(tokenizer)
    return json.dumps(state, ensure_ascii=False) + "\n"


def _added(tokenizer: Tokenizer) -> list[JsonObject]:
    special = tokenizer.special
    ids = {} if isinstance(tokenizer.pieces, TrainedPieces) else {"<unk>": 0, "<s>": 1, "</s>": 2}
    ids |= {"[MASK]": special.mask, "[gMASK]": special.gmask, "[sMASK]": special.smask}
    ids |= {"<sop>": special.sop, "<eop>": special.eop} | tokenizer.marks
    kind = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": id, "content": mark} | kind for mark, id in ids.items()]
