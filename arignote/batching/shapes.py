"""Is it certain that all elements give arrays of one shape?

All values that are stacked have one shape already. A result has one, too, if each of its sizes is a number, the size of
an operand, or a number given that is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from arignote.batching.masks import Mask, parts, some
from arignote.ir.graph import Apply, Constant, Function, Node
from arignote.ir.sizes import Size, sizes
from arignote.ir.types import Array, Closure, List, Scalar, Token, Tuple, Type, Union, dims_of

Known = Callable[[Size], object]
"""What a size is, the same object for the same size; None where it may differ from element to element."""


def have_one_shape(node: Apply, masks: dict[Node, Mask]) -> bool:
    """Whether all arrays that an application gives are certain to have one shape."""
    if _is_static(node.type):
        return True
    match node.op.name:
        case "call":
            return None not in _of_closure(node.inputs[0], node.inputs[1:], masks)
        case "cond":
            sides = [_of_closure(branch, (), masks) for branch in node.inputs[1:]]
            return None not in sides[0] and sides[0] == sides[1]
        case "for_loop" | "while_loop":
            return _loop_keeps_shapes(node)
    return False


def _is_static(type_: Type) -> bool:
    """Whether the type says the whole shape."""
    match type_:
        case Scalar() | Token():
            return True
        case Array():
            return min(type_.dims) >= 0
        case Tuple() | Closure():
            return all(map(_is_static, parts(type_) or ()))
        case List() | Union():
            return False
    raise AssertionError(type_)


def _of_closure(closure: Node, arguments: Sequence[Node], masks: dict[Node, Mask]) -> list[object]:
    """What is known of all sizes of what a call of this closure gives."""
    assert isinstance(closure.type, Closure)
    function = closure.type.function
    if not function.is_defined:
        return [None]
    captures: Sequence[Node | None] = [None] * closure.type.captured
    if isinstance(closure, Apply) and closure.op.name == "closure":
        captures = closure.inputs
    outer: dict[Node, Node | None] = dict(zip(function.parameters, [*captures, *arguments], strict=True))

    def known(size: Size) -> object:
        if isinstance(size, int):
            return size
        if isinstance(size, tuple):
            given = outer.get(size[0])
            return None if given is None else sizes(given)[size[1]]
        given = outer.get(size)
        return None if given is None or some(masks[given]) else given

    return list(_result_sizes(function, known))


def _result_sizes(function: Function, known: Known) -> Iterator[object]:
    stack = [function.result]
    while stack:
        node = stack.pop()
        if isinstance(node, Apply) and node.op.name in ("tuple", "closure"):
            stack.extend(reversed(node.inputs))
        elif isinstance(node.type, Array):
            yield from (known(size) for size in sizes(node))
        elif not _is_static(node.type):
            yield None


def _loop_keeps_shapes(node: Apply) -> bool:
    """Whether each array that a loop carries has the shape after an iteration that it had before."""
    closure = node.inputs[1]
    assert isinstance(closure.type, Closure)
    body = closure.type.function
    carried = body.parameters[len(body.parameters) - len(node.inputs[2:]) :]
    result = body.result
    if not (isinstance(result, Apply) and result.op.name == "tuple"):
        return False
    return all(_keeps_shape(before, after) for before, after in zip(carried, result.inputs, strict=True))


def _keeps_shape(before: Node, after: Node) -> bool:
    if isinstance(after, Constant) or _is_static(before.type):
        return True
    return isinstance(before.type, Array) and len(dims_of(after.type)) > 0 and sizes(before) == sizes(after)
