"""Sizes of what the body of a loop computes, seen from outside the loop."""

from __future__ import annotations

from collections.abc import Iterable

from arignote.ir.graph import Apply, Function, Node, nodes_of
from arignote.ir.sizes import Size, component_sizes, sizes
from arignote.ir.structure import ANY
from arignote.ir.types import TOKEN, Array, dims_of


def fixed_axes(function: Function, count: int) -> list[set[int]]:
    """For each of the last `count` parameters, which a loop carries, the axes whose size the body leaves as it is."""
    parameters = function.parameters[len(function.parameters) - count :]
    return [
        {axis for axis, size in enumerate(component_sizes(function.result, place)) if size == (parameter, axis)}
        if isinstance(parameter.type, Array) else set()
        for place, parameter in enumerate(parameters)
    ]  # fmt: skip


def checked_equal(function: Function) -> dict[Size, tuple[tuple[Node, int], ...]]:
    """Sizes that a call of the function checks to be equal, before it does anything but effects: what is pinned comes
    first in the order of evaluation."""
    result = function.result
    if not isinstance(result, Apply) or not result.inputs or result.inputs[0].type is not TOKEN:
        return {}
    after = [x for x in nodes_of(function) if isinstance(x, Apply) and x.op.name == "after"]
    classes = equal_by([pinned for node in after for pinned in node.inputs[1:]])
    return {size: tuple([x for x in joined if isinstance(x, tuple)]) for size, joined in classes.items()}


def equal_by(checked: Iterable[Node]) -> dict[Size, dict[Size, None]]:
    """Sizes that are equal if these nodes have been computed without failing."""
    classes: dict[Size, dict[Size, None]] = {}
    for node in checked:
        for equal in _compared(node):
            joined: dict[Size, None] = {}
            for size in equal:
                joined.update(classes.get(size, {size: None}))
            classes.update(dict.fromkeys(joined, joined))
    return classes


def _compared(node: Node) -> list[dict[Size, None]]:
    """Sizes that an operation compares, and that are not 1; what it gives has them too."""
    if not isinstance(node, Apply) or not (node.op.elementwise or node.op.name == "matmul"):
        return []
    shapes = [list(zip(sizes(x), dims_of(x.type))) for x in node.inputs]
    if node.op.name == "matmul":
        a, b = shapes
        return [dict.fromkeys((a[-1][0], b[-2 if len(b) > 1 else -1][0]))]
    longest = max(map(len, shapes))
    given = sizes(node)
    meetings = [[shape[-axis][0] for shape in shapes if len(shape) >= axis and shape[-axis][1] not in (1, ANY)]
                for axis in range(1, longest + 1)]  # fmt: skip
    return [dict.fromkeys((*equal, given[-axis])) for axis, equal in enumerate(meetings, 1) if equal]
