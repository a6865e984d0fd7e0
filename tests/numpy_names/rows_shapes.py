"""Shapes: reshaping, permuting, joining, splitting, repeating."""

import numpy as np

from tests.numpy_names.cases import SHAPES
from tests.numpy_names.table import given, over, unary

unary("x.T", "np.transpose(x)", "x.transpose()", "np.ravel(x)", "x.ravel()", "x.flatten()", "x.copy()", shapes=SHAPES)
unary("np.reshape(x, -1)", "x.reshape(-1)", "x.reshape((-1,))", "np.asarray(x)", "np.array(x)", shapes=SHAPES)
unary("np.expand_dims(x, 0)", "np.expand_dims(x, -1)", "np.squeeze(x)", "x.squeeze()", "np.flip(x)", shapes=SHAPES)
unary("x.shape", "x.ndim", "x.size", "np.shape(x)", "np.ndim(x)", "np.size(x)", shapes=SHAPES)
unary("len(x)", "np.atleast_1d(x)", shapes=SHAPES)
over(
    ["np.reshape(x, (3, 2))", "x.reshape(3, 2)", "x.reshape((3, -1))", "x.reshape(-1, 2, 1)"],
    (6,),
    (2, 3),
    (1, 6),
    (5,),
)
over(["x.reshape(2, -1)", "np.reshape(x, (-1, 0))", "x.reshape(0, 3)"], (0,), (0, 4), (2, 0, 3))
over("x.reshape(x.shape[1], x.shape[0])", (2, 3), (1, 4), (0, 2))
over("x.reshape(())", (1,), (1, 1), (2,))
over(["np.transpose(x, (1, 0))", "x.transpose(1, 0)", "x.transpose((1, 0))"], (2, 3), (1, 4), (0, 3), (3,))
over(["np.transpose(x, (2, 0, 1))", "x.transpose(0, -1, 1)"], (2, 3, 4), (1, 0, 2))
over(["np.swapaxes(x, 0, 1)", "x.swapaxes(0, -1)"], (2, 3), (2, 3, 4), (3,))
over(["np.moveaxis(x, 0, -1)", "np.moveaxis(x, -1, 0)", "np.moveaxis(x, (0, 1), (1, 2))"], (2, 3, 4), (2, 1, 3, 2))
over(["np.expand_dims(x, 1)", "np.expand_dims(x, (0, 2))", "x[None]", "x[:, np.newaxis]"], (3,), (2, 3))
over(["np.squeeze(x, 0)", "np.squeeze(x, axis=(0, 2))", "x.squeeze(axis=0)"], (1, 3, 1), (1, 0, 1), (2, 3, 1))
over(["np.broadcast_to(x, (2, 3))", "np.broadcast_to(x, (4, 2, 3))"], (3,), (1, 3), (2, 1), (), (2, 3), (4,))
over(["np.flip(x, 0)", "np.flip(x, axis=1)", "np.flip(x, (0, 1))", "x[::-1]", "np.fliplr(x)"], (2, 3), (1, 4), (3, 0))
over(["np.tile(x, 2)", "np.tile(x, (2, 1))", "np.tile(x, (2, 3))", "np.tile(x, 0)"], (3,), (2, 2), (1,), ())
over(["np.repeat(x, 2)", "np.repeat(x, 2, axis=0)", "np.repeat(x, 3, axis=-1)", "x.repeat(2)"], (3,), (2, 3), (1, 2))
over(["np.split(x, 2)", "np.split(x, 3)", "np.split(x, 2, axis=0)", "np.split(x, [1, 3])"], (6,), (6, 2), (4, 1))
over("np.split(x, 2, axis=1)", (2, 4), (0, 2), (2, 3))
over(["np.concatenate((x, x))", "np.concatenate([x, x + 1], axis=0)", "np.concatenate((x, x), axis=-1)"], *SHAPES)
over(["np.concatenate((x, x), axis=1)", "np.concatenate((x, x, x), axis=None)"], (2, 3), (1, 0))
over(["np.stack((x, x))", "np.stack([x, x * 2], axis=-1)", "np.stack((x, x), axis=1)"], (), (3,), (2, 3), (0, 2))
over(["np.hstack((x, x))", "np.vstack((x, x))"], (3,), (2, 3))

floats, integers = np.arange(6.0).reshape(2, 3), np.arange(3, dtype=np.int32)
given(
    ["np.concatenate((x, y))", "np.concatenate((x, y), axis=0)"],
    "x, y",
    (floats, floats[:1]),
    (floats[0], integers),
    (integers, integers > 1),
    (floats.astype(np.float32), floats),
    (floats[:0], floats),
    (floats, integers),
    (floats, floats[:, :2]),
)
given(
    ["np.stack((x, y))", "np.stack((x, y), axis=1)"],
    "x, y",
    (integers, integers.astype(np.float32)),
    (floats, floats),
    (floats[0], floats[0, :2]),
    (1.5, 2),
)
given("np.broadcast_to(x, (n, 3))", "x, n", (integers, 2), (integers, 0), (floats, 2), (floats, 3))
given("x.reshape(n, -1)", "x, n", (floats, 3), (floats, 1), (floats, 6), (floats, 4), (floats, -1))
