"""Elementwise expressions and reductions become few loop nests, without copies."""

import numpy as np

from tests.lower.harness import Array, Emit, Parameter, Scalar, agree, agree_natively, counts, main

N = -1
rng = np.random.default_rng(0)


def vector(name, dtype="float64", dims=(N,)):
    return Parameter(name, Array(dtype, dims))


def test_chain_is_one_kernel():
    e, x, y = Emit(), vector("x"), vector("y")
    z = e.op("exp", e.op("negative", e.op("multiply", e.op("tanh", e.op("add", x, y)), x)))
    lowered = agree(main(e, [x, y], z), rng.normal(size=5), rng.normal(size=5))
    assert counts(lowered) == (1, 1)


def test_shapes_that_differ_raise_what_numpy_raises():
    e, x, y = Emit(), vector("x"), vector("y")
    agree(main(e, [x, y], e.op("add", x, y)), rng.normal(size=5), rng.normal(size=4))


def test_reduction_fuses_with_its_operand_and_with_siblings():
    e, x, y = Emit(), vector("x"), vector("y")
    product = e.op("multiply", e.op("sin", x), y)
    total = e.op("sum", product, axes=(0,))
    largest = e.op("max", x, axes=(0,))
    lowered = agree(main(e, [x, y], total, largest, e.op("tanh", product)), rng.normal(size=5), rng.normal(size=5))
    assert counts(lowered) == (1, 3)  # the result, and the block results of two reductions


def test_softmax_stores_the_exponentials_once():
    e, x = Emit(), vector("x", dims=(N, N))
    top = e.op("expand_dims", e.op("max", x, axes=(1,)), axes=(1,))
    exponentials = e.op("exp", e.op("subtract", x, top))
    total = e.op("expand_dims", e.op("sum", exponentials, axes=(1,)), axes=(1,))
    lowered = agree(main(e, [x], e.op("divide", exponentials, total)), rng.normal(size=(3, 4)))
    assert counts(lowered)[0] == 1


def test_row_and_column_sums():
    e, x = Emit(), vector("x", dims=(N, N, 3))
    for axes in [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]:
        lowered = agree(main(e, [x], e.op("sum", e.op("exp", x), axes=axes)), rng.normal(size=(4, 5, 3)))
        in_blocks = axes in [(0,), (0, 1)]
        assert counts(lowered)[0] == (2 if in_blocks else 1)


def test_reductions():
    e, x = Emit(), vector("x", dims=(N, N))
    data = rng.normal(size=(4, 5))
    data[1, 2] = np.nan
    for name in ("sum", "prod", "max", "min"):
        for axes in [(0,), (1,), (0, 1)]:
            agree(main(e, [x], e.op(name, x, axes=axes)), data)
    for name in ("argmax", "argmin"):
        for axis in (0, 1):
            agree(main(e, [x], e.op(name, x, axis=axis)), data)
    for name in ("any", "all"):
        for axes in [(0,), (1,), (0, 1)]:
            agree(main(e, [x], e.op(name, e.op("greater", x, e.constant(0.5, "float64")), axes=axes)), data)


def test_reducing_nothing_raises():
    e, x = Emit(), vector("x", dims=(N, N))
    for name in ("max", "min"):
        agree(main(e, [x], e.op(name, x, axes=(0,))), np.zeros((0, 3)))
        agree(main(e, [x], e.op(name, x, axes=(1,))), np.zeros((0, 3)))
    agree(main(e, [x], e.op("argmax", x, axis=0)), np.zeros((0, 3)))
    agree(main(e, [x], e.op("sum", x, axes=(0,))), np.zeros((0, 3)))


def test_long_sums_in_blocks():
    e, x = Emit(), vector("x", "float32")
    data = np.full(300000, 0.1, "float32")
    lowered = agree_natively(main(e, [x], e.op("sum", x, axes=(0,)), e.op("argmax", x, axis=0)), data, tolerance=1e-5)
    assert counts(lowered) == (2, 2)  # the second kernel looks for the place of the best value in its block


def test_broadcasting():
    e, x, y, z = Emit(), vector("x", dims=(N, N)), vector("y"), vector("z", dims=(N, 1))
    total = e.op("add", e.op("multiply", x, y), z)
    lowered = agree(main(e, [x, y, z], total), rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(3, 1)))
    assert counts(lowered) == (1, 1)


def test_sizes_that_may_be_one():
    e, x, y = Emit(), vector("x", dims=(-2,)), vector("y", dims=(-2,))
    function = main(e, [x, y], e.op("add", e.op("exp", x), y))
    for m, n in [(3, 3), (1, 3), (3, 1), (1, 1), (2, 3), (0, 1), (0, 3)]:
        agree(function, rng.normal(size=m), rng.normal(size=n))


