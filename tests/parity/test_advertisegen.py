"""How full rows get on the lengths of AdvertiseGen, tokenized and asked as ChatGLM2 is."""

import json

import numpy as np
import pytest

from glmkit.core.random import epoch_generator
from glmkit.data.packing import DensePlan
from glmkit.testing import shared_path
from glmkit.text.chat import chat_format
from glmkit.text.labelled_sequence import labelled_sequences
from tests.parity.chatglm import tokenizer_of


@pytest.mark.parametrize("length", [512, 1024])
def test_rows_are_at_least_95_percent_full(length: int) -> None:
    path = shared_path("data", "generation", "adgen", "dev.json")
    if path is None:
        pytest.skip("no AdvertiseGen: set GLMKIT_SHARED to the folder that holds data/generation/adgen")
    tokenizer = tokenizer_of("chatglm2")
    sizes = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        requests = [{"role": "user", "content": row["content"]}, {"role": "assistant", "content": row["summary"]}]
        sizes += [len(lesson) for lesson in labelled_sequences(chat_format(tokenizer), tokenizer, requests)]

    def order(epoch: int) -> np.ndarray:
        return epoch_generator(0, epoch, 0).permutation(len(sizes))

    plan = DensePlan(np.array(sizes), order, 16, length)
    filled = [sum(sizes[index] for row in plan.next() for _, index in row) for _ in range(30)]
    assert min(filled) >= 0.95 * 16 * length
