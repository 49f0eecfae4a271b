"""A model's id finds it in the caches, or on a hub: here one that this test serves on localhost."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from glmkit.core.errors import UserError
from glmkit.families.hub import local

pytest.importorskip("huggingface_hub", reason="the extra `hub` is not installed")

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"same",
    "modeling.py": b"code",
    "tokenization_chatglm.py": b"roles",
}


def found(id: str, **environment: str) -> str:
    """The last line that looking up `id` prints in a process with this environment."""
    code = (
        "from glmkit.families.hub import local\nfrom glmkit.core.errors import UserError\n"
        f"try: print(local({id!r}))\nexcept UserError as error: print('UserError:', error)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MODELSCOPE"))}
    call = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=kept | environment, check=False
    )
    assert call.returncode == 0, call.stderr
    return call.stdout.strip().splitlines()[-1]


def test_a_path_of_this_machine_is_itself(tmp_path: Path) -> None:
    assert local(tmp_path) == tmp_path
    assert local("runs/none/here") == Path("runs/none/here")


def test_a_mistyped_path_is_not_taken_for_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert local("runs/dmeo") == Path("runs/dmeo")


@pytest.mark.parametrize("asked", ["THUDM/chatglm2-6b", "zai-org/chatglm2-6b"])
def test_the_cache_is_read_in_place_under_either_owner(asked: str, tmp_path: Path) -> None:
    model = tmp_path / "hub" / "models--THUDM--chatglm2-6b"
    snapshot = model / "snapshots" / _COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(_COMMIT)
    assert found(asked, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1") == str(snapshot)


@pytest.mark.parametrize("folder", ["hub/models/ZhipuAI/chatglm2-6b", "hub/ZhipuAI/chatglm2-6b"])
def test_what_modelscope_downloaded_is_found(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    assert local("ZhipuAI/chatglm2-6b") == tmp_path / folder


def test_offline_and_not_in_the_cache_is_said(tmp_path: Path) -> None:
    said = found("zai-org/chatglm2-6b", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert said.startswith("UserError: zai-org/chatglm2-6b is neither a directory nor in the cache, and HF_HUB_OFFLINE")


@pytest.fixture
def hub() -> Iterator[str]:
    """A hub on localhost with one model, speaking as much of the protocol as a download needs."""

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[-1].split("?")[0]
            if self.path.startswith("/api/models/team/model/tree/"):
                self.answer(
                    json.dumps(
                        [{"type": "file", "path": file, "size": len(body), "oid": "0"} for file, body in _FILES.items()]
                    ).encode()
                )
            elif self.path.startswith("/api/models/team/model"):
                siblings = [{"rfilename": file} for file in _FILES]
                self.answer(json.dumps({"id": "team/model", "sha": _COMMIT, "siblings": siblings}).encode())
            elif self.path.startswith("/team/model/resolve/") and name in _FILES:
                self.answer(_FILES[name])
            else:
                self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 (the server's own name)

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", f'"{hash(body) & 0xFFFFFFFF:08x}"')
            self.send_header("X-Repo-Commit", _COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_model_is_fetched_once_without_a_second_copy_of_the_weights(hub: str, tmp_path: Path) -> None:
    """Of its code, only what tells ChatGLM2 from ChatGLM3, to be read as text."""
    place = Path(found("team/model", HF_HOME=str(tmp_path), HF_ENDPOINT=hub))
    assert sorted(path.name for path in place.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenization_chatglm.py",
    ]
    assert (place / "model.safetensors").read_bytes() == b"weights"
    assert found("team/model", HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9") == str(place)


def test_a_model_that_the_hub_does_not_have(hub: str, tmp_path: Path) -> None:
    said = found("team/other", HF_HOME=str(tmp_path), HF_ENDPOINT=hub)
    assert said.startswith("UserError: team/other is no directory, and the hub does not give it")


def test_the_folder_of_a_repository_in_a_cache_means_its_snapshot(tmp_path: Path) -> None:
    root = tmp_path / "models--THUDM--chatglm2-6b"
    (root / "snapshots").mkdir(parents=True)
    with pytest.raises(UserError, match=r"which snapshot is meant cannot be known .*; fetch the model again"):
        local(root)
    (root / "snapshots" / "a1").mkdir()
    assert local(root) == root / "snapshots" / "a1"
    (root / "snapshots" / "b2").mkdir()
    with pytest.raises(UserError, match=r"there is no .*refs/main\); give one of .*a1, .*b2"):
        local(root)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("b2\n")
    assert local(root) == root / "snapshots" / "b2"
    (root / "refs" / "main").write_text("c3")
    with pytest.raises(UserError, match=r"refs/main names c3, which is not there\); give one of .*a1, .*b2"):
        local(root)


def test_nobodys_home_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    monkeypatch.setattr(Path, "home", classmethod(lambda _: pytest.fail("the home directory is looked up")))
    (tmp_path / "models" / "some-owner" / "chatglm2-6b").mkdir(parents=True)
    assert local("some-owner/chatglm2-6b") == tmp_path / "models" / "some-owner" / "chatglm2-6b"
    monkeypatch.delenv("MODELSCOPE_CACHE")
    said = found("nobody/here", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1", HOME="")
    assert said.startswith("UserError: nobody/here is neither a directory nor in the cache")


def test_without_a_home_the_cache_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the system does not know, as in a container, without HOME."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "~/.cache/huggingface/hub")
    with pytest.raises(UserError, match="without a home directory; set HF_HOME to a folder"):
        local("nobody/here")


def test_a_name_with_nul_is_no_path() -> None:
    with pytest.raises(UserError, match="is no path: it holds a NUL character"):
        local("nobody\0here")
