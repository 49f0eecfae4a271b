"""The wheel serves every Python of a platform, installs without a compiler, and chooses the instruction set when it
runs; an sdist that is installed without a compiler computes through torch.

Torch and the other dependencies are those of the environment of the tests, so that nothing is fetched.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import glmkit
from glmkit.testing import tiny

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
LARGEST = 5 << 20  # bytes
pytestmark = pytest.mark.slow

# The flags of Linux's processors that an instruction set needs, best first (kernels/native).
NEEDS = {"amx": "amx_int8", "avx512": "avx512_vnni", "avxvnni": "avx_vnni", "avx2": "avx2"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in git of the package, without what was built in the tree."""
    path = tmp_path_factory.mktemp("source")
    for name in FILES:
        shutil.copy(ROOT / name, path)
    shutil.copytree(ROOT / "src", path / "src", ignore=shutil.ignore_patterns("_native*", "__pycache__", "*.egg-info"))
    return path


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("no C++ compiler")
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    (path,) = folder.glob("*.whl")
    return path


def pip(*arguments: object, **environment: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Installed:
    """A fresh virtual environment with one package of ours, the dependencies of this one, and no compiler on PATH."""

    def __init__(self, directory: Path, wheel: Path) -> None:
        venv.create(directory, with_pip=False)
        self.bin = directory / ("Scripts" if os.name == "nt" else "bin")
        (site,) = directory.rglob("site-packages")
        python = next(self.bin.glob("python*"))
        pip("--python", python, "install", "--no-index", "--no-deps", wheel)
        # A line of this file is no site directory itself: an editable glmkit there stays unseen.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.variables = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GLMKIT_KERNELS")
        } | {"PATH": str(self.bin)}
        assert shutil.which("c++", path=self.variables["PATH"]) is None

    def run(self, program: str, *arguments: str, cwd: Path, **environment: str) -> str:
        command = [str(self.bin / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=cwd, env=self.variables | environment, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("environment"), wheel)


def test_one_wheel_serves_every_python_of_a_platform(wheel: Path) -> None:
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("glmkit", glmkit.__version__, "py3", "none")
    assert platform == re.sub(r"[-.]", "_", sysconfig.get_platform())
    assert wheel.stat().st_size < LARGEST


def test_a_wheel_holds_the_kernels_and_the_page_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert len([name for name in names if name.startswith("glmkit/kernels/_native")]) == 1
    assert any(name.startswith("glmkit/serve/static/") for name in names)
    assert {name.split("/")[0] for name in names} == {"glmkit", f"glmkit-{glmkit.__version__}.dist-info"}
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    assert sources <= set(names)


def test_without_a_compiler_the_wheel_has_kernels_and_chooses_the_best(installed: Installed, tmp_path: Path) -> None:
    facts = json.loads(installed.run("glmkit", "env", "--json", cwd=tmp_path))
    assert facts["glmkit"] == glmkit.__version__
    chosen, offered = re.fullmatch(r"(\w+) \(of (.+)\)", facts["kernels"]).groups()
    assert chosen == offered.split(", ")[0] != "torch"
    processor = Path("/proc/cpuinfo")
    if processor.is_file() and sysconfig.get_platform().endswith("x86_64"):
        flags = set(re.findall(r"\w+", processor.read_text()))
        assert chosen == next(name for name, flag in NEEDS.items() if flag in flags)
    for name in offered.split(", "):
        other = json.loads(installed.run("glmkit", "env", "--json", cwd=tmp_path, GLMKIT_KERNELS=name))
        assert other["kernels"].startswith(f"{name} (of ")


def test_it_quantizes_a_model_and_writes_with_it(installed: Installed, tmp_path: Path) -> None:
    tiny("chatglm2").save(tmp_path / "model")
    installed.run("glmkit", "quantize", "model", "narrow", "--bits", "4", cwd=tmp_path)
    done = installed.run("glmkit", "generate", "narrow", "Hello", "--max-tokens", "4", "--json", cwd=tmp_path)
    assert json.loads(done)["ids"]


def test_it_runs_as_a_module(installed: Installed, tmp_path: Path) -> None:
    assert installed.run("python", "-m", "glmkit", "--version", cwd=tmp_path) == f"glmkit {glmkit.__version__}\n"
    where = installed.run("python", "-c", "import glmkit; print(glmkit.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.bin.parent)


def test_an_sdist_without_a_compiler_computes_through_torch(source: Path, tmp_path: Path) -> None:
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=source, capture_output=True, check=True)
    (archive,) = tmp_path.glob("glmkit-*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert {"src/glmkit/kernels/native/matrix.h", "setup.py", "LICENSE"} <= names
    assert any(name.startswith("src/glmkit/serve/static/") for name in names)
    nothing = {"PATH": str(tmp_path), "CC": "nothing", "CXX": "nothing"}
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, archive, **nothing)
    (built,) = tmp_path.glob("*.whl")
    without = Installed(tmp_path / "environment", built)
    facts = json.loads(without.run("glmkit", "env", "--json", cwd=tmp_path))
    assert facts["kernels"] == "torch (of torch)"
