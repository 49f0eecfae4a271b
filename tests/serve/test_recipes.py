"""recipes/serve holds together with what exists: flags, variables, paths, and the metrics that a server exports."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from glmkit.cli.environment import from_environment
from glmkit.cli.serve import _parser

from .conftest import Served

RECIPES = Path(__file__).parents[2] / "recipes/serve"
CONTAINERFILE, COMPOSE, UNIT, KUBERNETES = (
    (RECIPES / name).read_text(encoding="utf-8")
    for name in ("Containerfile", "compose.yaml", "glmkit.service", "kubernetes.yaml")
)


def options(variables: dict[str, str], *arguments: str) -> Any:
    """What `glmkit serve` makes of variables and arguments. Fails for a variable that is no flag of it."""
    known = {f"GLMKIT_{action.dest.upper()}" for action in _parser()._actions}
    assert {name for name in variables if name.startswith("GLMKIT_")} <= known
    return _parser().parse_args(from_environment(_parser(), arguments, variables))


def deployment() -> tuple[Any, Any]:
    first, second = yaml.safe_load_all(KUBERNETES)
    return first, second


def variables_of_the_image() -> dict[str, str]:
    lines = CONTAINERFILE.replace("\\\n", " ")
    return dict(pair.split("=", 1) for line in re.findall(r"^ENV (.*)$", lines, re.MULTILINE) for pair in line.split())


def test_the_image_serves_without_root_and_says_whether_it_lives(chatglm3: Served) -> None:
    set_by_image = options(variables_of_the_image(), "model")
    assert (set_by_image.host, set_by_image.port) == ("0.0.0.0", 8000)
    assert re.search(r"^USER (?!0\b)\d+$", CONTAINERFILE, re.MULTILINE)
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", CONTAINERFILE, re.MULTILINE)[1]) == ["glmkit", "serve"]
    for line in re.findall(r"^COPY (?!--)(.*)$", CONTAINERFILE, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (RECIPES.parents[1] / name).exists(), name
    check = json.loads(re.search(r"^HEALTHCHECK.*?CMD (\[.*?\])$", CONTAINERFILE, re.MULTILINE | re.DOTALL)[1])
    code = check[-1].replace("http://127.0.0.1:8000", chatglm3.url)
    assert "/health" in code
    subprocess.run([sys.executable, *check[1:-1], code], check=True)
    down = code.replace(chatglm3.url, "http://127.0.0.1:9")
    assert subprocess.run([sys.executable, "-c", down], capture_output=True, check=False).returncode == 1


def test_compose_gives_the_image_what_it_takes() -> None:
    service = yaml.safe_load(COMPOSE)["services"]["glmkit"]
    given = options(variables_of_the_image() | service["environment"], *service["command"])
    assert (given.models, given.quantize, given.cache_memory) == (["chatglm3-6b"], "int4", 4.0)
    assert given.api_key_file == Path("/run/secrets/keys")
    assert (RECIPES.parents[1] / service["build"]["dockerfile"]).samefile(RECIPES / "Containerfile")
    assert service["ports"] == [f"127.0.0.1:8000:{given.port}"]
    assert float(service["stop_grace_period"].removesuffix("s")) > given.drain_timeout


def test_kubernetes_asks_what_the_server_answers(chatglm3: Served) -> None:
    kind, service = deployment()
    pod = kind["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = options(
        variables_of_the_image() | {item["name"]: item["value"] for item in container["env"]}, *container["args"]
    )
    assert given.allowed_host[0] == service["metadata"]["name"]
    assert pod["terminationGracePeriodSeconds"] > given.drain_timeout
    assert pod["securityContext"]["runAsUser"] == int(re.search(r"^USER (\d+)$", CONTAINERFILE, re.MULTILINE)[1])
    assert container["ports"][0]["containerPort"] == given.port
    for probe in ("livenessProbe", "readinessProbe"):
        question = container[probe]["httpGet"]
        headers = {header["name"]: header["value"] for header in question["httpHeaders"]}
        assert chatglm3.ask("GET", question["path"], headers=headers).status == 200
        assert chatglm3.ask("GET", question["path"], headers={"Host": "10.1.2.3:8000"}).status == 421
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}


def test_the_unit_is_one_of_systemd(tmp_path: Path) -> None:
    settings = re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE)
    variables = dict(pair.split("=", 1) for key, line in settings if key == "Environment" for pair in line.split())
    program, verb, *arguments = dict(settings)["ExecStart"].split()
    assert (Path(program).name, verb) == ("glmkit", "serve")
    given = options(variables, *arguments)
    assert float(dict(settings)["TimeoutStopSec"]) > given.drain_timeout
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd")
    unit = tmp_path / "glmkit.service"
    unit.write_text(UNIT.replace(program, sys.executable))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_metric_of_the_dashboard_is_exported(chatglm3: Served) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
    assert chatglm3.ask("POST", "/v1/chat/completions", body).status == 200
    page = chatglm3.ask("GET", "/metrics").body.decode()
    exported = set(re.findall(r"^(glmkit:\w+)", page, re.MULTILINE)) | {"glmkit:requests_refused_total"}
    assert re.search(r"^# TYPE glmkit:requests_refused_total counter", page, re.MULTILINE)  # no value before the first
    board = json.loads((RECIPES / "grafana.json").read_text())
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for expression in targets for name in re.findall(r"glmkit:\w+", expression)}
    assert len(named) > 15
    assert named <= exported
    labels = set(re.findall(r"(\w+)=\"", page)) | {"reason"}
    by = {label for text in targets for group in re.findall(r"by \(([\w, ]+)\)", text) for label in group.split(", ")}
    assert by <= labels
    spots = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(spots)) == len(spots)
