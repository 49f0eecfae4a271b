"""A disk that takes no more: one line with the file and the system's reason, and nothing half written stays."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glmkit.cli import stdin
from tests.full_disk import room_for

from .conftest import Run


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["convert", "MODEL", "OUT"], "model.safetensors"),
        (["convert", "MODEL", "OUT", "--to", "glm-hf-port"], "tokenizer.json"),
        (["convert", "MODEL", "OUT", "--to", "megatron", "--ranks", "2"], "0/mp_rank_00_model_states.pt"),
        (["quantize", "MODEL", "OUT"], "model.safetensors"),
        (["tokenizer", "train", "OUT", "TEXT", "--vocab-size", "500"], "tokenizer.json"),
        (["data", "prepare", "OUT", "TEXT", "--tokenizer", "MODEL", "--workers", "1"], "tokenizer/tokenizer.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_full_disk_is_one_line_with_the_file_and_the_reason(
    arguments: list[str], file: str, run: Run, model_directory: Path, corpus: list[str], tmp_path: Path
) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "out"
    text.write_text("\n\n".join(corpus), encoding="utf-8")
    places = {"MODEL": model_directory, "TEXT": text, "OUT": out}
    with room_for(3000):
        code, _, errors = run(*(places.get(argument, argument) for argument in arguments))
    assert code == 2
    assert errors == (
        f"glmkit: could not write {out / file}: File too large; raise the limit on the size of files (ulimit -f) "
        "or write elsewhere\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_what_may_not_be_written_is_one_line(run: Run, model_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    code, _, errors = run("convert", model_directory, tmp_path / "file" / "out")
    assert code == 2
    assert errors == f"glmkit: could not write {tmp_path / 'file' / 'out'}: Not a directory; write elsewhere\n"
    name = "a" * 250
    code, _, errors = run("convert", model_directory, tmp_path / name)
    assert code == 2
    assert errors == f"glmkit: could not write {tmp_path / name}: File name too long; write elsewhere\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_one_line(run: Run, model_directory: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    code, _, errors = run("convert", model_directory, tmp_path / "out")
    assert code == 2
    assert errors == f"glmkit: could not write {tmp_path / 'out'}: Permission denied; write elsewhere\n"


def shell(line: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of sh in which `glmkit` is this one; every character of its output is in bytes."""
    line = line.replace("glmkit", f"{sys.executable} -m glmkit")
    return subprocess.run(["sh", "-c", line], capture_output=True, env={**os.environ, **settings}, check=False)


@pytest.mark.parametrize(
    ("line", "reason"),
    [("glmkit --help >/dev/full", "No space left on device"), ("glmkit --help >&-", "Bad file descriptor")],
)
def test_an_output_that_takes_nothing_is_one_line(line: str, reason: str) -> None:
    done = shell(line)
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"glmkit: could not write standard output: {reason}; ")
    assert done.stderr.count(b"\n") == 1


def test_errors_that_nobody_hears_change_nothing() -> None:
    for closed in ("2>/dev/full", "2>&-", ">&- 2>&-"):
        done = shell(f"glmkit infil {closed}")
        assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_a_reader_that_has_enough_is_no_error() -> None:
    done = shell("{ glmkit env; echo $? >&2; } | true")
    assert done.stderr == b"0\n"


def test_closed_input_is_empty_input(model_directory: Path) -> None:
    done = shell(f"glmkit infill {model_directory} <&-")
    assert done.returncode == 2
    assert done.stderr == b"glmkit: no text: give it as an argument or on standard input\n"


ECHO = """
import sys
from glmkit.cli import streams
streams.prepare()
print(sys.argv[1].encode("utf-8", "surrogateescape").decode("utf-8", "surrogatepass"))
streams.finish()
"""


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("gbk", "北京\\u00f1\\ud83d\\ude42\n"),
        ("latin-1", "\\u5317\\u4eacñ\\ud83d\\ude42\n"),
        ("ascii", "\\u5317\\u4eac\\u00f1\\ud83d\\ude42\n"),
        ("utf-8", "北京ñ🙂\n"),
    ],
)
def test_what_an_encoding_lacks_is_written_as_json_does(encoding: str, written: str) -> None:
    settings = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, "-c", ECHO, "北京ñ🙂"], capture_output=True, env=settings, check=True)
    assert done.stdout.decode(encoding) == written
    said = f"glmkit: {encoding} lacks signs of this text: they were written as \\uXXXX; "
    assert done.stderr.decode().startswith(said) == (encoding != "utf-8")


def test_half_a_character_is_written_as_json_does() -> None:
    half = "a\ud800".encode("utf-8", "surrogatepass")
    done = subprocess.run([sys.executable, "-c", ECHO, half], capture_output=True, check=True)
    assert done.stdout == b"a\\ud800\n"


def test_a_mark_before_the_first_line_is_no_text(
    run: Run, model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa [MASK]\n")))
    code, out, _ = run("infill", model_directory, "--max-tokens", 1)
    assert code == 0
    assert out.startswith("a ")


def test_a_line_of_input_too_long_is_refused(run: Run, model_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdin, "LONGEST", 1 << 20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n" + b"a" * (2 << 20))))
    code, _, errors = run("infill", model_directory)
    assert code == 2
    assert errors == "glmkit: standard input, line 2 is longer than 1 MB\n"


@pytest.mark.parametrize(
    "command", ["data prepare OUT a.txt --tokenizer MODEL --workers 1", "tokenizer train OUT a.txt"]
)
def test_a_line_too_long_names_the_flag_that_allows_it(
    command: str, run: Run, model_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("short\n" + "ab " * 400_000)
    words = command.replace("MODEL", str(model_directory)).split()
    code, _, errors = run(*words, "--longest", 1)
    assert code == 2
    assert errors == (
        "glmkit: a.txt:2: a line of more than 1 MB, and all of it goes into memory; cut it into documents, or allow "
        "longer ones by --longest\n"
    )
    assert os.listdir() == ["a.txt"]


def test_a_zero_byte_is_in_no_argument(run: Run) -> None:
    code, _, errors = run("info", "a\0b")
    assert code == 2
    assert errors == "glmkit: argument 2 holds a zero byte, which no name or text can\n"


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    from glmkit.core.errors import Unwritable
    from glmkit.core.files import atomic_file

    with (
        pytest.raises(Unwritable, match="could not write /dev/full: No space left"),
        atomic_file(Path("/dev/full")) as file,
    ):
        file.write_text("text")
    assert Path("/dev/full").is_char_device()