def test_scalars_and_scalar_reductions():
    e, x, a = Emit(), vector("x"), Parameter("a", Scalar("float64"))
    mean = e.op("divide", e.op("sum", x, axes=(0,)), e.cast(e.size(x, 0), "float64"))
    centred = e.op("subtract", x, mean)
    variance = e.op("sum", e.op("multiply", centred, centred), axes=(0,))
    lowered = agree(main(e, [x, a], e.op("multiply", variance, e.op("sqrt", a)), mean), rng.normal(size=6), 2.0)
    assert counts(lowered) == (2, 2)


def test_parameter_returned_is_copied():
    e, x = Emit(), vector("x")
    agree(main(e, [x], x, x), rng.normal(size=3))
    y = e.op("exp", x)
    agree(main(e, [x], y, y, e.op("reshape", y, e.size(x, 0), e.integer(1), dims=(N, 1))), rng.normal(size=3))


def test_deep_expression_is_cut():
    e, x = Emit(), vector("x")
    y = x
    for _ in range(3000):
        y = e.op("sin", y)
    agree(main(e, [x], y), rng.normal(size=3))


def test_sharing_does_not_explode():
    e, x = Emit(), vector("x")
    y = x
    for _ in range(60):
        y = e.op("multiply", e.op("add", y, e.constant(0.5, "float64")), y)
        y = e.op("subtract", y, e.op("sum", y, axes=(0,)))
    lowered = agree(main(e, [x], y), rng.normal(size=3) * 0.1)
    assert counts(lowered)[0] < 200


def test_views_cost_nothing():
    e, x = Emit(), vector("x", dims=(N, N))
    t = e.op("transpose", x, permutation=(1, 0))
    s = e.op("slice", t, e.integer(1), e.integer(2), e.integer(1), axes=(0,), dims=(2, N))
    r = e.op("reshape", x, e.op("multiply", e.size(x, 0), e.size(x, 1)), dims=(-2,))
    total = e.op("add", e.op("sum", e.op("multiply", s, s), axes=(0, 1)), e.op("sum", r, axes=(0,)))
    lowered = agree(main(e, [x], total), rng.normal(size=(3, 4)))
    assert counts(lowered) == (2, 1)


def turned_twice(e, x):
    """The columns of x, one after the other: in one dimension, and in rows of one."""
    t = e.op("transpose", x, permutation=(1, 0))
    count = e.op("multiply", e.size(x, 0), e.size(x, 1))
    return e.op("reshape", t, count, dims=(-2,)), e.op("reshape", t, count, e.integer(1), dims=(-2, 1))


def test_what_is_reshaped_to_several_shapes_is_copied_once():
    e, x = Emit(), vector("x", dims=(N, N))
    flat, rows = turned_twice(e, x)
    total = e.op("add", e.op("sum", e.op("sin", flat), axes=(0,)), e.op("sum", e.op("cos", rows), axes=(0, 1)))
    for shape in ((3, 4), (0, 2), (7, 5)):
        lowered = agree(main(e, [x], total), rng.normal(size=shape))
    assert counts(lowered)[1] == 3  # the copy, and the block results of two sums


def test_results_that_share_a_copy_are_two_arrays():
    e, x = Emit(), vector("x", dims=(N, N))
    flat, rows = turned_twice(e, x)
    written = e.op("update_index", flat, e.constant(7.0, "float64"), e.integer(0), axes=(0,), accumulate=False)
    lowered = agree(main(e, [x], flat, rows, written), rng.normal(size=(3, 4)))
    assert counts(lowered)[1] == 2  # one copy, and what is written to; results are made their own afterwards
    agree_natively(main(e, [x], flat, rows, written), rng.normal(size=(300, 40)))


def test_views_of_what_is_not_in_memory():
    e, x = Emit(), vector("x", dims=(N, N))
    y = e.op("add", x, e.constant(1, "float64"))
    t = e.op("transpose", y, permutation=(1, 0))
    s = e.op("slice", t, e.integer(2), e.integer(2), e.integer(-1), axes=(0,), dims=(2, N))
    lowered = agree(main(e, [x], s), rng.normal(size=(3, 4)))
    assert counts(lowered) == (1, 1)


def test_concatenate_writes_parts_into_place():
    e, x, y = Emit(), vector("x", dims=(N, N)), vector("y", dims=(N, N))
    joined = e.op("concatenate", e.op("exp", x), y, axis=1)
    lowered = agree(main(e, [x, y], joined), rng.normal(size=(2, 3)), rng.normal(size=(2, 2)))
    assert counts(lowered) == (2, 1)
    agree(main(e, [x, y], joined), rng.normal(size=(2, 3)), rng.normal(size=(3, 2)))


def test_reshape_checks():
    e, x, n = Emit(), vector("x", dims=(N, N)), Parameter("n", Scalar("int64"))
    function = main(e, [x, n], e.op("reshape", e.op("exp", x), n, e.integer(2), dims=(-2, 2)))
    agree(function, rng.normal(size=(2, 3)), 3)
    agree(function, rng.normal(size=(2, 3)), 4)


