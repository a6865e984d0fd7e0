"""PyTorch as its users call it, eager and through torch.compile."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Thunks


def tensors(tree: Any) -> Any:
    """Arrays and NumPy scalars of nested tuples, lists and dicts as tensors that share their memory."""
    import torch

    if isinstance(tree, np.ndarray):
        return torch.from_numpy(tree)
    if isinstance(tree, dict):
        return {name: tensors(value) for name, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(tensors(value) for value in tree)
    return tree


def thunks(program: Callable[..., Any], inputs: tuple[Any, ...], argnums: tuple[int, ...] = ()) -> Thunks:
    """The program as it stands, and its value with the gradient of its scalar result; no `.grad` is cleared."""
    import torch

    there = tuple(tensors(value) for value in inputs)
    for at in argnums:
        there = (*there[:at], torch.utils._pytree.tree_map(differentiable, there[at]), *there[at + 1 :])

    wrt, shape = torch.utils._pytree.tree_flatten([there[at] for at in argnums])

    def value() -> Any:
        with torch.no_grad():
            return program(*there)

    def both() -> Any:
        result = program(*there)
        found = torch.autograd.grad(result, wrt)
        return result.detach(), torch.utils._pytree.tree_unflatten(found, shape)

    return {"value": value, "gradient": both} if argnums else {"value": value}


def compiled(program: Callable[..., Any], inputs: tuple[Any, ...], argnums: tuple[int, ...] = ()) -> Thunks:
    """The same through torch.compile in its default mode."""
    import torch

    torch._dynamo.reset()
    return thunks(torch.compile(program), inputs, argnums)


def differentiable(leaf: Any) -> Any:
    """A leaf tensor whose gradient is asked for."""
    import torch

    is_parameter = isinstance(leaf, torch.Tensor) and leaf.is_floating_point()
    return leaf.detach().clone().requires_grad_() if is_parameter else leaf
