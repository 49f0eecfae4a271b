"""Filling blanks the slow way: one prompt, no cache, no padding; the whole sequence is read again for each token."""

import torch

from glmkit.core.types import AttentionMask
from glmkit.generate.session import DecodeConfig


@torch.inference_mode()
def fill(config: DecodeConfig, prompt: list[int]) -> list[tuple[list[int], list[float], str]]:
    """For each blank: ids, log p of each and of the end, and how it ended. Always the most probable token."""
    special = config.special
    tokens = list(prompt)
    places, steps = list(range(len(prompt))), [0] * len(prompt)
    forbidden = {*special.never_generated, *range(config.vocab_size, 10**6)}
    filled = []
    for blank in [place for place, id in enumerate(prompt) if id in special.masks]:
        ids: list[int] = []
        logprobs: list[float] = []
        tokens.append(special.sop)
        places.append(blank)
        steps.append(1)
        while True:
            hidden = config.model(
                torch.tensor([tokens]), torch.tensor([[places, steps]]), AttentionMask.prefix([len(prompt)])
            )
            scores = config.model.logits(hidden)[0, -1].log_softmax(-1).tolist()
            early = set(special.ends) if len(ids) < config.min_tokens else set()
            best = max(set(range(len(scores))) - forbidden - early, key=lambda id: scores[id])
            logprobs.append(scores[best])
            if best in special.ends:
                ended = "eop" if best == special.eop else "eod"
                break
            ids.append(best)
            tokens.append(best)
            places.append(blank)
            steps.append(len(ids) + 1)
            if len(ids) == config.max_tokens:
                ended = "length"
                break
        filled.append((ids, logprobs, ended))
    return filled


@torch.inference_mode()
def go_on(config: DecodeConfig, prompt: list[int]) -> tuple[list[int], list[float], str]:
    """The same for an architecture that writes behind its prompt: positions 0, 1, 2, ... and nothing read both ways."""
    ids, logprobs = list(prompt), []
    forbidden = set(config.special.never_generated) - set(config.end_ids)
    while True:
        hidden = config.model(torch.tensor([ids]), torch.arange(len(ids))[None, None], AttentionMask.prefix([0]))
        scores = config.model.logits(hidden)[0, -1].log_softmax(-1).tolist()
        early = set(config.end_ids) if len(ids) - len(prompt) < config.min_tokens else set()
        best = max(set(range(config.vocab_size)) - forbidden - early, key=lambda id: scores[id])
        logprobs.append(scores[best])
        if best in config.end_ids:
            return ids[len(prompt) :], logprobs, config.end_ids[best]
        ids.append(best)
        if len(ids) - len(prompt) == config.max_tokens or len(ids) == config.max_length:
            return ids[len(prompt) :], logprobs, "length"
