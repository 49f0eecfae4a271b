"""Whole directories of every family and layout, small, each with the damages that it is put to."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from glmkit.conversion.weights import open_weights
from glmkit.conversion.write import write_weights
from glmkit.core.seal import sealed
from glmkit.families.conversion import convert
from glmkit.families.directory import WEIGHTS
from glmkit.families.glm import GLM_FAMILY
from glmkit.finetuning.saved import Saved
from glmkit.models.glm import GLMConfig
from glmkit.quantization.plan import PLANS
from glmkit.tasks.custom import CustomTask
from glmkit.testing import tiny
from glmkit.testing.models import randomize

from .values import WRONG, Damage, bit_flips, file_damages, index_damages, json_damages

# Numbers that nobody can tell from others: any is as good where nothing but the config says it.
_ANY_NUMBER = {"a part of a number", "ten to the twelfth", "absent"}
FREE = {
    "rope_ratio": _ANY_NUMBER,
    "rope_theta": _ANY_NUMBER | {"null"},
    "factor": _ANY_NUMBER,
    "layernorm_epsilon": {"absent"},
    "max_sequence_length": {"absent"},
    "rope_parameters": {"absent", "null", "an empty table"},
    "written": {"absent", "an empty table"},
    "marks.*": {"absent"},
}


def native(name: str) -> Callable[[Path], None]:
    return lambda path: tiny(name).save(path)


def exported(name: str, to: str, **how: object) -> Callable[[Path], None]:
    """A model that was converted into somebody's layout; `glm-hf` holds no tokenizer of bytes."""

    def build(path: Path) -> None:
        source = path.with_name(f"{path.name}-source")
        tiny(name).save(source)
        if to == "glm-hf":
            for file in ("special_tokens.json", "vocab.json", "merges.txt"):
                (source / file).unlink()
        convert(source, path, to, **how)  # type: ignore[arg-type]
        shutil.rmtree(source)

    return build


def quantized(name: str, plan: str) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        from glmkit import load

        source = path.with_name(f"{path.name}-source")
        tiny(name).save(source)
        load(source, quantize=plan).save(path)
        shutil.rmtree(source)

    assert plan in PLANS
    return build


def sharded(path: Path) -> None:
    """A directory of ours whose weights lie in several files."""
    tiny("chatglm2").save(path)
    table = json.loads((path / "config.json").read_text(encoding="utf-8"))
    weights = open_weights(path)
    (path / WEIGHTS).rename(path.with_suffix(".whole"))
    sums = write_weights(path, WEIGHTS, weights, shard_bytes=100_000)
    path.with_suffix(".whole").unlink()
    table["weights"] = {name: {"bytes": (path / name).stat().st_size, "sha256": sum} for name, sum in sums.items()}
    (path / "config.json").write_text(json.dumps(sealed(table)), encoding="utf-8")


def of_a_task(path: Path) -> None:
    """A model that was tuned to answer."""
    tiny("glm").save(path)
    custom = CustomTask(name="t", pattern="{text} It was [MASK].", words={"a": "ba", "b": "de"})
    Saved(kind="cloze", custom=custom, length=64).write(path)


def before_seals(name: str) -> Callable[[Path], None]:
    """A directory as version 0.1.0 wrote it."""

    def build(path: Path) -> None:
        tiny(name).save(path)
        table = json.loads((path / "config.json").read_text(encoding="utf-8"))
        del table["sha256"]
        (path / "config.json").write_text(json.dumps(table), encoding="utf-8")

    return build


def with_published_words(path: Path) -> None:
    """The Hugging Face port beside a vocabulary of as many pieces as BERT's, and tokens that a user added."""
    _port(path, 30_592)
    words = ["[UNK]" if number == 100 else f"w{number}" for number in range(30_522)]
    (path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (path / "added_tokens.json").write_text(json.dumps({"<kb>": 30_530}), encoding="utf-8")


def with_published_pairs(path: Path) -> None:
    """The same with as many pieces as GPT-2's."""
    from tokenizers import pre_tokenizers

    _port(path, 50_304)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [(left, right) for left in letters for right in letters][:50_000]
    pieces = [*letters, *(left + right for left, right in pairs), "<|endoftext|>"]
    (path / "vocab.json").write_text(json.dumps({piece: id for id, piece in enumerate(pieces)}), encoding="utf-8")
    (path / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs), encoding="utf-8")


def _port(path: Path, rows: int) -> None:
    from glmkit.api import Model

    config = GLMConfig(num_layers=1, hidden_size=8, num_heads=2, vocab_size=rows, max_positions=16)
    module = GLM_FAMILY.build(config).eval()
    randomize(module, torch.Generator().manual_seed(0))
    source = path.with_name(f"{path.name}-source")
    Model(GLM_FAMILY, config, module, None).save(source)
    convert(source, path, "glm-hf-port", safetensors=True)
    shutil.rmtree(source)


SUBJECTS: dict[str, Callable[[Path], None]] = {
    "glm": native("glm"),
    "neoglm": native("neoglm"),
    "chatglm": native("chatglm"),
    "chatglm2": native("chatglm2"),
    "chatglm3": native("chatglm3"),
    "before-seals": before_seals("glm"),
    "sharded": sharded,
    "int4": quantized("chatglm2", "int4"),
    "int8": quantized("chatglm", "int8"),
    "task": of_a_task,
    "port": exported("glm", "glm-hf-port", safetensors=True),
    "port-bin": exported("glm", "glm-hf-port"),
    "port-words": with_published_words,
    "port-pairs": with_published_pairs,
    "megatron": exported("glm", "megatron", ranks=2),
    "chatglm-hf": exported("chatglm", "chatglm-hf"),
    "chatglm2-hf": exported("chatglm2", "chatglm-hf"),
    "chatglm3-hf": exported("chatglm3", "chatglm-hf"),
    "glm-hf": exported("chatglm2", "glm-hf"),
}
OURS = {"glm", "neoglm", "chatglm", "chatglm2", "chatglm3", "sharded", "int4", "int8", "task"}


def damages(name: str, path: Path) -> Iterator[Damage]:
    """What the directory `path` of SUBJECTS[name] is put to, file by file."""
    ours = name in OURS
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        place, content = str(file.relative_to(path)), file.read_bytes()
        if place == "vocab.json":
            yield from _vocabulary_damages(place, content)
        elif place.endswith(".index.json"):
            yield from index_damages(place, content.decode())
        elif place.endswith(".json"):
            yield from json_damages(place, content.decode(), {} if ours else FREE)
        else:
            yield from file_damages(place, content)
        if ours and not place.endswith(".index.json"):
            yield from bit_flips(place, content, len(content))
        elif place.endswith(".safetensors"):  # nothing tells one number of others' weights from another
            yield from bit_flips(place, content, 8 + int.from_bytes(content[:8], "little"))
        yield Damage("gone", place, None)


def _vocabulary_damages(file: str, content: bytes) -> Iterator[Damage]:
    """Of a vocabulary of thousands of pieces: its first piece through every wrong value, and the text as a whole."""
    table = json.loads(content)
    first = next(iter(table))
    for what, value in WRONG.items():
        text = json.dumps(table | {first: "HERE"}).replace('"HERE"', value)
        yield Damage(f"{first}: {what}", file, text.encode())
    for what, text in {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "a list": b"[]",
        "other": b'{"a": 0}',
    }.items():
        yield Damage(f"the text: {what}", file, text)
