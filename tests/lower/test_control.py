"""Branches and loops in place, calls as procedures, ownership on every path."""

import numpy as np
import pytest

from arignote.ir.graph import Function
from arignote.lower.loop_ir import Call, For, If, While, walk
from arignote.lower.lower import lower
from tests.lower.harness import Array, Emit, Parameter, Scalar, agree, count, counts, main
from tests.lower.native import run_native

N = -1
F, I, B = Scalar("float64"), Scalar("int64"), Scalar("bool")
rng = np.random.default_rng(0)


def vector(name, dtype="float64", dims=(N,)):
    return Parameter(name, Array(dtype, dims))


def test_branch_reads_views_from_outside():
    e, x, c = Emit(), vector("x", dims=(N, N)), Parameter("c", B)
    p, q = vector("p", dims=(N, N)), vector("q", dims=(N, N))
    then = e.function("then", [p], e.op("sum", e.op("exp", p), axes=(0,)))
    other = e.function("other", [q], e.op("index", q, e.integer(0), axes=(0,)))
    t = e.op("transpose", x, permutation=(1, 0))
    result = e.op("cond", c, e.closure(then, [t]), e.closure(other, [t]))
    for truth in (True, False):
        lowered = agree(main(e, [x, c], result), rng.normal(size=(3, 3)), truth)
    assert count(lowered.program, If) == 1  # both sides make an array of their own


def test_branches_that_return_what_they_capture():
    e, x, y, c = Emit(), vector("x"), vector("y"), Parameter("c", B)
    p, q = vector("p"), vector("q")
    then, other = e.function("then", [p], p), e.function("other", [q], q)
    z = e.op("exp", x)
    result = e.op("cond", c, e.closure(then, [z]), e.closure(other, [y]))
    for truth in (True, False):
        agree(main(e, [x, y, c], result), rng.normal(size=3), rng.normal(size=3), truth)
        agree(main(e, [x, y, c], result, z), rng.normal(size=3), rng.normal(size=3), truth)


def test_for_loop_over_an_array():
    e, x, n = Emit(), vector("x"), Parameter("n", I)
    k, i, a = vector("k"), Parameter("i", I), vector("a")
    body = e.function("body", [k, i, a], e.tuple([e.op("multiply", e.op("add", a, k), e.cast(i, "float64"))]))
    loop = e.op("for_loop", n, e.closure(body, [x]), x)
    for trips in (0, 1, 4, -1):
        lowered = agree(main(e, [x, n], e.item(loop, 0)), rng.normal(size=3), trips)
    sizes = [var for each in lowered.program.entry.body if isinstance(each, For) for var in each.carried]
    assert len(sizes) == 2, "the size does not change, so it is not carried"


def test_filling_element_by_element_never_copies():
    e, n = Emit(), Parameter("n", I)
    i, a = Parameter("i", I), vector("a", dims=(-2,))
    square = e.cast(e.op("multiply", i, i), "float64")
    body = e.function("body", [i, a], e.tuple([e.op("update_index", a, square, i, axes=(0,), accumulate=False)]))
    zeros = e.op("broadcast_to", e.constant(0, "float64"), n, dims=(-2,))
    loop = e.op("for_loop", n, e.closure(body), zeros)
    function = main(e, [n], e.item(loop, 0))
    agree(function, 5)
    from arignote.lower.loop_ir_evaluate import Evaluation, call
    from arignote.lower.lower import lower

    run = Evaluation(lower(function).program)
    call(run, run.program.entry, [7])
    assert len(run.buffers) == 1


def test_update_keeps_the_old_value_where_it_is_used():
    e, x = Emit(), vector("x")
    y = e.op("exp", x)
    z = e.op("update_index", y, e.constant(7, "float64"), e.integer(1), axes=(0,), accumulate=False)
    agree(main(e, [x], y, z), rng.normal(size=3))
    agree(main(e, [x], z), rng.normal(size=3))
    agree(main(e, [x], z), rng.normal(size=0))
    w = e.op("update_index", x, e.constant(7, "float64"), e.integer(-1), axes=(0,), accumulate=True)
    agree(main(e, [x], w), rng.normal(size=3))


