"""How llama.cpp cuts text with the vocabulary of a GGUF file, from its definition: of all neighbours that are a token
together the pair of the highest score is joined, the leftmost of equals, until none is left; the rest is bytes."""

import itertools
from collections.abc import Sequence


def encode(text: str, tokens: Sequence[str], scores: Sequence[float], space_before: bool) -> list[int]:
    """Ids of a text without special tokens."""
    ids = {token: id for id, token in enumerate(tokens)}
    symbols = list(((" " if space_before else "") + text).replace(" ", "▁"))
    while True:
        pairs = [
            (-scores[ids[left + right]], place)
            for place, (left, right) in enumerate(itertools.pairwise(symbols))
            if left + right in ids
        ]
        if not pairs:
            break
        _, place = min(pairs)
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
    results = []
    for symbol in symbols:
        results += [ids[symbol]] if symbol in ids else [ids[f"<0x{byte:02X}>"] for byte in symbol.encode()]
    return results
