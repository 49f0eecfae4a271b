"""How fast blanks are filled: tokens and blanks a second over a batch, against one text at a time."""

import time
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from glmkit.bench.pretrain import SPECIAL
from glmkit.bench.report import Report, Result
from glmkit.core import machine
from glmkit.families.glm import GLM_FAMILY, preset
from glmkit.generate.follow import run
from glmkit.generate.request import Request
from glmkit.generate.sampling import Greedy
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.session import DecodeConfig
from glmkit.models.glm import GLM


def bench_infill(name: str, texts: int, length: int, blanks: int, tokens: int, dtype: torch.dtype) -> Report:
    """Fills `blanks` blanks of `tokens` tokens in each of `texts` random texts of `length` tokens."""
    config = replace(preset(name), max_positions=max(preset(name).max_positions, length))
    device = machine.default_device()
    model = GLM(config).to(device)
    GLM_FAMILY.initialize(model, torch.Generator(device).manual_seed(0))
    model = model.to(dtype).eval()
    decoding = DecodeConfig(
        model=model,
        position_scheme=GLM_FAMILY.positions(config),
        special=SPECIAL,
        vocab_size=config.vocab_size,
        max_tokens=tokens,
        min_tokens=tokens,
    )
    rng = np.random.default_rng(0)
    prompts = rng.integers(64, config.vocab_size, (texts, length))
    prompts[:, rng.choice(np.arange(1, length), blanks, replace=False)] = SPECIAL.mask
    together, alone = [], []
    for _ in range(3):
        together.append(_seconds(decoding, prompts.tolist()))
        alone.append(sum(_seconds(decoding, [prompt]) for prompt in prompts.tolist()))
    written = texts * blanks * tokens
    return Report(
        "infill",
        {"preset": name, "texts": texts, "length": length, "blanks": blanks, "tokens": tokens, "dtype": str(dtype)[6:]},
        [
            Result("tokens written, in one batch", written / median(together), "tokens/s", written / median(alone)),
            Result("blanks filled, in one batch", texts * blanks / median(together), "blanks/s"),
        ],
    )


def _seconds(decoding: DecodeConfig, prompts: list[list[int]]) -> float:
    began = time.perf_counter()
    run(Scheduler(decoding.model), [Request(config=decoding, prompt=prompt, strategy=Greedy()) for prompt in prompts])
    return time.perf_counter() - began
