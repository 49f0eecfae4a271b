"""`glmkit bench serve --against NAME`: others' servers start, take the load and end; what cannot be is one line."""

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from glmkit.bench.other_servers import SERVERS
from glmkit.bench.program import Program, serving
from glmkit.cli.main import main
from glmkit.core.errors import UserError

MODEL = ["--preset", "chatglm2-nano", "--layers", "1", "--dtype", "float32"]
LOAD = ["--streams", "2", "--requests", "3", "--prompt", "5", "--tokens", "4"]

# Answers /health and /v1/models, and has a child of its own whose id it writes beside itself.
SERVER = """\
import http.server, json, pathlib, subprocess, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": [{"id": "m"}]}).encode())

child = subprocess.Popen(["sleep", "600"])
pathlib.Path(sys.argv[0]).with_suffix(".child").write_text(str(child.pid))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def script(path: Path, text: str) -> str:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize("name", SERVERS)
def test_one_that_is_not_installed_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "serve", *MODEL, "--against", name, "--program", str(tmp_path / "none")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{name} is not installed ({tmp_path / 'none'} is no program)" in line
    assert "install" in line
    assert "--program FILE" in line


@pytest.mark.parametrize("name", SERVERS)
def test_one_that_does_not_start_says_why_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "llama-server":
        pytest.importorskip("gguf", reason="needs gguf: pip install glmkit[gguf]")
    lines = "\n".join(f"print({line!r}, file=sys.stderr)" for line in ("starts", "error: no such model", "ends"))
    program = script(tmp_path / "program", f"import sys\n{lines}\nsys.exit(3)\n")
    assert main(["bench", "serve", *MODEL, "--against", name, "--program", program]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{name} ended with code 3: error: no such model; " in line
    assert "install" in line


def test_what_no_other_server_can_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "serve", "--preset", "glm-nano", "--against", "llama-server"]) == 2
    assert "llama-server knows no glm-nano; compare a ChatGLM2 or 3" in capsys.readouterr().err
    here = ["--program", sys.executable]
    assert main(["bench", "serve", *MODEL, "--quantize", "int4", "--against", "vllm", *here]) == 2
    assert "vllm has no random weights in 8 or 4 bits" in capsys.readouterr().err
    assert main(["bench", "serve", "--url", "http://127.0.0.1:9", "--against", "vllm"]) == 2
    assert "--against vllm goes with a random model of ours; leave out --url" in capsys.readouterr().err


@pytest.mark.parametrize("error", [None, UserError, KeyboardInterrupt])
def test_it_and_what_it_started_end(error: type[BaseException] | None, tmp_path: Path) -> None:
    program = Program("other", script(tmp_path / "server.py", SERVER), "install it")
    with pytest.raises(error) if error else nullcontext(), serving(program, ["serve"], {}) as server:
        assert server.model == "m"
        child = int((tmp_path / "server.child").read_text())
        assert runs(child)
        if error is not None:
            raise error
    assert not runs(child)


def test_ctrl_c_ends_it_while_it_starts(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs gguf: pip install glmkit[gguf]")
    mark = tmp_path / "pid"
    program = script(
        tmp_path / "program",
        f"import os, time\nopen({str(mark)!r} + '+', 'w').write(str(os.getpid()))\n"
        f"os.rename({str(mark)!r} + '+', {str(mark)!r})\ntime.sleep(600)\n",
    )
    command = [sys.executable, "-m", "glmkit", "bench", "serve", *MODEL, "--against", "llama-server"]
    process = subprocess.Popen([*command, "--program", program], stderr=subprocess.PIPE, text=True)
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "glmkit: stopped" in process.communicate()[1]
    assert process.returncode == 130
    assert not runs(int(mark.read_text()))


def missing(name: str) -> str | None:
    """Why the server `name` cannot run here."""
    if name == "openvino-genai":
        absent = [part for part in ("openvino_genai", "optimum", "nncf") if importlib.util.find_spec(part) is None]
        return f"needs {', '.join(absent)}" if absent else None
    if name == "llama-server" and importlib.util.find_spec("gguf") is None:
        return "needs gguf: pip install glmkit[gguf]"
    return None if shutil.which(name) else f"{name} is not on PATH"


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVERS)
def test_the_real_one_takes_the_load(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if reason := missing(name):
        pytest.skip(reason)
    form = [] if name == "vllm" else ["--quantize", "int8"]
    assert main(["bench", "serve", *MODEL, *form, *LOAD, "--against", name, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["config"]["against"] == name
    written = report["results"][0]
    assert written["name"] == "tokens written"
    assert written["value"] > 0
    assert written["limit"] > 0
