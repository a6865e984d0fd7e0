"""Programs of loop IR, run by the interpreter and natively with equal results."""

from __future__ import annotations

import re

import numpy as np
import pytest

from arignote.backends.llvm import compile_program, link, load_object
from arignote.lower.loop_ir import BUFFER, SCALARS, Operand, Program, Var, pointer_to
from arignote.lower.loop_ir_build import ProcedureBuilder, const

from .native import call, compiled, live_buffers, run_both, runtime, same

RNG = np.random.default_rng(1)
SIZES = [0, 1, 7, 8, 31, 32, 100, 1000]


def program_of(*builders_and_results: tuple[ProcedureBuilder, tuple[Operand, ...]]) -> Program:
    """A program of finished procedures."""
    program = Program()
    for build, results in builders_and_results:
        program.add(build.finish(*results))
    return program


def logistic() -> Program:
    """x = r x (1 - x), n times."""
    build = ProcedureBuilder("main")
    r, start, n = (build.parameter(type) for type in ("float64", "float64", "int64"))
    with build.loop(n, [start]) as loop:
        x = loop.carried[0]
        loop.yields(build.let("multiply", build.let("multiply", r, x), build.let("subtract", 1.0, x)))
    return program_of((build, loop.results))


@pytest.mark.parametrize("n", [0, 1, 5, 1000])
def test_carried_loop(n: int) -> None:
    run_both(logistic(), [3.7, 0.3, n])


def collatz_steps(build: ProcedureBuilder, start: Operand) -> Var:
    """The number of steps to 1."""
    with build.while_loop([start, const(0)]) as loop:
        value, steps = loop.carried
        loop.test(build.let("greater", value, 1))
        odd = build.let("equal", build.let("bitwise_and", value, 1), 1)
        with build.branch(odd) as branch:
            branch.yields(build.let("add", build.let("multiply", value, 3), 1))
            branch.otherwise()
            branch.yields(build.let("right_shift", value, 1))
        loop.yields(branch.results[0], build.let("add", steps, 1))
    return loop.results[1]


def test_while_and_if() -> None:
    build = ProcedureBuilder("main")
    n = build.parameter("int64")
    result = collatz_steps(build, n)
    for start in (1, 2, 27, 97):
        run_both(program_of((build, (result,))), [start])


@pytest.mark.parametrize("n", SIZES)
def test_vector_while_in_masks(n: int) -> None:
    build = ProcedureBuilder("main")
    x, y, count = build.parameter("ptr[int64]"), build.parameter("ptr[int64]"), build.parameter("int64")
    with build.kernel([x], [y]), build.loop(count, vector=True) as loop:
        build.store(y, loop.index, collatz_steps(build, build.load(x, loop.index)))
    run_both(program_of((build, ())), [RNG.integers(1, 100, n), np.zeros(n, np.int64), n])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("vector", [False, True])
def test_branches_in_vectors(n: int, vector: bool) -> None:
    """A branch with loads and stores on one side: y[i] = x[i] > 0 ? table[i] + sqrt : -x; z[i] written if positive."""
    build = ProcedureBuilder("main")
    x, table, y, z = (build.parameter("ptr[float64]") for _ in range(4))
    count = build.parameter("int64")
    with build.kernel([x, table], [y, z]), build.loop(count, vector=vector) as loop:
        value = build.load(x, loop.index)
        with build.branch(build.let("greater", value, 0.0)) as branch:
            looked_up = build.load(table, build.let("remainder", build.cast(value, "int64"), 5))
            build.store(z, loop.index, looked_up)
            branch.yields(build.let("add", looked_up, build.let("sqrt", value)))
            branch.otherwise()
            branch.yields(build.let("negative", value))
        build.store(y, loop.index, branch.results[0])
    arrays = [RNG.uniform(-10, 10, n), RNG.uniform(size=5), np.zeros(n), np.zeros(n)]
    run_both(program_of((build, ())), [*arrays, n])


REDUCTIONS = [
    *((op, type) for op in ("add", "multiply", "minimum", "maximum") for type in SCALARS if type != "bool"),
    *((op, "bool") for op in ("logical_and", "logical_or", "logical_xor")),
    *((op, "int64") for op in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    ("fmin", "float64"),
    ("fmax", "float32"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "type"), REDUCTIONS)
def test_reduction(op: str, type: str) -> None:
    build = ProcedureBuilder("main")
    x, start, count = build.parameter(pointer_to(type)), build.parameter(type), build.parameter("int64")
    with build.kernel([x]) as kernel:
        with build.loop(count, [start], vector=True, reduction=True) as loop:
            loop.yields(build.let(op, loop.carried[0], build.load(x, loop.index)))
        kernel.yields(loop.results[0])
    program = program_of((build, kernel.results))
    close = 1e-5 if type.startswith("float") and op in ("add", "multiply") else 0.0
    for n in SIZES:
        data = RNG.uniform(0.9, 1.1, n).astype(type) if type[0] == "f" else RNG.integers(-9, 9, n).astype(type)
        run_both(program, [data, np.dtype(type).type(1).item(), n], close)
    if type.startswith("float") and op in ("minimum", "maximum"):
        data = np.ones(77, type)
        data[55] = np.nan
        assert np.isnan(run_both(program, [data, 0.0, 77]).results[0])


def test_two_reductions_and_other_order() -> None:
    build = ProcedureBuilder("main")
    x, count = build.parameter("ptr[float64]"), build.parameter("int64")
    with build.kernel([x]) as kernel:
        with build.loop(count, [0.0, -1e300], types=["float64", "float64"], vector=True, reduction=True) as loop:
            value = build.load(x, build.let("subtract", build.let("subtract", count, 1), loop.index))
            total = build.let("add", build.let("multiply", value, value), loop.carried[0])
            loop.yields(total, build.let("maximum", loop.carried[1], value))
        kernel.yields(*loop.results)
    for n in SIZES:
        run_both(program_of((build, kernel.results)), [RNG.normal(size=n), n], 1e-12)


@pytest.mark.parametrize("type", ["float32", "float64", "int32", "int64", "bool"])
@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (1, 1), (5, 33), (40, 17)])
def test_transposed_and_broadcast(type: str, rows: int, columns: int) -> None:
    """out[i, j] = x[j, i] combined with row[j]: a strided load, a contiguous one, one the same for all lanes."""
    build = ProcedureBuilder("main")
    x, row, column, out = (build.parameter(pointer_to(type)) for _ in range(4))
    m, n = build.parameter("int64"), build.parameter("int64")
    with build.kernel([x, row, column], [out]), build.loop(m) as outer:
        with build.loop(n, vector=True) as inner:
            strided = build.load(x, build.index_add(build.index_multiply(inner.index, m), outer.index))
            both = build.let("maximum", build.load(row, inner.index), build.load(column, outer.index))
            place = build.index_add(build.index_multiply(outer.index, n), inner.index)
            build.store(out, place, build.let("add", strided, both))
    arrays = [RNG.integers(0, 2, shape).astype(type) for shape in ((columns, rows), columns, rows, (rows, columns))]
    run_both(program_of((build, ())), [*arrays, rows, columns])


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (4, 0), (5, 33), (40, 17)])
def test_inner_loop_of_vectors(rows: int, columns: int) -> None:
    """Sums of columns: the vectors are columns, the inner loop runs over rows."""
    build = ProcedureBuilder("main")
    x, out, m, n = (build.parameter(type) for type in ("ptr[float64]", "ptr[float64]", "int64", "int64"))
    with build.kernel([x], [out]), build.loop(n, vector=True) as outer:
        with build.loop(m, [0.0], types=["float64"]) as inner:
            place = build.index_add(build.index_multiply(inner.index, n), outer.index)
            inner.yields(build.let("add", inner.carried[0], build.load(x, place)))
        build.store(out, outer.index, inner.results[0])
    run_both(program_of((build, ())), [RNG.normal(size=(rows, columns)), np.zeros(columns), rows, columns])


