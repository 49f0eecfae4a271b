"""`glmkit bench serve` against a server of a tiny model."""

import json

import pytest

from glmkit.bench.http_load import Load
from glmkit.bench.serve import bench_serve
from glmkit.cli.main import main
from glmkit.core.errors import UserError

from .conftest import Served


@pytest.mark.parametrize("rate", [None, 50.0])
def test_every_client_gets_its_tokens(chatglm3: Served, rate: float | None) -> None:
    load = Load(requests=6, streams=3, rate=rate, prompt=5, tokens=7)
    report = bench_serve(chatglm3.url, load, against=chatglm3.url)
    results = {result.name: result for result in report.results}
    assert all(result.limit is not None and result.value >= 0 for result in report.results)
    assert results["tokens written"].value > 0
    assert 0 < results["fairness of tokens/s (Jain's index)"].value <= 1
    waits = [results[f"time to the first token, {share} %"].value for share in (50, 95, 99)]
    assert waits == sorted(waits)


def test_a_random_server_beside_its_engine_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shapes = ["--preset", "glm-nano", "--layers", "1", "--dtype", "float32"]
    assert main(["bench", "serve", *shapes, "--streams", "2", "--requests", "2", "--long", "40", "--json"]) == 0
    results = {result["name"]: result for result in json.loads(capsys.readouterr().out)["results"]}
    assert results["tokens written"]["limit"] > 0
    assert results["time between tokens, 99 %"]["limit"] is None
    assert results["time to the first token of its second turn"]["value"] > 0
    assert main(["bench", "serve", "--preset", "glm-nani"]) == 2
    assert "unknown preset 'glm-nani'" in capsys.readouterr().err


def test_the_command_and_its_mistakes(chatglm3: Served, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--url", chatglm3.url, "--streams", "2", "--requests", "2", "--tokens", "3"]
    assert main(["bench", "serve", *given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["streams"] == 2
    assert main(["bench", "serve", *given, "--rate", "0"]) == 2
    assert "--rate must be above 0" in capsys.readouterr().err
    for url, line in (("ftp://x", "is no address of a server"), ("http://127.0.0.1:9", "no server answers at")):
        with pytest.raises(UserError, match=line):
            bench_serve(url, Load())
