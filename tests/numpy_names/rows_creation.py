"""Making arrays."""

import numpy as np

from tests.numpy_names.table import given, over, unary

for name in ("zeros", "ones"):
    given(
        [f"np.{name}(n)", f"np.{name}((n, 2))", f"np.{name}((n,), dtype=np.int32)", f"np.{name}([2, n], bool)"],
        "n",
        (0,),
        (1,),
        (3,),
        (np.int64(2),),
        (-1,),
    )
    unary(
        f"np.{name}_like(x)",
        f"np.{name}_like(x, dtype=np.float32)",
        f"np.{name}(x.shape)",
        f"np.{name}(x.shape, x.dtype)",
    )
given(
    ["np.full(n, v)", "np.full((2, n), v)", "np.full((n,), v, dtype=np.float32)"], "n, v", (3, 1), (0, 2.5), (2, True)
)
given(["np.full((), v)", "np.zeros(()) + v"], "v", (1,), (2.5,), (np.float32(1.5),))
unary("np.full_like(x, 2)", "np.full_like(x, 1.5)", "np.full_like(x, 1.5, dtype=np.float64)")
given("np.arange(n)", "n", (0,), (1,), (5,), (-2,), (3.5,), (np.int32(4),), (True,))
given("np.arange(a, b)", "a, b", (0, 5), (2, 2), (5, 1), (0.5, 3.0), (1, 4.5), (-2, 2))
given(
    "np.arange(a, b, c)", "a, b, c", (0, 5, 2), (5, 0, -2), (0.0, 1.0, 0.25), (0, 1, 0.3), (0, 5, -1), (0, 5, 0), ulps=1
)
given(["np.arange(n, dtype=np.float32)", "np.arange(n, dtype=np.int32)"], "n", (0,), (4,), (2.5,))
given(
    ["np.linspace(a, b, n)", "np.linspace(a, b, num=n)"],
    "a, b, n",
    (0.0, 1.0, 5),
    (0, 1, 1),
    (2, -3, 4),
    (0, 1, 0),
    (0, 1, -1),
)
given(["np.linspace(a, b)", "np.linspace(a, b, 7, endpoint=False)"], "a, b", (0.0, 1.0), (-1, 2), (3.0, 3.0))
given(
    ["np.eye(n)", "np.eye(n, 3)", "np.eye(n, k=1)", "np.eye(n, dtype=np.int32)", "np.identity(n)"],
    "n",
    (0,),
    (1,),
    (3,),
)
given("np.eye(n, 4, k)", "n, k", (3, -1), (3, 2), (2, 9), (0, 0))
given(
    ["np.array([x, y])", "np.array((x, y))", "np.asarray([x, y])"], "x, y", (1, 2), (1, 2.5), (True, False), (True, 2)
)
given(
    ["np.array([x, y])"],
    "x, y",
    (np.float32(1), 2),
    (np.float32(1), np.int32(2)),
    (np.int32(1), 2),
    (np.float32(1), 2.5),
)
given(
    ["np.array([[x, y], [y, x]])", "np.array([[x], [y]], dtype=np.float32)", "np.array([(x, 1), (y, 2)])"],
    "x, y",
    (1, 2),
    (1.5, 2),
)
given(["np.array([x, x])", "np.array([x, x + 1])"], "x", (np.arange(3),), (np.ones((2, 2)),), (np.float64(2),))
given(
    ["np.array(x)", "np.asarray(x)", "np.array(x, dtype=np.float32)"],
    "x",
    (1,),
    (2.5,),
    (True,),
    ([1, 2.5],),
    ((1, 2),),
)
given("np.array([])", "", ())
given("np.array([[x, y], [x]])", "x, y", (1, 2))
over(["np.asarray(x, dtype=np.float64)", "np.asarray(x, np.int32)", "np.array(x, dtype=bool)"], (3,), (2, 0))
unary("np.float32(x)", "np.float64(x)", "np.int64(x)", "np.int32(x)", "np.bool_(x)", shapes=((), (2,)))
given(["np.pi * x", "np.e + x", "np.inf - x", "np.nan * x"], "x", (1.5,), (np.float32(2),), (np.arange(3),))
