"""The log likelihood of a hidden Markov model by the forward algorithm, in logarithms."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(initial: Array, transition: Array, emission: Array, observations: Array) -> Any:
    alpha = initial + emission[:, observations[0]]
    for t in range(1, len(observations)):
        scores = alpha[:, np.newaxis] + transition
        largest = np.max(scores, axis=0)
        alpha = np.log(np.sum(np.exp(scores - largest), axis=0)) + largest + emission[:, observations[t]]
    largest = np.max(alpha)
    return np.log(np.sum(np.exp(alpha - largest))) + largest


def jax(*inputs: Any) -> Thunks:
    import jax
    from jax.scipy.special import logsumexp

    def likelihood(initial: Any, transition: Any, emission: Any, observations: Any) -> Any:
        def step(alpha: Any, column: Any) -> Any:
            return logsumexp(alpha[:, None] + transition, axis=0) + column, None

        columns = emission.T[observations]
        return logsumexp(jax.lax.scan(step, initial + columns[0], columns[1:])[0])

    return _jax.thunks(likelihood, inputs, (0, 1, 2))


def eager(*inputs: Any) -> Thunks:
    import torch

    def likelihood(initial: Any, transition: Any, emission: Any, observations: Any) -> Any:
        columns = emission.t()[observations].unbind()
        alpha = initial + columns[0]
        for column in columns[1:]:
            alpha = torch.logsumexp(alpha[:, None] + transition, dim=0) + column
        return torch.logsumexp(alpha, dim=0)

    return _torch.thunks(likelihood, inputs, (0, 1, 2))


def pytensor(*inputs: Any) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    initial, transition, emission, observations = pt.dvector(), pt.dmatrix(), pt.dmatrix(), pt.lvector()
    columns = emission.T[observations]
    alphas = pytensor.scan(
        lambda column, alpha, table: pt.logsumexp(alpha[:, None] + table, axis=0) + column,
        sequences=[columns[1:]], outputs_info=[initial + columns[0]], non_sequences=[transition], return_updates=False)
    total = pt.logsumexp(alphas[-1])
    given = [initial, transition, emission, observations]
    value = pytensor.function(given, total)
    both = pytensor.function(given, [total, *pytensor.grad(total, given[:3])])
    return {"value": lambda: value(*inputs), "gradient": lambda: both(*inputs)}


def numba(*inputs: Any) -> Thunks:
    import numba

    @numba.njit(fastmath=True)
    def likelihood(initial: Array, transition: Array, emission: Array, observations: Array) -> float:
        states = initial.size
        alpha = initial + emission[:, observations[0]]
        largest, total = np.empty(states), np.empty(states)
        for t in range(1, observations.size):
            largest[:] = -np.inf
            total[:] = 0.0
            for i in range(states):
                for j in range(states):
                    largest[j] = max(largest[j], alpha[i] + transition[i, j])
            for i in range(states):
                for j in range(states):
                    total[j] += np.exp(alpha[i] + transition[i, j] - largest[j])
            for j in range(states):
                alpha[j] = np.log(total[j]) + largest[j] + emission[j, observations[t]]
        top = np.max(alpha)
        return np.log(np.sum(np.exp(alpha - top))) + top

    return {"value": lambda: likelihood(*inputs)}


def inputs(states: int, symbols: int, steps: int) -> tuple[Any, ...]:
    """Random logarithms of probabilities and random observations."""
    rng = np.random.default_rng(0)
    rows = lambda *shape: np.log(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))  # noqa: E731
    return rows(states), rows(states, states), rows(states, symbols), rng.integers(0, symbols, steps)


WORKLOAD = Workload(
    name="hmm_forward",
    title="Hidden Markov model, forward algorithm",
    program=program,
    cases=(Case("50 states x 1000 steps", lambda: inputs(50, 30, 1000)),),
    gradient=(0, 1, 2),
    peers={"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": numba},
    why_not={"PyTorch compile": "it unrolls the 1,000 steps: minutes to compile"},
)
