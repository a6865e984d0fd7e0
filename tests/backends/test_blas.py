"""Matrix products through BLAS and through our own loops, for all forms of operands."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from arignote.backends.llvm import CompiledModule
from arignote.lower.loop_ir import Program, pointer_to
from arignote.lower.loop_ir_build import ProcedureBuilder

from .native import call, compiled

RNG = np.random.default_rng(2)
SUFFIXES = {"float32": "f32", "float64": "f64"}


def product(type: str, scaled: bool) -> tuple[CompiledModule, Program]:
    """A program that only multiplies."""
    build = ProcedureBuilder("main")
    types = (
        ["int64"] * 3 + [pointer_to(type), "int64", "int64"] * 2 + [pointer_to(type), "int64"] + [type] * (2 * scaled)
    )
    args = [build.parameter(each) for each in types]
    build.extern(f"ag_gemm_{'scaled_' if scaled else ''}{SUFFIXES[type]}", args)
    program = Program()
    program.add(build.finish())
    return compiled(program), program


def matrix(rows: int, columns: int, form: str, type: str) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """A matrix in a form of memory: the memory, the matrix as a view of it, its strides in elements."""
    if form == "transposed":
        memory = RNG.normal(size=(columns, rows)).astype(type)
        view = memory.T
    elif form == "strided":
        memory = RNG.normal(size=(rows * 2, columns * 3)).astype(type)
        view = memory[::2, ::3]
    elif form == "wide":
        memory = RNG.normal(size=(rows, columns + 5)).astype(type)
        view = memory[:, :columns]
    elif form == "broadcast":
        memory = RNG.normal(size=columns).astype(type)
        view = np.broadcast_to(memory, (rows, columns))
    else:
        memory = view = RNG.normal(size=(rows, columns)).astype(type)
    return memory, view, [stride // memory.itemsize for stride in view.strides]


SIZES = [
    (0, 3, 2),
    (3, 0, 2),
    (3, 2, 0),
    (1, 1, 1),
    (2, 3, 4),
    (20, 1, 100),
    (1, 20, 100),
    (17, 19, 23),
    (40, 64, 1),
    (1, 1, 5000),
]
FORMS = ["plain", "transposed", "strided", "wide", "broadcast"]


@pytest.mark.parametrize("type", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [False, True])
def test_products(type: str, scaled: bool) -> None:
    module, program = product(type, scaled)
    for (m, n, k), left, right in itertools.product(SIZES, FORMS, FORMS):
        a_memory, a, a_strides = matrix(m, k, left, type)
        b_memory, b, b_strides = matrix(k, n, right, type)
        c = np.full((m, n), 2.0 if scaled else np.nan, type)
        scales = [0.5, 3.0] if scaled else []
        expected = (0.5 * (a @ b) + 6.0) if scaled else a @ b
        args = [m, n, k, a_memory, *a_strides, b_memory, *b_strides, c, n, *scales]
        assert call(module, program, args).status == 0
        tolerance = 1e-4 if type == "float32" else 1e-12
        assert np.allclose(c, expected, rtol=tolerance, atol=tolerance * 50), (m, n, k, left, right)


def test_rows_of_the_result_may_be_apart() -> None:
    module, program = product("float64", scaled=False)
    a, b, c = RNG.normal(size=(30, 40)), RNG.normal(size=(40, 20)), np.zeros((30, 25))
    call(module, program, [30, 20, 40, a, 40, 1, b, 20, 1, c, 25])
    assert np.allclose(c[:, :20], a @ b)
    assert not c[:, 20:].any()


WITHOUT_THE_PACKAGE = """
import sys
from arignote.backends.libraries import address_of
address = address_of("ag_blas_dgemm")
assert address and "scipy.linalg" not in sys.modules
import scipy.linalg.cython_blas
assert scipy.linalg.cython_blas.__pyx_capi__["dgemm"]
assert scipy.linalg.inv([[2.0]]) == 0.5
"""


def test_blas_is_found_without_its_package_and_leaves_that_intact() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_THE_PACKAGE], check=True)