def test_swap_in_a_loop_is_in_place():
    e, x, n = Emit(), vector("x"), Parameter("n", I)
    i, a = Parameter("i", I), vector("a")
    j = e.op("add", i, e.integer(1))
    left, right = e.op("index", a, i, axes=(0,)), e.op("index", a, j, axes=(0,))
    first = e.op("update_index", a, right, i, axes=(0,), accumulate=False)
    second = e.op("update_index", first, left, j, axes=(0,), accumulate=False)
    body = e.function("body", [i, a], e.tuple([second]))
    loop = e.op("for_loop", n, e.closure(body), e.op("exp", x))
    function = main(e, [x, n], e.item(loop, 0))
    agree(function, rng.normal(size=6), 5)
    agree(function, rng.normal(size=6), 6)
    from arignote.lower.loop_ir_evaluate import Evaluation, call
    from arignote.lower.lower import lower
    from tests.lower.harness import flat_arguments

    run = Evaluation(lower(function).program)
    call(run, run.program.entry, flat_arguments([rng.normal(size=6), 5], [Array("float64", (N,)), I]))
    assert len(run.buffers) == 1


def test_while_loop():
    e, x, limit = Emit(), vector("x"), Parameter("limit", F)
    k, a = Parameter("k", F), vector("a")
    test = e.function("test", [k, a], e.op("less", e.op("sum", a, axes=(0,)), k))
    b = vector("b")
    body = e.function("body", [b], e.tuple([e.op("add", e.op("multiply", b, b), e.constant(1, "float64"))]))
    loop = e.op("while_loop", e.closure(test, [limit]), e.closure(body), x)
    for bound in (-1.0, 10.0, 100.0):
        lowered = agree(main(e, [x, limit], e.item(loop, 0)), rng.normal(size=3), bound)
    assert count(lowered.program, While) == 1


def test_loop_that_swaps_what_it_carries():
    e, x, y, n = Emit(), vector("x"), vector("y"), Parameter("n", I)
    i, a, b = Parameter("i", I), vector("a"), vector("b")
    body = e.function("body", [i, a, b], e.tuple([b, a]))
    loop = e.op("for_loop", n, e.closure(body), e.op("exp", x), y)
    for trips in range(3):
        agree(main(e, [x, y, n], *e.items(loop)), rng.normal(size=3), rng.normal(size=2), trips)


def test_loop_drops_and_duplicates():
    e, x, n = Emit(), vector("x"), Parameter("n", I)
    i, a, b = Parameter("i", I), vector("a"), vector("b")
    body = e.function("body", [i, a, b], e.tuple([b, b]))
    loop = e.op("for_loop", n, e.closure(body), e.op("exp", x), e.op("sin", x))
    for trips in range(3):
        agree(main(e, [x, n], *e.items(loop)), rng.normal(size=3), trips)
        agree(main(e, [x, n], e.item(loop, 0)), rng.normal(size=3), trips)


def test_recursion():
    e, n, x = Emit(), Parameter("n", I), vector("x")
    power = Function("power", [n, x])
    power.declare(Array("float64", (N,)))
    px, pn, ox = vector("px"), Parameter("pn", I), vector("ox")
    deeper = e.call(power, e.op("subtract", pn, e.integer(1)), px)
    then = e.function("then", [pn, px], e.op("multiply", deeper, px))
    other = e.function("other", [ox], ox)
    power.define(e.op("cond", e.op("greater", n, e.integer(0)), e.closure(then, [n, x]), e.closure(other, [x])))
    m, y = Parameter("m", I), vector("y")
    for depth in (0, 3):
        lowered = agree(main(e, [m, y], e.call(power, m, y)), depth, rng.normal(size=3))
    called = [s.procedure for p in lowered.program.procedures.values() for s in walk(p.body) if isinstance(s, Call)]
    assert [name.split(".")[0] for name in called].count("power") == 2
    assert [name.split(".")[0] for name in lowered.program.procedures] == ["main", "power", "copy"]


def test_errors_release_everything():
    e, x, i = Emit(), vector("x"), Parameter("i", I)
    y, z = e.op("exp", x), e.op("sin", x)
    token = e.op("after", e.op("token"), e.op("index", y, i, axes=(0,)))
    token = e.op(
        "raise_if",
        token,
        e.op("greater", e.op("sum", z, axes=(0,)), e.constant(1e9, "float64")),
        exception=ValueError,
        message=("no",),
    )
    function = main(e, [x, i], e.op("add", y, z), token=token)
    for index in (0, 2, 3, -3, -4):
        agree(function, rng.normal(size=3), index)


def test_errors_in_loops_release_everything():
    e, x, n = Emit(), vector("x"), Parameter("n", I)
    i, a, k = Parameter("i", I), vector("a"), vector("k")
    value = e.op("index", k, i, axes=(0,))
    body = e.function("body", [k, i, a], e.tuple([e.op("multiply", a, value)]))
    loop = e.op("for_loop", n, e.closure(body, [e.op("exp", x)]), e.op("sin", x))
    for trips in (2, 5):
        agree(main(e, [x, n], e.item(loop, 0), e.op("cos", x)), rng.normal(size=3), trips)


