"""The language model of Zaremba, Sutskever and Vinyals: two layers of LSTM, a softmax over the words at each step."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax

Array = np.ndarray[Any, Any]
BATCH, VOCABULARY = 20, 10_000


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def lstm(layer: dict[str, Array], x: Array, hidden: Array, cell: Array) -> tuple[Array, Array]:
    size = hidden.shape[1]
    gates = x @ layer["input"] + hidden @ layer["recurrent"] + layer["bias"]
    enter, forget = sigmoid(gates[:, :size]), sigmoid(gates[:, size : 2 * size])
    candidate, leave = np.tanh(gates[:, 2 * size : 3 * size]), sigmoid(gates[:, 3 * size :])
    cell = forget * cell + enter * candidate
    return leave * np.tanh(cell), cell


def program(parameters: dict[str, Any], tokens: Array, targets: Array) -> Any:
    steps, batch = tokens.shape
    size = parameters["embedding"].shape[1]
    hidden0 = hidden1 = cell0 = cell1 = np.zeros((batch, size), dtype=np.float32)
    outputs = []
    for t in range(steps):
        x = parameters["embedding"][tokens[t]]
        hidden0, cell0 = lstm(parameters["first"], x, hidden0, cell0)
        hidden1, cell1 = lstm(parameters["second"], hidden0, hidden1, cell1)
        outputs.append(hidden1)
    logits = np.stack(outputs).reshape(steps * batch, size) @ parameters["projection"] + parameters["offset"]
    largest = np.max(logits, axis=1, keepdims=True)
    normaliser = np.log(np.sum(np.exp(logits - largest), axis=1)) + largest[:, 0]
    chosen = logits[np.arange(steps * batch), targets.reshape(-1)]
    return np.sum(normaliser - chosen) / batch


def inputs(size: int, steps: int) -> tuple[Any, ...]:
    """Weights uniform in [-0.05, 0.05], as in the article, and random words."""
    rng = np.random.default_rng(0)
    weights = lambda *shape: rng.uniform(-0.05, 0.05, shape).astype(np.float32)  # noqa: E731
    layer = lambda: {"input": weights(size, 4 * size), "recurrent": weights(size, 4 * size), "bias": weights(4 * size)}  # noqa: E731
    parameters = {
        "embedding": weights(VOCABULARY, size), "first": layer(), "second": layer(),
        "projection": weights(size, VOCABULARY), "offset": weights(VOCABULARY),
    }
    return parameters, rng.integers(0, VOCABULARY, (steps, BATCH)), rng.integers(0, VOCABULARY, (steps, BATCH))


def jax(parameters: dict[str, Any], tokens: Array, targets: Array) -> Thunks:
    """A scan for each layer, the products with its inputs before it."""
    import jax
    import jax.numpy as jnp

    def layer(weights: dict[str, Any], xs: Any) -> Any:
        def step(carry: Any, projected: Any) -> Any:
            hidden, cell = carry
            enter, forget, candidate, leave = jnp.split(projected + hidden @ weights["recurrent"], 4, axis=1)
            cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * jnp.tanh(candidate)
            hidden = jax.nn.sigmoid(leave) * jnp.tanh(cell)
            return (hidden, cell), hidden

        zero = jnp.zeros((xs.shape[1], weights["recurrent"].shape[0]), xs.dtype)
        return jax.lax.scan(step, (zero, zero), xs @ weights["input"] + weights["bias"])[1]

    def loss(weights: dict[str, Any], words: Any, answers: Any) -> Any:
        outputs = layer(weights["second"], layer(weights["first"], weights["embedding"][words]))
        logits = jax.nn.log_softmax(outputs @ weights["projection"] + weights["offset"])
        return -jnp.sum(jnp.take_along_axis(logits, answers[..., None], axis=2)) / words.shape[1]

    return _jax.thunks(loss, (parameters, tokens, targets), (0,))


def _torch_thunks(change: Callable[[Any], Any], parameters: dict[str, Any], tokens: Array, targets: Array) -> Thunks:
    """PyTorch's own LSTM, weights in its own layout; gradients are given back as views in the layout of the program."""
    import torch
    from torch.nn import functional

    leaf = lambda array: torch.from_numpy(np.ascontiguousarray(array)).requires_grad_()  # noqa: E731
    layers = [(leaf(part["input"].T), leaf(part["recurrent"].T), leaf(part["bias"]))
              for part in (parameters["first"], parameters["second"])]
    embedding, offset = leaf(parameters["embedding"]), leaf(parameters["offset"])
    projection = leaf(parameters["projection"].T)
    size, batch = embedding.shape[1], tokens.shape[1]
    other_bias, start = torch.zeros(4 * size), torch.zeros(2, batch, size)
    flat = [tensor for first, second, bias in layers for tensor in (first, second, bias, other_bias)]

    def loss(words: Any, answers: Any) -> Any:
        xs = functional.embedding(words, embedding)
        outputs = torch.lstm(xs, (start, start), flat, True, 2, 0.0, True, False, False)[0]
        logits = functional.linear(outputs, projection, offset).reshape(-1, VOCABULARY)
        return functional.cross_entropy(logits, answers.reshape(-1), reduction="sum") / batch

    words, answers, run = torch.from_numpy(tokens), torch.from_numpy(targets), change(loss)

    def value() -> Any:
        with torch.no_grad():
            return run(words, answers)

    def both() -> Any:
        result = run(words, answers)
        found = torch.autograd.grad(result, [embedding, *layers[0], offset, projection, *layers[1]])
        first, second = ([bias, into.t(), recurrent.t()] for into, recurrent, bias in (found[1:4], found[6:9]))
        return result.detach(), [found[0], first, found[4], found[5].t(), second]

    return {"value": value, "gradient": both}


