"""One dialect of flags: what a flag of this field means, it means in every verb that has such a thing."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pytest

from glmkit.cli.arguments import Parser
from glmkit.cli.main import main

from .conftest import Run

# verb, its positional arguments, and the names it has for one thing, ours first
TAKEN = [
    *(
        (verb, given, ("--max-new-tokens 7", "--max-tokens 7", "--max_new_tokens=7", "-n 7", "-n7", "--n-predict 7"))
        for verb, given in (("infill", "MODEL TEXT"), ("generate", "MODEL TEXT"), ("chat", "MODEL"), ("eval", "MODEL"))
    ),
    *((f"bench {name}", "", ("--tokens 7", "--max-new-tokens 7", "-n 7")) for name in ("decode", "batch", "infill")),
    *(
        (verb, given, ("--quantize int4", "--quantize 4", "--quantize=4bit", "--bits 4", "--load-in-4bit", "--int4"))
        for verb, given in (
            *(("infill", "MODEL TEXT"), ("generate", "MODEL TEXT"), ("chat", "MODEL"), ("eval", "MODEL")),
            *(("predict", "MODEL FILE"), ("quantize", "MODEL DST"), ("bench decode", ""), ("bench load", "")),
        )
    ),
    *(
        (verb, given, ("--temperature 0.5", "--temp 0.5", "--temp=0.5"))
        for verb, given in (("infill", "MODEL TEXT"), ("generate", "MODEL TEXT"), ("chat", "MODEL"))
    ),
    ("infill", "MODEL TEXT", ("--num-return-sequences 3", "--alternatives 3", "--num_return_sequences=3")),
    *(
        (verb, given, ("--beams 3", "--num-beams 3", "--beam-size 3"))
        for verb, given in (("infill", "MODEL TEXT"), ("eval", "MODEL"))
    ),
    ("eval", "MODEL", ("--length-penalty 0.7", "--penalty 0.7", "--length_penalty=0.7")),
    *((verb, given, ("--min-tokens 2", "--min-new-tokens 2")) for verb, given in (("infill", "M TEXT"), ("eval", "M"))),
    *(
        (verb, given, ("--batch-size 8", "--bs 8", "--batch_size=8"))
        for verb, given in (("eval", "MODEL"), ("predict", "MODEL FILE"))
    ),
    *((f"bench {name}", "", ("--rows 8", "--batch-size 8", "--bs 8")) for name in ("pretrain", "finetune")),
    ("bench batch", "", ("--streams 9", "--batch-size 9")),
    ("bench decode", "", ("--preset glm-base", "--model glm-base")),
    ("data show", "DATA", ("--preset glm-nano", "--model glm-nano", "-m glm-nano")),
    ("tokenizer train", "OUT FILE", ("--model-type unigram", "--model unigram")),
    ("eval", "MODEL", ("--tasks rte", "--task rte")),
    ("generate", "MODEL TEXT", ("--top-p 0.5", "--top_p 0.5", "--top_p=0.5")),
    ("quantize", "MODEL DST", ("--output-bits 16", "--output 16")),
]
KEYS = [
    ("finetune MODEL", ("schedule.peak=0.125", "--lr 0.125", "--learning-rate=0.125", "lr=0.125")),
    ("finetune MODEL", ("batch_size=8", "--batch-size 8", "--bs 8")),
    ("finetune MODEL", ("epochs=7", "--epochs 7", "--num-train-epochs=7")),
    ("finetune MODEL", ("penalty=0.5", "--length-penalty 0.5")),
    ("finetune MODEL --task chat --method lora", ("quantize=int4", "--quantize 4bit", "--quantize=4")),
    ("finetune", ("MODEL", "--model MODEL", "--model-name-or-path MODEL", "model=MODEL")),
    ("pretrain glm-nano", ("schedule.peak=0.125", "--lr 0.125", "--learning-rate=0.125")),
    ("pretrain glm-nano", ("batch_size=8", "--batch-size 8", "--bs 8")),
]
REFUSED = [
    ("generate MODEL TEXT --num-return-sequences 3", "are glmkit infill --num-return-sequences N"),
    ("chat MODEL --num-return-sequences 3", "are glmkit infill --num-return-sequences N"),
    ("eval MODEL --num_return_sequences 3", "are glmkit infill --num-return-sequences N"),
    ("generate MODEL TEXT --max-length 9", "did you mean '--max-new-tokens'?"),
    ("generate MODEL TEXT --do-sample", "did you mean '--temperature 1'?"),
    ("infill MODEL TEXT --best-of 3", "did you mean '--num-return-sequences'?"),
    ("infill MODEL TEXT --load-in-4bit=yes", "did you mean '--quantize=int4'?"),
    ("demo --epochs 3", "did you mean '--steps'?"),
    ("pretrain glm-nano --epochs 3", "write steps=N"),
    ("pretrain glm-nano --model DIR", "a model to go on from is init_from=DIR"),
    ("finetune MODEL --max-new-tokens 3", "data.target_length"),
    ("finetune MODEL --load-in-4bit", "write quantize=int4"),
    ("chat --model", "argument --model: expected one argument"),
    ("chat --model DIR --temperatur 3", "did you mean '--temperature'?"),
    ("chat MODEL --model NAME --temperatur 3", "did you mean '--temperature'?"),
]


class _Parsed(Exception):
    """In place of what a verb would do now."""


def parsed(verb: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What a verb makes of its arguments; nothing is run."""
    seen: list[argparse.Namespace] = []
    real = Parser.parse_args

    def stop(self: Parser, given: Sequence[str]) -> argparse.Namespace:
        seen.append(real(self, given))
        raise _Parsed

    with monkeypatch.context() as patch:
        patch.setattr(Parser, "parse_args", stop)
        main([*verb.split(), *arguments])
    assert seen, f"{verb} {arguments} was refused"
    return {name: str(value) for name, value in vars(seen[0]).items()}


