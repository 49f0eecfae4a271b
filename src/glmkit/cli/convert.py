"""glmkit convert SRC DST [--to LAYOUT] [--verify]"""

from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser, positive
from glmkit.cli.invocation import trial
from glmkit.cli.loading import add_source, bar, source

DTYPES, BLOCKS = ("float32", "bfloat16", "float16"), ("q8_0", "q4_0")


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "convert",
        "Writes a model in another layout, tensor by tensor: it need not fit into memory.",
        "glmkit convert blocklm-10b-1024 glm-10b\n"
        "  glmkit convert glm-10b glm-10b-port --to glm-hf-port\n"
        "  glmkit convert glm-10b glm-10b-mp4 --to megatron --ranks 4\n"
        "  glmkit convert chatglm2-6b chatglm2-6b-vllm --to glm-hf --dtype bfloat16 --verify\n"
        "  glmkit convert chatglm2-6b chatglm2-6b.gguf --to gguf --dtype q8_0",
    )
    parser.add_argument("source", type=Path, help="a model directory of any known layout")
    parser.add_argument("destination", type=Path, help="the new directory; for gguf the new file")
    parser.add_argument(
        "--to",
        default="native",
        metavar="LAYOUT",
        help="native (the default); of a GLM glm-hf-port (the Hugging Face port's) or megatron (the original's); of a "
        "ChatGLM chatglm-hf (the official one); of ChatGLM2, 3 and CodeGeeX2 also glm-hf (transformers, vLLM) or gguf "
        "(llama.cpp, Ollama); of a NeoGLM neoglm-hf (transformers)",
    )
    parser.add_argument("--ranks", type=positive, metavar="N", help="model-parallel files of megatron")
    parser.add_argument(
        "--safetensors", action="store_true", default=None, help="glm-hf-port in safetensors instead of .bin"
    )
    parser.add_argument(
        "--dtype",
        choices=("auto", *DTYPES, *BLOCKS),
        default="auto",
        help="auto: as in the source; q8_0 and q4_0: blocks of gguf",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare the logits of source and destination, written first if it is not there; exit 1 if they differ",
    )
    add_source(parser)
    options = parser.parse_args(arguments)

    from glmkit.api.convert import convert, described, same_model

    given = source(options)
    how = given | given.pop("options")
    if not (options.verify and options.destination.exists()):
        with bar(f"converting {options.source}") as watch:
            done = convert(
                options.source,
                options.destination,
                options.to,
                ranks=options.ranks,
                safetensors=options.safetensors,
                dtype=options.dtype,
                progress=watch,
                **how,
            )
        print(f"{done.path}: {done.weights} weights as {done.layout}")
        if done.missing:
            print(f"without a tokenizer: {done.missing}")
        elif done.layout == "native":  # others are for other programs
            print(f"try: {trial(done.path)}")
        if done.dequantized:
            print(f"the source is quantized; {done.layout} has no place for integers, so its weights are dequantized")
    if options.verify:
        dtype = options.dtype if options.dtype in DTYPES else "auto"
        verdict = same_model(options.source, options.destination, options.to, dtype=dtype, **how)
        print(f"{described(verdict, options.destination)}: the same model")
