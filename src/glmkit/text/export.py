"""The files by which `transformers` and vLLM read a tokenizer of ChatGLM2, ChatGLM3 or CodeGeeX2 without its code.

tokenizer.json           the SentencePiece vocabulary as BPE of the `tokenizers` library, special tokens at their ids
tokenizer_config.json    the names of the special tokens, the chat template
generation_config.json   the ids that end a reply

sop and eop are written <sop> and <eop>: as bare words they would be cut out of "sophie". Unlike glmkit, those readers
take special tokens that are written out in a message for special tokens.
"""

import json
from typing import Any

from glmkit.core.errors import UserError
from glmkit.text.chat import chat_format
from glmkit.text.chatglm import OFFICIAL, ChatGLMPieces
from glmkit.text.tokenizer import Tokenizer

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
    if tokenizer.chat not in TEMPLATES:
        raise UserError(
            f"the tokenizer of {tokenizer.chat or 'a GLM'} cannot be written as tokenizer.json; those of "
            f"{', '.join(TEMPLATES)} can"
        )
    names = [token["content"] for token in _added(tokenizer)]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "padding_side": "left",
        "unk_token": "<unk>",
        "pad_token": "<unk>",
        "eos_token": "</s>",
        "additional_special_tokens": names[3:],
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "chat_template": TEMPLATES[tokenizer.chat],
    }
    stop_ids = list(chat_format(tokenizer).stop_ids(tokenizer))
    generation = {"eos_token_id": stop_ids, "pad_token_id": tokenizer.special.pad}
    return {
        "tokenizer.json": tokenizer_json(tokenizer),
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False, indent=1) + "\n",
        "generation_config.json": json.dumps(generation, indent=1) + "\n",
    }


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """The tokenizer as one file of the `tokenizers` library: the same ids for any text without special tokens."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, normalizers, processors

    pieces = tokenizer.pieces
    assert isinstance(pieces, ChatGLMPieces)
    model = models.BPE(*pieces.merges(), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    backend: Any = Backend(model)
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


def _added(tokenizer: Tokenizer) -> list[dict[str, Any]]:
    special = tokenizer.special
    ids = {"<unk>": 0, "<s>": 1, "</s>": 2}
    ids |= {"[MASK]": special.mask, "[gMASK]": special.gmask, "[sMASK]": special.smask}
    ids |= {"<sop>": special.sop, "<eop>": special.eop} | tokenizer.marks
    kind = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": id, "content": mark} | kind for mark, id in ids.items()]