@pytest.mark.parametrize(("verb", "given", "names"), TAKEN, ids=lambda value: str(value)[:40])
def test_every_name_of_a_flag_gives_the_same(
    verb: str, given: str, names: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [parsed(verb, [*given.split(), *name.split()], monkeypatch) for name in names]
    assert results[0] != parsed(verb, given.split(), monkeypatch)
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(("verb", "names"), KEYS, ids=lambda value: str(value)[:40])
def test_every_name_of_a_key_gives_the_same(verb: str, names: Sequence[str], run: Run) -> None:
    results = [run(*verb.split(), *name.split(), "--print_config") for name in names]
    assert results[0][0] == 0, results[0]
    assert results[0] != run(*verb.split(), "seed=5", "--print_config")
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(("command", "line"), REFUSED, ids=lambda value: str(value)[:50])
def test_what_is_not_taken_names_the_right_flag(command: str, line: str, run: Run) -> None:
    code, _, errors = run(*command.split())
    assert (code, len(errors.splitlines())) == (2, 1), errors
    assert line in errors


@pytest.mark.parametrize("flag", [["--model", "DIR"], ["--model=DIR"], ["-m", "DIR"], ["--model_name_or_path", "DIR"]])
@pytest.mark.parametrize(
    ("verb", "rest"),
    [
        ("infill", ["a [MASK]"]),
        ("generate", ["a"]),
        ("chat", ["--prompt", "a"]),
        ("eval", ["--tasks", "rte"]),
        ("predict", ["FILE"]),
        ("info", ["--keys"]),
        ("convert", ["DST"]),
        ("quantize", ["DST", "--bits", "4"]),
    ],
)
def test_a_model_is_given_in_its_place_or_by_a_flag(
    verb: str, rest: list[str], flag: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = parsed(verb, ["DIR", *rest], monkeypatch)
    assert parsed(verb, [*flag, *rest], monkeypatch) == wanted
    assert parsed(verb, [*rest, *flag], monkeypatch) == wanted
    published = parsed(verb, ["DIR", *rest, "--published", "NAME"], monkeypatch)
    assert parsed(verb, ["DIR", *rest, "--model", "NAME"], monkeypatch) == published, "its name before"


def test_a_text_on_standard_input_leaves_the_place_of_the_model_to_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = str(tmp_path)
    for verb in ("infill", "generate"):
        named = parsed(verb, [there, "--published", "glm-10b"], monkeypatch)
        assert parsed(verb, [there, "--model", "glm-10b"], monkeypatch) == named
        assert parsed(verb, ["--model", there], monkeypatch) == parsed(verb, [there], monkeypatch)
        assert parsed(verb, ["--model", there, there], monkeypatch) == parsed(verb, [there, there], monkeypatch)


def test_the_base_of_an_adapter_is_its_model(run: Run, tmp_path: Path) -> None:
    code, _, errors = run("merge", tmp_path, tmp_path / "out", "--model", tmp_path)
    assert code == 2
    assert errors == run("merge", tmp_path, tmp_path / "out", "--base", tmp_path)[2]
