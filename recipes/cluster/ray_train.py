"""Pretraining by Ray Train, one worker for each GPU of a Ray cluster:

    python ray_train.py --workers 16 glm-large data=/shared/prepared output=/shared/runs/large

data and output lie on a file system that all nodes share. A worker that is lost ends the others, and all begin again
from the last complete checkpoint, three times at most. `--cpu`: processors instead of GPUs; `--storage`: where Ray
keeps what it notes of the run.
"""

import argparse
import os
import sys

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer


def train(config: dict[str, list[str]]) -> None:
    """What every worker does; Ray has opened the process group that the run joins."""
    from glmkit.cli.main import main

    if code := main(["pretrain", *config["arguments"], "--resume", "auto"]):
        raise RuntimeError(f"glmkit pretrain ended with exit code {code}; its line is in the log of a worker")


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    usage = "ray_train.py [--workers N] [--cpu] [--storage DIR] RECIPE data=DIR output=DIR [key=value ...]"
    parser = argparse.ArgumentParser(usage=usage, allow_abbrev=False)
    parser.add_argument("--workers", type=int, default=8, help="processes, one GPU each")
    parser.add_argument("--cpu", action="store_true", help="processors instead of GPUs")
    parser.add_argument("--storage", help="a folder that all nodes share, for what Ray itself keeps of the run")
    return parser.parse_known_args(arguments)


def trainer(options: argparse.Namespace, arguments: list[str]) -> TorchTrainer:
    return TorchTrainer(
        train,
        train_loop_config={"arguments": arguments},
        # Checkpoints and counts go through the processor, gradients through the GPUs.
        torch_config=TorchConfig(backend="gloo" if options.cpu else "cpu:gloo,cuda:nccl"),
        scaling_config=ScalingConfig(num_workers=options.workers, use_gpu=not options.cpu),
        run_config=RunConfig(storage_path=options.storage, failure_config=FailureConfig(max_failures=3)),
    )


if __name__ == "__main__":
    ray.init(runtime_env={"env_vars": {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "8")}})
    trainer(*parse(sys.argv[1:])).fit()
