"""Rows of a table picked by tokens: the classification of bags of words, whose gradient is added into the table."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
WORDS, CLASSES = 10_000, 10


def program(table: Array, weights: Array, tokens: Array, labels: Array) -> Any:
    bags = np.mean(table[tokens], axis=1)
    logits = bags @ weights
    logits = logits - np.max(logits, axis=1, keepdims=True)
    normal = np.log(np.sum(np.exp(logits), axis=1))
    return np.mean(normal - logits[np.arange(labels.shape[0]), labels])


def jax(table: Array, weights: Array, tokens: Array, labels: Array) -> Thunks:
    import jax
    import jax.numpy as jnp

    def loss(table: Any, weights: Any, tokens: Any, labels: Any) -> Any:
        logits = jax.nn.log_softmax(jnp.mean(table[tokens], axis=1) @ weights)
        return -jnp.mean(jnp.take_along_axis(logits, labels[:, None], axis=1))

    return _jax.thunks(loss, (table, weights, tokens, labels), (0, 1))


def with_torch(table: Any, weights: Any, tokens: Any, labels: Any) -> Any:
    """The loss in PyTorch."""
    import torch

    bags = torch.nn.functional.embedding_bag(tokens, table, mode="mean")
    return torch.nn.functional.cross_entropy(bags @ weights, labels)


def eager(table: Array, weights: Array, tokens: Array, labels: Array) -> Thunks:
    return _torch.thunks(with_torch, (table, weights, tokens, labels), (0, 1))


def compiled(table: Array, weights: Array, tokens: Array, labels: Array) -> Thunks:
    return _torch.compiled(with_torch, (table, weights, tokens, labels), (0, 1))


def pytensor(table: Array, weights: Array, tokens: Array, labels: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    rows, factors, places, wanted = pt.matrix("table"), pt.matrix("weights"), pt.lmatrix("tokens"), pt.lvector("labels")
    logits = pt.special.log_softmax(pt.mean(rows[places], axis=1) @ factors, axis=1)
    loss = -pt.mean(logits[pt.arange(wanted.shape[0]), wanted])
    inputs = [rows, factors, places, wanted]
    value = pytensor.function(inputs, loss)
    both = pytensor.function(inputs, [loss, *pytensor.grad(loss, [rows, factors])])
    given = (table, weights, tokens, labels)
    return {"value": lambda: value(*given), "gradient": lambda: both(*given)}


def numba(table: Array, weights: Array, tokens: Array, labels: Array) -> Thunks:
    import numba

    @numba.njit
    def loss(table: Array, weights: Array, tokens: Array, labels: Array) -> float:
        total = 0.0
        bag = np.empty(table.shape[1])
        for i in range(tokens.shape[0]):
            bag[:] = 0.0
            for j in range(tokens.shape[1]):
                bag += table[tokens[i, j]]
            logits = (bag / tokens.shape[1]) @ weights
            largest = np.max(logits)
            total += np.log(np.sum(np.exp(logits - largest))) + largest - logits[labels[i]]
        return total / tokens.shape[0]

    return {"value": lambda: loss(table, weights, tokens, labels)}


def case(batch: int, length: int, width: int) -> Case:
    """A batch of bags."""

    def inputs() -> tuple[Array, ...]:
        rng = np.random.default_rng(0)
        return (rng.normal(size=(WORDS, width)), rng.normal(size=(width, CLASSES)) / width**0.5,
                rng.integers(0, WORDS, (batch, length)), rng.integers(0, CLASSES, batch))

    return Case(f"{batch} bags of {length} words, width {width}", inputs)


WORKLOAD = Workload(
    name="embedding",
    title="Embedding of bags of words",
    program=program,
    cases=(case(64, 40, 64), case(256, 100, 128)),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
