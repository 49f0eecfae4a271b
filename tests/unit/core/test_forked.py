"""After a fork: what would wait for ever says so; threads of the child, one thread, and what computes nothing go on."""

import os
import subprocess
import sys
import textwrap
import threading

import pytest
import torch

from glmkit.core import forked
from glmkit.core.errors import UserError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

PROGRAM = """
    import os, signal, subprocess, sys, threading
    import torch
    from glmkit.testing import tiny

    torch.set_num_threads(2)
    model = tiny("chatglm2")
    PARENT

    def compute():
        return [model.generate("hello", 3), model.logits([[1, 2]]), model.score("a", ["b"]), model.embed(["a"])]

    def in_a_thread():
        thread = threading.Thread(target=compute)
        thread.start()
        thread.join()

    def on_one_thread():
        torch.set_num_threads(1)
        compute()

    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            CHILD
            print("went on", flush=True)
        except Exception as error:
            print(type(error).__name__, error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize(
    ("parent", "child", "line"),
    [
        ("model.generate('hello', 3)", "compute()", "UserError this process was forked after its parent"),
        ("model.embed(['hello'])", "model.logits([[1, 2]])", "UserError this process was forked after its parent"),
        ("model.generate('hello', 3)", "in_a_thread()", "went on"),
        ("model.generate('hello', 3)", "on_one_thread()", "went on"),
        ("model.generate('hello', 3)", "model.tokenizer.encode('hello')", "went on"),
        ("pass", "compute()", "went on"),
        (
            "torch.set_num_threads(1); model.generate('hello', 3); torch.set_num_threads(2)",
            "compute()",
            "went on",
        ),
        ("model.generate('hello', 3)", "subprocess.run([sys.executable, '-c', ''], check=True)", "went on"),
    ],
)
@pytest.mark.slow
def test_a_child_computes_or_says_why_not(parent: str, child: str, line: str) -> None:
    program = textwrap.dedent(PROGRAM).replace("PARENT", parent).replace("CHILD", child)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        check=False,
    )
    assert done.stdout.startswith(line), done.stdout + done.stderr
    assert done.stdout.count("\n") == 1


def test_the_mark_is_of_the_thread_that_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without another process."""
    monkeypatch.setattr(forked, "_here", forked._Here())
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    forked._forked()
    forked.computing()  # nothing had been computed before that fork
    forked._forked()
    with pytest.raises(UserError, match=r"forked .*get_context\('spawn'\) .* torch.set_num_threads\(1\)"):
        forked.computing()
    thread = threading.Thread(target=forked.computing)
    thread.start()
    thread.join()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    forked.computing()
