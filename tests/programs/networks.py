"""Networks: recurrent, attention, convolution, generative, and how they are trained."""

import math
from dataclasses import dataclass

import numpy as np

import arignote as ag
from tests.programs.whole_program import whole_program


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Lstm:
    """Weights of one layer."""

    inputs: np.ndarray
    state: np.ndarray
    bias: np.ndarray

    def step(self, x, h, c):
        z = x @ self.inputs + h @ self.state + self.bias
        n = h.shape[-1]
        c = sigmoid(z[:, :n]) * np.tanh(z[:, n : 2 * n]) + sigmoid(z[:, 2 * n : 3 * n]) * c
        return sigmoid(z[:, 3 * n :]) * np.tanh(c), c


def random_lstm(generator, width, hidden):
    shapes = ((width, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,))
    return Lstm(*(generator.normal(size=shape) * 0.5 for shape in shapes))


@whole_program(
    lambda g: (random_lstm(g, 3, 4), g.normal(size=(int(g.integers(1, 12)), 5, 3)), g.integers(1, 8, size=5)),
    wrt=(0, 1),
    rtol=1e-10,
)
def lstm_with_lengths(layer, x, lengths):
    """A batch of sequences of different lengths: what is past a sequence's end leaves its state alone."""
    steps, batch, _ = x.shape
    h = np.zeros((batch, layer.state.shape[0]))
    c = np.zeros_like(h)
    for t in range(steps):
        new_h, new_c = layer.step(x[t], h, c)
        alive = (t < lengths)[:, None]
        h = np.where(alive, new_h, h)
        c = np.where(alive, new_c, c)
    return np.sum(h**2)


def attention(q, k, v, mask):
    scores = q @ k.T / math.sqrt(q.shape[1])
    return softmax(np.where(mask, scores, -1e30)) @ v


def layer_norm(x, gain, bias):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return gain * centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) + bias


def transformer_parameters(generator, width, heads):
    def draw(*shape):
        return generator.normal(size=shape) / math.sqrt(shape[0])

    return {
        "heads": [(draw(width, 4), draw(width, 4), draw(width, 4)) for _ in range(heads)],
        "out": draw(4 * heads, width),
        "norms": [(np.ones(width), np.zeros(width)) for _ in range(2)],
        "mlp": (draw(width, 16), np.zeros(16), draw(16, width), np.zeros(width)),
    }


@whole_program(
    lambda g: (transformer_parameters(g, 6, 2), g.normal(size=(int(g.integers(2, 9)), 6))),
    wrt=(0, 1),
    mapped=(1,),
    rtol=1e-9,
)
def transformer_block(p, x):
    """Causal self-attention and a perceptron, each after a normalisation and around a shortcut."""
    n = x.shape[0]
    mask = np.arange(n)[:, None] >= np.arange(n)[None, :]
    y = layer_norm(x, *p["norms"][0])
    heads = [attention(y @ wq, y @ wk, y @ wv, mask) for wq, wk, wv in p["heads"]]
    x = x + np.concatenate(heads, axis=1) @ p["out"]
    y = layer_norm(x, *p["norms"][1])
    w1, b1, w2, b2 = p["mlp"]
    z = y @ w1 + b1
    x = x + (z * sigmoid(1.702 * z)) @ w2 + b2
    return np.mean(x**2)


@whole_program(
    lambda g: (
        [
            (g.normal(size=(5, 8)), g.normal(size=8)),
            (g.normal(size=(8, 4)), g.normal(size=4)),
            (g.normal(size=(2, 5)), g.normal(size=5)),
        ],
        g.normal(size=(6, 5)),
        g.normal(size=(6, 2)),
    ),
    wrt=(0, 1),
    mapped=(2,),
    rtol=1e-10,
)
def variational_autoencoder(layers, x, noise):
    """One draw through the reparameterised bottleneck: reconstruction and divergence."""
    (w1, b1), (w2, b2), (w3, b3) = layers
    h = np.tanh(x @ w1 + b1) @ w2 + b2
    mean, log_variance = h[:, :2], h[:, 2:]
    z = mean + np.exp(0.5 * log_variance) * noise
    reconstruction = z @ w3 + b3
    divergence = -0.5 * np.sum(1.0 + log_variance - mean**2 - np.exp(log_variance))
    return np.sum((reconstruction - x) ** 2) + divergence


