"""Of what is made of all pairs of points, loops keep the points."""

import numpy as np

import arignote as ag


def attraction(x, steps):
    for _ in range(steps):
        apart = x[None, :, :] - x[:, None, :]
        squared = np.sum(apart * apart, axis=-1) + 0.1
        x = x + 0.01 * np.sum(apart * (squared**-1.5)[:, :, None], axis=1)
    return np.sum(x * x)


def test_points_are_kept_not_pairs():
    x = np.random.default_rng(0).normal(size=(5, 3))
    text = ag.inspect(ag.grad(attraction))(x, 4).stages[-1][1]
    (forward,) = [line for line in text.splitlines() if line.startswith("@loop_forward")]
    assert "f64[n,n,n]" not in forward.split("%saved: list")[1]
    ag.check_grads(lambda x: attraction(x, 3), (x,))
