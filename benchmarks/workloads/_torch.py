"""PyTorch as its users call it, eager and through torch.compile."""

from collections.abc import Callable
from typing import Any

import numpy as np


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


def leaves(tree: Any) -> list[Any]:
    """The floating-point tensors of nested tuples, lists and dicts."""
    import torch

    return [leaf for leaf in torch.utils._pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]


def thunks(program: Callable[..., Any], inputs: tuple[Any, ...], argnums: tuple[int, ...] = ()) -> dict[str, Callable[[], Any]]:
    """The program as it stands, and its value with the gradient of its scalar result; no clearing of `.grad` is timed."""
    import torch

    there = tuple(tensors(value) for value in inputs)
    for at in argnums:
        there = (*there[:at], torch.utils._pytree.tree_map(differentiable, there[at]), *there[at + 1 :])

    def value() -> Any:
        with torch.no_grad():
            return program(*there)

    def both() -> Any:
        result = program(*there)
        return result.detach(), torch.autograd.grad(result, [leaf for at in argnums for leaf in leaves(there[at])])

    return {"value": value, "gradient": both} if argnums else {"value": value}


def compiled(program: Callable[..., Any], inputs: tuple[Any, ...], argnums: tuple[int, ...] = ()) -> dict[str, Callable[[], Any]]:
    """The same through torch.compile in its default mode."""
    import torch

    torch._dynamo.reset()
    return thunks(torch.compile(program), inputs, argnums)


def differentiable(leaf: Any) -> Any:
    """A leaf tensor whose gradient is asked for."""
    import torch

    return leaf.detach().clone().requires_grad_() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf
