"""Data prepared by the nodes of a Ray cluster, which share the file system of the input and the output."""

from functools import partial
from pathlib import Path

from glmkit.core.cluster import RETRIES, attempt, ray_cluster, result
from glmkit.core.errors import UserError
from glmkit.core.files import atomic_directory
from glmkit.core.json_types import JsonObject
from glmkit.data.parts import Job, encode_part, join_parts, parts_of
from glmkit.data.prepare import Encoding, OnBytes
from glmkit.data.shards import TOKENIZER
from glmkit.text.load import load


def prepare_on_ray(job: Job, on_bytes: OnBytes = lambda count: None) -> JsonObject:
    """What `prepare` does, a task for each part, and the manifest. A part that is there is not prepared again, so what
    was interrupted goes on. `on_bytes` is called with the size of every part that is done.

    Raises UserError as `prepare` does, and when Ray is not installed or its cluster cannot do it.
    """
    output = job.output.absolute()
    parts = [[file.absolute() for file in part] for part in job.parts]
    saved = parts_of(output) / TOKENIZER
    with atomic_directory(saved, replace=True) as directory:
        job.tokenizer.save(directory)
    with ray_cluster() as ray:
        task = ray.remote(max_retries=RETRIES)(_encode)
        waiting = {task.remote(parts, saved, output, job.encoding, number): number for number in range(len(parts))}
        while waiting:
            (done, *_), _ = ray.wait(list(waiting))
            result(ray.get(done))
            on_bytes(job.bytes(waiting.pop(done)))
    return join_parts(output)


def _encode(
    parts: list[list[Path]], tokenizer: Path, output: Path, encoding: Encoding, number: int
) -> UserError | None:
    """The work of a task: a part, as the driver's job has it."""
    return attempt(partial(encode_part, Job(parts, load(tokenizer), output, encoding), number))