@pytest.mark.parametrize("type", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("better", ["greater", "less"])
def test_position_of_the_best(type: str, better: str) -> None:
    """argmax and argmin: the first one wins, and a nan beats everything."""
    build = ProcedureBuilder("main")
    x, start, n = build.parameter(pointer_to(type)), build.parameter(type), build.parameter("int64")
    with build.kernel([x]) as kernel:
        with build.loop(n, [start, const(0)], vector=True, reduction=True) as loop:
            value, (best, where) = build.load(x, loop.index), loop.carried
            wins = build.let(better, value, best)
            if type.startswith("float"):
                first_nan = build.let(
                    "logical_and", build.let("isnan", value), build.let("logical_not", build.let("isnan", best))
                )
                wins = build.let("logical_or", wins, first_nan)
            loop.yields(build.let("select", wins, value, best), build.let("select", wins, loop.index, where))
        kernel.yields(*loop.results)
    program = program_of((build, kernel.results))
    assert "reduce.smin.v" in compiled(program).llvm_ir
    for size in SIZES:
        first = (
            (-100 if better == "greater" else 100)
            if type.startswith("int")
            else (-np.inf if better == "greater" else np.inf)
        )
        data = RNG.integers(-9, 9, size).astype(type)
        run_both(program, [data, first, size])
        if type.startswith("float") and size > 7:
            data[[size // 3, size // 2]] = np.nan
            assert run_both(program, [data, first, size]).results[1] == size // 3


def test_vectors_go_along_rows() -> None:
    """Of two loops that could run on vectors, the one that reads neighbours does."""
    build = ProcedureBuilder("main")
    x, out, m, n = (build.parameter(type) for type in ("ptr[float64]", "ptr[float64]", "int64", "int64"))
    with build.kernel([x], [out]), build.loop(m, vector=True) as outer:
        with build.loop(n, [0.0], types=["float64"], vector=True, reduction=True) as inner:
            place = build.index_add(build.index_multiply(outer.index, n), inner.index)
            inner.yields(build.let("add", inner.carried[0], build.load(x, place)))
        build.store(out, outer.index, inner.results[0])
    program = program_of((build, ()))
    assert "gather" not in compiled(program).llvm_ir
    run_both(program, [RNG.normal(size=(13, 29)), np.zeros(13), 13, 29], 1e-13)


@pytest.mark.parametrize("n", [0, 1, 3, 16, 100, 1001])
def test_parallel_loop_of_vectors(n: int) -> None:
    build = ProcedureBuilder("main")
    x, y, count = build.parameter("ptr[float32]"), build.parameter("ptr[float32]"), build.parameter("int64")
    with build.kernel([x], [y]), build.loop(count, vector=True, parallel=True, grain=33) as loop:
        value = build.load(x, loop.index)
        build.store(y, loop.index, build.let("add", value, build.let("sqrt", value)))
    program = program_of((build, ()))
    assert " x float>" in compiled(program).llvm_ir
    run_both(program, [RNG.uniform(size=n).astype("f"), np.zeros(n, "f"), n])


def test_scatter_and_reversed_store() -> None:
    build = ProcedureBuilder("main")
    x, where, out, back = (build.parameter(f"ptr[{type}]") for type in ("float32", "int64", "float32", "bool"))
    n = build.parameter("int64")
    with build.kernel([x, where], [out, back]), build.loop(n, vector=True) as loop:
        value = build.load(x, loop.index)
        build.store(out, build.load(where, loop.index), value)
        last = build.let("subtract", n, 1)
        build.store(back, build.let("subtract", last, loop.index), build.let("greater", value, 0.5))
    for n_value in SIZES:
        arrays = [
            RNG.uniform(size=n_value).astype("f"),
            RNG.permutation(n_value),
            np.zeros(n_value, "f"),
            np.zeros(n_value, bool),
        ]
        run_both(program_of((build, ())), [*arrays, n_value])


def test_index_as_value() -> None:
    build = ProcedureBuilder("main")
    out, step, n = build.parameter("ptr[float64]"), build.parameter("int64"), build.parameter("int64")
    with build.kernel([], [out]), build.loop(n, vector=True) as loop:
        square = build.let("multiply", loop.index, loop.index)
        scaled = build.let("add", build.let("multiply", loop.index, step), square)
        build.store(out, loop.index, build.cast(scaled, "float64"))
    run_both(program_of((build, ())), [np.zeros(21), 3, 21])


def test_short_loops_are_unrolled() -> None:
    build = ProcedureBuilder("main")
    x = build.parameter("ptr[float64]")
    with build.kernel([x]) as kernel:
        with build.loop(3, [0.0], types=["float64"]) as outer:
            with build.loop(2, [outer.carried[0]]) as inner:
                place = build.index_add(build.index_multiply(outer.index, 2), inner.index)
                inner.yields(build.let("add", inner.carried[0], build.load(x, place)))
            outer.yields(inner.results[0])
        kernel.yields(outer.results[0])
    program = program_of((build, kernel.results))
    run_both(program, [np.arange(6.0)])
    assert " phi " not in compiled(program).llvm_ir


def test_gather_with_bounds_check() -> None:
    """A kernel that fails in the middle: the error has its run-time values, and live buffers are released."""
    build = ProcedureBuilder("main")
    x, where, n, m = (build.parameter(type) for type in ("ptr[float64]", "ptr[int64]", "int64", "int64"))
    buffer, out = build.alloc("float64", n)
    with build.kernel([x, where], [out], live=[buffer]) as kernel:
        with build.loop(n, [0.0], types=["float64"]) as loop:
            index = build.load(where, loop.index)
            outside = build.let("logical_or", build.let("less", index, 0), build.let("greater_equal", index, m))
            build.raise_if(outside, 5, [index, m])
            value = build.load(x, index)
            build.store(out, loop.index, value)
            loop.yields(build.let("add", loop.carried[0], value))
        kernel.yields(loop.results[0])
    last = build.load(out, 0)
    build.release(buffer)
    program = program_of((build, (*kernel.results, last)))
    data = RNG.normal(size=10)
    run_both(program, [data, np.array([3, 1, 9]), 3, 10])
    native = run_both(program, [data, np.array([3, -7, 9]), 3, 10])
    assert (native.site, native.arguments[:2]) == (5, [-7, 10])


def factorial() -> Program:
    """A recursive procedure that allocates on its way down and raises for a negative argument."""
    build = ProcedureBuilder("main")
    n = build.parameter("int64")
    build.raise_if(build.let("less", n, 0), 7, [n])
    buffer, pointer = build.alloc("int64", 1)
    build.store(pointer, 0, n)
    with build.branch(build.let("equal", n, 13)) as branch:
        negative = build.let("negative", n)
        failed = build.call("main", [negative], ["int64"], live=[buffer])
        branch.yields(failed[0])
        branch.otherwise()
        with build.branch(build.let("less_equal", n, 1)) as inner:
            inner.yields(const(1))
            inner.otherwise()
            (rest,) = build.call("main", [build.let("subtract", n, 1)], ["int64"], live=[buffer])
            inner.yields(build.let("multiply", rest, build.load(pointer, 0)))
        branch.yields(inner.results[0])
    build.release(buffer)
    return program_of((build, branch.results))


def test_recursion_and_errors_leak_nothing() -> None:
    program = factorial()
    assert run_both(program, [10]).results == [3628800]
    assert run_both(program, [-3]).arguments[0] == -3
    assert run_both(program, [20]).arguments[0] == -13


def test_stack_limit() -> None:
    build = ProcedureBuilder("main")
    n = build.parameter("int64")
    buffer, _ = build.alloc("int64", 1)
    (deep,) = build.call("main", [build.let("add", n, 1)], ["int64"], live=[buffer])
    build.release(buffer)
    program = program_of((build, (deep,)))
    here = np.zeros(1)
    limit = _stack_address() - 200_000
    native = call(compiled(program), program, [0], stack_limit=limit)
    assert (native.status, native.site, live_buffers()) == (1, 1, 0)
    assert here[0] == 0


def _stack_address() -> int:
    """An address near the top of this thread's stack: that of a recursive procedure's own frame."""
    with open("/proc/self/stat") as file:
        del file
    for line in open("/proc/self/maps"):
        if "[stack]" in line:
            return int(line.split()[0].split("-")[1], 16) - 1_000_000
    pytest.skip("no stack in the map of memory")


def test_out_of_memory() -> None:
    build = ProcedureBuilder("main")
    n = build.parameter("int64")
    first, _ = build.alloc("int64", 4)
    second, _ = build.alloc("float64", n, live=[first])
    build.release(first)
    build.release(second)
    native = run_both(program_of((build, ())), [1 << 50])
    assert (native.status, native.site, native.arguments[0]) == (1, 0, 1 << 53)


def test_reference_counts() -> None:
    build = ProcedureBuilder("main")
    null, pointer = build.let("null", dtype=BUFFER), build.parameter("ptr[bool]")
    buffer, _ = build.alloc("float32", 10)
    alone = build.unique(buffer)
    build.retain(buffer)
    shared = build.unique(buffer)
    build.release(buffer)
    again, nothing = build.unique(buffer), build.unique(null)
    build.retain(null)
    build.release(null)
    build.release(buffer)
    build.store(pointer, 0, alone)
    native = run_both(program_of((build, (alone, shared, again, nothing))), [np.zeros(1, bool)])
    assert native.results == [True, False, True, False]


@pytest.mark.parametrize("n", [0, 1, 3, 100])
def test_parallel_kernel(n: int) -> None:
    build = ProcedureBuilder("main")
    x, y, scale, flag, rows, columns = (
        build.parameter(type) for type in ("ptr[float64]", "ptr[float64]", "float64", "bool", "int64", "int64")
    )
    with build.kernel([x], [y]):
        offset = build.let("select", flag, 1.0, scale)
        with build.loop(rows, parallel=True, grain=4) as outer, build.loop(columns, vector=True) as inner:
            place = build.index_add(build.index_multiply(outer.index, columns), inner.index)
            value = build.let("multiply", build.load(x, place), scale)
            build.store(y, place, build.let("add", value, offset))
    arrays = [RNG.normal(size=(n, 37)), np.zeros((n, 37))]
    run_both(program_of((build, ())), [*arrays, 2.5, True, n, 37])


def test_bools_cross_calls() -> None:
    main, other = ProcedureBuilder("main"), ProcedureBuilder("other")
    flag = main.parameter("bool")
    results = main.call("other", [flag, const(2.5, "float32")], ["bool", "float32"])
    a, b = other.parameter("bool"), other.parameter("float32")
    negated = other.let("logical_not", a)
    program = program_of((main, results), (other, (negated, other.let("add", b, b))))
    assert run_both(program, [True]).results == [False, 5.0]


def test_names_of_users_functions() -> None:
    main, other = ProcedureBuilder("<lambda> in \u00e9"), ProcedureBuilder('say "no"\\')
    n = main.parameter("int64")
    results = main.call(other.name, [n], ["int64"])
    m = other.parameter("int64")
    with other.kernel() as kernel:
        with other.loop(m, [0], types=["int64"], vector=True) as loop:
            loop.yields(other.let("add", loop.carried[0], loop.index))
        kernel.yields(loop.results[0])
    program = program_of((main, results), (other, kernel.results))
    assert call(compile_program(program, {}), program, [10]).results == [45]


@pytest.mark.parametrize("form", [(64, False), (32, False), (16, False)])
def test_other_vectors(form: tuple[int, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of other machines: narrower ones, and memory access without masks."""
    monkeypatch.setattr(link, "vector_form", lambda: form)
    for n in SIZES:
        for op in ("add", "maximum"):
            build = ProcedureBuilder("main")
            x, y, count = build.parameter("ptr[float32]"), build.parameter("ptr[float32]"), build.parameter("int64")
            with build.kernel([x], [y]) as kernel:
                with build.loop(count, [0.0], types=["float32"], vector=True, reduction=True) as loop:
                    value = build.load(x, loop.index)
                    build.store(y, loop.index, build.let("tanh", value))
                    loop.yields(build.let(op, loop.carried[0], value))
                kernel.yields(*loop.results)
            run_both(program_of((build, kernel.results)), [RNG.uniform(size=n).astype("f"), np.zeros(n, "f"), n], 1e-5)


def test_object_code_can_be_loaded_again() -> None:
    program = logistic()
    first = compiled(program)
    second = load_object(["main"], first.objects, first.imported, runtime()[1])
    assert call(second, program, [3.7, 0.3, 9]).results == call(first, program, [3.7, 0.3, 9]).results


def assembly_of(type: str, op: str | None) -> str:
    """The assembly of an elementwise loop, or of a sum."""
    build = ProcedureBuilder("main")
    x, y, n = build.parameter(pointer_to(type)), build.parameter(pointer_to(type)), build.parameter("int64")
    with build.kernel([x], [y]) as kernel:
        with build.loop(n, [] if op else [0.0], types=[] if op else [type], vector=True, reduction=True) as loop:
            value = build.load(x, loop.index)
            if op:
                build.store(y, loop.index, build.let(op, value))
            else:
                loop.yields(build.let("add", loop.carried[0], value))
        kernel.yields(*loop.results)
    return compiled(program_of((build, kernel.results))).assembly()


@pytest.mark.parametrize(
    ("type", "op"), [("float32", "exp"), ("float64", None), ("float64", "sin"), ("float32", "tanh")]
)
def test_machine_code_is_vectors(type: str, op: str | None) -> None:
    assembly = assembly_of(type, op)
    letter = "s" if type == "float32" else "d"
    if "zmm" not in assembly and "ymm" not in assembly:
        pytest.skip("a machine without wide vectors")
    instructions = "vfmadd" if op else "vaddp"
    assert re.search(rf"{instructions}\w*{letter}\s[^\n]*[yz]mm", assembly)


def test_results_do_not_depend_on_vectors() -> None:
    """A vector and the same values one by one have the same bits."""
    for op in ("exp", "sin", "tanh", "log1p"):
        for type in ("float32", "float64"):
            build = ProcedureBuilder("main")
            x, y, n = build.parameter(pointer_to(type)), build.parameter(pointer_to(type)), build.parameter("int64")
            z = build.parameter(pointer_to(type))
            for pointer, vector in ((y, True), (z, False)):
                with build.kernel([x], [pointer]), build.loop(n, vector=vector) as loop:
                    build.store(pointer, loop.index, build.let(op, build.load(x, loop.index)))
            program = program_of((build, ()))
            data = RNG.normal(size=50).astype(type) * 50
            first, second = np.zeros(50, type), np.zeros(50, type)
            call(compiled(program), program, [data, first, 50, second])
            assert same(first, second)
