"""The demo: a GLM learns to fill blanks in the docstrings of the Python it runs on. Nothing is downloaded.

OUT/corpus.jsonl   docstrings of the standard library        OUT/loss.png   held-out loss going down
OUT/tokenizer      trained on them                           OUT/mask.png   attention mask of one example
OUT/data           prepared shards                           OUT/result.json
OUT/model          the model, and beside it the run's checkpoints and log
"""

import ast
import json
import random
import shutil
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glmkit.api.load import Model
from glmkit.api.load import load as load_model
from glmkit.core.errors import UserError
from glmkit.core.files import LOCK, atomic_directory, atomic_file, hold_directory, write_text
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.strict_json import read_json
from glmkit.data.prepare import prepare
from glmkit.data.sources import documents
from glmkit.families.registry import preset
from glmkit.infill.corruption import write_out
from glmkit.infill.position_schemes import example
from glmkit.infill.show import draw_mask
from glmkit.text.load import load
from glmkit.text.trained import train
from glmkit.train.config import PretrainConfig
from glmkit.train.logs import read_log
from glmkit.train.pretrain import pretrain
from glmkit.train.schedule import ScheduleConfig
from glmkit.train.text import open_text
from glmkit.train.trainer import Interrupted, Observer, Trainer

STEPS = 800
_VOCAB = 4096
_SHORTEST_DOCSTRING = 40  # characters
_FILLS = 5


@dataclass(frozen=True)
class Fill:
    """A held-out sentence with a blank, what stood there, and what the model wrote; `logprob` is of the fill."""

    text: str
    truth: str
    fill: str
    logprob: float
    truth_logprob: float


def demo(
    output: Path,
    steps: int,
    say: Callable[[str], None],
    observers: Callable[[Trainer, int], Sequence[Observer]],
    *,
    overwrite: bool = False,
) -> JsonObject:
    """Runs the whole demo into `output` and returns what result.json says.

    An interrupted demo goes on where it stopped; another or a finished one makes room if `overwrite` says so. Raises
    UserError when it does not, and when `output` holds something else.
    """
    with hold_directory(output):
        _make_room(output, steps, overwrite)
        return _demo(output, steps, say, observers)


def _demo(
    output: Path,
    steps: int,
    say: Callable[[str], None],
    observers: Callable[[Trainer, int], Sequence[Observer]],
) -> JsonObject:
    config = demo_config(output, steps)
    corpus, tokenizer_path = output / "corpus.jsonl", output / "tokenizer"
    if not corpus.exists():
        count = _write_corpus(corpus)
        say(f"{count:,} docstrings of the standard library in {corpus}")
    if not tokenizer_path.exists():
        with atomic_directory(tokenizer_path) as partial:
            texts = (document.text for document in documents(corpus, "line"))
            train(texts, vocab_size=_VOCAB).save(partial)
        say(f"a tokenizer of {_VOCAB:,} pieces in {tokenizer_path}")
    data = output / "data"
    if not data.exists():
        manifest = prepare([corpus], load(tokenizer_path), data)
        say(f"{manifest['tokens']:,} tokens in {data}")
    try:
        model = load_model(pretrain(config, observers))
    except Interrupted as stop:
        raise Interrupted(stop.number, stop.saved, "run it again to go on") from None
    text = open_text(config, verify=False)
    (layout,) = write_out([text.training.draw(0, 0)], text.training.vocabulary.special)
    if note := draw_mask(layout, example(layout, text.training.position_scheme), output / "mask.png", text.tokenizer):
        say(note)
    log = read_log(output)
    validation = [event["loss"] for event in log if event["kind"] == "heldout"]
    logged = [event for event in log if event["kind"] == "step"]
    source = text.validation["token"]
    sentences = blanked_sentences(
        text.tokenizer.decode(source.shards.read(number, 0, int(source.shards.lengths[number])).tolist())
        for number in dict.fromkeys(source.table.documents.tolist())
    )
    result = {
        "heldout_loss_start": validation[0],
        "heldout_loss_end": validation[-1],
        "tokens_seen": logged[-1]["tokens"],
        "seconds": round(training_seconds(logged), 1),
        "fills": [vars(fill(model, sentence, truth)) for sentence, truth in sentences[:_FILLS]],
    }
    with atomic_file(output / "result.json") as partial:
        partial.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return result


