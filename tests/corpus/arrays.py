"""Whole arrays: elementwise chains, broadcasting, reductions, shapes, linear algebra, dtypes."""

import numpy as another_name
import numpy as np
from numpy import exp, newaxis

from tests.corpus.program import call, program


def numbers(*shape, seed=0, dtype=np.float64, low=-2.0):
    """Reproducible numbers between low and 2."""
    return np.random.default_rng(seed).uniform(low, 2.0, size=shape).astype(dtype)


@program(
    lambda: call(numbers(10)), edges=[lambda: call(np.zeros(0))], differentiable=(0,), ulps=16, tags="twice shapes"
)
def sum_of_sines(x):
    return np.sum(np.sin(x) * x)


@program(lambda: call(numbers(3, 4), numbers(3, 4, seed=1)), differentiable=(0, 1), ulps=8, tags="shapes")
def elementwise_chain(x, y):
    return np.tanh(x * y) * np.exp(-x)


@program(
    lambda: call(numbers(3, 1), numbers(4)),
    lambda: call(numbers(2, 3, 4), numbers(3, 1)),
    lambda: call(numbers(3), 2.0),
    edges=[
        lambda: call(numbers(3), numbers(4)),
        lambda: call(numbers(0, 3), numbers(1, 3)),
        lambda: call(numbers(), 1.0),
    ],
    differentiable=(0, 1),
)
def broadcasting(x, y):
    return x * y + x - y


@program(
    lambda: call(numbers(3, dtype=np.float32), 2.0),
    lambda: call(np.arange(3), 2.0),
    lambda: call(np.arange(3, dtype=np.int32), 2),
    lambda: call(numbers(3, dtype=np.float32), np.float64(2.0)),
    lambda: call(np.arange(3, dtype=np.int32), numbers(3, dtype=np.float32)),
    lambda: call(np.array([True, False]), 1),
)
def promotion(x, y):
    return x + y, x * y, x / y, x - y


@program(lambda: call(numbers(4), 1.5, 0.5), differentiable=(0, 1, 2), ulps=8)
def gaussian(x, mean, deviation):
    z = (x - mean) / deviation
    return np.sum(np.exp(-0.5 * z * z) / (deviation * np.sqrt(2.0 * np.pi)))


@program(lambda: call(numbers(5, 3)), edges=[lambda: call(numbers(1, 1)), lambda: call(np.full((2, 2), 1e4))], ulps=16)
def softmax(x):
    shifted = x - np.max(x, axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / np.sum(exponentials, axis=1, keepdims=True)


@program(lambda: call(numbers(5, 3)), lambda: call(numbers(1, 7)), differentiable=(0,), ulps=32, tags="twice shapes")
def log_sum_exp(x):
    highest = np.max(x, axis=-1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(x - highest), axis=-1)) + highest[:, 0])


@program(lambda: call(numbers(4, 3), numbers(3), 0.5), differentiable=(0, 1, 2), ulps=16, tags="shapes")
def affine_layer(x, w, b):
    return x @ w + b


@program(lambda: call(numbers(5), numbers(5, seed=1)), differentiable=(0, 1), ulps=16)
def dot_product(x, y):
    return np.dot(x, y) + x.dot(y) + x @ y


@program(
    lambda: call(numbers(2, 3), numbers(3, 4)),
    lambda: call(numbers(5, 2, 3), numbers(3, 4)),
    lambda: call(numbers(5, 2, 3), numbers(5, 3, 4)),
    lambda: call(numbers(3), numbers(3, 4)),
    edges=[lambda: call(numbers(2, 0), numbers(0, 4)), lambda: call(numbers(2, 3), numbers(4, 3))],
    differentiable=(0, 1),
    ulps=16,
)
def matrix_products(x, y):
    return x @ y


@program(lambda: call(numbers(3), numbers(2, seed=4)), differentiable=(0, 1), ulps=8)
def outer_and_einsum(x, y):
    return np.outer(x, y) + np.einsum("i,j->ij", x, y)


@program(lambda: call(numbers(3, 4), numbers(4, 2, seed=1)), differentiable=(0, 1), ulps=16)
def two_layers(x, w):
    hidden = np.maximum(x @ w, 0.0)
    return np.mean(hidden * hidden) + np.sum(w**2) * 0.1


