"""A training step of a perceptron with two hidden layers, 784-512-512-10: the loss and its gradient."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
SIZES = (784, 512, 512, 10)


def program(layers: list[tuple[Array, Array]], x: Array, labels: Array) -> Any:
    for weights, bias in layers[:-1]:
        x = np.tanh(x @ weights + bias)
    weights, bias = layers[-1]
    logits = x @ weights + bias
    logits = logits - np.max(logits, axis=1, keepdims=True)
    normaliser = np.log(np.sum(np.exp(logits), axis=1))
    return np.mean(normaliser - logits[np.arange(len(labels)), labels])


def jax(layers: Any, x: Array, labels: Array) -> Thunks:
    import jax.numpy as jnp
    from jax.nn import log_softmax

    def loss(layers: Any, x: Any, labels: Any) -> Any:
        for weights, bias in layers[:-1]:
            x = jnp.tanh(x @ weights + bias)
        weights, bias = layers[-1]
        return -jnp.mean(jnp.take_along_axis(log_softmax(x @ weights + bias), labels[:, None], axis=1))

    return _jax.thunks(loss, (layers, x, labels), (0,))


def _torch_loss(layers: Any, x: Any, labels: Any) -> Any:
    import torch

    for weights, bias in layers[:-1]:
        x = torch.tanh(torch.addmm(bias, x, weights))
    weights, bias = layers[-1]
    return torch.nn.functional.cross_entropy(torch.addmm(bias, x, weights), labels)


def eager(layers: Any, x: Array, labels: Array) -> Thunks:
    return _torch.thunks(_torch_loss, (layers, x, labels), (0,))


def compiled(layers: Any, x: Array, labels: Array) -> Thunks:
    return _torch.compiled(_torch_loss, (layers, x, labels), (0,))


def pytensor(layers: Any, x: Array, labels: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    parameters = [variable for _ in layers for variable in (pt.fmatrix(), pt.fvector())]
    inputs, chosen = pt.fmatrix("x"), pt.lvector("labels")
    hidden = inputs
    for weights, bias in zip(parameters[:-2:2], parameters[1:-2:2]):
        hidden = pt.tanh(hidden @ weights + bias)
    log_probabilities = pt.special.log_softmax(hidden @ parameters[-2] + parameters[-1], axis=1)
    loss = -pt.mean(log_probabilities[pt.arange(chosen.shape[0]), chosen])
    arguments = [*parameters, inputs, chosen]
    value = pytensor.function(arguments, loss)
    both = pytensor.function(arguments, [loss, *pytensor.grad(loss, parameters)])
    given = [*(array for layer in layers for array in layer), x, labels]
    return {"value": lambda: value(*given), "gradient": lambda: both(*given)}


def numba(layers: Any, x: Array, labels: Array) -> Thunks:
    import numba

    @numba.njit
    def loss(w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any, x: Any, labels: Any) -> Any:
        x = np.tanh(x @ w1 + b1)
        logits = np.tanh(x @ w2 + b2) @ w3 + b3
        total = 0.0
        for i in range(len(labels)):
            largest = np.max(logits[i])
            total += np.log(np.sum(np.exp(logits[i] - largest))) + largest - logits[i, labels[i]]
        return total / len(labels)

    given = [*(array for layer in layers for array in layer), x, labels]
    return {"value": lambda: loss(*given)}


def case(batch: int) -> Case:
    """A case of one batch size."""

    def inputs() -> tuple[Any, ...]:
        random = np.random.default_rng(0)
        layers = [(random.normal(0, rows**-0.5, (rows, columns)).astype(np.float32), np.zeros(columns, np.float32))
                  for rows, columns in zip(SIZES, SIZES[1:])]  # fmt: skip
        return layers, random.normal(size=(batch, SIZES[0])).astype(np.float32), random.integers(0, SIZES[-1], batch)

    products = [2.0 * batch * rows * columns for rows, columns in zip(SIZES, SIZES[1:])]
    limits = {"value": Limit(flops=sum(products), dtype="float32"),
              "gradient": Limit(flops=3 * sum(products) - products[0], dtype="float32")}  # fmt: skip
    return Case(f"batch {batch}", inputs, limits)


WORKLOAD = Workload(
    name="mlp_step",
    title="MLP training step, 784-512-512-10, float32",
    program=program,
    cases=(case(32), case(256)),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    rtol=1e-4,
    memory=True,
)
