"""OpenVINO with a random ChatGLM2, as its converter and nncf's compression of weights would hand it over."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from glmkit.bench.baselines import Work
from glmkit.models.chatglm2 import ChatGLM2Config, rotate
from glmkit.nn.positions import InterleavedRope

_FEW = 32  # rows
Node = Any  # of OpenVINO's graph: what its operators take and give


class OpenVino:
    """OpenVINO on the CPU, at the settings that were found fastest: int4 in groups of 128 with an int8 embedding and
    output matrix, as nncf chooses, int8 by the row, or bfloat16.

    Activations are rounded to 8 bits in blocks of 128 columns, or of 32, its default, for a single row. It leaves that
    out where it computes in bfloat16, its default where the processor can: that is faster with AMX and many rows alone,
    so for few rows of a quantized model float32 is asked for.
    """

    def __init__(self, work: Work) -> None:
        import openvino

        settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": work.threads,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 32 if work.rows == 1 else 128,
        }
        if work.quantize is not None and work.rows <= _FEW:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        model = Graph(work.config, work.quantize).model()
        self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
        self._vocab, self._length = work.config.vocab_size, 0

    def prefill(self, tokens: int, streams: int) -> None:
        self._request.reset_state()
        self._length = 0
        self._run(tokens, streams)

    def decode(self, tokens: int, streams: int) -> None:
        for _ in range(tokens):
            self._run(1, streams)

    def _run(self, tokens: int, streams: int) -> None:
        ids = np.random.default_rng(0).integers(0, self._vocab, (streams, tokens))
        self._request.infer(inputs(ids, self._length), share_inputs=True, share_outputs=True)
        self._length += tokens


def inputs(ids: np.ndarray, length: int) -> Mapping[str, np.ndarray]:
    """What the model reads to go on with `ids` [B, T] after `length` tokens, no stream changing its place."""
    streams, tokens = ids.shape
    positions = np.broadcast_to(np.arange(length, length + tokens), ids.shape)
    return {"ids": ids, "positions": positions.copy(), "beam_idx": np.arange(streams, dtype=np.int32)}


class Graph:
    """The model's nodes, in the shapes that the CPU plugin knows to fuse: those of the official code, tokens first.

    `weights`: the matrices and vectors as float32 nodes, by the names of `ChatGLM2`'s parameters.
    """

    def __init__(self, config: ChatGLM2Config, quantize: str | None) -> None:
        import openvino
        from openvino import opset15

        self.config, self.quantize = config, quantize
        self.ov, self.op = openvino, opset15
        self.weights: dict[str, Node] = {}
        self._rng = np.random.default_rng(0)
        self._sinks: list[Node] = []

    def model(self) -> Any:
        """ids [B, T], positions [B, T] and beam_idx [B] to logits [B, V] of the last token; keys and values stay."""
        c, op = self.config, self.op
        ids = op.parameter([-1, -1], np.int64, name="ids")
        positions = op.parameter([-1, -1], np.int64, name="positions")
        beams = op.parameter([-1], np.int32, name="beam_idx")
        for parameter in (ids, positions, beams):
            parameter.output(0).set_names({parameter.friendly_name})
        streams = op.gather(op.shape_of(ids, "i32"), [0], 0)
        length = op.gather(op.shape_of(ids, "i32"), [1], 0)
        empty = op.broadcast(np.float32(0), self._shape(0, streams, c.num_kv_heads, c.head_dim))
        turns = op.transpose(op.gather(self._table(), positions, 0), [1, 0, 2, 3])  # [T, B, pairs, 2]
        turns = op.slice(turns, [0], length, [1], [0])
        x = op.gather(self._matrix("embedding", c.vocab_size, c.hidden_size), op.transpose(ids, [1, 0]), 0)
        for layer in range(c.num_layers):
            name = f"blocks.{layer}"
            y = self._norm(f"{name}.attention_norm", x)
            x = op.add(x, self._attention(f"{name}.attention", y, turns, length, empty, beams))
            x = op.add(x, self._mlp(f"{name}.mlp", self._norm(f"{name}.mlp_norm", x)))
        last = op.gather(self._norm("norm", x), -1, 0)  # [B, D]
        logits = self._times(last, "output", c.vocab_size, c.hidden_size)
        return self.ov.Model([op.result(logits)], self._sinks, [ids, positions, beams], "chatglm2")

    def _table(self) -> Node:
        """Cosines and sines [positions, pairs, 2]."""
        places = torch.arange(self.config.max_positions)[None, None]
        rope = rotate(self.config, places, torch.float32)
        assert isinstance(rope, InterleavedRope)
        return self.op.constant(torch.stack((rope.cos, rope.sin), -1)[0, 0].numpy())

    def _attention(self, name: str, x: Node, turns: Node, length: Node, empty: Node, beams: Node) -> Node:
        c, op = self.config, self.op
        heads, groups, size = c.num_heads, c.num_kv_heads, c.head_dim
        rows = (heads + 2 * groups) * size
        qkv = op.add(self._times(x, f"{name}.qkv", rows, c.hidden_size), self._vector(f"{name}.qkv.bias", rows))
        parts = op.variadic_split(qkv, -1, [heads * size, groups * size, groups * size])
        q, k, v = (
            op.reshape(parts.output(i), [0, 0, count, size], True) for i, count in enumerate((heads, groups, groups))
        )
        q, k = self._turned(q, heads, turns, length), self._turned(k, groups, turns, length)
        k, v = self._kept(f"{name}.k", k, empty, beams), self._kept(f"{name}.v", v, empty, beams)  # [K, B, H, size]
        q, k, v = (op.transpose(one, [1, 2, 0, 3]) for one in (q, k, v))
        y = op.scaled_dot_product_attention(q, k, v, causal=True)
        y = op.reshape(op.transpose(y, [2, 0, 1, 3]), [0, 0, heads * size], True)
        return self._times(y, f"{name}.out", c.hidden_size, heads * size)

    def _turned(self, x: Node, heads: int, turns: Node, length: Node) -> Node:
        """x [T, B, heads, size] with the neighbours of the first half of each head turned."""
        op, half = self.op, self.config.head_dim // 2
        parts = op.variadic_split(x, 3, [half, half])
        pairs = op.reshape(parts.output(0), self._shape(length, -1, heads, half // 2, 2), False)
        table = op.reshape(turns, self._shape(length, -1, 1, half // 2, 2), False)
        a, b = op.gather(pairs, 0, -1), op.gather(pairs, 1, -1)
        cos, sin = op.gather(table, 0, -1), op.gather(table, 1, -1)
        left = op.add(op.multiply(a, cos), op.multiply(op.multiply(b, sin), np.float32(-1)))
        right = op.add(op.multiply(b, cos), op.multiply(a, sin))
        turned = op.concat([op.unsqueeze(left, -1), op.unsqueeze(right, -1)], -1)
        turned = op.reshape(turned, [0, 0, heads, half], True)
        return op.concat([turned, parts.output(1)], -1)

    def _kept(self, name: str, new: Node, empty: Node, beams: Node) -> Node:
        """All keys or values so far, one for each query head, with `new` [T, B, groups, size] as the last."""
        c, op = self.config, self.op
        shape = [-1, -1, c.num_kv_heads, c.head_dim]
        old = op.read_value(empty, name, np.float32, shape)
        whole = op.concat([op.gather(old, beams, 1), new], 0)
        self._sinks.append(op.assign(whole, name))
        served = [1, 1, 1, c.num_heads // c.num_kv_heads, 1]
        spread = op.broadcast(op.unsqueeze(whole, 3), served, broadcast_spec="BIDIRECTIONAL")
        return op.reshape(spread, [0, 0, c.num_heads, c.head_dim], True)

    def _mlp(self, name: str, x: Node) -> Node:
        c, op = self.config, self.op
        parts = op.variadic_split(
            self._times(x, f"{name}.up", 2 * c.intermediate_size, c.hidden_size), -1, [c.intermediate_size] * 2
        )
        gated = op.multiply(op.swish(parts.output(0)), parts.output(1))
        return self._times(gated, f"{name}.down", c.hidden_size, c.intermediate_size)

    def _norm(self, name: str, x: Node) -> Node:
        op = self.op
        mean = op.reduce_mean(op.power(x, np.float32(2)), [-1], True)
        root = op.sqrt(op.add(mean, np.float32(self.config.norm_epsilon)))
        scaled = op.multiply(x, op.divide(np.float32(1), root))
        return op.multiply(scaled, self._vector(f"{name}.weight", self.config.hidden_size))

    def _shape(self, *sizes: Node) -> Node:
        return self.op.concat([np.array([size], np.int32) if isinstance(size, int) else size for size in sizes], 0)

    def _times(self, x: Node, name: str, rows: int, columns: int) -> Node:
        return self.op.matmul(x, self._matrix(name, rows, columns), False, True)

    def _vector(self, name: str, size: int) -> Node:
        ones = name.endswith("weight")
        values = np.ones(size, np.float32) if ones else self._rng.standard_normal(size, np.float32)
        return self.weights.setdefault(name, self.op.constant(values))

    def _matrix(self, name: str, rows: int, columns: int) -> Node:
        """A float32 matrix [rows, columns], which is worked out from what lies in memory."""
        op, types = self.op, self.ov.Type
        if self.quantize is None:
            bits = (self._rng.standard_normal((64, columns), np.float32) * 0.02).view(np.uint32) >> 16
            built = self._constant(bits.astype(np.uint16), rows, [rows, columns], types.bf16)
        elif self.quantize == "int4" and name.startswith("blocks"):
            group = math.gcd(columns, 128)
            built = op.reshape(self._codes(types.u4, rows, columns // group, group), [rows, columns], False)
        else:
            built = op.reshape(self._codes(types.u8, rows, 1, columns), [rows, columns], False)
        return self.weights.setdefault(f"{name}.weight", op.convert(built, np.float32))

    def _codes(self, kind: Any, rows: int, groups: int, group: int) -> Node:
        """float16 [rows, groups, group]: codes without their zero point, times the scale of their group."""
        op, middle = self.op, (1 << kind.bitwidth - 1)
        width = groups * group * kind.bitwidth // 8
        codes = self._constant(self._rng.integers(0, 256, (64, width), np.uint8), rows, [rows, groups, group], kind)
        zero = np.full(-(-rows * groups * kind.bitwidth // 8), middle if kind.bitwidth == 8 else middle * 17, np.uint8)
        zero = op.constant(self.ov.Tensor(zero, self.ov.Shape([rows, groups, 1]), kind), False)
        scale = op.constant(np.full((rows, groups, 1), 2.0**-4 / middle, np.float16))
        return op.multiply(op.subtract(op.convert(codes, np.float16), op.convert(zero, np.float16)), scale)

    def _constant(self, some: np.ndarray, rows: int, shape: list[int], kind: Any) -> Node:
        """Memory of its own with the rows `some` over and over."""
        data = np.ascontiguousarray(np.tile(some, (-(-rows // len(some)), 1))[:rows])
        return self.op.constant(self.ov.Tensor(data, self.ov.Shape(shape), kind), False)
