"""Gillespie's simulation of reactions (predators and prey) from given uniform numbers, and its pathwise gradient."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _numba, _torch

Array = np.ndarray[Any, Any]
EVENTS = 5_000
CHANGE = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0], [0.0, 1.0]])


def program(rates: Array, start: Array, uniforms: Array, end: float) -> Any:
    """The mean of the first population until `end`, or until the numbers are used up."""
    state = start.copy()
    t = total = 0.0
    used = 0
    while t < end and used < len(uniforms):
        propensity = np.array([rates[0] * state[0], rates[1] * state[0] * state[1], rates[2] * state[1], rates[3]])
        sums = np.cumsum(propensity)
        step = min(-np.log(uniforms[used, 0]) / sums[-1], end - t)
        chosen = 0
        while sums[chosen] < uniforms[used, 1] * sums[-1]:
            chosen += 1
        total += state[0] * step
        t += step
        state = state + CHANGE[chosen]
        used += 1
    return total / t


def jax(rates: Array, start: Array, uniforms: Array, end: float) -> Thunks:
    """The value by while_loop; for the gradient a scan over all numbers, which does nothing after the end."""
    import jax
    import jax.numpy as jnp

    change = jnp.asarray(CHANGE)

    def event(rates: Any, now: Any, pair: Any) -> Any:
        state, t, total = now
        propensity = jnp.stack([rates[0] * state[0], rates[1] * state[0] * state[1], rates[2] * state[1], rates[3]])
        sums = jnp.cumsum(propensity)
        step = jnp.minimum(-jnp.log(pair[0]) / sums[-1], end - t)
        chosen = jnp.sum(sums < pair[1] * sums[-1])
        return state + change[chosen], t + step, total + state[0] * step

    @jax.jit
    def value(rates: Any, start: Any, uniforms: Any) -> Any:
        def more(now: Any) -> Any:
            return (now[0][1] < end) & (now[1] < len(uniforms))

        first = (start, jnp.zeros(()), jnp.zeros(())), 0
        (_, t, total), _ = jax.lax.while_loop(
            more, lambda now: (event(rates, now[0], uniforms[now[1]]), now[1] + 1), first
        )
        return total / t

    def bounded(rates: Any, start: Any, uniforms: Any) -> Any:
        def step(now: Any, pair: Any) -> Any:
            return jax.lax.cond(now[1] < end, lambda s: event(rates, s, pair), lambda s: s, now), None

        (_, t, total), _ = jax.lax.scan(step, (start, jnp.zeros(()), jnp.zeros(())), uniforms)
        return total / t

    gradient = _jax.thunks(bounded, (rates, start, uniforms), (0,))["gradient"]
    there = jax.device_put((rates, start, uniforms))
    return {"value": lambda: jax.block_until_ready(value(*there)), "gradient": gradient}


def eager(rates: Array, start: Array, uniforms: Array, end: float) -> Thunks:
    import torch

    change = torch.from_numpy(CHANGE)

    def simulation(rates: Any, start: Any, uniforms: Any) -> Any:
        state, t, total = start, torch.zeros((), dtype=start.dtype), torch.zeros((), dtype=start.dtype)
        for pair in uniforms:
            if t >= end:
                break
            propensity = torch.stack(
                [rates[0] * state[0], rates[1] * state[0] * state[1], rates[2] * state[1], rates[3]]
            )
            sums = torch.cumsum(propensity, 0)
            step = torch.minimum(-torch.log(pair[0]) / sums[-1], end - t)
            chosen = torch.searchsorted(sums, pair[1] * sums[-1])
            total = total + state[0] * step
            t = t + step
            state = state + change[chosen]
        return total / t

    return _torch.thunks(simulation, (rates, start, uniforms), (0,))


def pytensor(rates: Array, start: Array, uniforms: Array, end: float) -> Thunks:
    import pytensor
    import pytensor.tensor as pt
    from pytensor.scan.utils import until

    change = pt.constant(CHANGE)

    def event(pair: Any, state: Any, t: Any, total: Any, rates: Any) -> Any:
        propensity = pt.stack([rates[0] * state[0], rates[1] * state[0] * state[1], rates[2] * state[1], rates[3]])
        sums = pt.cumsum(propensity)
        step = pt.minimum(-pt.log(pair[0]) / sums[-1], end - t)
        chosen = pt.sum(sums < pair[1] * sums[-1])
        after = state + change[chosen], t + step, total + state[0] * step
        return after, until(after[1] >= end)

    k, first, numbers = pt.dvector("rates"), pt.dvector("start"), pt.dmatrix("uniforms")
    (_, times, totals), updates = pytensor.scan(
        event,
        sequences=[numbers],
        outputs_info=[first, pt.zeros(()), pt.zeros(())],
        non_sequences=[k],
        return_updates=True,
    )
    mean = totals[-1] / times[-1]
    value = pytensor.function([k, first, numbers], mean, updates=updates)
    both = pytensor.function([k, first, numbers], [mean, pytensor.grad(mean, k)], updates=updates)
    return {"value": lambda: value(rates, start, uniforms), "gradient": lambda: both(rates, start, uniforms)}


def inputs() -> tuple[Any, ...]:
    """Populations of some hundreds, and numbers for 5,000 events."""
    generator = np.random.default_rng(0)
    return np.array([1.0, 0.005, 0.6, 0.5]), np.array([120.0, 200.0]), generator.random((EVENTS, 2)), 9.0


WORKLOAD = Workload(
    name="gillespie",
    title="Gillespie simulation of some thousand events",
    program=program,
    cases=(Case("5000", inputs),),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": _numba.builder(program)},
    why_not={"PyTorch compile": "unrolls the 5,000 events, or breaks the graph at each", "Numba": "has no derivatives"},
)
