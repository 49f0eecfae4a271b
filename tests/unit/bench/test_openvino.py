"""The baseline's graph computes what our model computes."""

from typing import Any

import numpy as np
import pytest
import torch

from glmkit.bench.baselines import Work
from glmkit.bench.engine_process import EngineProcess
from glmkit.bench.openvino import Graph, inputs
from glmkit.core.types import AttentionMask
from glmkit.models.chatglm2 import ChatGLM2
from glmkit.testing import MODEL_TOLERANCE, tiny

openvino: Any = pytest.importorskip("openvino", reason="needs openvino: pip install glmkit[openvino]")

CONFIG = tiny("chatglm2").config
EXACT = {
    "INFERENCE_PRECISION_HINT": "f32",
    "KV_CACHE_PRECISION": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "INFERENCE_NUM_THREADS": 1,
}


def compiled(model: Any) -> Any:
    return openvino.Core().compile_model(model, "CPU", EXACT)


def ours(graph: Graph) -> ChatGLM2:
    """Our model of the graph's weights, dequantized."""
    nodes = [graph.op.result(node) for node in graph.weights.values()]
    values = compiled(openvino.Model(nodes, [], "weights"))({}).values()
    model = ChatGLM2(CONFIG).eval()
    state = {name: torch.tensor(value) for name, value in zip(graph.weights, values, strict=True)}
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("quantize", ["int4", "int8", None])
@torch.inference_mode()
def test_logits_of_a_prompt_and_of_tokens_after_it(quantize: str | None) -> None:
    graph = Graph(CONFIG, quantize)
    model = compiled(graph.model())
    request = model.create_infer_request()
    ids = np.random.default_rng(0).integers(0, CONFIG.vocab_size, (3, 12))
    places = torch.arange(12).expand(3, 1, 12)
    reference = ours(graph)
    wanted = reference.logits(reference(torch.tensor(ids), places, AttentionMask.prefix([0] * 3)))
    for begin, end in ((0, 9), (9, 10), (10, 12)):
        (result,) = request.infer(inputs(ids[:, begin:end], begin)).values()
        torch.testing.assert_close(
            torch.tensor(result), wanted[:, end - 1], atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE, msg=f"{begin}"
        )
    kinds = [node.get_rt_info()["layerType"].astype(str) for node in model.get_runtime_model().get_ops()]
    assert {"RMS", "RoPE", "ScaledDotProductAttention"} <= set(kinds), "what it can fuse is fused"


@pytest.mark.slow
def test_it_runs_in_a_process_of_its_own() -> None:
    baseline = EngineProcess("openvino", Work(config=CONFIG, quantize="int4", room=64, rows=2, threads=1))
    baseline.prefill(8, 2)
    assert baseline.decode(3, 2) > 0
