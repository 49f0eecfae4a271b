"""WordPiece against BERT's published procedure, written out pass by pass (Devlin et al. 2019, "basic tokenization")."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.text.wordpiece import WordPiece, words

IDEOGRAPHS = "4E00-9FFF 3400-4DBF 20000-2A6DF 2A700-2B73F 2B740-2B81F 2B820-2CEAF F900-FAFF 2F800-2FA1F"
VOCAB = [
    "[PAD]",
    "[UNK]",
    *"abcdexyzé中文!,.#ς한",
    *(f"##{c}" for c in "abcdexyz1한"),
    "abc",
    "##bcd",
    "ab",
    "##e!",
    "##",
    "$",
]


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> WordPiece:
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    path.write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    return WordPiece.read(path)


def oracle(text: str) -> list[int]:
    ids = []
    for word in split_words(text):
        ids += [VOCAB.index(piece) for piece in longest_first(word)]
    return ids


def split_words(text: str) -> list[str]:
    cleaned = ""
    for character in text:
        if character in " \t\n\r" or unicodedata.category(character) == "Zs":
            cleaned += " "
        elif character not in "\0\ufffd" and not unicodedata.category(character).startswith("C"):
            cleaned += f" {character} " if is_ideograph(character) else character
    words = []
    for word in cleaned.split():
        bare = [c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn"]
        apart = "".join(f" {c} " if is_sign(c) else c for c in bare)
        words += apart.split()
    return words


def is_ideograph(character: str) -> bool:
    ranges = (block.split("-") for block in IDEOGRAPHS.split())
    return any(int(first, 16) <= ord(character) <= int(last, 16) for first, last in ranges)


def is_sign(character: str) -> bool:
    printable_ascii = 33 <= ord(character) <= 126 and not character.isalnum()
    return printable_ascii or unicodedata.category(character).startswith("P")


def longest_first(word: str) -> list[str]:
    if len(word) > 100:
        return ["[UNK]"]
    pieces: list[str] = []
    while word:
        prefix = "##" if pieces else ""
        length = next((n for n in range(len(word), 0, -1) if prefix + word[:n] in VOCAB), 0)
        if not length:
            return ["[UNK]"]
        pieces.append(prefix + word[:length])
        word = word[length:]
    return pieces


characters = st.one_of(
    st.sampled_from("abcdeABCXYZ  \n\té!,.#$1中文"),
    st.sampled_from("ÅΣΟΔσςİſẞﬁＡａ한글\u0301\u200d\u00ad\u2028\u3000\ufeff\ufffd\0\x01\x1c\x85豈\U0002f800\U0002a701"),
    st.characters(exclude_categories=["Cs"]),
)


@given(text=st.text(characters, max_size=30))
@settings(max_examples=600, deadline=None)
def test_ids_are_those_of_the_written_out_procedure(wordpiece, text):
    assert wordpiece.encode(text) == oracle(text)


@pytest.mark.slow
def test_every_character_is_read_as_the_procedure_reads_it(wordpiece):
    for block in range(0, 0x110000, 0x400):
        text = "".join(f"a{chr(code)}b " for code in range(block, block + 0x400) if not 0xD800 <= code < 0xE000)
        assert words(text).split() == split_words(text)


@pytest.mark.parametrize("length", [100, 101])
def test_words_beyond_a_hundred_characters_are_unknown(wordpiece, length):
    assert wordpiece.encode("a" * length) == oracle("a" * length)
    assert (wordpiece.encode("a" * length) == [VOCAB.index("[UNK]")]) == (length > 100)