def eager(*given: Any) -> Thunks:
    return _torch_thunks(lambda loss: loss, *given)


def compiled(*given: Any) -> Thunks:
    import torch

    torch._dynamo.reset()
    return _torch_thunks(torch.compile, *given)


def pytensor(parameters: dict[str, Any], tokens: Array, targets: Array) -> Thunks:
    """A scan for each layer, the products with its inputs before it."""
    import pytensor
    import pytensor.tensor as pt

    given = [parameters["embedding"], *(parameters[part][name] for part in ("first", "second") for name in
             ("bias", "input", "recurrent")), parameters["offset"], parameters["projection"]]
    shared = [pytensor.shared(array) for array in given]
    words, answers = pt.lmatrix("words"), pt.lmatrix("answers")
    size = shared[0].shape[1]

    def layer(xs: Any, bias: Any, into: Any, recurrent: Any) -> Any:
        def step(projected: Any, hidden: Any, cell: Any, weights: Any) -> Any:
            gates = projected + hidden @ weights
            enter, forget = pt.sigmoid(gates[:, :size]), pt.sigmoid(gates[:, size : 2 * size])
            cell = forget * cell + enter * pt.tanh(gates[:, 2 * size : 3 * size])
            return pt.sigmoid(gates[:, 3 * size :]) * pt.tanh(cell), cell

        zero = pt.zeros((words.shape[1], size), dtype="float32")
        rows = xs.reshape((-1, size)) @ into + bias
        projected = rows.reshape((words.shape[0], words.shape[1], 4 * size))
        return pytensor.scan(step, sequences=[projected], outputs_info=[zero, zero], non_sequences=[recurrent],
                             return_updates=False)[0]

    outputs = layer(layer(shared[0][words], *shared[1:4]), *shared[4:7]).reshape((-1, size))
    logits = pt.special.log_softmax(outputs @ shared[8] + shared[7], axis=1)
    batch = pt.cast(words.shape[1], "float32")
    loss = -pt.sum(logits[pt.arange(logits.shape[0]), answers.reshape((-1,))]) / batch
    gradient = pytensor.grad(loss, shared)
    value, both = pytensor.function([words, answers], loss), pytensor.function([words, answers], [loss, *gradient])

    def ordered() -> Any:
        loss, *found = both(tokens, targets)
        return loss, [found[0], found[1:4], found[7], found[8], found[4:7]]

    return {"value": lambda: value(tokens, targets), "gradient": ordered}


def numba(parameters: dict[str, Any], tokens: Array, targets: Array) -> Thunks:
    """The value alone: Numba has no derivatives."""
    import numba

    @numba.njit(fastmath=True)
    def layer(xs: Array, into: Array, recurrent: Array, bias: Array, outputs: Array) -> None:
        steps, batch, size = xs.shape
        projected = (xs.reshape(steps * batch, size) @ into).reshape(steps, batch, 4 * size)
        hidden, cell = np.zeros((batch, size), np.float32), np.zeros((batch, size), np.float32)
        one = np.float32(1.0)
        for t in range(steps):
            gates = hidden @ recurrent + projected[t] + bias
            for b in range(batch):
                for j in range(size):
                    enter = one / (one + np.exp(-gates[b, j]))
                    forget = one / (one + np.exp(-gates[b, size + j]))
                    leave = one / (one + np.exp(-gates[b, 3 * size + j]))
                    cell[b, j] = forget * cell[b, j] + enter * np.tanh(gates[b, 2 * size + j])
                    hidden[b, j] = leave * np.tanh(cell[b, j])
            outputs[t] = hidden

    @numba.njit(fastmath=True)
    def cross_entropy(logits: Array, offset: Array, answers: Array) -> float:
        total = 0.0
        for n in range(logits.shape[0]):
            row = logits[n]
            largest = row[0] + offset[0]
            for v in range(row.size):
                row[v] += offset[v]
                largest = max(largest, row[v])
            normaliser = np.float32(0.0)
            for v in range(row.size):
                normaliser += np.exp(row[v] - largest)
            total += np.log(normaliser) + largest - row[answers[n]]
        return total

    layers = [[parameters[part][name] for name in ("input", "recurrent", "bias")] for part in ("first", "second")]

    def value() -> float:
        xs = parameters["embedding"][tokens]
        middle, outputs = np.empty_like(xs), np.empty_like(xs)
        layer(xs, *layers[0], middle)
        layer(middle, *layers[1], outputs)
        logits = outputs.reshape(-1, xs.shape[2]) @ parameters["projection"]
        return cross_entropy(logits, parameters["offset"], targets.reshape(-1)) / tokens.shape[1]

    return {"value": value}


def workload(name: str, size: int, steps: int, with_compile: bool) -> Workload:
    """The model of one size. Its products: two layers of [size, 8 size] and the vocabulary; three times as much with
    the gradient."""
    flops = 2.0 * steps * BATCH * (16 * size * size + size * VOCABULARY)
    limits = {"value": Limit(flops=flops, dtype="float32"), "gradient": Limit(flops=3 * flops, dtype="float32")}
    peers = {"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": numba}
    if with_compile:
        peers["PyTorch compile"] = compiled
    return Workload(
        name=name,
        title=f"LSTM language model, hidden {size}, {steps} steps",
        program=program,
        cases=(Case(f"{size}x{steps}", lambda: inputs(size, steps), limits),),
        gradient=(0,),
        peers=peers,
        why_not={} if with_compile else {"PyTorch compile": "it unrolls the steps: minutes to compile"},
        rtol=2e-4,
        memory=True,
    )
