"""The page's scripts, tested and built by Node where it is there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.page.test_files import STATIC, WEB

NODE = shutil.which("node")
NPM = shutil.which("npm")
# Those of the tests that need no package.
ALONE = ["sse", "history", "blanks", "inside"]


def run(*command: str, cwd: Path) -> None:
    """Runs a command, whose output is shown when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(NODE is None, reason="no Node")
@pytest.mark.parametrize("name", ALONE)
def test_scripts(name: str) -> None:
    assert NODE is not None
    run(NODE, "--test", f"test/{name}.test.js", cwd=WEB)


@pytest.mark.slow
@pytest.mark.skipif(NPM is None, reason="no npm")
def test_a_clean_build_gives_the_same_bytes(tmp_path: Path) -> None:
    """And what needs the packages holds: tests and types. They are installed here anyway."""
    assert NODE is not None
    assert NPM is not None
    web = tmp_path / "web"
    shutil.copytree(WEB, web, ignore=shutil.ignore_patterns("node_modules"))
    run(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=web)
    run(NODE, "build.mjs", str(tmp_path / "out"), cwd=web)
    built = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert built == {path.name: path.read_bytes() for path in STATIC.iterdir()}
    run(NPM, "test", cwd=web)
    run(NPM, "run", "types", cwd=web)
