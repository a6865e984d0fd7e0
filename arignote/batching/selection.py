"""Branches on conditions that differ from element to element, where both can be computed and one chosen.

That is safe where both branches are short formulas of scalars that cannot fail. Derivatives must not see what was not
chosen: zero times the infinite derivative of a branch not taken would be NaN. So the operands of a branch pass through
a selection as well, whose other side is the same value without derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arignote.batching.masks import Mask, parts, uniform
from arignote.ir.graph import Apply, Function, Node, Parameter, nodes_of
from arignote.ir.types import Scalar, Tuple, Type, is_float
from arignote.ops.batching import CannotBatch

if TYPE_CHECKING:
    from arignote.batching.transform import Batching

LONGEST_BRANCH = 40
"""Operations in a branch that is computed whether or not it is taken."""

Given = tuple[list[Node], tuple[Mask, ...]]


def select_branches(walk: Batching, node: Apply, given: Sequence[Given]) -> tuple[Node, Mask]:
    """Compute both branches, and choose."""
    from arignote.batching.transform import function_of

    functions = [function_of(branch) for branch in node.inputs[1:]]
    if not all(is_formula(function) for function in functions) or not _of_scalars(node.type):
        raise CannotBatch("which branch is taken differs from element to element")
    condition = walk.values[node.inputs[0]]
    results = []
    for taken, function, (values, masks) in zip((True, False), functions, given, strict=True):
        guarded = [_guarded(walk, condition, taken, value, parameter, mask)
                   for value, parameter, mask in zip(values, function.parameters, masks, strict=False)]  # fmt: skip
        flags = tuple([flag for _, flag in guarded])
        full = uniform(function.result_type, True)
        made = walk.batcher.batch(function, flags, walk.batch.dim, full)
        operands = made.operands(walk.batch, [value for value, _ in guarded])
        results.append(walk.emit.call(made.function, *operands))
    return _select(walk, condition, *results), uniform(node.type, True)


def is_formula(function: Function) -> bool:
    """Whether a branch is a short formula of scalars that cannot fail."""
    nodes = nodes_of(function)
    if len(nodes) > LONGEST_BRANCH or not all(_of_scalars(p.type) for p in function.parameters):
        return False
    for node in nodes:
        if not _of_scalars(node.type):
            return False
        if isinstance(node, Apply) and not node.op.elementwise and node.op.name not in ("tuple", "item"):
            return False
    return True


def _of_scalars(type_: Type) -> bool:
    if isinstance(type_, Tuple):
        return all(map(_of_scalars, parts(type_) or ()))
    return isinstance(type_, Scalar)


def _guarded(walk: Batching, condition: Node, taken: bool, value: Node, parameter: Parameter,
             mask: Mask) -> tuple[Node, Mask]:  # fmt: skip
    """An operand of a branch, whose derivative is nothing where the branch is not taken."""
    if not isinstance(parameter.type, Scalar) or not is_float(parameter.type.dtype):
        return value, mask
    constant = walk.emit.op("stop_gradient", value)
    sides = (value, constant) if taken else (constant, value)
    return walk.emit.op("select", condition, *sides), True


def _select(walk: Batching, condition: Node, yes: Node, no: Node) -> Node:
    emit = walk.emit
    if isinstance(yes.type, Tuple):
        pairs = zip(emit.items(yes), emit.items(no), strict=True)
        return emit.tuple([_select(walk, condition, a, b) for a, b in pairs])
    return emit.op("select", condition, yes, no)
