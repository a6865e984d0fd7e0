"""Cross-entropy of integer labels under the softmax of each row."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(logits: Array, labels: Array) -> Any:
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(log_probabilities[np.arange(len(labels)), labels])


def jax(logits: Array, labels: Array) -> Thunks:
    import jax
    from jax import numpy as jnp

    def loss(logits: Any, labels: Any) -> Any:
        log_probabilities = jax.nn.log_softmax(logits, axis=1)
        return -jnp.mean(jnp.take_along_axis(log_probabilities, labels[:, None], axis=1))

    return _jax.thunks(loss, (logits, labels), (0,))


def eager(logits: Array, labels: Array) -> Thunks:
    from torch.nn import functional

    return _torch.thunks(functional.cross_entropy, (logits, labels), (0,))


def compiled(logits: Array, labels: Array) -> Thunks:
    from torch.nn import functional

    return _torch.compiled(lambda x, at: functional.cross_entropy(x, at), (logits, labels), (0,))


def pytensor(logits: Array, labels: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    x, at = pt.matrix("logits", dtype=logits.dtype), pt.vector("labels", dtype=labels.dtype)
    loss = -pt.mean(pt.special.log_softmax(x, axis=1)[pt.arange(at.shape[0]), at])
    value, both = pytensor.function([x, at], loss), pytensor.function([x, at], [loss, pytensor.grad(loss, x)])
    return {"value": lambda: value(logits, labels), "gradient": lambda: both(logits, labels)}


def numba(logits: Array, labels: Array) -> Thunks:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loss(logits: Array, labels: Array) -> float:
        total = 0.0
        for i in numba.prange(len(labels)):
            largest = np.max(logits[i])
            summed = logits.dtype.type(0)
            for j in range(logits.shape[1]):
                summed += np.exp(logits[i, j] - largest)
            total += np.log(summed) + largest - logits[i, labels[i]]
        return total / len(labels)

    return {"value": lambda: loss(logits, labels)}


def inputs(rows: int, classes: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(rows, classes)).astype("float32")
    return logits, generator.integers(0, classes, size=rows)


def case(rows: int, classes: int) -> Case:
    """The logits are read; their gradient is written."""
    read = 4.0 * rows * classes
    limits = {"value": Limit(bytes=read), "gradient": Limit(bytes=2 * read)}
    return Case(f"{rows}x{classes}", lambda: inputs(rows, classes), limits)


WORKLOAD = Workload(
    name="softmax_cross_entropy",
    title="softmax cross-entropy",
    program=program,
    cases=(case(128, 1000), case(2048, 10_000)),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    rtol=1e-5,
)
