"""Slices, updates, gathers, scatters: values, errors, copies."""

import numpy as np

from arignote.lower.loop_ir import If, Unique
from tests.lower.harness import Array, Emit, Parameter, Scalar, agree, count, counts, main

N = -1
I = Scalar("int64")
rng = np.random.default_rng(0)


def vector(name, dtype="float64", dims=(N,)):
    return Parameter(name, Array(dtype, dims))


def test_index():
    e, x, i, j = Emit(), vector("x", dims=(N, N)), Parameter("i", I), Parameter("j", I)
    data = rng.normal(size=(3, 4))
    for a, b in [(0, 0), (-1, 3), (2, -4), (3, 0), (0, 4), (-4, 0), (0, -5)]:
        agree(main(e, [x, i, j], e.op("index", x, i, j, axes=(0, 1))), data, a, b)
        agree(main(e, [x, i], e.op("index", x, i, axes=(1,))), data, b)
        agree(main(e, [x, i], e.op("index", e.op("add", x, x), i, axes=(0,))), data, a)


def test_slice_with_steps():
    e, x = Emit(), vector("x", dims=(N, N))
    part = e.op(
        "slice",
        x,
        e.integer(2),
        e.integer(2),
        e.integer(-2),
        e.integer(1),
        e.integer(3),
        e.integer(1),
        axes=(0, 1),
        dims=(2, 3),
    )
    lowered = agree(main(e, [x], e.op("exp", part)), rng.normal(size=(3, 4)))
    assert counts(lowered) == (1, 1)


def test_update_row_from_itself():
    e, x = Emit(), vector("x", dims=(N, N))
    y = e.op("exp", x)
    row = e.op("index", y, e.integer(0), axes=(0,))
    for accumulate in (False, True):
        z = e.op("update_index", y, e.op("add", row, row), e.integer(1), axes=(0,), accumulate=accumulate)
        agree(main(e, [x], z), rng.normal(size=(3, 4)))
        agree(main(e, [x], z, y), rng.normal(size=(3, 4)))


def test_update_slice():
    e, x, v = Emit(), vector("x", dims=(N, N)), vector("v", dims=(2, N))
    for accumulate in (False, True):
        z = e.op("update_slice", x, v, e.integer(2), e.integer(2), e.integer(-1), axes=(0,), accumulate=accumulate)
        agree(main(e, [x, v], z), rng.normal(size=(4, 3)), rng.normal(size=(2, 3)))


def test_shifted_update_reads_the_old_values():
    e, x = Emit(), vector("x")
    y = e.op("exp", x)
    n = e.op("subtract", e.size(x, 0), e.integer(1))
    head = e.op("slice", y, e.integer(0), n, e.integer(1), axes=(0,), dims=(-2,))
    z = e.op("update_slice", y, head, e.integer(1), n, e.integer(1), axes=(0,), accumulate=False)
    agree(main(e, [x], z), rng.normal(size=6))


def test_gather():
    e, x, i = Emit(), vector("x", dims=(N, N)), vector("i", "int64")
    data = rng.normal(size=(3, 4))
    for axis in (0, 1):
        function = main(e, [x, i], e.op("exp", e.op("gather", x, i, axis=axis)))
        for picks in ([0, 2, 2, -1], [], [0, 3], [-3, -4], [5, 9]):
            lowered = agree(function, data, np.array(picks, "int64"))
    # One kernel and one array more for indices of which some count from the end.
    assert counts(lowered) == (3, 2)
    j = vector("j", "int64", (N, 1))
    agree(
        main(e, [x, i, j], e.op("gather", x, e.op("expand_dims", i, axes=(0,)), j, axis=0)),
        data,
        np.array([0, 1]),
        np.array([[1], [3], [0]]),
    )
    k = vector("k", "int64")
    agree(main(e, [x, i, k], e.op("gather", x, i, k, axis=0)), data, np.array([0, 1]), np.array([1, 2, 3]))


