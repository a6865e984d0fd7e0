"""What matrix products give is kept for their derivative, and not computed again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import arignote as ag


@dataclass
class Tree:
    x: np.ndarray
    left: Tree | None
    right: Tree | None


def encode(w, tree):
    if tree.left is None or tree.right is None:
        return np.tanh(w @ tree.x)
    return np.sin(encode(w, tree.left)) * encode(w, tree.right)


def function_of(text, name):
    start = text.index(f"@{name}(")
    return text[start : text.index("\n  return ", start)]


def test_leaves_of_a_tree():
    generator = np.random.default_rng(0)
    leaves = [Tree(generator.normal(size=4), None, None) for _ in range(3)]
    tree, w = Tree(leaves[0].x, leaves[0], Tree(leaves[1].x, leaves[1], leaves[2])), generator.normal(size=(4, 4))
    gradient = ag.grad(lambda w, tree: np.sum(encode(w, tree)))
    text = ag.inspect(gradient)(w, tree).ir["prune again"]
    assert "matmul" in function_of(text, "then_forward") and "matmul" not in function_of(text, "then_backward")
    ag.check_grads(lambda w: np.sum(encode(w, tree)), (w,))


def test_what_a_loop_shares_is_not_kept_in_each_iteration():
    """The product is the same in all iterations: the backward loop has it once."""

    def total(a, b, n):
        c = 0.0
        for i in range(n):
            c = c + np.sum(np.sin(a @ b) * i) * c
        return c

    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(3, 3)), generator.normal(size=(3, 3))
    text = ag.inspect(ag.grad(total, argnums=(0, 1)))(a, b, 4).stages[-1][1]
    assert "list f64[n,n]" not in text
    ag.check_grads(lambda a, b: total(a, b, 3), (a, b))
