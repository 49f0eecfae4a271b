"""Every command does its work, explains itself, and answers a mistake with one line and exit code 2."""

import io
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.cli.verbs import VERBS
from glmkit.text.trained import train

from .conftest import Run

HELP = [
    *([verb] for verb in VERBS if verb not in ("data", "tokenizer", "bench")),
    ["data", "prepare"],
    ["data", "show"],
    ["tokenizer", "train"],
    ["bench", "pretrain"],
    ["bench", "data"],
    ["bench", "infill"],
    ["bench", "load"],
    ["bench", "cloze"],
    ["bench", "finetune"],
    ["pretrain", "glm-nano"],
]


@pytest.mark.parametrize("verb", HELP, ids=" ".join)
def test_help_ends_with_an_example(verb: list[str], run: Run) -> None:
    code, out, _ = run(*verb, "--help")
    assert code == 0
    assert "example:" in out
    assert f"glmkit {' '.join(verb)}" in out.rsplit("example:", 1)[1]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]], ids=str)
def test_overview_names_every_verb(arguments: list[str], run: Run) -> None:
    code, out, _ = run(*arguments)
    assert code == 0
    assert all(f"\n  {verb} " in out for verb in VERBS)


def test_without_arguments_it_says_what_to_try_first(run: Run) -> None:
    _, out, _ = run()
    tries = [shlex.split(line)[1:] for line in out.splitlines() if line.startswith("  glmkit ")]
    assert tries[0] == ["demo"]
    for verb, *rest in tries:  # every flag of them is one
        code, listed, _ = run("help", verb)
        assert code == 0
        assert all(flag in listed for flag in rest if flag.startswith("--"))


@pytest.mark.parametrize("variable", ["LC_ALL", "LC_MESSAGES", "LANG"])
def test_chinese_is_spoken_to_those_whose_environment_says_so(
    variable: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "zh_CN.UTF-8")
    _, out, _ = run()
    assert all(f"{verb.chinese}\n" in out for verb in VERBS.values())
    assert "glmkit demo" in out
    _, out, _ = run("help", "infill")
    assert out.startswith(f"glmkit infill：{VERBS['infill'].chinese}\n")


