"""A fork copies one thread. What computes on several waits in the copy, for ever, for those that are not there.

torch and the compiled kernels leave their threads waiting for more work of the thread that called them, as OpenMP does.
A process that is forked then (`os.fork`, multiprocessing's "fork", gunicorn --preload) holds that thread alone. Threads
that it starts itself compute as usual, and so does one thread: only this case is an error.
"""

import os
import threading

from glmkit.core.errors import UserError


class _Here(threading.local):
    """What one thread has done."""

    shared = False  # it has computed together with others
    alone = False  # they were lost in a fork


_here = _Here()


def _forked() -> None:
    _here.alone = _here.shared


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def computing() -> None:
    """To be called before a thread computes with a model. Raises UserError where it would wait for ever."""
    import torch

    if torch.get_num_threads() == 1:
        return
    if _here.alone:
        raise UserError(
            "this process was forked after its parent had loaded or run a model on several threads, which do not exist "
            "here: start workers by multiprocessing.get_context('spawn') or load the model in each worker (gunicorn "
            "without --preload); on one thread, torch.set_num_threads(1), it works"
        )
    _here.shared = True
