"""Programs whose sizes repeat ask the system for memory at their first calls only."""

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import native


def perceptron(weights, x):
    for w in weights:
        x = np.tanh(x @ w)
    return np.sum(x * x)


def lstm(w, xs):
    h, c, total = np.zeros((4, 8)), np.zeros((4, 8)), 0.0
    for t in range(xs.shape[0]):
        gates = np.concatenate((xs[t], h), axis=1) @ w
        i, f, o, g = gates[:, :8], gates[:, 8:16], gates[:, 16:24], gates[:, 24:]
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        total = total + np.sum(h * h)
    return total


def attention(w, x):
    q, k, v = x @ w[0], x @ w[1], x @ w[2]
    scores = q @ k.T / np.sqrt(8.0)
    weights = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return np.sum((weights / np.sum(weights, axis=1, keepdims=True) @ v) ** 2)


def logsumexp(x):
    top = np.max(x, axis=(0, 2), keepdims=True)
    return np.sum(np.log(np.sum(np.exp(x - top), axis=(0, 2))) + top[0, :, 0])


def appending(x):
    values = []
    for i in range(x.shape[0]):
        values.append(x[i] * x[i])
    return np.sum(np.array(values))


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("program, args", [
    (perceptron, ([normal(64, 64), normal(64, 10)], normal(32, 64))),
    (lstm, (normal(24, 32), normal(12, 4, 16))),
    (attention, (normal(3, 16, 8), normal(200, 16))),
    (logsumexp, (normal(30, 70, 30),)),
    (appending, (normal(3000),)),
])  # fmt: skip
def test_nothing_is_asked_from_the_system(program, args):
    both = ag.jit(ag.value_and_grad(program))
    for _ in range(4):
        both(*args)
    before, alive = native.system_blocks(), native.live_buffers()
    for _ in range(10):
        both(*args)
    assert native.system_blocks() == before
    assert native.live_buffers() == alive