def test_what_is_set_first_decides_the_language(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """LC_ALL before LC_MESSAGES before LANG, and one that is empty is as if it were not there."""
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setenv("LC_MESSAGES", "C")
    monkeypatch.setenv("LC_ALL", "")
    assert VERBS["demo"].english in run("--help")[1]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["infil"], "unknown command 'infil'; did you mean 'infill'?"),
        (["data", "prepar"], "unknown command 'data prepar'; did you mean 'prepare'?"),
        (["bench", "pretrian"], "did you mean 'pretrain'?"),
        (["infill", "MODEL", "a [MASK]", "--alternative", "2"], "did you mean '--alternatives'?"),
        (["infill", "MODEL", "no blank here"], "text has no blank to fill; write [MASK] where one is"),
        (["infill", "MODEL", "ba " * 200 + "[MASK]"], "tokens, the model reads at most 64"),
        (
            ["infill", "MODEL", "a [MASK]", "--max-tokens", "65"],
            "--max-tokens must be a whole number from 1 to 64, got 65",
        ),
        (["infill", "MODEL", "a [MASK]", "--min-tokens", "9", "--max-tokens", "3"], "at least 9 and at most 3 tokens"),
        (["infill", "MODEL", "a [MASK]", "--device", "foo"], "no device 'foo' on this machine, as torch sees it; use"),
        (["infill", "MODEL", "a [MASK]", "--temperature", "-1"], "--temperature must be 0 or a positive finite number"),
        (
            ["infill", "MODEL", "a [MASK]", "--top-p", "1.5"],
            "--top-p must be a finite number greater than 0 and at most 1, got 1.5",
        ),
        (["infill", "MODEL", "a [MASK]", "--max-tokens", "none"], "invalid"),
        (["infill", "MODEL", "a [MASK]", "--beams", "2", "--seed", "1"], "--beams is deterministic: leave out"),
        (["infill", "MODEL", "a [MASK]", "--beams", "2", "--alternatives", "3"], "3 alternatives of 2 beams"),
        (
            ["infill", "MODEL", "a [MASK]", "--beams", "100000"],
            "--beams must be a whole number from 1 to 1,000, got 100000",
        ),
        (["infill", "nowhere", "a [MASK]"], "nowhere: no such directory"),
        (["infill", "EMPTY", "a [MASK]"], "has no config.json: not a model directory nor a training run"),
        (["generate", "MODEL", " "], "no prompt"),
        (["pretrain", "glm-mano"], "unknown recipe 'glm-mano'; did you mean 'glm-nano'?"),
        (["pretrain", "glm-nano", "schedule.peek=1"], "unknown key 'schedule.peek'; did you mean 'schedule.peak'?"),
        (["pretrain", "glm-nano", "stepz=1"], "did you mean 'steps'?"),
        (["pretrain", "glm-nano", "steps=many"], "steps must be a whole number, got 'many'"),
        (["pretrain", "glm-nano", "compile=maybe"], "compile must be true or false, got 'maybe'"),
        (
            ["pretrain", "glm-nano", "schedule.shape=x"],
            "must be one of cosine, linear, constant, wsd, got",
        ),
        (["pretrain", "glm-nano", "schedule=x"], "schedule has keys of its own: write schedule.peak=..."),
        (["pretrain", "glm-nano", "prep"], "'prep' is no setting: write key=value, for example data=prep"),
        (["pretrain", "glm-nano", "hidden_size=32"], "hidden_size 32 must be a multiple of num_heads 3"),
        (["pretrain", "glm-nano", "--config", "none.yaml"], "--config none.yaml: no such file"),
        (["pretrain", "glm-nano", "data=DATA", "output=x", "device=foo"], "no device 'foo' on this machine"),
        (["pretrain", "glm-nano", "data=DATA", "output=DATA"], "holds something else than a run; give another output"),
        (["finetune", "MODEL", "pool=foo"], "pool must be one of cls, start, end, got 'foo'"),
        (["pretrain", "glm-nano", "steps=0"], "steps must be a whole number of at least 1, got 0"),
        (["pretrain", "glm-nano", "objective.token=0"], "one must be positive"),
        (["pretrain", "glm-nano", "schedule.peak=.nan"], "schedule: peak must be a finite number, got nan"),
        (["pretrain", "glm-nano", "optimizer.eps=.inf"], "optimizer: eps must be a finite number, got inf"),
        (["finetune", "MODEL", "schedule.peak=nan"], "schedule.peak must be"),
        (["infill", "MODEL", "a [MASK]", "--temperature", "nan"], "nan is no finite number"),
        (["infill", "MODEL", "a [MASK]", "--beams", "2", "--length-penalty", "inf"], "inf is no finite number"),
        (["infill", "MODEL", "a [MASK]", "--max-tokens", "9" * 30], "is too large"),
        (["pretrain", "glm-nano"], "no data: give data=DIR"),
        (["pretrain", "glm-nano", "data=EMPTY", "output=x"], "has no manifest.json: not prepared data"),
        (["data", "show", "DATA", "--index", "99999"], "numbered from 0"),
        (["data", "show", "DATA", "--epoch", "-1"], "argument --epoch: -1 is less than 0"),
        (["data", "show", "DATA", "--mask", "new/mask.foo"], "the picture is a PNG; give it a name that ends in .png"),
        (["data", "show", "DATA", "--objective", "tokens"], "did you mean 'token'?"),
        (["data", "prepare", "new", "nothing.txt", "--tokenizer", "MODEL"], "nothing.txt: no such file"),
        (["data", "prepare", "new", "EMPTY", "--tokenizer", "EMPTY"], "make one with `glmkit tokenizer train`"),
        (["tokenizer", "train", "new", "EMPTY", "--spare", "-3"], "argument --spare: -3 is less than 0"),
        (["tokenizer", "train", "new", "EMPTY"], "no .txt, .jsonl, .parquet files found"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    line: str,
    run: Run,
    model_directory: Path,
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    names = {"MODEL": str(model_directory), "DATA": str(prepared), "EMPTY": str(tmp_path / "empty")}
    for name, path in names.items():
        arguments = [argument.replace(name, path) for argument in arguments]
    code, _, errors = run(*arguments)
    assert code == 2, errors
    assert line in errors
    assert errors.startswith("glmkit: ")
    assert len(errors.strip().splitlines()) == 1, errors
    assert "Traceback" not in errors
    assert sorted(tmp_path.iterdir()) == [tmp_path / "empty"], "nothing half done is left behind"


def test_help_is_as_wide_as_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    _, out, _ = run("tokenizer", "train", "--help")
    text, example = out.split("example:\n")
    assert max(map(len, text.splitlines())) <= 70
    assert example == "  glmkit tokenizer train tok books/ --vocab-size 16000\n"


def test_debug_shows_where(run: Run) -> None:
    code, _, errors = run("infill", "nowhere", "[MASK]", "--debug")
    assert code == 2
    assert "Traceback" in errors


def test_from_text_to_a_filled_blank(
    tmp_path: Path, corpus: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's path: text -> tokenizer -> data -> model -> blanks."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("\n\n".join(text.replace("\n", " ") for text in corpus), encoding="utf-8")
    code, _, errors = run("tokenizer", "train", "all", "text.txt", "--vocab-size", 16_000)
    assert (code, "(not the 16,000 asked for: this text has no more pieces)" in errors) == (0, True)
    assert run("tokenizer", "train", "tok", "text.txt", "--vocab-size", 448)[0] == 0
    code, out, _ = run("data", "prepare", "shared", "text.txt", "--tokenizer", "tok", "--workers", 1, "--part", "1/2")
    fewer = "0 of 1 part, fewer than the 2 machines (a part has 1 GiB); when all are there: glmkit data join shared\n"
    assert (code, out) == (0, fewer)
    code, _, errors = run("data", "prepare", "prepared", "text.txt", "--tokenizer", "tok", "--workers", 2)
    assert (code, " tokens, 1 shard in prepared" in errors) == (0, True)
    code, _, errors = run(
        "pretrain", "glm-nano", "data=prepared", "output=runs/first", "steps=4", "batch_size=4", "micro_batch_size=4",
        "seq_length=32", "validation_every=2", "log_every=1",
    )  # fmt: skip
    assert code == 0, errors
    code, _, errors = run("data", "show", "runs/first", "--seed", 3)
    assert (code, "is a run and has its own seed: leave out --seed" in errors) == (2, True)
    code, out, _ = run("info", "runs/first")
    assert (code, "120 spare, 8-127" in out, "<spare_" in out) == (0, True, False)
    code, out, _ = run("infill", "runs/first", "ba [MASK] de [MASK].", "--max-tokens", 3)
    assert code == 0
    assert "[MASK]" not in out
    code, out, _ = run("generate", "runs/first", "ba", "--max-new-tokens", 5, "--temperature", 0.7, "--seed", 1)
    assert code == 0
    assert out.startswith("ba")


def test_infill_prints_json_with_alternatives(model_directory: Path, run: Run) -> None:
    code, out, _ = run(
        "infill", model_directory, "ba [MASK] de", "--alternatives", 3, "--json", "--max-tokens", 4, "--seed", 5
    )
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(rows) == 3
    assert [row["logprob"] for row in rows] == sorted((row["logprob"] for row in rows), reverse=True)
    assert all(row["text"].startswith("ba ") and row["text"].endswith(" de") for row in rows)


def test_infill_by_beam_search_is_the_same_every_time(model_directory: Path, run: Run) -> None:
    arguments = (
        "infill",
        model_directory,
        "ba [MASK] de",
        "--beams",
        3,
        "--alternatives",
        3,
        "--json",
        "--max-tokens",
        4,
    )
    code, out, _ = run(*arguments)
    assert code == 0
    results = [str(json.loads(line)["ids"]) for line in out.splitlines()]
    assert len(set(results)) == 3
    assert run(*arguments)[1] == out


def test_infill_reads_lines_from_standard_input(model_directory: Path) -> None:
    command = [sys.executable, "-m", "glmkit.cli.main", "infill", str(model_directory), "--max-tokens", "2"]
    done = subprocess.run(command, input="a [MASK]\n\nb [MASK]\n", capture_output=True, text=True, check=True)
    assert [line[:2] for line in done.stdout.splitlines() if not line.startswith("  ")] == ["a ", "b "]


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        (b"b \xff", "standard input, line 3 is not UTF-8 (byte 3)"),
        (b"no blank", "line 3 has no blank to fill; write [MASK] where one is"),
        (b"ba " * 200 + b"[MASK]", "line 3 has "),
    ],
)
def test_a_bad_line_does_not_lose_the_answers_of_the_others(
    bad: bytes, line: str, model_directory: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(text: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))

    given(b"a [MASK]\n\n" + bad + b"\nc [MASK]\n")
    code, out, errors = run("infill", model_directory, "-", "--max-tokens", 2)
    assert code == 2
    assert [row[:2] for row in out.splitlines() if not row.startswith("  ")] == ["a ", "c "]
    assert errors.splitlines()[0].startswith(f"glmkit: {line}")
    assert errors.splitlines()[1:] == ["glmkit: 1 of 3 texts were not filled: line 3"]
    given(b"\n\n" + bad)
    code, out, errors = run("infill", model_directory, "-")
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert errors.startswith(f"glmkit: {line}")


