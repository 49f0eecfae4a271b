"""What the demo asks and how it counts, each against its definition."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import pytest

from glmkit.api.demo_words import BlankedSentence, blanked_sentences, guesses, known_words
from glmkit.testing import tiny


class Pieces:
    """A tokenizer to which words of four letters and fewer are one piece."""

    def encode(self, text: str) -> list[int]:
        return [len(text), ord(text[1])] if len(text) > 5 else [ord(text[1]) * 1000 + ord(text[-1])]


TEXTS = [
    "Take the list and the next item of the list.\nNot this line, the the the.",
    "Open the file for Bob, who has the path.",
    "No sentence here",
    "The file that was left in a tree is read again and again by all of them now so it goes on.",  # too long
    "",
]


def test_words_are_those_of_the_text_most_frequent_first() -> None:
    words = known_words(TEXTS, Pieces())  # type: ignore[arg-type]
    assert next(iter(words)) == "the"
    assert words["the"] == ord("t") * 1000 + ord("e")
    assert not {"again", "Take", "of", "list.", "Bob,", "sentence"} & words.keys()
    counts = Counter(word for text in TEXTS for word in text.split())
    assert [counts[word] for word in words] == sorted((counts[word] for word in words), reverse=True)


@pytest.mark.parametrize("blanks", [1, 2])
def test_sentences_lose_known_words_that_are_no_neighbours(blanks: int) -> None:
    words = {"list": 1, "next": 2, "item": 3, "file": 4, "path.": 5}
    asked = blanked_sentences(TEXTS * 20, words, blanks)
    assert asked == blanked_sentences(TEXTS * 20, words, blanks)
    assert len(asked) >= 10
    for sentence in asked:
        parts = sentence.text.split()
        places = [i for i, part in enumerate(parts) if part == "[MASK]"]
        for place, word in zip(places, sentence.truth, strict=True):
            parts[place] = word
        assert " ".join(parts) in [text.splitlines()[0] for text in TEXTS if text]
        assert set(sentence.truth) <= words.keys()
        assert 0 not in places
        assert all(after - before > 1 for before, after in itertools.pairwise(places))
    assert {len(sentence.truth) for sentence in asked} == {blanks}


def ranked(probabilities: dict[str, float]) -> Sequence[str]:
    return sorted(probabilities, key=lambda word: -probabilities[word])


@pytest.mark.parametrize("family", ["glm", "neoglm"])
def test_guesses_are_the_most_probable_words(family: str) -> None:
    model = tiny(family)
    words = {letter: model.tokenizer.encode(letter)[0] for letter in "abcdefgh"}
    text = "one[MASK] three"
    probabilities = {word: math.exp(model.score(text, [word], ended=False)[0]) for word in words}
    best = ranked(probabilities)
    for truth, found in ((best[2], True), (best[3], False)):
        (answer,) = guesses(model, words, [BlankedSentence(text, (truth,))])
        assert [word for word, _ in answer.words] == best[:3]
        assert [value for _, value in answer.words] == pytest.approx([probabilities[word] for word in best[:3]])
        assert answer.truth_probability == pytest.approx(probabilities[truth])
        assert answer.hit is found
        assert answer.record()["words"][0] == {"word": best[0], "probability": answer.words[0][1]}
