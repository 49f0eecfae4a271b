"""The recipes of recipes/cluster/: those that can run on one machine are run, the others checked field by field."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

import glmkit
from glmkit.train.config import PretrainConfig
from glmkit.train.logs import read_log

from .conftest import as_flags, elsewhere, wait_for

RECIPES = Path(__file__).parents[2] / "recipes/cluster"
TORCHRUN = Path(sys.executable).with_name("torchrun")
ENVIRONMENT = os.environ | {
    "PATH": f"{TORCHRUN.parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    "OMP_NUM_THREADS": "1",
    "PROCESSES": "1",
}
root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces and SLURM's daemons need root")

# Names of fields and what they hold; from the CustomResourceDefinitions of Kubeflow Trainer 2.3 (trainjobs, v1alpha1)
# and Training Operator 1.9 (pytorchjobs, v1): the parts that the recipes use. Lists hold things alike.
POD: Mapping[str, Any] = {
    "containers": [
        {
            **dict.fromkeys(("name", "image"), str),
            "command": [str],
            "args": [str],
            "env": [{"name": str, "value": str}],
            "resources": {"requests": {str: str}, "limits": {str: str}},
            "volumeMounts": [{"name": str, "mountPath": str}],
        }
    ],
    "volumes": [{"name": str, "persistentVolumeClaim": {"claimName": str}, "emptyDir": {"medium": str}}],
}
PATCHED = {
    "containers": [
        {"name": str, "env": [{"name": str, "value": str}], "volumeMounts": [{"name": str, "mountPath": str}]}
    ],
    "volumes": POD["volumes"],
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "trainer.kubeflow.org/v1alpha1 TrainJob": {
        "runtimeRef": {"name": str, "apiGroup": str, "kind": str},
        "trainer": {
            "image": str,
            "numNodes": int,
            "numProcPerNode": int,
            "command": [str],
            "args": [str],
            "env": [{"name": str, "value": str}],
            "resourcesPerNode": {"requests": {str: str}, "limits": {str: str}},
        },
        "runtimePatches": [
            {
                "manager": str,
                "trainingRuntimeSpec": {
                    "template": {
                        "spec": {
                            "replicatedJobs": [{"name": str, "template": {"spec": {"template": {"spec": PATCHED}}}}]
                        }
                    }
                },
            }
        ],
    },
    "kubeflow.org/v1 PyTorchJob": {
        "elasticPolicy": {"rdzvBackend": str, "minReplicas": int, "maxReplicas": int, "maxRestarts": int},
        "nprocPerNode": str,
        "pytorchReplicaSpecs": {
            "Worker": {"replicas": int, "restartPolicy": str, "template": {"spec": POD}},
        },
    },
}


def wrong(value: Any, kind: Any, where: str) -> list[str]:
    """The fields of `value` that `kind` has not, or of another kind."""
    if isinstance(kind, type):
        return [] if type(value) is kind else [f"{where} is {value!r}"]
    if isinstance(kind, list):
        return [line for item in value for line in wrong(item, kind[0], f"{where}[]")]
    if str in kind:
        return [line for name, item in value.items() for line in wrong(item, kind[str], f"{where}.{name}")]
    unknown = [f"{where}.{name} is no field" for name in value if name not in kind]
    return unknown + [
        line for name in value.keys() & kind.keys() for line in wrong(value[name], kind[name], f"{where}.{name}")
    ]


@pytest.mark.parametrize("name", ["trainjob.yaml", "pytorchjob.yaml"])
def test_fields_are_those_of_the_schema(name: str) -> None:
    job = yaml.safe_load((RECIPES / name).read_text())
    assert job.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert wrong(job["spec"], KINDS[f"{job['apiVersion']} {job['kind']}"], "spec") == []
    job["spec"]["numNodes"] = 2
    assert wrong(job["spec"], KINDS[f"{job['apiVersion']} {job['kind']}"], "spec") == ["spec.numNodes is no field"]


@pytest.mark.parametrize("path", sorted(RECIPES.iterdir()), ids=lambda path: path.name)
def test_every_recipe_goes_on_by_itself(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "OMP_NUM_THREADS" in text
    assert "--resume auto" in text or "--resume=auto" in text or '"--resume", "auto"' in text
    assert "--max-restarts 3" in text or "--max-restarts=3" in text or "max_failures=3" in text
    assert "output=/shared/" in text
    if path.suffix in (".sh", ".sbatch"):
        subprocess.run(["bash", "-n", path], check=True)


def test_the_flags_of_torchrun_are_its_own() -> None:
    text = subprocess.run([TORCHRUN, "--help"], capture_output=True, text=True, env=ENVIRONMENT, check=True).stdout
    for name in ("torchrun.sh", "slurm.sbatch"):
        command = (RECIPES / name).read_text().rpartition("torchrun \\")[2].partition("-m glmkit")[0]
        flags = {word for word in command.split() if word.startswith("--")}
        assert len(flags) >= 6
        assert all(flag in text for flag in flags)


def small(config: PretrainConfig, output: Path, **changes: object) -> tuple[PretrainConfig, list[str]]:
    config = elsewhere(config, output, log_every=1, validation_every=1000, save_every=10, **changes)
    return config, ["glm-nano", *(flag for flag in as_flags(config) if not flag.startswith("--resume"))]


@pytest.fixture
def hosts() -> Iterator[list[tuple[str, str, str]]]:
    """Two network namespaces that see each other: (name, address, interface)."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    names = [f"glmkit-{os.getpid()}-{number}" for number in (0, 1)]
    result = [(name, f"10.77.0.{number}", f"veth{number}") for number, name in enumerate(names, start=1)]

    def ip(*arguments: str) -> None:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no network namespaces: {done.stderr.strip()}")

    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", "veth1", "netns", names[0], "type", "veth", "peer", "name", "veth2", "netns", names[1])
        for name, address, interface in result:
            ip("-n", name, "addr", "add", f"{address}/24", "dev", interface)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", interface, "up")
        yield result
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@root
@pytest.mark.slow
def test_two_hosts_train_as_one_and_begin_again(
    hosts: list[tuple[str, str, str]], tiny_run: PretrainConfig, tmp_path: Path
) -> None:
    """The process of the second host is killed behind a checkpoint; both go on, in step."""
    config, flags = small(tiny_run, tmp_path / "run", steps=60)
    agents = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, "bash", RECIPES / "torchrun.sh", *flags],
            env=ENVIRONMENT | {"HEAD": hosts[0][1], "PET_LOCAL_ADDR": address, "GLOO_SOCKET_IFNAME": interface},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, address, interface in hosts
    ]
    try:
        wait_for(Path(config.output) / "checkpoints/step-00000010", *agents)
        (worker,) = [
            process
            for process in psutil.Process(agents[1].pid).children(recursive=True)
            if "glmkit.cli.main" in process.cmdline() and "torchrun" not in " ".join(process.cmdline())
        ]
        worker.kill()
        texts = [agent.communicate(timeout=300)[0] for agent in agents]
        assert [agent.returncode for agent in agents] == [0, 0], texts
    finally:
        for agent in agents:
            agent.kill()
    steps = [event["step"] for event in read_log(Path(config.output)) if event["kind"] == "step"]
    assert {*steps} == {*range(1, 61)}
    assert glmkit.load(config.output).module is not None


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a SLURM of this machine, as two nodes."""
    programs = ("munged", "slurmctld", "slurmd", "sbatch")
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"no {', '.join(missing)}: apt-get install slurm-wlm")
    place = tmp_path / "slurm"
    (place / "state").mkdir(parents=True)
    (place / "key").write_bytes(os.urandom(1024))
    (place / "key").chmod(0o600)
    for parent in (place, *place.parents):  # munged insists on it
        if parent.stat().st_mode & 0o022 and not parent.stat().st_mode & 0o1000:
            parent.chmod(0o755)
    host = os.uname().nodename
    (place / "slurm.conf").write_text(
        f"ClusterName=one\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nAuthType=auth/munge\n"
        f"AuthInfo=socket={place}/socket,cred_expire=10\nSchedulerParameters=sched_interval=2\n"
        f"SlurmctldPort=16817\nSlurmctldPidFile={place}/ctld.pid\n"
        f"SlurmdPidFile={place}/%n.pid\nSlurmdSpoolDir={place}/spool-%n\nStateSaveLocation={place}/state\n"
        f"SlurmctldLogFile={place}/ctld.log\nSlurmdLogFile={place}/%n.log\nProctrackType=proctrack/linuxproc\n"
        "TaskPlugin=task/none\nSelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nMpiDefault=none\n"
        "SwitchType=switch/none\nReturnToService=2\nSlurmdParameters=config_overrides\n"
        f"NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[16901-16902] CPUs=2\n"
        "PartitionName=all Nodes=ALL Default=YES State=UP\n"
    )
    environment = ENVIRONMENT | {"SLURM_CONF": str(place / "slurm.conf"), "HEAD": "127.0.0.1", "PORT": "29617"}
    munge = [f"--{name}={place / name}" for name in ("socket", "key-file", "pid-file", "log-file", "seed-file")]
    munge[1] = f"--key-file={place / 'key'}"
    daemons: list[subprocess.Popen[bytes]] = []
    commands = (["munged", "--force", "--foreground", *munge], ["slurmctld", "-D", "-c"])
    try:
        for command in (*commands, ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"]):
            daemons.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            time.sleep(1)
        yield environment
    finally:
        subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True, timeout=30, check=False)
        time.sleep(2)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(timeout=60)


@root
@pytest.mark.slow
def test_slurm_saves_before_its_time_is_up_and_queues_the_job_again(
    slurm: dict[str, str], tiny_run: PretrainConfig, tmp_path: Path
) -> None:
    """Two nodes; the signal of --signal is sent by hand. The job that came back is ended by scancel and stays away."""
    config, flags = small(tiny_run, tmp_path / "run", steps=100_000)
    sbatch = ["sbatch", "--parsable", "--cpus-per-task=1", "--gpus-per-node=0", RECIPES / "slurm.sbatch", *flags]
    job = subprocess.run(sbatch, env=slurm, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    wait_for(tmp_path / "run/checkpoints/step-00000010")
    subprocess.run(["scancel", "--signal=USR1", "--batch", job], env=slurm, check=True)
    wait_until(lambda: queued(job, slurm) == "PENDING")
    last = steps_of(config)[-1]
    saved = json.loads((tmp_path / f"run/checkpoints/step-{last:08d}/training/state.json").read_text())
    assert (saved["step"], saved["world"]) == (last, 2)
    wait_until(lambda: steps_of(config)[-1] > last)
    assert steps_of(config) == [*range(1, len(steps_of(config)) + 1)]
    subprocess.run(["scancel", job], env=slurm, check=True)
    wait_until(lambda: queued(job, slurm) in ("", "CANCELLED"))
    time.sleep(5)
    assert queued(job, slurm) in ("", "CANCELLED")


def steps_of(config: PretrainConfig) -> list[int]:
    return [event["step"] for event in read_log(Path(config.output)) if event["kind"] == "step"]


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 180
    while not true():
        assert time.monotonic() < end
        time.sleep(0.5)


def queued(job: str, environment: Mapping[str, str]) -> str:
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.slow
def test_ray_train_runs_two_workers(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    config, flags = small(replace(tiny_run, precision="float32"), tmp_path / "run", steps=10)
    command = [
        sys.executable,
        RECIPES / "ray_train.py",
        "--workers",
        "2",
        "--cpu",
        "--storage",
        tmp_path / "ray",
        *flags,
    ]
    process = subprocess.Popen(
        command,
        env=ENVIRONMENT | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": "local"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, text[-3000:]
    state = json.loads((Path(config.output) / "checkpoints/step-00000010/training/state.json").read_text())
    assert state["world"] == 2