def test_raise_before_what_follows():
    e, x, i = Emit(), vector("x"), Parameter("i", I)
    token = e.op("raise_if", e.op("token"), e.op("less", i, e.integer(0)), exception=KeyError, message=("first",))
    token = e.op("after", token, e.op("index", x, i, axes=(0,)))
    function = main(e, [x, i], token=token)
    for index in (-7, 7, 1):
        agree(function, rng.normal(size=3), index)


def test_print_passes_a_block():
    from arignote.ir.structure import PythonScalarOf
    from arignote.lower.loop_ir import Extern

    e, a = Emit(), Parameter("a", F)
    template = ("a = ", PythonScalarOf("float64"), "\n")
    token = e.op("print", e.op("token"), a, template=template)
    lowered = agree(main(e, [a], token=token), 1.5)
    assert count(lowered.program, Extern) == 1 and lowered.prints == (template,)


@pytest.mark.parametrize("depth", [30])
def test_nested_branches(depth):
    e, x = Emit(), Parameter("x", I)
    p = Parameter("p", I)
    inner = e.function("leaf", [p], p)
    for level in range(depth):
        q = Parameter("q", I)
        here = e.function(f"const{level}", [q], e.op("add", q, e.integer(level)))
        r = Parameter("r", I)
        chosen = e.op("cond", e.op("equal", r, e.integer(level)), e.closure(here, [r]), e.closure(inner, [r]))
        inner = e.function(f"level{level}", [r], chosen)
    agree(main(e, [x], e.op("cond", e.op("less", x, e.integer(100)), e.closure(inner, [x]), e.closure(inner, [x]))), 7)


def test_counts_of_a_loop():
    e, x, n = Emit(), vector("x"), Parameter("n", I)
    i, a = Parameter("i", I), vector("a")
    half = e.constant(0.5, "float64")
    body = e.function("body", [i, a], e.tuple([e.op("multiply", e.op("add", a, half), half)]))
    lowered = agree(main(e, [x, n], e.item(e.op("for_loop", n, e.closure(body), x), 0)), rng.normal(size=3), 3)
    assert counts(lowered) == (2, 2)  # the body, and the copy of a result that may be the parameter


def test_rows_swap_without_copying_the_matrix():
    from arignote.lower.loop_ir_evaluate import Evaluation, call
    from arignote.lower.lower import lower
    from tests.lower.harness import flat_arguments

    e, x, n = Emit(), vector("x", dims=(N, N)), Parameter("n", I)
    i, a = Parameter("i", I), vector("a", dims=(N, N))
    j = e.op("add", i, e.integer(1))
    upper, lower_ = e.op("index", a, i, axes=(0,)), e.op("index", a, j, axes=(0,))
    total = e.op("sum", upper, axes=(0,))
    first = e.op("update_index", a, lower_, i, axes=(0,), accumulate=False)
    second = e.op("update_index", first, e.op("add", upper, total), j, axes=(0,), accumulate=False)
    body = e.function("body", [i, a], e.tuple([second]))
    loop = e.op("for_loop", n, e.closure(body), e.op("exp", x))
    function = main(e, [x, n], e.item(loop, 0))
    agree(function, rng.normal(size=(6, 3)), 5)
    run = Evaluation(lower(function).program)
    call(run, run.program.entry, flat_arguments([rng.normal(size=(6, 3)), 5], [Array("float64", (N, N)), I]))
    assert all(len(buffer.data) < 18 for buffer in run.buffers[1:])


def test_placeholders_of_arrays_can_be_read():
    """An array of a known size has elements even where it is a placeholder: it may be broadcast, never read at null."""
    e, x, c = Emit(), vector("x", dims=(70_000,)), Parameter("c", B)
    then = e.function("then", [], e.op("undefined", type=x.type))
    inside = Parameter("inside", x.type)
    other = e.function("other", [inside], e.op("exp", inside))
    either = e.op("cond", c, e.closure(then), e.closure(other, [x]))
    function = main(e, [x, c], e.op("broadcast_to", either, e.integer(3), e.integer(70_000), dims=(3, 70_000)))
    given, lowered = rng.normal(size=70_000), lower(function)
    assert run_native(lowered, function, given, True)[1].shape == (3, 70_000)
    np.testing.assert_allclose(run_native(lowered, function, given, False)[1], [np.exp(given)] * 3, rtol=1e-12)
