"""Lower a graph, run it by the loop-IR interpreter, and compare with the graph interpreter: values, errors, leaks."""

from typing import Any

import numpy as np

from arignote.ir.evaluate import evaluate as evaluate_graph
from arignote.ir.graph import Function, Node, Parameter
from arignote.ir.sorting import ROUTINES
from arignote.ir.structure import Structure
from arignote.ir.types import Array, Scalar, Tuple, Type
from arignote.lower.flatten import types_of
from arignote.lower.loop_ir import Alloc, Extern, Kernel, Program, Statement, walk
from arignote.lower.loop_ir_check import check
from arignote.lower.loop_ir_evaluate import Evaluation, SiteRaised, call, release
from arignote.lower.lower import Lowered, lower
from arignote.ops.emit import Emit
from tests.lower.native import run_native
from tests.lower.values import InterpretedMemory, buffers_of, value_of, words_of

SYMBOLS: dict[str, Any] = {}


def gemm(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row):
    """The interpreter's matrix product."""
    for i in range(m):
        for j in range(n):
            total = a.data.dtype.type(0) if k else 0.0
            for p in range(k):
                total += a.data[a.offset + i * a_row + p * a_column] * b.data[b.offset + p * b_row + j * b_column]
            c.data[c.offset + i * c_row + j] = total


def product_sum(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row):
    """The interpreter's matrix product that is added to a matrix."""
    for i in range(m):
        for j in range(n):
            for p in range(k):
                product = a.data[a.offset + i * a_row + p * a_column] * b.data[b.offset + p * b_row + j * b_column]
                c.data[c.offset + i * c_row + j] += product


SYMBOLS["ag_product_f64"] = SYMBOLS["ag_product_f32"] = gemm
SYMBOLS["ag_product_sum_f64"] = SYMBOLS["ag_product_sum_f32"] = product_sum


def stack_product(stacks, count, m, n, k, a, a_stacks, a_stack, a_row, a_column, b, b_stacks, b_stack, b_row, b_column,
                  c, c_stacks, c_stack, c_row):  # fmt: skip
    """The interpreter's stack of stacks of matrix products."""
    steps = ((a, a_stacks, a_stack), (b, b_stacks, b_stack), (c, c_stacks, c_stack))
    for stack in range(stacks):
        for item in range(count):
            here = [type(x)(x.data, x.offset + stack * outer + item * inner) for x, outer, inner in steps]
            gemm(m, n, k, here[0], a_row, a_column, here[1], b_row, b_column, here[2], c_row)


SYMBOLS["ag_stack_product_f64"] = SYMBOLS["ag_stack_product_f32"] = stack_product


def sort(keys, lanes, length, _, routine):
    """The interpreter's sorting, of lanes in memory."""
    lane = keys.data[keys.offset : keys.offset + lanes * length].reshape(lanes, length)
    lane.sort(axis=1, stable=ROUTINES[routine][2] or None)
    return [0]


def argsort(keys, order, lanes, length, _, routine):
    """The interpreter's order of lanes in memory."""
    lane = keys.data[keys.offset : keys.offset + lanes * length].reshape(lanes, length)
    found = lane.argsort(axis=1, stable=ROUTINES[routine][2] or None)
    order.data[order.offset : order.offset + lanes * length] = found.ravel()
    return [0]


SYMBOLS |= {"ag_sort": sort, "ag_argsort": argsort}


def flat_arguments(values: list[Any], types: list[Type]) -> list[Any]:
    """Arguments in the native convention; arrays are NumPy's memory."""
    memory = InterpretedMemory([])
    return [word for value, type_ in zip(values, types) for word in words_of(memory, value, type_, all_sizes=True)]


