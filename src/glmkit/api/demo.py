"""The demo: a GLM learns to fill blanks in the docstrings of the Python it runs on. Nothing is downloaded.

OUT/corpus.jsonl   docstrings of the standard library        OUT/loss.png   losses, and that of frequency alone
OUT/tokenizer      trained on them                           OUT/mask.png   attention mask of one example
OUT/data           prepared shards                           OUT/result.json
OUT/model          the model, and beside it the run's checkpoints and log
"""

import ast
import json
import math
import shutil
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from glmkit.api.demo_words import SHOWN, blanked_sentences, frequency_loss, guesses, known_words
from glmkit.api.load import Model
from glmkit.api.load import load as load_model
from glmkit.core.errors import UserError
from glmkit.core.files import LOCK, atomic_directory, atomic_file, hold_directory, write_text
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.strict_json import read_json
from glmkit.data.chunks import ExampleSource
from glmkit.data.prepare import prepare
from glmkit.data.sources import documents
from glmkit.families.directory import RUN
from glmkit.generate.beam import Beam
from glmkit.infill.corruption import write_out
from glmkit.infill.mask_picture import draw_mask
from glmkit.infill.mixture import ObjectiveConfig, objectives
from glmkit.infill.position_schemes import example
from glmkit.objective.loss import language_model
from glmkit.recipes.pretraining import glm_nano, neoglm_nano
from glmkit.text.load import load
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.trained import train
from glmkit.train.config import PretrainConfig
from glmkit.train.curves import draw_curve
from glmkit.train.logs import measures_of, read_log
from glmkit.train.pretrain import config_of, pretrain
from glmkit.train.text import open_text
from glmkit.train.trainer import Interrupted, Observer, Trainer
from glmkit.train.validation import measure

SECONDS = 100
_REHEARSAL = 12  # steps
_VOCAB = 4096
_SHORTEST_DOCSTRING = 40  # characters
_SHOWN = 5  # sentences
_TWO_BLANKS = 2  # sentences

Recipe = Literal["modern", "2021"]
RECIPES: tuple[Recipe, ...] = get_args(Recipe)
Watch = Callable[[Trainer, int], Sequence[Observer]]


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """What is trained: NeoGLM by Muon, or the GLM of 2021 by its own recipe; for `steps`, or for as many as this
    machine does in `seconds`."""

    recipe: Recipe = "modern"
    seconds: int = SECONDS
    steps: int | None = None


def demo(
    output: Path, config: DemoConfig, say: Callable[[str], None], observers: Watch, *, overwrite: bool = False
) -> JsonObject:
    """Runs the whole demo into `output` and returns what result.json says.

    An interrupted demo goes on where it stopped; another or a finished one makes room if `overwrite` says so. Raises
    UserError when it does not, and when `output` holds something else.
    """
    with hold_directory(output):
        _make_room(output, config, overwrite)
        return _demo(output, config, say, observers)


def _demo(output: Path, config: DemoConfig, say: Callable[[str], None], observers: Watch) -> JsonObject:
    _prepare(output, say)
    try:
        run = demo_run(output, config.recipe, config.steps or _steps(output, config, say))
        model = load_model(pretrain(run, observers))
    except Interrupted as stop:
        raise Interrupted(stop.number, output, "run it again to go on") from None
    text = open_text(run, verify=False)
    training, validation = text.training, text.validation["token"]
    assert isinstance(training, ExampleSource)  # of one corpus
    (layout,) = write_out([training.draw(0, 0)], training.vocabulary.special)
    if note := draw_mask(layout, example(layout, training.position_scheme), output / "mask.png", text.tokenizer):
        say(note)
    plateau = frequency_loss(training, validation, run.seq_length)
    draw_curve(output, levels={"token: frequency alone": plateau})
    losses = [measured.loss for _, measured in measures_of(output, "token")]
    logged = [event for event in read_log(output) if event["kind"] == "step"]
    result = {
        "recipe": config.recipe,
        "heldout_loss_start": losses[0],
        "heldout_loss_end": losses[-1],
        "frequency_loss": plateau,
        "heldout_loss_of_2021": _loss_of_2021(model, validation, run.seq_length),
        "tokens_seen": logged[-1]["tokens"],
        "seconds": round(training_seconds(logged), 1),
        **_answers(model, text.tokenizer, training, validation),
    }
    with atomic_file(output / "result.json") as partial:
        partial.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return result


def _prepare(output: Path, say: Callable[[str], None]) -> None:
    """Text, tokenizer and shards, those that are not there."""
    corpus, tokenizer_path, data = output / "corpus.jsonl", output / "tokenizer", output / "data"
    if not corpus.exists():
        count = _write_corpus(corpus)
        say(f"{count:,} docstrings of the standard library in {corpus}")
    if not tokenizer_path.exists():
        with atomic_directory(tokenizer_path) as partial:
            texts = (document.text for document in documents(corpus, "line"))
            train(texts, vocab_size=_VOCAB).save(partial)
        say(f"a tokenizer of {_VOCAB:,} pieces in {tokenizer_path}")
    if not data.exists():
        manifest = prepare([corpus], load(tokenizer_path), data)
        say(f"{manifest['tokens']:,} tokens in {data}")