def test_sum_to():
    e, x = Emit(), vector("x", dims=(N, N, N))
    shapes = [
        ((N, N), (3, 4)),
        ((1, N), (1, 4)),
        ((N, 1), (3, 1)),
        ((1, 1), (1, 1)),
        ((N,), (4,)),
        ((-2, -2), (1, 4)),
        ((-2,), (1,)),
        ((-2, -2), (3, 4)),
    ]
    for dims, shape in shapes:
        like = vector("like", dims=dims)
        agree(main(e, [x, like], e.op("sum_to", x, like)), rng.normal(size=(2, 3, 4)), np.zeros(shape))
    scalar = Parameter("like", Scalar("float64"))
    agree(main(e, [x, scalar], e.op("sum_to", x, scalar)), rng.normal(size=(2, 3, 4)), 0.0)


def test_squeeze_and_broadcast_to():
    e, x = Emit(), vector("x", dims=(-2, N))
    agree(main(e, [x], e.op("squeeze", x, axes=(0,))), rng.normal(size=(1, 4)))
    agree(main(e, [x], e.op("squeeze", x, axes=(0,))), rng.normal(size=(2, 4)))
    n = Parameter("n", Scalar("int64"))
    wide = main(e, [x, n], e.op("broadcast_to", x, n, e.size(x, 1), dims=(-2, N)))
    for rows, wanted in [(1, 3), (3, 3), (2, 3)]:
        agree(wide, rng.normal(size=(rows, 4)), wanted)


def test_matmul():
    e, a, b = Emit(), vector("a", dims=(N, N)), vector("b", dims=(N, N))
    product = e.op("matmul", a, e.op("transpose", b, permutation=(1, 0)))
    lowered = agree(main(e, [a, b], e.op("tanh", product)), rng.normal(size=(2, 3)), rng.normal(size=(4, 3)))
    assert counts(lowered) == (1, 1)
    agree(main(e, [a, b], e.op("matmul", a, b)), rng.normal(size=(2, 3)), rng.normal(size=(4, 3)))
    c, d = vector("c", "int64", (N, N, N)), vector("d", "int64", (1, N, N))
    agree(main(e, [c, d], e.op("matmul", c, d)), np.arange(12).reshape(2, 2, 3), np.arange(12).reshape(1, 3, 4))


def test_sizes_that_overflow():
    import pytest

    from arignote.lower.lower import lower
    from tests.lower.harness import run, run_native

    e, n = Emit(), Parameter("n", Scalar("int64"))
    one = e.constant(1.0, "float64")
    for count in (1, 2, 4):
        function = main(e, [n], e.op("broadcast_to", one, *[n] * count, dims=(-2,) * count))
        lowered = lower(function)
        for runner in (run, run_native):
            with pytest.raises(MemoryError):
                runner(lowered, function, {1: 2**62, 2: 2**32, 4: 2**16}[count])
    x = vector("x")
    function = main(e, [x, n], e.op("exp", e.op("reshape", x, n, n, dims=(-2, -2))))
    with pytest.raises(ValueError):
        run(lower(function), function, np.zeros(0), 2**32)


def test_dying_temporaries_are_overwritten():
    e, a, b, c = Emit(), vector("a", dims=(N, N)), vector("b", dims=(N, N)), vector("c")
    h = e.op("tanh", e.op("add", e.op("matmul", a, b), c))
    lowered = agree(main(e, [a, b, c], h), rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), rng.normal(size=5))
    assert counts(lowered) == (1, 1)
    product = e.op("matmul", a, b)
    lowered = agree(main(e, [a, b], e.op("exp", product), product), rng.normal(size=(3, 4)), rng.normal(size=(4, 5)))
    assert counts(lowered) == (1, 2)
    turned = e.op("add", product, e.op("transpose", product, permutation=(1, 0)))
    lowered = agree(main(e, [a, b], turned), rng.normal(size=(3, 4)), rng.normal(size=(4, 3)))
    assert counts(lowered) == (2, 2)  # one kernel is in tiles, for large sizes


def test_reductions_beside_axes_of_size_one():
    e, data = Emit(), rng.normal(size=(1, 5))
    x = vector("x", dims=(1, N))
    for name in ("sum", "max"):
        for axes in [(0,), (1,), (0, 1)]:
            agree(main(e, [x], e.op(name, e.op("exp", x), axes=axes)), data)
    for axis in (0, 1):
        agree(main(e, [x], e.op("argmin", x, axis=axis)), data)
    y = vector("y", dims=(N, 1, 1))
    for axes in [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)]:
        agree(main(e, [y], e.op("sum", y, axes=axes)), rng.normal(size=(5, 1, 1)))
