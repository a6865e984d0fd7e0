"""The memory that derivatives of loops take, measured in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import arignote as ag

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's peak of memory")

PROGRAM = """
import sys
import numpy as np
import arignote as ag

def counted(x, n):
    i = 0
    while i < n:
        x = x * np.cos(i * 1e-9) + 1e-9
        i += 2
    return x

def linear(x, n):
    for i in range(n):
        x = x * 0.999999 + (np.sin(i * 1.0) if i % 3 == 0 else 0.5)
    return x

def sines(x, n):
    i = 0
    while True:
        x = np.sin(x) * 1.1
        i += 1
        if i >= n:
            break
    return x

def squares(x, n):
    for i in range(n):
        x = x * (1.0 + 1e-7 * x)
    return x

def megabytes(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) / 1024

def peak(function):
    function(0.3, 10)
    open("/proc/self/clear_refs", "w").write("5")
    before = megabytes("VmRSS")
    assert np.isfinite(function(0.3, 1_000_000))
    return megabytes("VmHWM") - before

nested = ag.grad(ag.grad(ag.checkpoint(squares)))
for function in (ag.grad(counted), ag.grad(linear), ag.grad(ag.checkpoint(sines)), ag.grad(ag.checkpoint(squares)),
                 nested, ag.grad(sines)):
    print(peak(function))
"""


def test_a_million_iterations(tmp_path: Path) -> None:
    """Nothing where everything follows from the counter; almost nothing with a checkpoint, also to second order; one
    number for each iteration otherwise (8 MB, and as much again while the list grows)."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(ag.__file__).parents[1])}
    command = [sys.executable, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=True, env=environment)
    counted, linear, sines, squares, nested, plain = map(float, done.stdout.split())
    assert counted < 1.0 and linear < 1.0
    assert sines < 1.5 and squares < 1.5 and nested < 2.5
    assert plain < 30.0
