"""Reading parts of arrays: integers, slices, Ellipsis, newaxis, integer arrays, masks."""

import numpy as np

from tests.corpus.arrays import numbers
from tests.corpus.program import call, program


@program(
    lambda: call(numbers(4), 2),
    lambda: call(numbers(4), -1),
    edges=[lambda: call(numbers(4), 4), lambda: call(numbers(4), -5)],
    differentiable=(0,),
)
def item(x, i):
    return x[i]


@program(
    lambda: call(numbers(3, 4), 1, 2),
    lambda: call(numbers(3, 4), -1, -4),
    edges=[lambda: call(numbers(3, 4), 0, 4)],
    differentiable=(0,),
)
def item_of_a_matrix(x, i, j):
    return x[i, j] * x[i][j]


@program(lambda: call(numbers(3, 4), 1), edges=[lambda: call(numbers(3, 4), 3)], differentiable=(0,))
def row_and_column(x, i):
    return x[i] * x[:, i].sum()


@program(
    lambda: call(numbers(8)),
    lambda: call(numbers(9)),
    edges=[lambda: call(numbers(0)), lambda: call(numbers(1))],
    differentiable=(0,),
    ulps=4,
    tags="shapes",
)
def slices(x):
    return x[1:].sum() + x[:-1].sum() + x[::2].sum() * x[::-1][:3].sum() + x[-3:].sum() + x[5:2:-1].sum()


@program(
    lambda: call(numbers(8), 1, 6),
    lambda: call(numbers(8), -3, 100),
    lambda: call(numbers(8), 5, 2),
    differentiable=(0,),
)
def slice_with_bounds(x, start, stop):
    return x[start:stop]


@program(
    lambda: call(numbers(8), 2), lambda: call(numbers(8), -3), edges=[lambda: call(numbers(8), 0)], differentiable=(0,)
)
def slice_with_step(x, step):
    return x[::step]


@program(lambda: call(numbers(2, 3, 4)), differentiable=(0,))
def ellipsis_and_newaxis(x):
    return x[..., 0] * x[0, ..., 1][np.newaxis, :] + x[:, -1, None, 2]


@program(lambda: call(numbers(4, 5)), differentiable=(0,))
def block(x):
    return x[1:3, ::-2] * 2.0


@program(
    lambda: call(numbers(5), np.array([0, 3, 3, -1])),
    lambda: call(numbers(5), np.array([[1, 2], [0, 0]])),
    edges=[lambda: call(numbers(5), np.array([5])), lambda: call(numbers(5), np.zeros(0, int))],
    differentiable=(0,),
)
def gather(x, indices):
    return x[indices]


@program(lambda: call(numbers(4, 5), np.array([0, 3, 3]), np.array([1, 1, -1])), differentiable=(0,))
def gather_pairs(x, i, j):
    return x[i, j]


@program(lambda: call(numbers(4, 5), np.array([[0], [3]]), np.array([1, 4])), differentiable=(0,))
def gather_broadcast(x, i, j):
    return x[i, j]


@program(lambda: call(numbers(4, 5), np.array([0, 3, 3])), differentiable=(0,))
def gather_with_slices(x, i):
    return x[i, 1:], x[:, i], x[i]


@program(lambda: call(numbers(3, 4, 5), np.array([0, 2]), np.array([1, 4])))
def gather_around_a_slice(x, i, j):
    return x[i, :, j], x[:, i, j], x[0, i, :2]


@program(lambda: call(numbers(6), numbers(6) > 0.0), lambda: call(numbers(6), np.zeros(6, bool)), tags="may_be_refused")
def mask(x, chosen):
    return x[chosen]


@program(lambda: call(numbers(6)), differentiable=(0,), ulps=8, tags="may_be_refused")
def sum_of_a_mask(x):
    return x[x > 0.0].sum()


@program(lambda: call(numbers(5)), differentiable=(0,))
def indexing_in_a_loop(x):
    total = 0.0
    for i in range(len(x)):
        total = total + x[i] * x[len(x) - 1 - i]
    return total


@program(lambda: call(numbers(3, 4)), differentiable=(0,))
def two_indices_in_loops(x):
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if i != j:
                total = total + x[i, j] ** 2
    return total


@program(lambda: call(np.arange(6), 2), lambda: call(np.array([True, False, True]), 1))
def item_of_other_dtypes(x, i):
    return x[i], x[i : i + 1]


@program(lambda: call(numbers(4)), lambda: call(numbers(4, 2)))
def index_types(x):
    return x[np.int64(1)], x[np.array(2)], x[True and 1], x[-1:]


@program(lambda: call(numbers(3), 5), edges=[lambda: call(numbers(3), 2)], tags="sum_from_zero")
def error_only_when_reached(x, i):
    if i > 3:
        return 0.0
    return x[i]


@program(lambda: call(numbers(3)), edges=[lambda: call(numbers(2))])
def unused_index_still_checked(x):
    x[2]
    return 1.0


@program(lambda: call(numbers(4, 3), np.array([1, 0, 2, 2])), differentiable=(0,))
def take_along_rows(x, labels):
    total = 0.0
    for i, label in enumerate(labels):
        total = total + x[i, label]
    return total
