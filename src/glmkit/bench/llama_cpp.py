"""llama.cpp with random weights of a ChatGLM2's shapes."""

import tempfile
from pathlib import Path

import numpy as np

from glmkit.bench.baselines import Work
from glmkit.bench.word_tokenizer import MARKS, pieces
from glmkit.conversion.gguf import library
from glmkit.core.errors import UserError
from glmkit.models.chatglm2 import ChatGLM2Config

FORMS = {"int4": "Q4_0", "int8": "Q8_0", None: "BF16"}


class LlamaCpp:
    """llama.cpp through llama-cpp-python."""

    def __init__(self, work: Work) -> None:
        import llama_cpp

        self._lib = llama_cpp
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            write_gguf(path, work.config, work.quantize)
            llama_cpp.llama_backend_init()
            load = llama_cpp.llama_model_default_params()
            load.use_mmap = False
            self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), load)
        if not self._model:
            raise UserError("llama.cpp did not load the random model; its version may not know the architecture")
        run = llama_cpp.llama_context_default_params()
        run.n_ctx, run.n_batch, run.n_ubatch, run.n_seq_max = work.room, 512, 512, 16
        run.kv_unified = True  # any stream may use all of the room
        run.n_threads = run.n_threads_batch = work.threads
        self._context = llama_cpp.llama_init_from_model(self._model, run)
        self._vocab, self._length = work.config.vocab_size, 0
        self._batch = llama_cpp.llama_batch_init(4096, 0, 1)

    def prefill(self, tokens: int, streams: int) -> None:
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)
        self._length = 0
        for stream in range(streams):
            self._run([(place, stream) for place in range(tokens)])
        self._length = tokens

    def decode(self, tokens: int, streams: int) -> None:
        for _ in range(tokens):
            self._run([(self._length, stream) for stream in range(streams)])
            self._length += 1

    def _run(self, places: list[tuple[int, int]]) -> None:
        batch, ids = self._batch, np.random.default_rng(0).integers(0, self._vocab, len(places))
        batch.n_tokens = len(places)
        for i, (place, stream) in enumerate(places):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = int(ids[i]), place, 1, stream
            batch.logits[i] = i == len(places) - 1 or places[-1][0] == place
        if status := self._lib.llama_decode(self._context, batch):
            raise RuntimeError(f"llama_decode returned {status}")
        self._lib.llama_synchronize(self._context)


def write_gguf(path: Path, c: ChatGLM2Config, quantize: str | None) -> None:
    """A ChatGLM2 of random bytes that are valid numbers of the form, and words as its vocabulary: Q4_0 with a Q6_K
    output matrix, as llama.cpp's own tool makes it, Q8_0, or BF16. Raises MissingExtra without the package `gguf`."""
    gguf = library()
    writer = gguf.GGUFWriter(path, "chatglm")
    writer.add_context_length(c.max_positions)
    writer.add_embedding_length(c.hidden_size)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_block_count(c.num_layers)
    writer.add_head_count(c.num_heads)
    writer.add_head_count_kv(c.num_kv_heads)
    writer.add_layer_norm_rms_eps(c.norm_epsilon)
    writer.add_rope_dimension_count(c.head_dim // 2)
    writer.add_vocab_size(c.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")  # which takes a word that is a piece whole, whatever the merges are
    vocabulary = pieces(c.vocab_size)
    writer.add_token_list(vocabulary)
    special = [gguf.TokenType.CONTROL if piece in MARKS.values() else gguf.TokenType.NORMAL for piece in vocabulary]
    writer.add_token_types(special)
    writer.add_token_merges([f"{vocabulary[-2]} {vocabulary[-1]}"])
    writer.add_eos_token_id(vocabulary.index(MARKS["eod"]))
    writer.add_add_bos_token(False)
    rng = np.random.default_rng(0)
    kinds = gguf.GGMLQuantizationType

    def matrix(name: str, rows: int, columns: int, kind: int) -> None:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        if kind == kinds.BF16:
            bits = (rng.standard_normal((64, columns), dtype=np.float32) * 0.02).view(np.uint32) >> 16
            data = np.tile(bits.astype(np.uint16), (-(-rows // 64), 1))[:rows].view(np.uint8)
        else:
            width = columns // block * size
            data = rng.integers(0, 256, (64, columns // block, size), dtype=np.uint8)
            scale = np.frombuffer(np.float16(0.002).tobytes(), np.uint8)
            if kind == kinds.Q6_K:  # its float16 scale ends a block of 256, its int8 scales come before
                data[..., -18:-2], data[..., -2:] = 1, scale
            else:
                data[..., :2] = scale
            data = np.tile(data.reshape(64, width), (-(-rows // 64), 1))[:rows]
        writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=kind)

    def vector(name: str, size: int) -> None:
        writer.add_tensor(name, np.ones(size, dtype=np.float32))

    kind = kinds[FORMS[quantize]]
    output = kinds.Q6_K if kind == kinds.Q4_0 else kind
    matrix("token_embd.weight", c.vocab_size, c.hidden_size, kind)
    for i in range(c.num_layers):
        vector(f"blk.{i}.attn_norm.weight", c.hidden_size)
        matrix(f"blk.{i}.attn_qkv.weight", (c.num_heads + 2 * c.num_kv_heads) * c.head_dim, c.hidden_size, kind)
        vector(f"blk.{i}.attn_qkv.bias", (c.num_heads + 2 * c.num_kv_heads) * c.head_dim)
        matrix(f"blk.{i}.attn_output.weight", c.hidden_size, c.num_heads * c.head_dim, kind)
        vector(f"blk.{i}.ffn_norm.weight", c.hidden_size)
        matrix(f"blk.{i}.ffn_up.weight", 2 * c.intermediate_size, c.hidden_size, kind)
        matrix(f"blk.{i}.ffn_down.weight", c.hidden_size, c.intermediate_size, kind)
    vector("output_norm.weight", c.hidden_size)
    matrix("output.weight", c.vocab_size, c.hidden_size, output)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
