"""Trees of floats, taken apart and put together again: what the finite differences need."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def leaves(tree: Any) -> list[Any]:
    """The numbers and arrays of a tree, in order."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [leaf for f in dataclasses.fields(tree) for leaf in leaves(getattr(tree, f.name))]
    if isinstance(tree, dict):
        return [leaf for item in tree.values() for leaf in leaves(item)]
    if isinstance(tree, tuple | list):
        return [leaf for item in tree for leaf in leaves(item)]
    return [] if tree is None else [tree]


def rebuild(tree: Any, new: Iterator[Any]) -> Any:
    """The tree with other leaves."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {f.name: rebuild(getattr(tree, f.name), new) for f in dataclasses.fields(tree)}
        return dataclasses.replace(tree, **fields)
    if isinstance(tree, dict):
        return {key: rebuild(item, new) for key, item in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(item, new) for item in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(rebuild(item, new) for item in tree)
    return None if tree is None else next(new)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with a function applied to every leaf."""
    return rebuild(tree, iter([function(leaf) for leaf in leaves(tree)]))


def is_float(leaf: Any) -> bool:
    """Whether a leaf is a float64 number or array, which alone can be differentiated here."""
    return isinstance(leaf, float) or (isinstance(leaf, np.ndarray) and leaf.dtype == np.float64)


def project(result: Any, weights: Any) -> Any:
    """The weighted sum of all entries of a result: a scalar whose derivative shows that of every entry."""
    if isinstance(result, (tuple, list)):
        total = 0.0
        for item, weight in zip(result, weights):
            total = total + project(item, weight)
        return total
    return np.sum(result * weights)


def is_tree(value: Any) -> bool:
    """Whether a value may be recursive data, of a shape that compiled code does not know."""
    return value is None or dataclasses.is_dataclass(value) and not isinstance(value, type)


def inner_product(tree: Any, other: Any) -> float:
    """The sum of the products of all entries of two trees of equal structure."""
    return float(sum(np.sum(a * b) for a, b in zip(leaves(tree), leaves(other))))


def random_like(tree: Any, seed: int) -> Any:
    """A tree of the same structure with random float64 leaves."""
    generator = np.random.default_rng(seed)

    def draw(leaf: Any) -> Any:
        return generator.normal(size=np.shape(leaf)) if np.ndim(leaf) else float(generator.normal())

    return map_leaves(draw, tree)


def numerical_gradient(function: Callable[[Any], Any], tree: Any) -> list[Any]:
    """Central differences of a scalar function with respect to every entry of every leaf."""
    originals = leaves(tree)
    gradients = []
    for position, leaf in enumerate(originals):
        entries = np.array(leaf, dtype=np.float64)
        gradient = np.zeros_like(entries)
        for index in np.ndindex(entries.shape):
            step = 6e-6 * max(1.0, abs(float(entries[index])))
            values = []
            for sign in (1.0, -1.0):
                moved = entries.copy()
                moved[index] += sign * step
                new = list(originals)
                new[position] = moved if isinstance(leaf, np.ndarray) else float(moved)
                values.append(float(function(rebuild(tree, iter(new)))))
            gradient[index] = (values[0] - values[1]) / (2.0 * step)
        gradients.append(gradient)
    return gradients


def gradient_differences(expected: list[Any], gradient: Any, tree: Any, name: str = "gradient") -> list[str]:
    """What is wrong with a gradient: its structure, the shape and dtype of a leaf, or its values."""
    found = leaves(gradient)
    if type(gradient) is not type(tree) and not (is_float(tree) and is_float(gradient)):
        return [f"{name}: a {type(gradient).__name__} for an argument that is a {type(tree).__name__}"]
    if len(found) != len(expected):
        return [f"{name}: {len(found)} leaves for an argument with {len(expected)}"]
    lines = []
    for position, (numeric, exact, original) in enumerate(zip(expected, found, leaves(tree))):
        if not is_float(exact) or np.shape(exact) != np.shape(original):
            lines.append(f"{name}, leaf {position}: {exact!r} for the argument {original!r}")
            continue
        tolerance = 1e-6 * (1.0 + float(np.max(np.abs(numeric), initial=0.0)))
        if not np.all(np.abs(numeric - exact) <= tolerance):
            lines.append(f"{name}, leaf {position}: finite differences {numeric!r}\n    compiled {exact!r}")
    return lines
