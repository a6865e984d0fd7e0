"""A recurrent network along parse trees (Tai, Socher and Manning), the loss of 100 random trees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.language_programs import Sentence, tree_lstm
from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(p, trees):  # type: ignore[no-untyped-def]
    total = 0.0
    for tree in trees:
        total += tree_lstm(p, tree)
    return total


def levels(trees: list[Sentence]) -> tuple[Array, list[tuple[Array, Array]], Array]:
    """The trees as arrays: the vectors of all leaves, the children of all nodes for each height, and the roots.

    Nodes are numbered leaves first, then by height, so that each height is one batch.
    """
    heights: dict[int, int] = {}
    rows: list[list[Sentence]] = []

    def visit(tree: Sentence) -> int:
        height = 0 if tree.left is None or tree.right is None else 1 + max(visit(tree.left), visit(tree.right))
        heights[id(tree)] = height
        while len(rows) <= height:
            rows.append([])
        rows[height].append(tree)
        return height

    for tree in trees:
        visit(tree)
    numbers = {id(node): number for number, node in enumerate(node for row in rows for node in row)}
    children = [
        (np.array([numbers[id(node.left)] for node in row]), np.array([numbers[id(node.right)] for node in row]))
        for row in rows[1:]
    ]
    return np.stack([node.vector for node in rows[0]]), children, np.array([numbers[id(tree)] for tree in trees])


def jax(p: dict[str, Array], trees: list[Sentence]) -> Thunks:
    """All nodes of one height at once: the fastest form, which must be traced again for other trees."""
    import jax
    import jax.numpy as jnp

    vectors, children, roots = levels(trees)

    def loss(p: Any, vectors: Any, children: Any, roots: Any) -> Any:
        h, c = jnp.split(jnp.tanh(vectors @ p["leaf"].T), 2, axis=1)
        for left, right in children:
            z = jnp.concatenate([h[left], h[right]], 1) @ p["gates"].T + p["bias"]
            i, fl, fr, o, u = jnp.split(z, 5, axis=1)
            new = jax.nn.sigmoid(i) * jnp.tanh(u) + jax.nn.sigmoid(fl) * c[left] + jax.nn.sigmoid(fr) * c[right]
            h, c = jnp.concatenate([h, jax.nn.sigmoid(o) * jnp.tanh(new)]), jnp.concatenate([c, new])
        return jnp.sum(jax.nn.softplus(-(h[roots] @ p["out"])))

    return _jax.thunks(loss, (p, vectors, children, roots), (0,))


def eager(p: dict[str, Array], trees: list[Sentence]) -> Thunks:
    import torch

    def node(p: Any, tree: Any) -> Any:
        if tree.left is None or tree.right is None:
            return torch.tanh(p["leaf"] @ tree.vector).chunk(2)
        hl, cl = node(p, tree.left)
        hr, cr = node(p, tree.right)
        i, fl, fr, o, u = torch.addmv(p["bias"], p["gates"], torch.cat([hl, hr])).chunk(5)
        c = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(fl) * cl + torch.sigmoid(fr) * cr
        return torch.sigmoid(o) * torch.tanh(c), c

    def loss(p: Any) -> Any:
        return sum(torch.nn.functional.softplus(-torch.dot(p["out"], node(p, tree)[0])) for tree in given)

    def converted(tree: Any) -> Any:
        if tree is None:
            return None
        vector = None if tree.vector is None else torch.from_numpy(tree.vector)
        return Sentence(vector, converted(tree.left), converted(tree.right))

    given = [converted(tree) for tree in trees]
    return _torch.thunks(loss, (p,), (0,))


def compiled(p: dict[str, Array], trees: list[Sentence]) -> Thunks:
    """All nodes of one height at once."""
    import torch

    vectors, children, roots = levels(trees)

    def loss(p: Any, vectors: Any, children: Any, roots: Any) -> Any:
        h, c = torch.tanh(vectors @ p["leaf"].T).chunk(2, 1)
        for left, right in children:
            i, fl, fr, o, u = (torch.cat([h[left], h[right]], 1) @ p["gates"].T + p["bias"]).chunk(5, 1)
            new = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(fl) * c[left] + torch.sigmoid(fr) * c[right]
            h, c = torch.cat([h, torch.sigmoid(o) * torch.tanh(new)]), torch.cat([c, new])
        return torch.nn.functional.softplus(-(h[roots] @ p["out"])).sum()

    return _torch.compiled(loss, (p, vectors, children, roots), (0,))


def random_tree(generator: np.random.Generator, leaves: int, width: int) -> Sentence:
    """A tree over so many leaves, split at random places."""
    if leaves == 1:
        return Sentence(generator.normal(size=width), None, None)
    left = int(generator.integers(1, leaves))
    return Sentence(None, random_tree(generator, left, width), random_tree(generator, leaves - left, width))


def case(hidden: int) -> Case:
    """100 trees of 5 to 35 leaves, as sentences have words."""

    def inputs() -> tuple[Any, ...]:
        generator = np.random.default_rng(0)
        scale = 1.0 / math.sqrt(hidden)
        parameters = {
            "leaf": generator.normal(size=(2 * hidden, hidden)) * scale,
            "gates": generator.normal(size=(5 * hidden, 2 * hidden)) * scale,
            "bias": generator.normal(size=5 * hidden) * scale,
            "out": generator.normal(size=hidden),
        }
        return parameters, [random_tree(generator, int(generator.integers(5, 36)), hidden) for _ in range(100)]

    return Case(f"hidden {hidden}", inputs)


WORKLOAD = Workload(
    name="tree_lstm",
    title="TreeLSTM over 100 random trees",
    program=program,
    cases=(case(16), case(64)),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled},
    why_not={
        "PyTensor": "has no recursion over data; its scan would need the trees as arrays, as in JAX",
        "Numba": "has no derivatives, and no recursion through classes that contain themselves",
    },
)