def test_scatter():
    e, x, i, v = Emit(), vector("x", dims=(N, N)), vector("i", "int64"), vector("v", dims=(N, N))
    for accumulate in (False, True):
        function = main(e, [x, i, v], e.op("scatter", x, v, i, axis=0, accumulate=accumulate))
        agree(function, rng.normal(size=(3, 4)), np.array([0, 2, 2]), rng.normal(size=(3, 4)))
        agree(function, rng.normal(size=(3, 4)), np.array([0, 2, 3]), rng.normal(size=(3, 4)))
        other = main(e, [x, i, v], e.op("scatter", x, v, i, axis=1, accumulate=accumulate))
        agree(other, rng.normal(size=(3, 4)), np.array([0, 2, 2]), rng.normal(size=(3, 3)))


def test_iota_and_masks():
    e, n = Emit(), Parameter("n", I)
    for dtype in ("int64", "float64", "int32"):
        agree(main(e, [n], e.op("iota", n, dtype=dtype, dim=-2)), 5)
        agree(main(e, [n], e.op("iota", n, dtype=dtype, dim=-2)), -5)
    m = e.op("iota", n, dtype="int64", dim=-2)
    outer = e.op("less", e.op("expand_dims", m, axes=(1,)), m)
    agree(main(e, [n], outer), 4)


def test_scans_and_sorting():
    e, x, a = Emit(), vector("x", dims=(N, N)), vector("a", dims=(N, N))
    data, factors = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    data[1, 1] = np.nan
    for axis in (0, 1):
        for reverse in (False, True):
            agree(main(e, [x], e.op("cumsum", x, axis=axis, reverse=reverse)), data)
            agree(main(e, [a, x], e.op("recurrence", a, x, axis=axis, reverse=reverse)), factors, data)
        agree(main(e, [x], e.op("sort", x, axis=axis, stable=False)), data)
        agree(main(e, [x], e.op("argsort", x, axis=axis, stable=False)), data)
    i = vector("i", "int64")
    picks = rng.integers(0, 5, size=40)
    agree(main(e, [i], e.op("argsort", i, axis=0, stable=False), e.op("sort", i, axis=0, stable=False)), picks)
    agree(main(e, [i], e.op("argsort", i, axis=0, stable=False)), picks[:0])


def test_nonzero():
    e, x = Emit(), vector("x", "bool", (N, N))
    found = e.op("nonzero", x)
    data = rng.normal(size=(3, 4)) > 0
    agree(main(e, [x], *e.items(found)), data)
    agree(main(e, [x], *e.items(found)), np.zeros((0, 4), bool))


def filled(writes, keep=False):
    """A copy of x in which `writes` elements are written one after the other; `keep`: all are wanted."""
    e, x, a = Emit(), Parameter("x", Array("float64", (N,))), Parameter("a", Scalar("float64"))
    value = e.op("exp", x)
    values = [value]
    for place in range(writes):
        value = e.op("update_index", value, a, e.integer(place % 3), axes=(0,), accumulate=place % 2 == 0)
        values.append(value)
    return main(e, [x, a], *(values if keep else values[-1:]))


def test_writes_one_after_the_other_ask_nothing():
    """An array made here is written in place without asking who else sees it; of the argument one copy is made."""
    lowered = agree(filled(6), rng.normal(size=3), 2.0)
    assert count(lowered.program, Unique) == 0 and count(lowered.program, If) == 0


def test_written_arrays_that_are_wanted_before_are_copied():
    agree(filled(4, keep=True), rng.normal(size=3), 2.0)


def test_copies_are_procedures():
    """Any number of updates shares one copy for each type of element."""
    e, x, y = Emit(), Parameter("x", Array("float64", (N,))), Parameter("y", Array("int64", (N, N)))
    a, b = e.constant(1.5, "float64"), e.integer(7)
    xs = [e.op("update_index", x, a, e.integer(i), axes=(0,), accumulate=False) for i in range(3)]
    ys = [e.op("update_index", y, b, e.integer(i), e.integer(0), axes=(0, 1), accumulate=False) for i in range(2)]
    lowered = agree(main(e, [x, y], *xs, *ys), rng.normal(size=3), np.arange(6).reshape(3, 2))
    names = list(lowered.program.procedures)
    assert names[1:] == ["copy.float64", "copy.int64"]
