"""How fast a model is tuned in full, by the token that is no padding, against pretraining a model of its shape.

cloze      contexts of a quarter of a row to a whole one, a label word each, packed; against blanked text
seq2seq    sources and targets as long as AdvertiseGen's, packed; against blanked text
chat       the same as replies in a ChatGLM2 of the GLM's sizes; against whole rows with as many targets
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn

from glmkit.bench.interleaved import interleaved
from glmkit.bench.pretrain import SPECIAL, random_batch
from glmkit.bench.report import Report, Result
from glmkit.core import machine
from glmkit.core.types import Batch, Example, IntArray
from glmkit.data.packing import DensePlan, pack
from glmkit.families.chatglm2 import CHATGLM2_FAMILY
from glmkit.families.glm import GLM_FAMILY, preset
from glmkit.families.spec import FamilySpec, ModelConfig
from glmkit.finetuning.task_module import ClozeLoss, packed
from glmkit.infill.layout import answer_layout, causal_layout
from glmkit.infill.position_schemes import Sequential, TwoChannel, example
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.models.glm import GLMConfig
from glmkit.objective.loss import Loss, language_model
from glmkit.train.optimizer import OptimizerConfig, adamw
from glmkit.train.step import step_alone

_FIRST = 72  # ids of text; those of label words and special tokens come before


@machine.keep_memory()
def bench_finetune(name: str, length: int, rows: int, dtype: torch.dtype, steps: int) -> Report:
    """Times optimizer steps on `rows` rows of `length` tokens of each kind, and those of pretraining, in turns."""
    config = replace(preset(name), max_positions=max(preset(name).max_positions, length))
    glm = _model(GLM_FAMILY, config)
    scored, words = language_model(glm), torch.tensor([70, 71])
    cloze = _clozes(length, rows, config.vocab_size)
    written, fill = _packed([_written(*sizes, config.vocab_size) for sizes in _sizes()], rows, length)
    text = random_batch(config, length, rows)
    results = [
        _against("cloze", glm, ClozeLoss(scored, words, "cross_entropy", 0.0), cloze, text, dtype, steps),
        _against("seq2seq", glm, Loss(scored), written, text, dtype, steps),
    ]
    del glm, scored
    chatting = _model(CHATGLM2_FAMILY, chat_config(config))
    replies, _ = _packed([_reply(*sizes, config.vocab_size) for sizes in _sizes()], rows, length)
    share = float(replies.weights.sum()) / _tokens(replies)
    whole = pack([[_reply(round((1 - share) * length), round(share * length), config.vocab_size)]] * rows, SPECIAL.pad)
    results += [
        _against("chat", chatting, Loss(language_model(chatting)), replies, whole, dtype, steps),
        Result("rows filled", 100 * fill, "%", 100.0),
    ]
    settings = {"preset": name, "length": length, "rows": rows, "dtype": str(dtype).removeprefix("torch.")}
    return Report("finetune", settings, results)


def chat_config(config: GLMConfig) -> ChatGLM2Config:
    """A ChatGLM2 of a GLM's sizes: as wide, as deep, with about as many weights."""
    return ChatGLM2Config(
        num_layers=config.num_layers,
        hidden_size=config.hidden_size,
        num_heads=config.num_heads,
        num_kv_heads=config.num_heads,
        head_dim=config.hidden_size // config.num_heads,
        intermediate_size=config.hidden_size * 8 // 3 // 16 * 16,
        vocab_size=config.vocab_size,
        max_positions=config.max_positions,
    )


def _model(family: FamilySpec, config: ModelConfig) -> nn.Module:
    device = machine.default_device()
    model: nn.Module = family.build(config).to(device)
    family.initialize(model, torch.Generator(device).manual_seed(0))
    return model


def _against(
    kind: str, model: nn.Module, loss: nn.Module, tuned: Batch, text: Batch, dtype: torch.dtype, steps: int
) -> Result:
    """Tokens a second of `tuned` under `loss`, with those of `text` as their limit."""
    optimizer = adamw(model, OptimizerConfig())
    turns = {kind: (loss, tuned), "text": (Loss(language_model(model)), text)}

    def step(trained: nn.Module, batch: Batch) -> None:
        step_alone(trained, optimizer, [batch], learning_rate=1e-5, dtype=dtype)

    seconds = interleaved({name: partial(step, *turn) for name, turn in turns.items()}, steps)
    rates = {name: _tokens(batch) / seconds[name] for name, (_, batch) in turns.items()}
    return Result(f"{kind}, against pretraining", rates[kind], "tokens/s", rates["text"])


def _tokens(batch: Batch) -> int:
    """Those that are no padding."""
    return int((batch.tokens != SPECIAL.pad).sum())


def _clozes(length: int, rows: int, vocab_size: int) -> Batch:
    """Random contexts of a quarter of `length` to all of it."""
    rng = np.random.default_rng(0)
    built: list[Example] = []
    for size in rng.integers(length // 4, length - 1, rows):
        ids = rng.integers(_FIRST, vocab_size, size)
        ids[0], ids[size // 2], ids[-1] = SPECIAL.begin, SPECIAL.mask, SPECIAL.eod
        built.append(example(answer_layout(ids, int(size) // 2, [int(rng.integers(2))], SPECIAL.sop), TwoChannel()))
    return packed(built, length, SPECIAL.pad)


def _sizes() -> list[tuple[int, int]]:
    """Tokens of 1000 sources and their targets. AdvertiseGen's, asked as ChatGLM2 is: 67 to 235 together, 5 % below 89,
    half below 127, 5 % above 172."""
    rng = np.random.default_rng(0)
    totals = np.clip(rng.normal(129, 26, 1000), 67, 235).astype(int)
    return [(int(total * 0.4), total - int(total * 0.4)) for total in totals.tolist()]


def _packed(examples: Sequence[Example], rows: int, length: int) -> tuple[Batch, float]:
    """A step as a run makes it, and how full its rows are."""
    lengths: IntArray = np.array([min(len(item), length) for item in examples])
    plan = DensePlan(lengths, lambda epoch: np.random.default_rng(epoch).permutation(len(examples)), rows, length)
    batch = pack([[examples[index] for _, index in row] for row in plan.next()], SPECIAL.pad)
    return batch, _tokens(batch) / (rows * length)


def _written(source: int, target: int, vocab_size: int) -> Example:
    """A source with [sMASK] behind it, and what is written there."""
    rng = np.random.default_rng(source)
    ids = rng.integers(_FIRST, vocab_size, source)
    ids[0], ids[-2], ids[-1] = SPECIAL.begin, SPECIAL.smask, SPECIAL.eod
    answer = [*rng.integers(_FIRST, vocab_size, target - 1).tolist(), SPECIAL.eop]
    return example(answer_layout(ids, source - 2, answer, SPECIAL.sop), TwoChannel())


def _reply(prompt: int, reply: int, vocab_size: int) -> Example:
    """A question and the reply behind it."""
    ids = np.random.default_rng(prompt).integers(_FIRST, vocab_size, prompt + reply)
    return example(causal_layout(ids, prompt), Sequential())