@program(lambda: call(numbers(2, 3, 4)), lambda: call(numbers(1, 3, 1)), differentiable=(0,), ulps=16, tags="shapes")
def reductions_over_axes(x):
    return np.sum(x, axis=(0, 2)) + np.mean(x, axis=1).sum() + x.sum(axis=0, keepdims=True)[0, :, 0]


@program(lambda: call(numbers(3, 4)), edges=[lambda: call(numbers(0, 4))], ulps=8)
def extremes(x):
    return np.max(x), np.min(x, axis=0), np.argmax(x), np.argmin(x, axis=1), x.max(axis=-1, keepdims=True)


@program(lambda: call(numbers(3, 4)), differentiable=(0,), ulps=4)
def gradient_of_a_maximum(x):
    return np.max(x) * np.min(x) + np.sum(np.max(x, axis=0))


@program(lambda: call(numbers(4)), lambda: call(numbers(3, 4)), differentiable=(0,), ulps=16)
def variance(x):
    return np.var(x) + np.std(x) * x.mean()


@program(lambda: call(numbers(4, low=0.5)), lambda: call(numbers(2, 3, low=0.5)), differentiable=(0,), ulps=16)
def product_and_norm(x):
    return np.prod(x) + np.linalg.norm(x)


@program(lambda: call(numbers(5)), lambda: call(numbers(1)), differentiable=(0,), ulps=16)
def cumulative(x):
    return np.cumsum(x) * x


@program(lambda: call(np.arange(-3, 3)), lambda: call(numbers(4) > 0.0), lambda: call(np.zeros(0)))
def truth_of_arrays(x):
    return np.any(x), np.all(x), np.sum(x > 0), np.count_nonzero(x)


@program(lambda: call(numbers(3, 4)), differentiable=(0,))
def where_and_clip(x):
    return np.where(x > 0.3, x * 2.0, -x) + np.clip(x, -0.7, 0.9) + np.abs(x) * np.sign(x)


@program(lambda: call(numbers(3, 4), numbers(4)), differentiable=(0, 1))
def minimum_and_maximum(x, y):
    return np.minimum(x, y) * np.maximum(x, 0.25)


@program(lambda: call(numbers(2, 3, 4)), lambda: call(numbers(1, 3, 4)), differentiable=(0,), tags="shapes")
def transposes(x):
    return x.T * 2.0 + np.transpose(x, (2, 1, 0)) + np.swapaxes(x, 0, 2) + np.moveaxis(x, 0, -1).transpose(1, 0, 2)


@program(lambda: call(numbers(2, 6)), edges=[lambda: call(numbers(2, 5))], differentiable=(0,))
def reshapes(x):
    return x.reshape(3, -1) * np.reshape(x.ravel(), (3, 4))


@program(lambda: call(numbers(3), numbers(2)), differentiable=(0, 1))
def joins(x, y):
    both = np.concatenate((x, y))
    pairs = np.stack([x, x * 2.0], axis=1)
    return np.concatenate([both, pairs.reshape(-1)])


@program(lambda: call(numbers(6)), lambda: call(numbers(6, 2)), differentiable=(0,))
def split_and_flip(x):
    first, second, third = np.split(x, 3)
    return np.flip(first, 0) * second + third


@program(lambda: call(numbers(2, 3)), differentiable=(0,))
def repeats(x):
    return np.tile(x, (2, 1)) * np.repeat(x, 2, axis=0)


@program(lambda: call(numbers(3)), differentiable=(0,))
def more_axes(x):
    return x[:, newaxis] * x[None, :] + np.expand_dims(x, 0) + np.squeeze(x[:, None, None], axis=2)


@program(lambda: call(numbers(3)), differentiable=(0,))
def broadcast_to_shape(x):
    return np.broadcast_to(x, (2, 3)) * np.ones((2, 1))


@program(lambda: call(4), lambda: call(1), edges=[lambda: call(0), lambda: call(-1)])
def creation(n):
    return np.zeros(n), np.ones((n, 2)), np.full(n, 2.5), np.arange(n), np.eye(n), np.linspace(0.0, 1.0, n)


@program(lambda: call(numbers(2, 3)), lambda: call(np.arange(3, dtype=np.int32)))
def creation_like(x):
    return np.zeros_like(x), np.ones_like(x), np.full_like(x, 7), np.asarray(x)


