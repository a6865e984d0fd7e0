"""A process forked while another thread compiles: the child can call and compile."""

import os
import signal
import threading
import time

import numpy as np

import arignote as ag
from tests.source_text import function_from

CHILD_SECONDS = 30


def compile_another(number: int) -> object:
    """Compile and call a function that is not known yet."""
    lines = "".join(f"    x = np.sin(x) + {number + step}.0\n" for step in range(10))
    function = function_from(f"def f(x):\n{lines}    return x\n", "f", f"<function {number}>")
    return ag.jit(function)(np.ones(3))


def ends_well(child: int) -> bool:
    """Whether the child ends with success, and in time."""
    until = time.monotonic() + CHILD_SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def test_fork_while_another_thread_compiles() -> None:
    compile_another(0)
    stop, compiled = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            compiled.append(compile_another(100 + len(compiled)))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(5):
            time.sleep(0.03)
            child = os.fork()
            if not child:
                signal.alarm(CHILD_SECONDS)
                compile_another(-1 - number)
                os._exit(0)
            assert ends_well(child)
    finally:
        stop.set()
        thread.join()
    assert compiled
