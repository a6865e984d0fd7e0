"""Functions on matrices are compiled once for all programs, and found on disk by the next process."""

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
import arignote as ag
from arignote.backends.llvm import generate, link

generated = []
object_codes = link.object_codes
link.object_codes = lambda parts: generated.append(len(parts)) or object_codes(parts)
a = np.arange(12.0).reshape(3, 4)
assert np.array_equal(ag.jit(lambda a: a @ a.T)(a), a @ a.T)
stack = np.stack([a, 2 * a])
assert np.array_equal(ag.jit(lambda a: a @ np.swapaxes(a, 1, 2))(stack), stack @ np.swapaxes(stack, 1, 2))
print(len(generated))
"""


def modules_compiled(folder):
    program = folder / "program.py"
    program.write_text(PROGRAM)
    environment = os.environ | {"ARIGNOTE_CACHE_DIR": str(folder / "cache"), "ARIGNOTE_CACHE": "0"}
    done = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_matrix_products_are_compiled_by_the_first_process(tmp_path):
    assert modules_compiled(tmp_path) > 2
    assert modules_compiled(tmp_path) == 2
