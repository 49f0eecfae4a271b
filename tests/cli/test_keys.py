"""Keys of training runs: other programs' names for them, their help, and hints at what was meant."""

import json
from pathlib import Path

import pytest
import yaml

from glmkit.cli.keys import KEYS
from glmkit.cli.overview import leaves
from glmkit.cli.pretrain import FIXED
from glmkit.data.prepare import prepare
from glmkit.finetuning.config import defaults
from glmkit.recipes.pretraining import RECIPES
from glmkit.testing import tiny
from glmkit.text.trained import train
from glmkit.train.methods import PEAKS

from .conftest import Run

CONFIGS = [*(recipe() for recipe in RECIPES.values()), *(defaults(method) for method in PEAKS)]


def test_every_key_has_a_line_and_no_line_is_stale() -> None:
    assert {key for config in CONFIGS for key, _, _ in leaves(config)} - FIXED.keys() == KEYS.keys()


@pytest.mark.parametrize(
    "verb", [["pretrain", "glm-nano"], ["pretrain", "chatglm2-6b"], ["finetune", "MODEL"]], ids=str
)
@pytest.mark.parametrize("columns", [60, 100])
def test_help_has_every_key_with_its_default(
    verb: list[str], columns: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = run(*verb, "--help")
    config = RECIPES[verb[1]]() if verb[0] == "pretrain" else defaults("full")
    assert code == 0
    assert out.startswith(f"usage: glmkit {verb[0]} ")
    text = out.split("example:")[0]
    assert max(map(len, text.splitlines())) <= columns
    for key, value, choices in leaves(config):
        if key in FIXED:
            assert key not in text
            continue
        shown = "MODEL" if key == "model" else value
        assert f"\n  {key}={shown}" in text
        assert all(choice in text for choice in choices)
    assert "schedule.peak=" in text


def test_the_help_of_a_method_shows_its_defaults(run: Run) -> None:
    assert "schedule.peak=0.0002" in run("finetune", "MODEL", "--method", "lora", "--help")[1]


@pytest.mark.parametrize("verb", [["pretrain", "glm-nano"], ["finetune", "MODEL"]], ids=str)
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("learning_rate", "schedule.peak"),
        ("lr", "schedule.peak"),
        ("weight_decay", "optimizer.weight_decay"),
        ("warmup_ratio", "schedule.warmup"),
        ("batch_size", "batch_size"),
        ("num_threads", "threads"),
    ],
)
def test_other_names_of_a_key(verb: list[str], name: str, key: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    value = 32 if key in ("batch_size", "threads") else 0.125
    file.write_text(f"{name}: {value}\nseed: 3\n")
    for arguments in ([f"{name}={value}"], [f"--{name.replace('_', '-')}", value], ["--config", file]):
        code, out, err = run(*verb, *arguments, "--print_config")
        assert code == 0, err
        table = yaml.safe_load(out)
        for part in key.split("."):
            table = table[part]
        assert table == value


def test_epochs_have_other_names_in_finetune(run: Run, tmp_path: Path) -> None:
    for name in ("epochs", "num_epochs", "num_train_epochs"):
        code, out, _ = run("finetune", "MODEL", f"{name}=7", "--print_config")
        assert (code, yaml.safe_load(out)["epochs"]) == (0, 7)


def test_the_command_line_goes_before_the_file_under_any_name(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("lr: 0.5\nschedule:\n  floor: 0.25\n")
    code, out, _ = run("pretrain", "glm-nano", "--config", file, "schedule.peak=0.125", "--print_config")
    assert code == 0
    assert yaml.safe_load(out)["schedule"] | {"peak": 0.125, "floor": 0.25} == yaml.safe_load(out)["schedule"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["pretrain", "glm-nano", "epochs=3"], "unknown key 'epochs': pretraining counts steps, not epochs: write st"),
        (["pretrain", "glm-nano", "--num-train-epochs", "3"], "pretraining counts steps, not epochs"),
        (["pretrain", "glm-nano", "lr=1", "schedule.peak=1"], "lr and schedule.peak are one setting: give one of them"),
        (["pretrain", "glm-nano", "lr=1", "learning_rate=1"], "lr and learning_rate are one setting: give one of them"),
        (["pretrain", "glm-nano", "lr=fast"], "schedule.peak must be a number, got 'fast'"),
        (["pretrain", "glm-nano", "optimizer.lr=1"], "unknown key 'optimizer.lr'; did you mean 'schedule.peak'?"),
        (["pretrain", "glm-nano", "bf16=true"], "precision=auto, float32 or bfloat16"),
        (["pretrain", "glm-nano", "--steps"], "steps must be a whole number, got ''"),
        (["pretrain", "glm-nano", "threads=-1"], "threads must"),
        (["finetune", "MODEL", "model=OTHER"], "MODEL and model are one setting: give one of them"),
        (["finetune", "MODEL", "--model-name-or-path", "OTHER"], "MODEL and model_name_or_path are one setting"),
        (["finetune", "MODEL", "max_steps=3"], "fine-tuning counts passes over the rows: write epochs=N"),
        (["finetune", "MODEL", "gradient_accumulation_steps=3"], "a step learns from batch_size rows"),
        (["generate", "MODEL", "a", "--max_length", "4"], "did you mean '--max-new-tokens'?"),
        (
            ["eval", "MODEL", "--tasks", "rte", "--dtype", "bfloat16", "--set", "dtype=float16"],
            "config; give --dtype float16",
        ),
        (
            ["chat", "MODEL", "--prompt", "a", "--set", "quantize=int4"],
            "--set quantize=int4: quantize is no field of a model's config",
        ),
        (["info", "MODEL", "--model", "chatglm2-6b", "--set", "model=chatglm3-6b"], "; give --published chatglm3-6b"),
        (["info", "MODEL", "--set", "dtype=float16"], "dtype is no field of a model's config; leave it out"),
        (["generate", "MODEL", "a", "--set", "path=OTHER"], "path is no field of a model's config; leave it out"),
        (["eval", "MODEL", "--tasks", "RTEE"], "unknown task 'RTEE'; did you mean 'rte'?"),
        (["serve", "MODEL", "--quantise", "int4"], "did you mean '--quantize'?"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_was_meant_is_said(arguments: list[str], line: str, run: Run) -> None:
    code, _, errors = run(*arguments)
    assert (code, len(errors.splitlines())) == (2, 1), errors
    assert line in errors


def test_the_model_that_is_named_goes_before_that_of_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: OTHER\n")
    code, out, _ = run("finetune", "MODEL", "--config", file, "--print_config")
    assert (code, yaml.safe_load(out)["model"]) == (0, "MODEL")


def test_a_file_names_itself_when_a_setting_is_there_twice(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    for text in ("lr: 1\nschedule:\n  peak: 1\n", "schedule: {peak: 1}\nlearning_rate: 1\n", "lr: 1\npeak_lr: 1\n"):
        file.write_text(text)
        code, _, errors = run("pretrain", "glm-nano", "--config", file)
        assert code == 2
        assert errors.startswith(f"glmkit: {file}: ")
        assert "one setting" in errors
    file.write_text("lr: 1\nschedule: 3\n")
    code, _, errors = run("pretrain", "glm-nano", "--config", file)
    assert (code, "schedule has keys of its own" in errors) == (2, True)
    file.write_text("lr: fast\n")
    code, _, errors = run("pretrain", "glm-nano", "--config", file)
    assert (code, f"{file}: schedule.peak must be a number, got 'fast'" in errors) == (2, True)


@pytest.mark.parametrize(("text", "form"), [("4bit", "int4"), ("4", "int4"), ("8bit", "int8"), ("INT8", "int8")])
def test_bits_however_they_are_written(text: str, form: str, run: Run, model_directory: Path, tmp_path: Path) -> None:
    code, out, _ = run("finetune", "MODEL", "--task", "chat", "--method", "lora", f"quantize={text}", "--print_config")
    assert (code, yaml.safe_load(out)["quantize"]) == (0, form)
    file = tmp_path / "run.yaml"
    file.write_text(f"quantize: {text}\n")
    code, out, _ = run("finetune", "MODEL", "--task", "chat", "--method", "lora", "--config", file, "--print_config")
    assert (code, yaml.safe_load(out)["quantize"]) == (0, form)
    arguments = ("infill", model_directory, "ba [MASK]", "--max-tokens", 2, "--json", "--quantize")
    assert json.loads(run(*arguments, text)[1]) == json.loads(run(*arguments, form)[1])


def test_tasks_in_capitals_are_the_same(run: Run, model_directory: Path, tmp_path: Path) -> None:
    code, _, errors = run("eval", model_directory, "--tasks", "RTE,SST-2", "--data", tmp_path)
    assert code == 2
    assert "task rte" in errors


def test_keys_of_the_first_version_are_understood_and_told_of(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("preset: glm-mini\npositions: one-channel\ninit: old\nsteps: 3\n")
    for arguments in (["preset=glm-mini", "--positions", "one-channel", "init=old"], ["--config", file]):
        code, out, errors = run("pretrain", "glm-base", *arguments, "--print_config")
        assert code == 0, errors
        table = yaml.safe_load(out)
        wanted = {"num_layers": 6, "hidden_size": 256, "positions": "one-channel", "dropout": 0.1}
        assert table["model"] | wanted == table["model"], "the recipe's dropout stays, as it did"
        assert table["init_from"] == "old"
        assert errors.splitlines() == [
            "glmkit: preset is now model.num_layers, model.hidden_size, ... or another recipe; the old key still works",
            "glmkit: positions is now model.positions; the old key still works",
            "glmkit: init is now init_from; the old key still works",
        ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["model.num_layer=3"], "unknown key 'model.num_layer'; did you mean 'model.num_layers'?"),
        (["model.heads=3"], "unknown key 'model.heads'; did you mean 'model.num_heads'?"),
        (["model.head_dim=6"], "head_dim must be a multiple of 4, got 6: half of a head is turned, two at a time"),
        (["model.num_kv_heads=5"], "num_heads 6 must be a multiple of num_kv_heads 5: each group of keys"),
        (["model.vocab_size=3"], "'model.vocab_size': it is that of the tokenizer the data were prepared with"),
        (["model.num_labels=3"], "unknown key 'model.num_labels': pretraining has none"),
        (
            ["objective.token=1", "data=DATA", "output=OUT"],
            "a chatglm2 reads from left to right alone and cannot learn o",
        ),
        (
            ["objective.masked_lm=1", "objective.causal=0", "data=DATA", "output=OUT"],
            "cannot learn objective.masked_lm: give objective.masked_lm=0, and a share to one of causal, infill, ",
        ),
        (
            ["data.0.path=DATA", "data.1.path=ELSE", "output=OUT"],
            "was prepared with another tokenizer than DATA; prepare it again with --tokenizer DATA/tokenizer",
        ),
        (
            ["data=DATA", "validation_data=ELSE", "output=OUT"],
            "was prepared with another tokenizer than DATA; prepare it again with --tokenizer DATA/tokenizer",
        ),
        (
            ["init_from=CHAT", "data=DATA", "output=OUT"],
            "DATA was prepared with another tokenizer than that of CHAT; prepare it with --tokenizer CHAT",
        ),
        (
            ["init_from=MODEL", "data=DATA", "output=OUT"],
            "is a glm, the model of this run a chatglm2: begin from a recip",
        ),
        (["init_from=MODEL", "model.num_layers=2"], "leave it out, or leave out init_from"),
        (["data.0.path=A", "data=B"], "data.0 and data are one setting: give one of them"),
        (["data.0.pth=A"], "unknown key 'data.0.pth'; did you mean 'data.0.path'?"),
        (["data.1.path=A"], "data.0 has no path: give data.0.path=..., counted from 0"),
        (["data.0.path=A", "data.0.weight=much"], "data.0.weight must be a number, got 'much'"),
        (["data.0.path=A", "data.0.weight=0"], "weight must be a finite number greater than 0, got 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_of_a_pretraining_run(
    arguments: list[str],
    line: str,
    run: Run,
    prepared: Path,
    model_directory: Path,
    elsewhere: dict[str, Path],
    tmp_path: Path,
) -> None:
    places = {"DATA": prepared, "OUT": tmp_path / "out", "MODEL": model_directory, **elsewhere}
    for name, path in places.items():
        line = line.replace(name, str(path))
    given = [
        f"{name}={places.get(value, value)}" for name, _, value in (argument.partition("=") for argument in arguments)
    ]
    code, _, errors = run("pretrain", "chatglm2-nano", *given)
    assert (code, len(errors.splitlines())) == (2, 1), errors
    assert line in errors


@pytest.fixture(scope="module")
def elsewhere(corpus: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Data and a ChatGLM2, each with a tokenizer of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "text.txt").write_text("\n\n".join(corpus), encoding="utf-8")
    prepare([folder / "text.txt"], train(corpus, vocab_size=420, spare=40), folder / "data")
    tiny("chatglm2").save(folder / "chat")
    return {"ELSE": folder / "data", "CHAT": folder / "chat"}


def test_several_corpora_are_printed_and_read_back(run: Run, tmp_path: Path) -> None:
    code, out, errors = run(
        "pretrain", "glm-nano", "data.1.path=b", "data.0.path=a", "data.0.weight=0.7", "--print_config"
    )
    assert code == 0, errors
    assert yaml.safe_load(out)["data"][0] == {"path": "a", "weight": 0.7}
    (tmp_path / "run.yaml").write_text(out)
    code, again, errors = run("pretrain", "glm-nano", "--config", tmp_path / "run.yaml", "--print_config")
    assert (code, yaml.safe_load(again)["data"]) == (0, yaml.safe_load(out)["data"]), errors
