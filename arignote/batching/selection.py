"""Branches on conditions that differ from element to element, where both can be computed and one chosen.

That is safe where both branches are short formulas of scalars that cannot fail. Derivatives must not see what was not
chosen: zero times the infinite derivative of a branch not taken would be NaN. So the operands of a branch pass through
a selection as well, whose other side is the same value without derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arignote.batching.masks import Mask, parts, uniform
from arignote.ir.graph import Apply, Function, Node, Parameter, function_in, nodes_of
from arignote.ir.types import TOKEN, Scalar, Tuple, Type, is_float
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


def is_formula(function: Function, longest: int = LONGEST_BRANCH, raises: bool = False) -> bool:
    """Whether a function is a formula of scalars of this length that cannot fail. With branches inside, which are
    formulas too. `raises`: it may say by itself when it raises."""
    waiting, seen, length = [function], {function}, 0
    while waiting:
        current = waiting.pop()
        may_raise = raises and current is function
        if not current.is_defined or not all(_of_scalars(p.type) or may_raise and p.type is TOKEN
                                             for p in current.parameters):  # fmt: skip
            return False
        nodes = nodes_of(current)
        length += len(nodes)
        if length > longest or not all(_in_formula(node, may_raise) for node in nodes):
            return False
        for callee in filter(None, map(function_in, nodes)):
            if callee not in seen:
                seen.add(callee)
                waiting.append(callee)
    return True


def _in_formula(node: Node, raises: bool) -> bool:
    """Whether a node may be part of a formula."""
    if not isinstance(node, Apply):
        return True
    name = node.op.name
    if name == "raise_if":
        return raises
    if name == "tuple":
        return all(_of_scalars(x.type) or raises and x.type is TOKEN for x in node.inputs)
    if name == "closure":
        return True
    return _of_scalars(node.type) and (node.op.elementwise or name in ("item", "cond", "call"))


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
