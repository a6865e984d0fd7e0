"""Indexing in all its forms."""

import numpy as np

from tests.numpy_names.table import given, over

VECTORS = ((8,), (1,), (0,))
MATRICES = ((4, 5), (2, 3), (1, 1), (0, 3))
CUBES = ((2, 3, 4), (1, 3, 2), (2, 1, 1))

over(["x[0]", "x[-1]", "x[2]", "x[-3]"], *VECTORS, (3, 2))
over(["x[1:]", "x[:-1]", "x[2:5]", "x[-3:-1]", "x[5:2]", "x[:100]", "x[-100:2]", "x[:]"], *VECTORS)
over(["x[::2]", "x[::-1]", "x[5:1:-2]", "x[-2::-3]", "x[:2:-1]", "x[1::3]", "x[::100]"], *VECTORS)
over(["x[0, 1]", "x[1][0]", "x[-1, -2]", "x[0]", "x[:, 0]", "x[..., -1]", "x[0, ...]"], *MATRICES)
over(["x[1:, :2]", "x[::-1, ::2]", "x[None, :, 1]", "x[:, None]", "x[..., None]", "x[1:2, 0]", "x[:, -1:]"], *MATRICES)
over(
    ["x[...]", "x[0, :, 1]", "x[:, ::-1, 0]", "x[0, None, ..., 1]", "x[..., 0, :]", "x[:, 1:, ::2]", "x[0][0][0]"],
    *CUBES,
)
over(["x[()]", "x[...]", "x[None]"], (), (3,))
over(["x[0, 0, 0]", "x[0, 0]", "x[..., ..., 0]"], (2, 2), (3,))
over(["x[1.0]", "x['a']"], (3,))
over(["x[[0, 2]]", "x[np.array([1, 0, -1])]", "x[[True, False, True]]", "x[[0, 5]]"], (3,), (3, 2))
over(["x[x > 0]", "x[~(x > 0)]"], (5,), (2, 3))

vector, matrix = np.arange(6.0), np.arange(12.0).reshape(3, 4)
cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
given("x[i]", "x, i", *[(vector, i) for i in (0, 3, -1, 5, -6, 6, -7)])
given(
    "x[i]", "x, i", (vector, np.int64(2)), (vector, np.int32(-1)), (vector, np.array(3)), (vector, True), (vector, 1.0)
)
given("x[i]", "x, i", (matrix, 1), (matrix, -3), (matrix, 3), (cube, 0))
given("x[i, j]", "x, i, j", (matrix, 1, 2), (matrix, -1, -4), (matrix, 0, 4), (matrix, 3, 0), (cube, 1, -1))
given(
    ["x[i:j]", "x[i:j:2]", "x[j:i:-1]"],
    "x, i, j",
    *[(vector, i, j) for i, j in ((0, 6), (1, 4), (-2, 100), (4, 1), (-100, -1), (6, 6))],
)
given(["x[::n]", "x[4:1:n]"], "x, n", *[(vector, n) for n in (2**63 - 1, -(2**63), 2**62, -(2**63) + 1)])
over([f"x[::{2**63 - 1}]", f"x[::{-(2**63)}]"], (3,))
given("x[::n]", "x, n", (vector, 1), (vector, 3), (vector, -1), (vector, -4), (vector, 100), (vector, 0))
indices = [
    np.array([0, 2, 2, -1]),
    np.array([[1, 0], [2, 2]]),
    np.array([], dtype=np.int64),
    np.array([1, 0], dtype=np.int32),
    np.array([0, 7]),
    np.array([-3, -8]),
    np.array([0.0, 1.0]),
]
given("x[i]", "x, i", *[(x, i) for x in (vector, matrix, cube) for i in indices])
given(["x[:, i]", "x[i, 1:]", "x[..., i]", "x[None, i]", "x[1, i]"], "x, i", *[(matrix, i) for i in indices[:5]])
given(
    ["x[i, j]"],
    "x, i, j",
    (matrix, np.array([0, 2]), np.array([1, -1])),
    (matrix, np.array([[0], [2]]), np.array([1, 3, 0])),
    (matrix, np.array([0, 2]), 1),
    (matrix, 1, np.array([0, 3])),
    (matrix, np.array([0, 1, 2]), np.array([0, 1])),
    (matrix, np.array([0, 3]), np.array([0, 1])),
)
given(
    ["x[i, :, j]", "x[:, i, j]", "x[i, j]", "x[i, j, ::2]", "x[i, None, j]", "x[0, i, :2]"],
    "x, i, j",
    (cube, np.array([0, 1, 0]), np.array([2, 0, 1])),
    (cube, np.array([[0], [1]]), np.array([2, 0, 1])),
    (cube, 1, np.array([2, 0])),
)
given(
    ["x[m]"],
    "x, m",
    (vector, vector > 2.0),
    (vector, vector > 100.0),
    (matrix, matrix > 5.0),
    (matrix, np.array([True, False, True])),
    (vector, np.array([True, False])),
)
given(
    "np.take(x, i)",
    "x, i",
    (vector, np.array([0, 2])),
    (matrix, np.array([5, -1])),
    (vector, 3),
    (vector, np.array([9])),
)
