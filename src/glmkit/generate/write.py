"""The closed loop: a batch of prompts is written to its end, and nothing joins it on the way."""

import math
from collections import abc
from dataclasses import replace

import torch
from torch import Tensor

from glmkit.generate.prefix_cache import PrefixCache
from glmkit.generate.prompt_lookup import PromptLookup
from glmkit.generate.samplers import BatchChoice, Sampler
from glmkit.generate.sampling import Strategy
from glmkit.generate.sequence import Completion, Sequence, Token
from glmkit.generate.session import DecodeConfig
from glmkit.nn.finite import not_finite


@torch.inference_mode()
def write(
    config: DecodeConfig,
    prompts: abc.Sequence[abc.Sequence[int]],
    strategy: Strategy | abc.Sequence[Strategy],
    num_return_sequences: int = 1,
    *,
    top: int = 0,
    watch: abc.Callable[[Token], bool] | None = None,
    prefix_cache: PrefixCache | None = None,
    lookup: bool = True,
) -> abc.Iterator[list[Token]]:
    """Writes behind every prompt, or into each of its blanks, `num_return_sequences` times each; yields the tokens of
    each step as they come, with the `top` most probable ids beside each.

    `strategy` is one for all prompts or one for each. Row r * num_return_sequences + n is sequence n of prompt r. Where
    `watch` says True to a token its row ends. A single row has its prompt looked up (glmkit.generate.prompt_lookup)
    unless `lookup` is False. Raises NotFinite, before the token is yielded, where the model's scores are NaN or
    infinite.
    """
    strategies = strategy if isinstance(strategy, abc.Sequence) else [strategy] * len(prompts)
    samplers = [
        one.sampler(prompt, n)
        for one, prompt in zip(strategies, prompts, strict=True)
        for n in range(num_return_sequences)
    ]
    alone = len(samplers) == 1
    state = config.prefill(prompts, prefix_cache, PromptLookup(prompts[0]) if lookup and alone else None)
    forks = [(row, prompt.fork()) for row, prompt in enumerate(state.sequences) for _ in range(num_return_sequences)]
    state.select([row for row, _ in forks], [fork for _, fork in forks])
    for row, sequence in enumerate(state.sequences):
        sequence.row = row
    while state.sequences:
        rows_to_sample, logits = state.step()
        if rows_to_sample:
            sequences = [state.sequences[row] for row in rows_to_sample]
            tokens = _sample(config, sequences, logits, [samplers[one.row] for one in sequences], top)
            for i, sequence in enumerate(sequences):
                if watch is not None and watch(tokens[i]):
                    tokens[i] = replace(tokens[i], finish_reason=tokens[i].finish_reason or "stop")
                    sequence.finish()
            yield tokens
        running = [row for row, sequence in enumerate(state.sequences) if not sequence.finished]
        if len(running) * 2 <= len(state.sequences):  # finished rows leave when they are half: it copies the cache
            state.select(running, [state.sequences[row] for row in running])


def _sample(
    config: DecodeConfig, sequences: abc.Sequence[Sequence], logits: Tensor, samplers: abc.Sequence[Sampler], top: int
) -> list[Token]:
    """The next token of each sequence by its logits [B, V], brought to the host in one copy."""
    choice = BatchChoice(samplers, config.mask_logits(logits, sequences))
    total = logits.logsumexp(-1, keepdim=True)
    others = (logits - total).topk(min(top, logits.shape[1])) if top else ()
    table = _to_host(choice, logits, total, *others)
    while unsettled := [row for row, (again, *_) in enumerate(table) if again]:
        choice.widen(unsettled)
        table = _to_host(choice, logits, total, *others)
    if not all(math.isfinite(logprob) for _, _, logprob, *_ in table):  # as `total` is where any score is not
        raise not_finite(config.model)
    tokens = []
    for sequence, sampler, (_, id, logprob, *best) in zip(sequences, samplers, table, strict=True):
        sampler.observe(int(id))
        half = len(best) // 2
        most_probable = tuple(zip(map(int, best[half:]), best[:half], strict=True))
        tokens.append(config.append_token(sequence, int(id), logprob, most_probable))
    return tokens


def _to_host(choice: BatchChoice, logits: Tensor, total: Tensor, *others: Tensor) -> list[list[float]]:
    """Of each row whether its id is unsettled, the id, its log p, and `others` [B, N], in one copy. Ids are exact in
    float32 below 2**24."""
    ids = choice.ids[:, None]
    unsettled = torch.zeros_like(total) if choice.unsettled is None else choice.unsettled[:, None].float()
    columns = [unsettled, ids.float(), logits.gather(1, ids) - total, *(column.float() for column in others)]
    return torch.cat(columns, dim=1).tolist()


def collect(steps: abc.Iterator[list[Token]], rows: int) -> list[list[Completion]]:
    """What each of `rows` rows wrote into each of its blanks."""
    written: list[list[list[Token]]] = [[] for _ in range(rows)]
    for token in (token for step in steps for token in step):
        blanks = written[token.row]
        if token.blank == len(blanks):
            blanks.append([])
        blanks[token.blank].append(token)
    return [[_completion(tokens) for tokens in blanks] for blanks in written]


def _completion(tokens: list[Token]) -> Completion:
    reason = tokens[-1].finish_reason
    assert reason is not None
    return Completion([token.id for token in tokens if token.is_text], [token.logprob for token in tokens], reason)
