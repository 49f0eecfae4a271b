"""OpenVINO GenAI's continuous batching over a random `GlmForCausalLM`. A program of its own, without glmkit:

    python -I openvino_genai_worker.py DIRECTORY SETTINGS

DIRECTORY holds config.json; SETTINGS is {"bits": 4 | 8 | 16, "threads", "streams", "cache": GiB}. optimum-intel
converts the model and nncf compresses it by their defaults, 4-bit weights in groups of 128 without zero points. A first
line on stdout, 0, says that the model is ready; then a line on stdin, {"requests", "prompt", "tokens"}, is answered by
a line with the tokens a second.
"""

import json
import os
import sys
import time
from typing import Any

import numpy as np


def main(directory: str, text: str) -> None:
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the libraries print goes to stderr
    settings = json.loads(text)
    vocabulary = convert(directory, settings["bits"])
    pipeline = pipeline_of(directory, settings)
    replies.write("0\n")
    for line in sys.stdin:
        replies.write(f"{rate(pipeline, vocabulary, **json.loads(line))}\n")


def convert(directory: str, bits: int) -> int:
    """Writes the model of random weights beside its config.json; how many ids it has."""
    import torch
    from optimum.exporters.openvino.convert import export_from_model
    from optimum.intel import OVConfig, OVWeightQuantizationConfig
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(directory)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    group = {"group_size": 128, "ratio": 1.0, "sym": True} if bits == 4 else {}  # with zero points it is slower
    compress = None if bits == 16 else OVConfig(quantization_config=OVWeightQuantizationConfig(bits=bits, **group))
    export_from_model(
        model, directory, task="text-generation-with-past", ov_config=compress, stateful=True, patch_16bit_model=True
    )
    return int(config.vocab_size)


def pipeline_of(directory: str, settings: dict[str, int]) -> Any:
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.max_num_seqs, scheduler.cache_size = settings["streams"], settings["cache"]
    threads = {"INFERENCE_NUM_THREADS": settings["threads"]}
    return openvino_genai.ContinuousBatchingPipeline(
        directory, scheduler_config=scheduler, device="CPU", properties=threads
    )


def rate(pipeline: Any, vocabulary: int, *, requests: int, prompt: int, tokens: int) -> float:
    """Tokens a second of `requests` completions of random prompts."""
    import openvino
    import openvino_genai

    rng, handles = np.random.default_rng(), []
    began = time.perf_counter()
    for number in range(requests):
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.ignore_eos = tokens, True
        config.do_sample, config.rng_seed = True, number
        ids = openvino.Tensor(rng.integers(0, vocabulary, (1, prompt)))
        handles.append(pipeline.add_request(number, ids, config))
    while pipeline.has_non_finished_requests():
        pipeline.step()
    written = sum(len(output.generated_ids) for handle in handles for output in handle.read_all())
    return written / (time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