def training_seconds(steps: Sequence[Table]) -> float:
    """How long the logged steps of a run took, over all the sessions it was done in."""
    before = [0, *(event["tokens"] for event in steps)]
    return sum(
        (event["tokens"] - seen) / event["tokens_per_second"] for event, seen in zip(steps, before, strict=False)
    )


def demo_config(output: Path, steps: int) -> PretrainConfig:
    """The run of the demo."""
    return PretrainConfig(
        data=str(output / "data"),
        output=str(output),
        model=preset("glm-nano"),
        steps=steps,
        seq_length=128,
        batch_size=16,
        micro_batch_size=16,
        schedule=ScheduleConfig(peak=2e-3, warmup=0.05, floor=0.02),
        validation=0.03,
        validation_every=max(1, steps // 8),
        validation_examples=200,
        save_every=max(1, steps // 4),
        log_every=max(1, steps // 80),
        resume="auto",
    )


def docstrings() -> Iterator[str]:
    """Docstrings of the modules, classes and functions of the standard library, tests apart, each once."""
    root = Path(sysconfig.get_paths()["stdlib"])
    seen: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        if {"site-packages", "dist-packages", "test", "tests"} & set(path.relative_to(root).parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # files kept broken on purpose
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if len(text) >= _SHORTEST_DOCSTRING and text not in seen:
                    seen.add(text)
                    yield text


def blanked_sentences(texts: Iterator[str]) -> list[tuple[str, str]]:
    """First lines that are a sentence of 6 to 14 words, one word blanked, and that word; in random order."""
    rng = random.Random(7)
    results = []
    for text in texts:
        words = text.splitlines()[0].split() if text.strip() else []
        places = [i for i, word in enumerate(words) if i and word.isalpha() and len(word) > 2]
        if 6 <= len(words) <= 14 and words[-1].endswith(".") and places:
            place = rng.choice(places)
            results.append((" ".join([*words[:place], "[MASK]", *words[place + 1 :]]), words[place]))
    rng.shuffle(results)
    return results


def fill(model: Model, sentence: str, truth: str) -> Fill:
    """What the model writes into the blank, and how probable that and the truth are to it."""
    infilling = model.infill(sentence, max_tokens=8)
    return Fill(
        text=sentence,
        truth=truth,
        fill=infilling.spans[0],
        logprob=infilling.logprob,
        truth_logprob=model.logprob(sentence, [truth]).value,
    )


def _make_room(output: Path, steps: int, overwrite: bool) -> None:
    """Leaves a demo that is to go on as it is; clears another one out of the way if that may be overwritten."""
    marker = output / "demo.json"
    settings = {"demo": "docstrings", "steps": steps}
    if marker.is_file():
        before, finished = read_json(marker, "; give another --output"), (output / "result.json").exists()
        if before == settings and not finished:
            return
        if not overwrite:
            raise UserError(
                f"{output} holds {'a finished' if finished else 'an unfinished'} demo of {before.get('steps')} steps: "
                "give another --output, or --overwrite to lose it"
            )
        for path in output.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()
    elif any(path.name != LOCK for path in output.iterdir()):
        raise UserError(f"{output} holds something else than a demo; give another --output")
    write_text(marker, json.dumps(settings) + "\n")


def _write_corpus(path: Path) -> int:
    lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in docstrings()]
    with atomic_file(path) as partial:
        partial.write_text("".join(lines), encoding="utf-8")
    return len(lines)