def convolve(image, filters):
    """Valid correlation of (height, width) with (count, rows, columns)."""
    count, rows, columns = filters.shape
    out = np.zeros((count, image.shape[0] - rows + 1, image.shape[1] - columns + 1))
    for i in range(rows):
        for j in range(columns):
            patch = image[i : i + out.shape[1], j : j + out.shape[2]]
            out += filters[:, i, j][:, None, None] * patch
    return out


@whole_program(
    lambda g: (g.normal(size=(2, 3, 3)), g.normal(size=(2 * 9, 3)), g.normal(size=(8, 8))),
    wrt=(0, 1, 2),
    mapped=(2,),
    rtol=1e-10,
)
def convolutional_network(filters, weights, image):
    """Convolution, a smooth rectifier, mean pooling, a linear layer, cross entropy."""
    y = convolve(image, filters)
    y = np.log1p(np.exp(y))
    c, h, w = y.shape
    pooled = y.reshape(c, h // 2, 2, w // 2, 2).mean(axis=(2, 4))
    logits = pooled.reshape(-1) @ weights
    return np.log(np.sum(np.exp(logits - np.max(logits)))) + np.max(logits) - logits[1]


@whole_program(lambda g: (g.normal(size=(5, 5)), g.normal(size=(5, 5)), int(g.integers(1, 7)), 3))
def beam_search(first, second, length, width):
    """The best sequences under a model of pairs and one of places, kept in arrays."""
    vocabulary = first.shape[0]
    logs = np.log(softmax(first))
    bonus = np.log(softmax(second))
    scores = np.full(width, -1e30)
    scores[0] = 0.0
    sequences = np.zeros((width, length), dtype=np.int64)
    last = np.zeros(width, dtype=np.int64)
    for t in range(length):
        candidates = (scores[:, None] + logs[last] + bonus[t % vocabulary][None, :]).reshape(-1)
        order = np.argsort(-candidates, kind="stable")[:width]
        parents, tokens = order // vocabulary, order % vocabulary
        sequences = sequences[parents]
        sequences[:, t] = tokens
        scores, last = candidates[order], tokens
    return sequences, scores


@whole_program(
    lambda g: (
        {"w": g.normal(size=(3, 4)), "v": g.normal(size=4)},
        g.normal(size=(2, 6, 3)),
        g.normal(size=(2, 6)),
        0.05,
    ),
    wrt=(0, 3),
    rtol=1e-9,
)
def model_agnostic_meta_learning(p, x, y, rate):
    """Adapt to each task by a gradient step, and differentiate what comes after it."""

    def loss(p, x, y):
        return np.mean((np.tanh(x @ p["w"]) @ p["v"] - y) ** 2)

    total = 0.0
    for task in range(x.shape[0]):
        g = ag.grad(loss)(p, x[task, :3], y[task, :3])
        adapted = {name: p[name] - rate * g[name] for name in p}
        total += loss(adapted, x[task, 3:], y[task, 3:])
    return total


@whole_program(
    lambda g: (g.normal(size=(4, 6)), g.normal(size=(6, 6)), g.integers(0, 4, size=int(g.integers(2, 15)))),
    wrt=(0, 1),
    rtol=1e-10,
)
def character_model(embedding, recurrent, text):
    """A recurrent network that predicts the next symbol; the embedding is tied to the output."""
    h = np.zeros(recurrent.shape[0])
    total = 0.0
    for t in range(text.shape[0] - 1):
        h = np.tanh(recurrent @ h + embedding[text[t]])
        logits = embedding @ h
        top = np.max(logits)
        total += np.log(np.sum(np.exp(logits - top))) + top - logits[text[t + 1]]
    return total / (text.shape[0] - 1)


@whole_program(
    lambda g: ([g.normal(size=(3, 5)), g.normal(size=(5, 1))], g.normal(size=(20, 3)), g.normal(size=(20, 1)), 15),
    rtol=1e-8,
)
def adam(weights, x, y, steps):
    """A training loop with the state of the optimiser in lists."""

    def loss(weights):
        h = x
        for w in weights[:-1]:
            h = np.tanh(h @ w)
        return np.mean((h @ weights[-1] - y) ** 2)

    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    history = np.zeros(steps)
    for t in range(steps):
        value, gradient = ag.value_and_grad(loss)(weights)
        history[t] = value
        first = [0.9 * m + 0.1 * g for m, g in zip(first, gradient)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradient)]
        a, b = 1.0 - 0.9 ** (t + 1), 1.0 - 0.999 ** (t + 1)
        weights = [w - 0.05 * (m / a) / (np.sqrt(v / b) + 1e-8) for w, m, v in zip(weights, first, second)]
    return history, weights
