"""glmkit completion: scripts that complete every command, flag and choice, run by a shell where there is one."""

import contextlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.cli.verbs import VERBS

from .conftest import Run


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The script of each shell."""
    folder = tmp_path_factory.mktemp("scripts")
    paths = {}
    for shell in ("bash", "zsh", "fish"):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert main(["completion", shell]) == 0
        paths[shell] = folder / f"glmkit.{shell}"
        paths[shell].write_text(out.getvalue())
    return paths


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("glmkit ", set(VERBS)),
        ("glmkit in", {"infill", "info"}),
        ("glmkit data ", {"prepare", "join", "show"}),
        ("glmkit data prepare --to", {"--tokenizer"}),
        ("glmkit infill model --quantize ", {"int8", "int4"}),
        ("glmkit pretrain glm-n", {"glm-nano"}),
        ("glmkit pretrain glm-nano --schedule.p", {"--schedule.peak"}),
        ("glmkit finetune model --task ", {"cloze", "classify", "seq2seq", "chat"}),
        ("glmkit tokenizer train --vocab", {"--vocab-size"}),
        ("glmkit bench de", {"decode"}),
        ("glmkit info boo", {"books"}),
        ("glmkit download chatglm2-6b --from ", {"hub", "modelscope"}),
    ],
)
def test_bash_completes(line: str, expected: set[str], scripts: dict[str, Path], tmp_path: Path) -> None:
    if not (bash := shutil.which("bash")):
        pytest.skip("no bash")
    (tmp_path / "books").mkdir()
    words = [*line.split(), ""] if line.endswith(" ") else line.split()
    quoted = " ".join(f"'{word}'" for word in words)
    code = (
        f"source '{scripts['bash']}'\nCOMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1} COMPREPLY=()\n"
        "function=$(complete -p glmkit | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\n"
        '"$function" 2>/dev/null\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run([bash, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_every_command_and_is_one_of_its_shell(shell: str, scripts: dict[str, Path]) -> None:
    text = scripts[shell].read_text()
    assert all(verb in text for verb in VERBS)
    assert "schedule.peak" in text
    if program := shutil.which(shell):
        subprocess.run([program, "-n", scripts[shell]], check=True)


def test_another_shell_is_a_mistake(run: Run) -> None:
    code, _, errors = run("completion", "ksh")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "invalid choice: 'ksh'" in errors