def test_standard_input_without_a_text(model_directory: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n \n"), encoding="utf-8"))
    code, _, errors = run("infill", model_directory, "-")
    assert (code, errors) == (2, "glmkit: no text: give it as an argument or on standard input\n")


@pytest.mark.parametrize("verb", ["infill", "generate"])
def test_a_command_that_waits_for_a_person_says_so(
    verb: str, model_directory: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa [MASK]\n"), encoding="utf-8")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    code, out, errors = run(verb, model_directory, "-n" if verb == "generate" else "--max-tokens", 2)
    assert (code, out[:2]) == (0, "a ")
    assert "reading from the terminal: type the text; Ctrl-D" in errors


def test_temperature_0_is_greedy(model_directory: Path, run: Run) -> None:
    arguments = ("infill", model_directory, "ba [MASK] de", "--max-tokens", 4)
    assert run(*arguments, "--temperature", 0, "--seed", 5) == run(*arguments)


def test_generate_to_a_reader_that_leaves(model_directory: Path) -> None:
    command = f"{sys.executable} -m glmkit.cli.main generate {model_directory} ba --max-new-tokens 30 | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_show_draws_text_arrays_and_mask(
    prepared: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    code, out, _ = run("data", "show", prepared, "--index", 2, "--seq-length", 48, "--mask", tmp_path / "new/mask.png")
    assert code == 0
    assert out.replace("\n", "").endswith(f"mask in {tmp_path / 'new/mask.png'}")
    out = out.rsplit("mask in", 1)[0]
    assert all(word in out for word in ("[MASK]", "token", "target", "place", "step", "<sop>", "<eop>"))
    assert max(map(len, out.splitlines())) <= 60
    assert (tmp_path / "new/mask.png").read_bytes().startswith(b"\x89PNG")


def test_config_from_a_file_and_overrides(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("steps: 7\nschedule:\n  peak: 0.5\n")
    code, out, _ = run("pretrain", "glm-nano", f"--config={file}", "schedule.floor=0.3", "--print_config")
    assert code == 0
    assert "steps: 7" in out
    assert "peak: 0.5" in out
    assert "floor: 0.3" in out
    file.write_text("stepz: 7\n")
    code, _, errors = run("pretrain", "glm-nano", f"--config={file}")
    assert code == 2
    assert f"{file}: unknown key 'stepz'; did you mean 'steps'?" in errors
    for text, complaint in (("steps: [3\na: b: c", "is not YAML in line 2"), ("- 3", "holds no settings")):
        file.write_text(text)
        code, _, errors = run("pretrain", "glm-nano", "--config", file)
        assert code == 2
        assert f"{file} {complaint}" in errors


def test_model_and_tokenizer_that_do_not_belong_together(model_directory: Path, tmp_path: Path, run: Run) -> None:
    other = tmp_path / "other"
    shutil.copytree(model_directory, other)
    train(["some other text"], vocab_size=480, spare=56).save(other)
    code, _, errors = run("infill", other, "a [MASK]")
    assert code == 2
    assert "not the one the model was trained with" in errors


def test_a_damaged_model_is_named_with_its_checksum(model_directory: Path, tmp_path: Path, run: Run) -> None:
    other = tmp_path / "other"
    shutil.copytree(model_directory, other)
    weights = other / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    code, _, errors = run("infill", other, "a [MASK]")
    assert code == 2
    assert "SHA-256" in errors


def test_env_reports_versions(run: Run) -> None:
    code, out, _ = run("env", "--json")
    assert code == 0
    assert json.loads(out)["glmkit"]


def test_an_unexpected_error_is_short_and_exits_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import glmkit.cli.env

    def broken(arguments: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(glmkit.cli.env, "main", broken)
    code, _, errors = run("env")
    assert code == 1
    assert "RuntimeError: boom" in errors
    assert "--debug" in errors


def test_version() -> None:
    assert main(["--version"]) == 0


def test_settings_that_make_more_of_a_file_than_there_is_room_for_are_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "deep.yaml").write_text("steps: " + "[" * 100_000)
    (tmp_path / "wide.yaml").write_text(
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}\n" for n in range(1, 40))
    )
    for name, said in (("deep", "is not YAML"), ("wide", "holds more than 1000 settings")):
        code, _, errors = run("pretrain", "glm-nano", "--config", tmp_path / f"{name}.yaml")
        assert (code, errors) == (2, f"glmkit: {tmp_path / name}.yaml {said}\n")


def test_a_demo_that_is_there_is_kept(tmp_path: Path, run: Run) -> None:
    """Whether finished or not; what of it goes on is looked at when it runs."""
    (tmp_path / "demo.json").write_text('{"demo": "docstrings", "steps": 800}')
    (tmp_path / "model").mkdir()
    code, _, errors = run("demo", "--output", tmp_path, "--steps", 1)
    assert code == 2
    assert "holds an unfinished demo of 800 steps: give another --output, or --overwrite to lose it" in errors
    (tmp_path / "result.json").write_text("{}")
    for steps in (1, 800):
        code, _, errors = run("demo", "--output", tmp_path, "--steps", steps)
        assert code == 2
        assert "holds a finished demo of 800 steps" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.json", "model", "result.json"]


@pytest.mark.slow
def test_demo_runs_goes_on_and_fills(tmp_path: Path, run: Run) -> None:
    code, _, out = run("demo", "--output", tmp_path / "demo", "--steps", 12)
    assert code == 0, out
    result = json.loads((tmp_path / "demo/result.json").read_text())
    assert result["heldout_loss_end"] < result["heldout_loss_start"]
    assert result["recipe"] == "modern"
    assert [len(fill["words"]) for fill in result["fills"]] == [3] * 5
    assert f"among the first three in {result['hits']} of {result['sentences']} held-out" in " ".join(out.split())
    assert f"most frequent words: {result['hits_by_frequency']}" in " ".join(out.split())
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 80
    for picture in ("loss.png", "mask.png"):
        assert (tmp_path / "demo" / picture).read_bytes().startswith(b"\x89PNG")
    assert run("infill", tmp_path / "demo/model", "Return the [MASK] of the list.")[0] == 0
    before = (tmp_path / "demo/model/config.json").read_bytes()
    for steps in (1, 12):
        code, _, errors = run("demo", "--output", tmp_path / "demo", "--steps", steps)
        assert code == 2
        assert f"{tmp_path / 'demo'} holds a finished demo of 12 steps: give another --output, or --overwrite" in errors
    assert (tmp_path / "demo/model/config.json").read_bytes() == before
    assert run("demo", "--output", tmp_path / "demo", "--steps", 1, "--overwrite")[0] == 0
    assert (tmp_path / "demo/model/config.json").read_bytes() != before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    code, _, errors = run("demo", "--output", tmp_path / "mine", "--steps", 2)
    assert code == 2
    assert (tmp_path / "mine/file").read_text() == "mine"
