"""Tokenizers of the published models against the original's ids: shared golden/glm/tokenizers, every file and variant.

Where glmkit differs on purpose:
- Ids that stand for nothing raise ValueError everywhere; the original's BERT drops those beyond its vocabulary.
- The SentencePiece pieces 0 and 1 are called as the model file calls them; the original prints `<str0>` and `<str1>`,
  names of two segment tokens of its own that no model uses.
- `num_tokens` counts ids: the original is one short for unfixed GLM-Chinese without task masks, whose eop lies there.
"""

import json
from typing import Any, get_args

import numpy as np
import pytest

from glmkit.testing import shared_path
from glmkit.text.load import load
from glmkit.text.published import PUBLISHED, VARIANTS, Variant, published
from glmkit.text.tokenizer import Tokenizer

FILES = {  # golden -> name here, folder of the vocabulary
    "bert-uncased": ("bert", "bert"),
    "roberta-bpe": ("roberta", "gpt2"),
    "gpt2-bpe": ("gpt2", "gpt2"),
    "chinese-sp-fixed": ("chinese", "glm-chinese"),
    "chinese-sp-unfixed": ("chinese-unfixed", "glm-chinese"),
}
ROLES = {"eos": "eod", "ENC": "cls", "MASK": "mask", "sMASK": "smask", "gMASK": "gmask", "dBLOCK": "block"}


@pytest.fixture(scope="module", params=FILES)
def golden(request: pytest.FixtureRequest) -> dict[str, Any]:
    path = shared_path("golden", "glm", "tokenizers", f"{request.param}.json")
    if path is None:
        pytest.skip("shared golden/glm/tokenizers is not here")
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def variants(golden: dict[str, Any]) -> dict[str, Tokenizer]:
    name, folder = FILES[golden["tokenizer"]]
    directory = shared_path("data", "tokenizers", folder)
    if directory is None:
        pytest.skip(f"shared data/tokenizers/{folder} is not here")
    return {variant: published(name, directory, variant) for variant in get_args(Variant)}


def test_every_golden_layout_is_in_the_table():
    assert {name for name, _ in FILES.values()} == set(PUBLISHED)


def test_variants_are_those_of_the_original(golden):
    assert set(golden["variants"]) == set(VARIANTS) == set(get_args(Variant))


def test_special_ids(golden, variants):
    for name, wanted in golden["variants"].items():
        tokenizer = variants[name]
        for role, id in wanted["special"].items():
            assert tokenizer.marks[wanted["special_text"][role]] == id
            assert role == "unk" or getattr(tokenizer.special, ROLES.get(role, role)) == id
        assert tokenizer.marks.keys() == set(wanted["special_text"].values())


def test_marks_stand_in_the_order_the_text_is_split_on(golden, variants):
    for name, wanted in golden["variants"].items():
        spellings = [wanted["special_text"][role] for role in wanted["order"]]
        assert list(variants[name].marks) == list(dict.fromkeys(spellings))


def test_only_masks_strip_on_their_left(golden, variants):
    for name, wanted in golden["variants"].items():
        assert {wanted["special_text"][role] for role in wanted["strips_left"]} <= set(variants[name].blanks)
        assert set(variants[name].blanks) <= {"[MASK]", "[sMASK]", "[gMASK]"}


def test_number_of_ids(golden, variants):
    for name, wanted in golden["variants"].items():
        clash = golden["tokenizer"] == "chinese-sp-unfixed" and name == "plain"
        assert len(variants[name]) == wanted["num_tokens"] + clash
        assert -(-len(variants[name]) // 128) * 128 == wanted["padded_rows"]


def test_ids_with_task_masks(golden, variants):
    tokenizer = variants[golden["encode_variant"]]
    for case in golden["cases"]:
        assert tokenizer.encode_marked(case["text"]) == case["ids"], case["text"]


def test_ids_without_task_masks(golden, variants):
    for case in golden["cases"]:
        assert variants["plain"].encode_marked(case["text"]) == case.get("ids_plain", case["ids"]), case["text"]


def test_decoded(golden, variants):
    tokenizer = variants[golden["encode_variant"]]
    for case in [*golden["cases"], *golden["decode_random_ids"]]:
        assert tokenizer.decode(case["ids"]) == tokenizer.decode(np.array(case["ids"])) == case["decoded"]
    for case in golden["cases"]:
        if "ids_plain" in case:
            assert variants["plain"].decode(case["ids_plain"]) == case["decoded_plain"]


def test_pieces(golden, variants):
    tokenizer = variants[golden["encode_variant"]]
    for row in golden["id_to_token"]:
        if row["token"] not in ("<str0>", "<str1>"):
            assert tokenizer.piece(row["id"]) == row["token"]


def test_ids_beyond_the_vocabulary_are_refused_by_number(golden, variants):
    tokenizer = variants[golden["encode_variant"]]
    for id in map(int, golden["decode_of_padded_rows"]):
        for read in (lambda id: tokenizer.decode([0, id]), tokenizer.piece):
            with pytest.raises(ValueError, match=rf"token id {id} .*{len(tokenizer)}"):
                read(id)


def test_white_space_before_a_special_token_that_is_no_mask_stays(golden, variants):
    """Of two spellings of one id (eop and [gMASK] of unfixed GLM-Chinese) only the mask's strips."""
    tokenizer = variants[golden["encode_variant"]]
    before = tokenizer.encode_marked("a <|endofpiece|>")
    assert before == [*tokenizer.encode("a "), tokenizer.special.eop]
    assert tokenizer.encode_marked("a \n [gMASK]") == [*tokenizer.encode("a"), tokenizer.special.gmask]


def test_saved_and_loaded_is_the_same(golden, variants, tmp_path):
    for name, tokenizer in variants.items():
        tokenizer.save(tmp_path / name)
        loaded = load(tmp_path / name)
        assert loaded.fingerprint == tokenizer.fingerprint
        assert (loaded.special, loaded.marks, len(loaded)) == (tokenizer.special, tokenizer.marks, len(tokenizer))
        for case in golden["cases"][::7]:
            assert loaded.encode_marked(case["text"]) == tokenizer.encode_marked(case["text"])
    assert len({tokenizer.fingerprint for tokenizer in variants.values()}) == len(variants)


def test_nothing_but_text_and_ends_may_be_generated(golden, variants):
    """What a sampler may choose decodes to text; every named token but the ends is ruled out."""
    for name, wanted in golden["variants"].items():
        ruled_out, ends = set(variants[name].special.never_generated), set(variants[name].special.ends)
        assert ruled_out >= set(wanted["special"].values()) - ends
        assert ruled_out.isdisjoint(ends)
    tokenizer = variants["task_mask+dblock"]
    for id in set(range(len(tokenizer))) - ruled_out - ends:
        assert tokenizer.decode([id]) or tokenizer.piece(id) == "▁"


def test_sentences_end_at_signs(golden, variants):
    tokenizer = variants[golden["encode_variant"]]
    marked = ["!" if end else "." for end in tokenizer.sentence_ends[tokenizer.encode("One. Two, three? Four")]]
    assert marked.count("!") == 2
    assert not tokenizer.sentence_ends[list(tokenizer.marks.values())].any()
    assert len(tokenizer.sentence_ends) == len(tokenizer)
