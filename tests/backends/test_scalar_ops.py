"""Every scalar operation over all types and special values: natively, one value at a time and on vectors, as NumPy."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from arignote.backends.llvm.math_library import TRANSCENDENTAL
from arignote.lower.loop_ir import ARITY, SCALAR_OPS, SCALARS, Let, Program, Type, Var, pointer_to, result_type
from arignote.lower.loop_ir_build import ProcedureBuilder
from arignote.lower.loop_ir_check import LoopIRError, check
from arignote.lower.loop_ir_scalar import scalar

from .native import call, compiled, same

INFINITY, NAN = float("inf"), float("nan")
SPECIAL = {
    "bool": [False, True],
    "int32": [0, 1, -1, 2, -3, 7, 31, 32, 33, -32, 100, 2**31 - 1, -(2**31), 46341],
    "int64": [0, 1, -1, 2, -3, 7, 31, 63, 64, 65, -64, 2**31, 2**63 - 1, -(2**63), 3037000500],
    "float32": [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.7, -7.0, 1e-45, 1e-38, 3e38, INFINITY, -INFINITY, NAN],
    "float64": [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.7, -7.0, 5e-324, 1e-308, 1e308, INFINITY, -INFINITY, NAN],
}  # fmt: skip
MEMORY_OPS = {"pointer_offset", "null", "buffer_data", "is_null", "reinterpret", "select", "cast"}
LIMIT_ULP = 3.0


def table(op: str, types: list[Type], result: Type, vector: bool) -> Program:
    """A program that applies an operation to arrays, element by element."""
    build = ProcedureBuilder("main")
    inputs = [build.parameter(pointer_to(type)) for type in types]
    output, count = build.parameter(pointer_to(result)), build.parameter("int64")
    with build.kernel(reads=inputs, writes=[output]), build.loop(count, vector=vector) as loop:
        values = [build.load(pointer, loop.index) for pointer in inputs]
        build.store(output, loop.index, build.let(op, *values, dtype=result))
    program = Program()
    program.add(build.finish())
    return program


def accepted(op: str, type: Type) -> bool:
    """Whether the checker and NumPy accept an operation on a type."""
    args = tuple(Var(i, type) for i in range(ARITY[op]))
    program = table(op, [type] * ARITY[op], result_type(op, args), vector=False)
    try:
        check(program)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = scalar(op, [np.dtype(type).type(1)] * ARITY[op], type)
    except (LoopIRError, TypeError):
        return False
    return np.asarray(value).dtype == result_type(op, args)


CASES = [(op, type) for op in sorted(SCALAR_OPS - MEMORY_OPS) for type in SCALARS if accepted(op, type)]


def expected_values(op: str, inputs: list[np.ndarray], result: Type) -> np.ndarray:
    """The interpreter's results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array([scalar(op, list(row), result) for row in zip(*inputs, strict=True)], result)


def assert_close(op: str, got: np.ndarray, wanted: np.ndarray) -> None:
    """Same bits, or within a few units in the last place for transcendental functions."""
    if op not in TRANSCENDENTAL:
        # NumPy itself does not always return the same one of two zeros here.
        signed = op not in ("fmin", "fmax")
        bad = [i for i in range(len(got)) if not same(got[i], wanted[i]) and (signed or got[i] != wanted[i])]
        assert not bad, [(got[i], wanted[i]) for i in bad]
        return
    if op == "gammaln":  # SciPy's is infinite at the least numbers
        got, wanted = got[np.isfinite(wanted)], wanted[np.isfinite(wanted)]
    assert np.array_equal(np.isnan(got), np.isnan(wanted)), (op, got, wanted)
    finite = np.isfinite(wanted)
    assert np.array_equal(got[~finite & ~np.isnan(wanted)], wanted[~finite & ~np.isnan(wanted)]), (op, got, wanted)
    error = np.abs(got[finite].astype(np.longdouble) - wanted[finite]) / np.spacing(np.abs(wanted[finite]))
    limit = 16.0 if op == "gammaln" else LIMIT_ULP  # the C library differs from SciPy
    assert error.max(initial=0) <= limit, (op, got[finite], wanted[finite])
    zero = wanted == 0
    assert np.array_equal(np.signbit(got[zero]), np.signbit(wanted[zero])), op


@pytest.mark.parametrize(("op", "type"), CASES, ids=lambda value: value)
def test_operation(op: str, type: Type) -> None:
    rows = list(itertools.product(SPECIAL[type], repeat=ARITY[op]))
    inputs = [np.array(column, type) for column in zip(*rows, strict=True)]
    result = result_type(op, tuple(Var(i, type) for i in range(ARITY[op])))
    wanted = expected_values(op, inputs, result)
    for vector in (False, True):
        program = table(op, [type] * ARITY[op], result, vector)
        got = np.empty(len(rows), result)
        assert call(compiled(program), program, [*inputs, got, len(rows)]).status == 0
        assert_close(op, got, wanted)


@pytest.mark.parametrize(("source", "target"), list(itertools.product(SCALARS, SCALARS)))
def test_cast(source: Type, target: Type) -> None:
    values = SPECIAL[source] + ([2147483647.5, -2147483648.9, 9.3e18, 2147483520.0] if source.startswith("f") else [])
    inputs = np.array(values, source)
    wanted = expected_values("cast", [inputs], target)
    for vector in (False, True):
        program = table("cast", [source], target, vector)
        got = np.empty(len(inputs), target)
        call(compiled(program), program, [inputs, got, len(inputs)])
        assert same(got, wanted), (got, wanted)


@pytest.mark.parametrize("type", ["float32", "float64"])
def test_vectors_of_truth_values_become_floats_by_selection(type: Type) -> None:
    """A conversion would make them integers first: three instructions for one."""
    assert "uitofp" not in compiled(table("cast", ["bool"], type, True)).llvm_ir


@pytest.mark.parametrize("type", SCALARS)
def test_select(type: Type) -> None:
    a = np.array(SPECIAL[type], type)
    condition = np.arange(len(a)) % 3 == 0
    for vector in (False, True):
        program = table("select", ["bool", type, type], type, vector)
        got = np.empty(len(a), type)
        call(compiled(program), program, [condition, a, a[::-1].copy(), got, len(a)])
        assert same(got, np.where(condition, a, a[::-1]))


def test_every_operation_has_a_case() -> None:
    assert {op for op, _ in CASES} | MEMORY_OPS == SCALAR_OPS


def test_reinterpret() -> None:
    for source, target in (("float32", "int32"), ("int64", "float64")):
        values = np.arange(5).astype(source)
        program = table("reinterpret", [source], target, vector=True)
        got = np.empty(5, target)
        call(compiled(program), program, [values, got, 5])
        assert np.array_equal(got.view("u1"), values.view("u1"))


def test_let_is_a_statement_of_one_operation() -> None:
    assert Let(Var(0, "int64"), "add", ()).args == ()
