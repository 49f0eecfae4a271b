"""A Ray cluster: the one that RAY_ADDRESS names, or one on this machine for as long as the program runs."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from glmkit.core.errors import MissingExtra, UserError

T = TypeVar("T")
_PATIENCE = 10.0  # seconds for a cluster to answer
RETRIES = 3  # of what was under way on a node that is lost


@contextmanager
def ray_cluster() -> Iterator[Any]:
    """Yields the library while we are connected. Raises UserError when it is not installed or the cluster is out of
    reach, and for what the cluster could not do."""
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "cluster") from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _refuse_out_of_reach(os.environ.get("RAY_ADDRESS", ""))
    connected = not ray.is_initialized()
    try:
        if connected:
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
        yield ray
    except (ray.exceptions.RayError, ConnectionError) as error:
        line = " ".join(str(error).split())[:300]
        raise UserError(f"the Ray cluster ({os.environ.get('RAY_ADDRESS', 'of this machine')}): {line}") from None
    finally:
        if connected:
            ray.shutdown()


def _refuse_out_of_reach(address: str) -> None:
    """Raises UserError for an address where nobody answers, which Ray would try for minutes, with lines of its own."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise UserError(
            f"the Ray cluster ({address}): {error.strerror or error}; start it, or give another RAY_ADDRESS"
        ) from None


def attempt(work: Callable[[], T]) -> T | UserError:
    """What a node sends back: the result, or the user's mistake as its line, whatever class of error that is."""
    try:
        return work()
    except UserError as error:
        return UserError(str(error))


def result(sent: T | UserError) -> T:
    """The result that a node sent. Raises the UserError that it sent instead."""
    if isinstance(sent, UserError):
        raise sent
    return sent
