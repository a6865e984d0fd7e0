"""The pool's threads keep away from the processor of the thread that shares its loop with them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os
import numpy as np
import arignote as ag

processors = sorted(os.sched_getaffinity(0))[:2]
ag.set_num_threads(2)


@ag.jit
def add(x):
    return np.sqrt(x) + 1.0


x = np.ones(2_000_000)
before = set(os.listdir("/proc/self/task"))
add(x)
(thread,) = {int(task) for task in set(os.listdir("/proc/self/task")) - before}


def run_on(processor):
    os.sched_setaffinity(0, {processor})
    assert (add(x) == 2.0).all()
    return os.sched_getaffinity(thread)


everywhere = os.sched_getaffinity(0)
for processor in processors * 2:
    assert run_on(processor) == everywhere - {processor}, processor
os.sched_setaffinity(thread, everywhere)  # someone else decides: this stays
for processor in processors:
    assert run_on(processor) == everywhere
child = os.fork()  # whose threads begin with the one processor that the caller has
if child == 0:
    before = set(os.listdir("/proc/self/task"))
    add(x)
    (thread,) = {int(task) for task in set(os.listdir("/proc/self/task")) - before}
    os._exit(0 if os.sched_getaffinity(thread) == {processors[-1]} else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux takes such wishes")
def test_threads_keep_away_from_the_caller(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