@program(lambda: call(1.0, 2.0), lambda: call(1, 2), lambda: call(1, 2.5), differentiable=None)
def array_of_scalars(x, y):
    return np.array([[x, y], [y, x]]), np.array([x, y], dtype=np.float32)


@program(lambda: call(numbers(3)), lambda: call(np.arange(3)), lambda: call(numbers(3) > 0))
def casts(x):
    return x.astype(np.float32), x.astype(np.int64), x.astype(bool), x.astype("int32")


@program(lambda: call(numbers(2, 3)), lambda: call(numbers()), lambda: call(numbers(0, 4)))
def attributes(x):
    return x.shape, x.ndim, x.size, len(x.shape), x.dtype == np.float64


@program(lambda: call(numbers(2, 3)), edges=[lambda: call(numbers())])
def length(x):
    return len(x)


@program(lambda: call(numbers(3)), differentiable=(0,), ulps=8)
def other_import_names(x):
    return another_name.sum(exp(x)) + np.linalg.norm(x)


@program(lambda: call(numbers(3), 2), lambda: call(numbers(3), 0), differentiable=(0,), ulps=8)
def array_carried_by_a_loop(x, n):
    for _ in range(n):
        x = np.sin(x) + x[::-1] * 0.5
    return np.sum(x)


@program(lambda: call(numbers(2, 2), 3), lambda: call(numbers(2, 2), 1), differentiable=(0,), ulps=64)
def matrix_power(x, n):
    result = np.eye(2)
    for _ in range(n):
        result = result @ x
    return np.sum(result)


@program(lambda: call(numbers(3)), lambda: call(-numbers(3)), differentiable=(0,), ulps=8)
def branch_on_an_array(x):
    if np.sum(x) > 0.0:
        return np.sum(x * x)
    return np.sum(np.exp(x))


@program(lambda: call(np.array([0.5])), edges=[lambda: call(numbers(2)), lambda: call(numbers(0))])
def truth_of_one_array(x):
    return 1 if x else 2


@program(lambda: call(numbers(3)), lambda: call(np.arange(3)))
def comparisons_of_arrays(x):
    return x < 1, x == x, (x > 0) & (x < 1), ~(x > 0), np.logical_or(x > 1, x < 0), x != 0


@program(lambda: call(np.arange(1, 7)), lambda: call(np.arange(1, 7, dtype=np.int32)))
def integer_arrays(x):
    return x // 2, x % 3, x**2, x & 3, x << 1, -x, x / 2


@program(lambda: call(numbers(4, low=0.2)), differentiable=(0,), ulps=8)
def mathematics(x):
    return np.log(x) + np.sqrt(x) + np.log1p(x) + np.expm1(-x) + np.arctan(x) + np.sinh(x) / np.cosh(x) + x**1.5


@program(lambda: call(numbers(3), numbers(3, seed=2)), differentiable=(0, 1), ulps=16, tags="twice")
def cosine_similarity(x, y):
    return np.sum(x * y) / (np.sqrt(np.sum(x * x)) * np.sqrt(np.sum(y * y)))


@program(lambda: call(numbers(4)), lambda: call(numbers(7)), differentiable=(0,), ulps=16, tags="twice")
def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


@program(lambda: call(numbers(4, 3), np.array([0, 2, 1, 1])), differentiable=(0,), ulps=16)
def cross_entropy(scores, labels):
    scores = scores - np.max(scores, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(scores), axis=1))
    return np.mean(log_total - scores[np.arange(len(labels)), labels])


@program(lambda: call(numbers(3), 2.0), lambda: call(numbers(2, 2), 3.0), differentiable=(0, 1))
def result_is_used_twice(x, a):
    y = x * a
    return y + y * y, y


@program(lambda: call(numbers(3)))
def same_array_twice(x):
    y = x + 1.0
    return y, y, x


@program(lambda: call(numbers(4)), differentiable=(0,), ulps=8)
def in_place_on_a_copy(x):
    y = x.copy()
    y += 1.0
    y *= x
    return y


@program(
    lambda: call(np.float32(1.5)), lambda: call(np.float64(1.5)), lambda: call(np.int32(3)), lambda: call(np.int64(3))
)
def numpy_scalars(x):
    return x + 1, x * 2.5, x / 2, -x
