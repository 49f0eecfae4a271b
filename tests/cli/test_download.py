"""glmkit download against hubs on localhost: whole, after a break, and where what comes is not what was said."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glmkit.core.errors import UserError
from glmkit.families.elsewhere import hub_id
from glmkit.testing import tiny

from .hubs import WEIGHTS, FakeHub, serving

pytest.importorskip("huggingface_hub", reason="the extra `hub` is not installed")
pytest.importorskip("modelscope_hub", reason="the extra `modelscope` is not installed")

Download = Callable[..., tuple[int, str, str]]
HUBS = ("hub", "modelscope")
LARGE = "large.json"  # larger than what either library keeps of a download in memory


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a tiny ChatGLM2, and one that nobody needs."""
    path = tmp_path_factory.mktemp("published") / "model"
    tiny("chatglm2").save(path)
    whole = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return whole | {"README.md": b"# about", LARGE: os.urandom(24 << 20)}


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with serving(FakeHub("team/model", files)) as served:
        yield served


@pytest.fixture
def download(hub: FakeHub, tmp_path: Path) -> Download:
    """Runs `glmkit download` in a process whose hubs are on localhost; the libraries read their settings at import."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MODELSCOPE"))}
    places = {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": hub.address,
        "HF_HUB_DISABLE_XET": "1",
        "MODELSCOPE_CACHE": str(tmp_path / "ms"),
        "MODELSCOPE_ENDPOINT": hub.address,
        "MODELSCOPE_HOME": str(tmp_path / "home"),
        "DOWNLOAD_RETRY_TIMES": "1",
    }

    def call(*arguments: object) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "glmkit", "download", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=kept | places, cwd=tmp_path, check=False)
        return done.returncode, done.stdout, done.stderr

    return call


def check_whole(place: Path, hub: FakeHub) -> None:
    for name, body in hub.files.items():
        if name != "README.md":
            assert (place / name).read_bytes() == body, name
    assert not (place / "README.md").exists()


@pytest.mark.slow
@pytest.mark.parametrize("source", HUBS)
def test_a_model_is_fetched_into_the_cache_once(source: str, hub: FakeHub, download: Download) -> None:
    code, out, errors = download("team/model", "--from", source)
    assert code == 0, errors
    check_whole(Path(out.strip()), hub)
    assert f"{len(hub.files) - 1} files" in errors
    assert "try:" in errors
    assert errors.rstrip().endswith("chat team/model")
    code, again, errors = download("team/model", "--from", source)
    assert (code, again) == (0, out)
    assert "team/model is there already" in errors
    assert hub.ranges == [0]


@pytest.mark.slow
@pytest.mark.parametrize("source", HUBS)
def test_a_broken_download_is_gone_on_with(source: str, hub: FakeHub, download: Download, tmp_path: Path) -> None:
    """A call asks for the rest when the connection breaks; the next one fetches what is not there, from ModelScope
    the rest of a file."""
    hub.cut = 12 << 20
    code, _, errors = download("team/model", "--from", source, "--output", "mine")
    assert (code, len(errors.splitlines()[-1:])) == (2, 1)
    assert errors.splitlines()[-1].startswith("glmkit: ")
    assert not (tmp_path / "mine" / LARGE).exists()
    first = len(hub.ranges)
    assert hub.ranges[1] > 0
    hub.cut = 0
    code, out, errors = download("team/model", "--from", source, "--output", "mine")
    assert code == 0, errors
    assert (hub.ranges[first] > 0) == (source == "modelscope")
    assert hub.read.count(WEIGHTS) == 1
    assert out == "mine\n"
    check_whole(tmp_path / "mine", hub)
    assert errors.rstrip().endswith("chat mine")


@pytest.mark.slow
@pytest.mark.parametrize("source", HUBS)
@pytest.mark.parametrize("output", [(), ("--output", "mine")], ids=["cache", "directory"])
def test_bytes_with_another_checksum_do_not_stay(
    source: str, output: tuple[str, ...], hub: FakeHub, download: Download, tmp_path: Path
) -> None:
    hub.altered = True
    code, out, errors = download("team/model", "--from", source, *output)
    assert (code, out) == (2, "")
    assert WEIGHTS in errors.splitlines()[-1]
    assert [file for file in tmp_path.rglob(WEIGHTS) if file.is_file()] == []
    hub.altered = False
    code, out, errors = download("team/model", "--from", source, *output)
    assert code == 0, errors
    check_whole(tmp_path / out.strip(), hub)


@pytest.mark.parametrize(("source", "name"), [("hub", "the hub"), ("modelscope", "ModelScope")])
def test_what_a_hub_does_not_have_is_one_line(source: str, name: str, download: Download) -> None:
    code, out, errors = download("team/other", "--from", source)
    assert (code, out) == (2, "")
    assert errors.splitlines()[-1].startswith(f"glmkit: {name} does not give team/other (")


@pytest.mark.parametrize("source", HUBS)
def test_nothing_is_begun_that_the_disk_has_no_room_for(source: str, hub: FakeHub, download: Download) -> None:
    hub.sizes = {WEIGHTS: 1 << 60}
    code, _, errors = download("team/model", "--from", source)
    assert code == 2
    assert "are to come into" in errors
    assert "make room, or fetch it into another directory" in errors
    assert hub.ranges == []


def test_names_of_published_models_are_ids_of_each_hub() -> None:
    assert hub_id("chatglm2-6b", "hub") == hub_id("THUDM/chatglm2-6b", "hub") == "zai-org/chatglm2-6b"
    assert hub_id("ChatGLM2-6B", "modelscope") == hub_id("zai-org/chatglm2-6b", "modelscope") == "ZhipuAI/chatglm2-6b"
    assert hub_id("glm-10b-chinese", "hub") == "zai-org/glm-10b-chinese"
    assert hub_id("team/model", "modelscope") == "team/model"
    for name, why in (
        ("chatglm2-6", "did you mean 'chatglm2-6b'"),
        ("glm-410m", "on no hub: its archive is"),
        ("glm-mini", "glmkit pretrain glm-mini"),
        ("a/b/c", "is no id of a model: write OWNER/NAME"),
    ):
        with pytest.raises(UserError, match=why):
            hub_id(name, "hub")
