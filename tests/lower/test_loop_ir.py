"""The loop IR: its checker refuses what is not well formed, its text comes back, its interpreter means what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from arignote.lower.loop_ir import For, Let, Operand, Program, Var, free_variables, pointer_to, walk
from arignote.lower.loop_ir_build import ProcedureBuilder, const
from arignote.lower.loop_ir_check import LoopIRError, check
from arignote.lower.loop_ir_evaluate import Buffer, Pointer, SiteRaised, evaluate
from arignote.lower.loop_ir_text import read, show


def program_of(build: ProcedureBuilder, *results: Operand) -> Program:
    """A program of one procedure."""
    program = Program()
    program.add(build.finish(*results))
    return program


def everything() -> Program:
    """A program with every statement in it."""
    build = ProcedureBuilder("main")
    x, n, given = build.parameter("ptr[float64]"), build.parameter("int64"), build.parameter("buffer")
    buffer, y = build.alloc("float64", n, live=[given])
    with build.kernel([x], [y]), build.loop(n, parallel=True, grain=8) as loop:
        with build.branch(build.let("less", loop.index, 3)) as branch:
            branch.yields(build.load(x, loop.index))
            branch.otherwise()
            branch.yields(const(float("nan"), "float64"))
        build.store(y, loop.index, branch.results[0])
    with build.kernel([y]) as kernel:
        with build.loop(n, [-0.0, True], types=["float64", "bool"], vector=True, reduction=True) as loop:
            value = build.load(y, loop.index)
            finite = build.let("isfinite", value)
            loop.yields(build.let("add", loop.carried[0], value), build.let("logical_and", loop.carried[1], finite))
        kernel.yields(*loop.results)
    build.raise_if(kernel.results[1], 4, [n, kernel.results[0]], live=[buffer])
    with build.while_loop([n]) as search:
        search.test(build.let("greater", search.carried[0], 1))
        search.yields(build.let("right_shift", search.carried[0], 1))
    build.retain(given)
    build.release(given)
    alone = build.unique(buffer)
    build.extern("print", [alone], can_fail=True, live=[buffer])
    (again,) = build.call("main", [x, search.results[0], given], ["bool"], live=[buffer])
    build.release(buffer)
    return program_of(build, again)


def test_text_comes_back() -> None:
    program = everything()
    check(program)
    text = show(program)
    again = read(text)
    check(again)
    assert show(again) == text
    assert [type(each) for each in walk(again.entry.body)] == [type(each) for each in walk(program.entry.body)]


def test_constants_in_text() -> None:
    build = ProcedureBuilder("main")
    values = [const(v, "float64") for v in (float("inf"), float("-inf"), 1e-300, -1.5, 5e-324, 0.1)]
    values += [const(True, "bool"), const(-(2**63)), const(7, "int32")]
    program = program_of(build, *values)
    results, _ = evaluate(read(show(program)), [])
    expected, _ = evaluate(program, [])
    assert [repr(value) for value in results] == [repr(value) for value in expected]


def sum_of_squares() -> Program:
    """A reduction over n elements."""
    build = ProcedureBuilder("main")
    x, n = build.parameter(pointer_to("int32")), build.parameter("int64")
    with build.loop(n, [0], types=["int32"], vector=True) as loop:
        value = build.load(x, loop.index)
        loop.yields(build.let("add", loop.carried[0], build.let("multiply", value, value)))
    return program_of(build, loop.results[0])


def test_evaluate_wraps_integers() -> None:
    (result,), _ = evaluate(sum_of_squares(), [Pointer(np.array([2**16, 3], "int32")), 2])
    assert result == 9
    assert result.dtype == np.int32


def test_evaluate_refuses_to_leave_an_array() -> None:
    with pytest.raises(AssertionError, match="outside"):
        evaluate(sum_of_squares(), [Pointer(np.zeros(2, "int32")), 3])


def test_errors_release_what_is_live() -> None:
    build = ProcedureBuilder("main")
    n, given = build.parameter("int64"), build.parameter("buffer")
    buffer, _ = build.alloc("bool", 3)
    build.raise_if(build.let("equal", n, 5), 9, [n], live=[buffer])
    program = program_of(build, buffer)
    mine = Buffer(np.zeros(1))
    (kept,), run = evaluate(program, [4, mine])
    assert (kept.references, run.live_buffers(), mine.references) == (1, 1, 1)
    with pytest.raises(SiteRaised) as raised:
        evaluate(program, [5, mine])
    assert (raised.value.site, raised.value.args_at_site) == (9, (5,))
    assert given.type == "buffer"


def test_free_variables() -> None:
    program = sum_of_squares()
    x, n = program.entry.parameters
    loop = program.entry.body[0]
    assert isinstance(loop, For)
    assert free_variables(loop.body) == [x, loop.index, loop.carried[0]]
    assert free_variables([loop]) == [n, x]


def assigned_twice(build: ProcedureBuilder) -> None:
    """The same variable again."""
    build.append(build.body[-1])


def out_of_scope(build: ProcedureBuilder) -> None:
    """A variable of a loop after it."""
    with build.loop(3) as loop:
        inner = build.let("add", loop.index, 1)
    build.let("add", inner, 1)


def mixed_types(build: ProcedureBuilder) -> None:
    """An operation of two types."""
    build.let("add", const(1, "int32"), const(1, "int64"))


def float_bits(build: ProcedureBuilder) -> None:
    """A bit operation on floats."""
    build.let("bitwise_and", const(1.0, "float64"), 2.0)


def unknown(build: ProcedureBuilder) -> None:
    """An operation that is not in the list."""
    build.append(Let(build.var("int64"), "frobnicate", ()))


def wrong_pointer(build: ProcedureBuilder) -> None:
    """A float through a pointer to integers."""
    build.store(build.let("null", dtype="ptr[int32]"), 0, const(1.0, "float32"))


def alloc_in_kernel(build: ProcedureBuilder) -> None:
    """An allocation in a kernel."""
    with build.kernel():
        build.alloc("int32", 3)


def parallel_outside(build: ProcedureBuilder) -> None:
    """A parallel loop that is not in a kernel."""
    with build.loop(3, parallel=True):
        pass


def sides_differ(build: ProcedureBuilder) -> None:
    """A branch whose sides yield other types."""
    with build.branch(const(True, "bool")) as branch:
        branch.yields(const(1, "int32"))
        branch.otherwise()
        branch.yields(const(1, "int64"))


def no_procedure(build: ProcedureBuilder) -> None:
    """A call of what does not exist."""
    build.call("other", [], [])


def foreign_variable(build: ProcedureBuilder) -> None:
    """A variable of another procedure with a number that exists here."""
    build.let("add", Var(0, "int64"), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        assigned_twice, out_of_scope, mixed_types, float_bits, unknown, wrong_pointer, alloc_in_kernel,
        parallel_outside, sides_differ, no_procedure, foreign_variable,
    ],
)  # fmt: skip
def test_checker_refuses(wrong: Callable[[ProcedureBuilder], None]) -> None:
    build = ProcedureBuilder("main")
    build.let("add", build.parameter("int64"), 1)
    check(program_of(build))
    wrong(build)
    with pytest.raises(LoopIRError):
        check(program_of(build))