def run(lowered: Lowered, function: Function, *arguments: Any) -> Any:
    """Run and check that nothing leaks, whether it succeeds or raises."""
    check(lowered.program)
    evaluation = Evaluation(lowered.program, SYMBOLS | {"ag_print": lambda *args: ()})
    memory = InterpretedMemory(evaluation.buffers)
    types = [parameter.type for parameter in function.parameters]
    words = [w for value, type_ in zip(arguments, types) for w in words_of(memory, value, type_, all_sizes=True)]
    given = buffers_of([w for type_ in types for w in types_of(type_, True)], words)
    try:
        results = call(evaluation, lowered.program.entry, words)
    except SiteRaised as raised:
        for buffer in given:
            release(buffer)
        assert evaluation.live_buffers() == 0, "leak on the way of an error"
        site = lowered.sites[raised.site]
        args = iter(raised.args_at_site)
        text = "".join(piece if isinstance(piece, str) else str(next(args)) for piece in site.message)
        raise site.exception(text) from None
    value = value_of(memory, function.result_type, iter(results), all_sizes=True)
    _check_arrays_are_owned(function.result_type, list(results))
    for buffer in (*given, *buffers_of(types_of(function.result_type, True), list(results))):
        release(buffer)
    assert evaluation.live_buffers() == 0, "leak"
    return value


def _check_arrays_are_owned(type_: Type, results: list[Any]) -> None:
    """Arrays that are results have memory that nothing else refers to."""
    if isinstance(type_, Tuple):
        for item in type_.items:
            width = len(types_of(item, True))
            _check_arrays_are_owned(item, results[:width])
            results = results[width:]
    elif isinstance(type_, Array):
        assert results[0] is not None and results[0].references == 1, "results must own their memory"


def same(left: Any, right: Any, tolerance: float) -> None:
    """Compare two trees of leaves."""
    if isinstance(left, tuple | list):
        assert len(left) == len(right)
        for a, b in zip(left, right):
            same(a, b, tolerance)
    elif left is not None:
        left, right = np.asarray(left), np.asarray(right)
        assert left.shape == right.shape and left.dtype == right.dtype, (left, right)
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


def agree(function: Function, *arguments: Any, tolerance: float = 1e-12) -> Lowered:
    """Lowered code, interpreted and native, and the graph give the same, or raise the same."""
    return _agree(function, arguments, tolerance, (run, run_native))


def agree_interpreted(function: Function, *arguments: Any, tolerance: float = 1e-12) -> Lowered:
    """As `agree`, without the time that compiling takes."""
    return _agree(function, arguments, tolerance, (run,))


def agree_natively(function: Function, *arguments: Any, tolerance: float = 1e-12) -> Lowered:
    """As `agree`, for arguments that are too large for the interpreter."""
    return _agree(function, arguments, tolerance, (run_native,))


def _agree(function: Function, arguments: tuple[Any, ...], tolerance: float, runners: tuple[Any, ...]) -> Lowered:
    lowered = lower(function)
    try:
        wanted = evaluate_graph(function, *[np.array(a) if isinstance(a, np.ndarray) else a for a in arguments])
    except Exception as error:  # noqa: BLE001 - whatever NumPy raises is what must be raised
        for runner in runners:
            try:
                runner(lowered, function, *arguments)
            except type(error) as found:
                assert str(found).strip() == str(error).strip()
            else:
                raise AssertionError(f"expected {error!r}") from error
        return lowered
    for runner in runners:
        same(runner(lowered, function, *arguments), wanted, tolerance)
    return lowered


def main(emit: Emit, parameters: list[Parameter], *results: Node, token: Node | None = None) -> Function:
    """A top-level function: its result begins with a token."""
    return emit.function("main", parameters, emit.tuple([token or emit.op("token"), *results]))


def count(program: Program, kind: type[Statement]) -> int:
    """How many statements of a kind there are in a program."""
    return sum(isinstance(each, kind) for p in program.procedures.values() for each in walk(p.body))


def counts(lowered: Lowered) -> tuple[int, int]:
    """(kernels, allocations)."""
    return count(lowered.program, Kernel), count(lowered.program, Alloc)


__all__ = ["Array", "Emit", "Extern", "Parameter", "Scalar", "Structure", "agree", "count", "counts", "main", "run"]