def _steps(output: Path, config: DemoConfig, say: Callable[[str], None]) -> int:
    """The steps of the run that was begun, or as many as there is time for, which a rehearsal tells."""
    if (output / RUN).is_file():
        return config_of(output).steps
    with tempfile.TemporaryDirectory() as folder:
        run = replace(
            demo_run(output, config.recipe, _REHEARSAL),
            output=folder,
            validation_every=_REHEARSAL,
            validation_examples=1,
            log_every=_REHEARSAL // 2,
        )
        pretrain(run)
        last = [event for event in read_log(Path(folder)) if event["kind"] == "step"][-1]
    steps = max(_REHEARSAL, round(config.seconds * last["tokens_per_second"] * _REHEARSAL / last["tokens"]))
    say(f"{steps} steps, which this machine does in about {config.seconds} s")
    return steps


def demo_run(output: Path, recipe: Recipe, steps: int) -> PretrainConfig:
    """The run of the demo. It is asked for single words, so the blanks of today's recipe are short."""
    base = glm_nano() if recipe == "2021" else neoglm_nano()
    objective = base.objective if recipe == "2021" else replace(base.objective, mean_length=1.5)
    return replace(
        base,
        data=str(output / "data"),
        output=str(output),
        objective=objective,
        steps=steps,
        schedule=replace(base.schedule, floor=0.02),
        validation=0.05,
        validation_every=max(1, steps // 8),
        validation_examples=100,
        save_every=max(1, steps // 4),
        log_every=max(1, steps // 80),
        resume="auto",
    )


def _loss_of_2021(model: Model, validation: ExampleSource, seq_length: int) -> float:
    """Held-out loss at the blanks of 2021 (15 % of the text, 3 tokens each), at which both recipes can be compared."""
    source = replace(validation, objective=objectives(ObjectiveConfig())["token"])
    lm, dtype = language_model(model.module), next(model.module.parameters()).dtype
    return measure(lm, source, rows=16, seq_length=seq_length, limit=None, dtype=dtype).loss


def _answers(model: Model, tokenizer: Tokenizer, training: ExampleSource, validation: ExampleSource) -> JsonObject:
    """What the model fills into blanks of held-out sentences, beside the words that are frequent in the others."""
    words, texts = known_words(_texts(training, tokenizer), tokenizer), list(_texts(validation, tokenizer))
    sentences, two = blanked_sentences(texts, words), blanked_sentences(texts, words, blanks=2)[:_TWO_BLANKS]
    frequent = list(words)[:SHOWN]
    answers = guesses(model, words, sentences)
    filled = model.infill_batch([sentence.text for sentence in two], Beam(beams=8), max_tokens=4)
    return {
        "sentences": len(sentences),
        "hits": sum(answer.hit for answer in answers),
        "frequent_words": frequent,
        "hits_by_frequency": sum(sentence.truth[0] in frequent for sentence in sentences),
        "fills": [answer.record() for answer in answers[:_SHOWN]],
        "two_blanks": [
            {"text": sentence.text, "truth": sentence.truth, "spans": one.spans, "probability": math.exp(one.logprob)}
            for sentence, one in zip(two, filled, strict=True)
        ],
    }


def _texts(source: ExampleSource, tokenizer: Tokenizer) -> Iterator[str]:
    """The documents that a source is made of."""
    for number in dict.fromkeys(source.table.documents.tolist()):
        yield tokenizer.decode(source.shards.read(number, 0, int(source.shards.lengths[number])).tolist())


def training_seconds(steps: Sequence[Table]) -> float:
    """How long the logged steps of a run took, over all the sessions it was done in."""
    before = [0, *(event["tokens"] for event in steps)]
    return sum(
        (event["tokens"] - seen) / event["tokens_per_second"] for event, seen in zip(steps, before, strict=False)
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


def _make_room(output: Path, config: DemoConfig, overwrite: bool) -> None:
    """Leaves a demo that is to go on as it is; clears another one out of the way if that may be overwritten."""
    marker = output / "demo.json"
    settings = {"demo": "docstrings"} | asdict(config)
    if marker.is_file():
        before, finished = read_json(marker, "; give another --output"), (output / "result.json").exists()
        if before == settings and not finished:
            return
        if not overwrite:
            length = f"{before['steps']} steps" if before.get("steps") else f"{before.get('seconds')} s"
            raise UserError(
                f"{output} holds {'a finished' if finished else 'an unfinished'} demo of {length}: "
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
