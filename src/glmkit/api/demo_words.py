"""What the demo asks: held-out sentences with a word blanked, and which words a model finds most probable there."""

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from glmkit.api.load import Model
from glmkit.core.json_types import JsonObject
from glmkit.data.chunks import ExampleSource
from glmkit.data.loader import one_pass
from glmkit.infill.position_schemes import encode_prompt
from glmkit.text.tokenizer import Tokenizer

SHOWN = 3  # most probable words of a blank
_COUNTED = 2000  # examples

Words = Mapping[str, int]


@dataclass(frozen=True)
class BlankedSentence:
    """A sentence with blanks, and the words that stood there."""

    text: str
    truth: tuple[str, ...]


@dataclass(frozen=True)
class Guesses:
    """The most probable words of a sentence's blank, best first, each with its probability; and the hidden word's."""

    sentence: BlankedSentence
    words: tuple[tuple[str, float], ...]
    truth_probability: float

    @property
    def hit(self) -> bool:
        """Whether the hidden word is among them."""
        return self.sentence.truth[0] in dict(self.words)

    def record(self) -> JsonObject:
        """As result.json has it."""
        words = [{"word": word, "probability": probability} for word, probability in self.words]
        text, truth = self.sentence.text, self.sentence.truth[0]
        return {"text": text, "truth": truth, "truth_probability": self.truth_probability, "words": words}


def known_words(texts: Iterable[str], tokenizer: Tokenizer) -> Words:
    """What may be blanked: the words of `texts`, neither short nor names, that are one piece to the tokenizer; and
    their ids, those first that stand there most often."""
    counts = Counter(word for text in texts for word in text.split() if _plain(word))
    encoded = {word: tokenizer.encode(f" {word}") for word, _ in counts.most_common()}
    return {word: ids[0] for word, ids in encoded.items() if len(ids) == 1}


def blanked_sentences(texts: Iterable[str], words: Words, blanks: int = 1) -> list[BlankedSentence]:
    """First lines that are a sentence of 6 to 14 words, with `blanks` of `words` blanked that are no neighbours; in
    random order."""
    rng = random.Random(7)
    results = []
    for text in texts:
        sentence = text.splitlines()[0].split() if text.strip() else []
        if not 6 <= len(sentence) <= 14 or not sentence[-1].endswith("."):
            continue
        places = [i for i, word in enumerate(sentence) if i and word in words]
        chosen = sorted(rng.sample(places, blanks)) if len(places) >= blanks else []
        if chosen and all(after - before > 1 for before, after in itertools.pairwise(chosen)):
            blanked = ["[MASK]" if i in chosen else word for i, word in enumerate(sentence)]
            results.append(BlankedSentence(" ".join(blanked), tuple(sentence[i] for i in chosen)))
    rng.shuffle(results)
    return results


def _plain(word: str) -> bool:
    return len(word) > 2 and word.isalpha() and word.islower()


@torch.inference_mode()
def guesses(model: Model, words: Words, sentences: Sequence[BlankedSentence]) -> list[Guesses]:
    """What the model finds most probable of `words` in sentences with one blank: as the first piece that is written
    there."""
    names, ids = list(words), torch.tensor(list(words.values()))
    results = []
    for sentence in sentences:
        prompt = encode_prompt(model.position_scheme, _ids(model, sentence.text), model.tokenizer.special)
        logits = model.logits(torch.tensor(prompt.tokens)[None], torch.tensor(prompt.positions)[None], prompt.context)
        probabilities = logits[0, -1].float().softmax(-1)
        best, places = probabilities[ids].topk(SHOWN)
        likely = tuple((names[place], value) for place, value in zip(places.tolist(), best.tolist(), strict=True))
        results.append(Guesses(sentence, likely, float(probabilities[words[sentence.truth[0]]])))
    return results


def _ids(model: Model, text: str) -> list[int]:
    return model.prompt_format.fill(model.tokenizer.encode_marked(text))


def frequency_loss(training: ExampleSource, validation: ExampleSource, seq_length: int) -> float:
    """Nats a target of `validation` for whoever knows how often each token is one, and nothing of the text: the plateau
    that a model has to leave."""
    counts = 1 + _counts(replace(training, objective=validation.objective), seq_length)
    targets = _counts(validation, seq_length)
    return float(-targets @ np.log(counts / counts.sum()) / targets.sum())


def _counts(source: ExampleSource, seq_length: int) -> NDArray[np.float64]:
    """[V] how often each token is a target."""
    counts = np.zeros(source.vocabulary.size)
    for batch in one_pass(source, rows=16, seq_length=seq_length, limit=_COUNTED):
        np.add.at(counts, batch.targets[batch.weights > 0].numpy(), 1)
    return counts
