"""Lists that a counted loop fills, as blocks of memory.

Where each iteration of a loop pushes one element, and the sizes of its arrays are known before the loop, no list need
grow: for each array (and number) of an element one block of all iterations is allocated before the loop, and an
iteration writes its part. What reads the list reads views of the blocks. The residuals of a loop's backward are such
lists. A list of numbers that anything else is done with after the loop is one whose buffers the blocks are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Constant, Function, Node, nodes_of
from arignote.ir.loop_sizes import checked_equal, fixed_axes
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.types import Array, List, Scalar, Tuple, Type
from arignote.lower import fusion
from arignote.lower.arrays import scalar_now, sizes_of, view
from arignote.lower.lazy import AxisMap, direct
from arignote.lower.loop_ir import Const, Operand
from arignote.lower.values import ONE, ZERO, AnyValue, ClosureValue, ListValue, StackedValue, Stored, TupleValue

if TYPE_CHECKING:
    from arignote.lower.context import Context
    from arignote.lower.frame import Frame

_READS = frozenset(("list_get", "list_length"))
_RUN_IN_PLACE = frozenset(("for_loop", "while_loop", "cond"))


def stacked_lists(frame: Frame, loop: Apply, body: ClosureValue, count: Operand) -> dict[int, StackedValue]:
    """The carried lists of a counted loop that are kept in blocks, by position, with room for all elements."""
    pushes = _pushes(loop, body.function)
    if not pushes:
        return {}
    readable = _only_read(frame.function, loop)
    outside = _Outside(frame, loop, body)
    found: dict[int, StackedValue] = {}
    for position, pushed in pushes.items():
        only_read = position in readable
        shapes = outside.shapes(pushed) if only_read or _is_of_numbers(pushed.type) else None
        if shapes is not None:
            found[position] = _allocated(frame.context, pushed.type, shapes, count)
            found[position].only_read = only_read
    return found


def _is_of_numbers(element: Type) -> bool:
    return all(isinstance(part, Scalar) for part in element_types(element))


def after_loop(value: StackedValue) -> StackedValue | ListValue:
    """The full list, for what comes after the loop."""
    if value.only_read:
        return value
    buffers = tuple([block.buffer for block in value.blocks])
    return ListValue(value.element, value.length, value.length, buffers)


def element_types(element: Type) -> tuple[Type, ...]:
    """The types of the parts of an element."""
    return element.items if isinstance(element, Tuple) else (element,)


def _pushes(loop: Apply, function: Function) -> dict[int, Node]:
    """What each iteration pushes to lists that it does not read, by the position of the list."""
    init, result = loop.inputs[2:], function.result
    if not any(isinstance(x.type, List) for x in init) or not isinstance(result, Apply) or result.op.name != "tuple":
        return {}
    uses = _uses(function)
    found: dict[int, Node] = {}
    carried = function.parameters[len(function.parameters) - len(init) :]
    for position, (before, parameter, after) in enumerate(zip(init, carried, result.inputs, strict=True)):
        is_new = isinstance(before, Apply) and before.op.name == "list_new"
        is_push = isinstance(after, Apply) and after.op.name == "list_push" and after.inputs[0] is parameter
        if is_new and is_push and len(uses[parameter]) == len(uses[after]) == 1:
            assert isinstance(after, Apply)
            found[position] = after.inputs[1]
    return found


def _uses(function: Function) -> dict[Node, list[Node]]:
    """The nodes that each node is an operand of, once for each time."""
    found: dict[Node, list[Node]] = {}
    for node in nodes_of(function):
        for operand in node.inputs if isinstance(node, Apply) else ():
            found.setdefault(operand, []).append(node)
    return found


def _only_read(function: Function, loop: Apply) -> set[int]:
    """The components of a loop's value of which only elements and the length are read, here and in loops after it."""
    uses = _uses(function)
    found = set(range(len(loop.inputs) - 2))
    for item in uses.get(loop, ()):
        if not (isinstance(item, Apply) and item.op.name == "item"):
            return set()
        if isinstance(item.type, List) and not (item is not function.result and _is_only_read(item, uses)):
            found.discard(item["index"])
    return set() if function.result is loop else found


def _is_only_read(list_: Node, uses: dict[Node, list[Node]]) -> bool:
    for user in uses.get(list_, ()):
        assert isinstance(user, Apply)
        if user.op.name == "closure":
            if not all(_runs_in_place(runner) for runner in uses.get(user, ())) or not _captures_read(user, list_):
                return False
        elif user.op.name not in _READS:
            return False
    return True


def _runs_in_place(runner: Node) -> bool:
    return isinstance(runner, Apply) and runner.op.name in _RUN_IN_PLACE


def _captures_read(closure: Apply, list_: Node) -> bool:
    """Whether the function of a closure only reads the list that it captures."""
    function: Function = closure["function"]
    inside = _uses(function)
    return all(
        parameter is not function.result
        and all(isinstance(user, Apply) and user.op.name in _READS for user in inside.get(parameter, ()))
        for operand, parameter in zip(closure.inputs, function.parameters)
        if operand is list_
    )


class _Outside:
    """Sizes of what a loop's body computes, from what is there before the loop."""

    def __init__(self, frame: Frame, loop: Apply, body: ClosureValue) -> None:
        self.context = frame.context
        function, init = body.function, loop.inputs[2:]
        self.values: dict[Node, AnyValue] = dict(zip(function.parameters, body.captures))
        carried = function.parameters[len(function.parameters) - len(init) :]
        fixed = zip(carried, init, fixed_axes(function, len(init)), strict=True)
        self.fixed: dict[tuple[Node, int], tuple[Node, int]] = {
            (p, axis): (x, axis) for p, x, axes in fixed for axis in axes
        }
        self.frame = frame
        self.equal = checked_equal(function)

    def shapes(self, pushed: Node) -> list[tuple[Operand, ...]] | None:
        """The shape of each part of an element; None where one is not known, or a part is no array and no number."""
        parts: tuple[Node, ...] = (pushed,)
        if isinstance(pushed.type, Tuple):
            if not (isinstance(pushed, Apply) and pushed.op.name == "tuple"):
                return None
            parts = pushed.inputs
        if not parts or not all(isinstance(part.type, Array | Scalar) for part in parts):
            return None
        keys = [sizes(part) for part in parts]
        if not all(self._is_known(key) for shape in keys for key in shape):
            return None
        return [tuple([self._size(key) for key in shape]) for shape in keys]

    def _is_known(self, key: Size) -> bool:
        """Whether a size follows from captured values and from what no iteration changes."""
        waiting: list[Size] = [key]
        seen: set[Size] = set()
        while waiting:
            size = waiting.pop()
            if isinstance(size, int | Constant) or size in seen:
                continue
            seen.add(size)
            if isinstance(size, tuple):
                if self._source(size) is None:
                    return False
            elif isinstance(size, Apply) and size.op.name == "size":
                waiting.append(as_size(size))
            elif isinstance(size, Apply) and size.op.elementwise and not size.can_fail:
                waiting.extend(size.inputs)
            elif size not in self.values:
                return False
        return True

    def _size(self, key: Size) -> Operand:
        if isinstance(key, int):
            return Const(key, "int64")
        if isinstance(key, tuple):
            source = self._source(key)
            assert source is not None
            return sizes_of(source[0])[source[1]]
        return self._number(key)

    def _source(self, key: tuple[Node, int]) -> tuple[AnyValue, int] | None:
        """What has a size that is certainly equal, before the loop."""
        for node, axis in (key, *self.equal.get(key, ())):
            if (node, axis) in self.fixed:
                outer, place = self.fixed[node, axis]
                return self.frame.value(outer), place
            if node in self.values:
                return self.values[node], axis
        return None

    def _number(self, node: Node) -> Operand:
        if isinstance(node, Constant):
            return Const(node.value, node.type.dtype)  # type: ignore[attr-defined]
        if node not in self.values:
            assert isinstance(node, Apply)
            if node.op.name == "size":
                self.values[node] = self._size(as_size(node))
            else:
                operands = [self._number(x) for x in node.inputs]
                self.values[node] = scalar_now(self.context, node.op.name, node.type.dtype, operands)  # type: ignore[attr-defined]
        return fusion.scalar(self.context, self.values[node])


def _allocated(context: Context, element: Type, shapes: Iterable[tuple[Operand, ...]], count: Operand) -> StackedValue:
    room = count if isinstance(count, Const) and count.value >= 0 else context.build.let("maximum", count, ZERO)
    context.now_count(room)
    blocks = tuple([context.allocate(part.dtype, (room, *shape))  # type: ignore[attr-defined]
                    for part, shape in zip(element_types(element), shapes, strict=True)])  # fmt: skip
    return StackedValue(element, room, blocks)


def at_iteration(value: StackedValue, index: Operand) -> StackedValue:
    """The list as an iteration finds it."""
    return StackedValue(value.element, index, value.blocks)


def destinations(context: Context, function: Function, carried: list[AnyValue]) -> dict[Node, Callable[[], Stored]]:
    """Where the arrays that an iteration pushes can be computed at once. What it also hands on has memory of its own,
    that the block may be given back when nobody reads it any more."""
    found: dict[Node, Callable[[], Stored]] = {}
    result = function.result
    handed_on = set(result.inputs) if isinstance(result, Apply) else set()
    for value, after in zip(carried, result.inputs if isinstance(result, Apply) else ()):
        if isinstance(value, StackedValue):
            assert isinstance(after, Apply)
            pushed = after.inputs[1]
            parts = pushed.inputs if isinstance(pushed, Apply) and isinstance(pushed.type, Tuple) else (pushed,)
            for number, part in enumerate(parts):
                if isinstance(part, Apply) and isinstance(part.type, Array) and part not in handed_on:
                    found.setdefault(part, functools.partial(_place_of_part, context, value, number))
    return found


def _place_of_part(context: Context, value: StackedValue, number: int) -> Stored:
    """Where a part of the next element goes."""
    known = value.places.get(number)
    if known is None:
        block = value.blocks[number]
        known = value.places[number] = _place(context, block, value.length)
        known.within = context.product(block.sizes)
        context.has_parts = True
    return known


def push(context: Context, value: StackedValue, pushed: AnyValue) -> StackedValue:
    """Write an element behind the others, where it is not in its place already."""
    parts = pushed.items if isinstance(pushed, TupleValue) else (pushed,)
    for number, (block, part) in enumerate(zip(value.blocks, parts, strict=True)):
        if len(block.sizes) == 1:
            context.build.store(block.pointer, value.length, fusion.scalar(context, part))
            continue
        array, place = fusion.stored(context, part), _place_of_part(context, value, number)
        if array.pointer is not place.pointer:
            fusion.store(context, array, place)
    return StackedValue(value.element, context.build.index_add(value.length, ONE), value.blocks)


def get(context: Context, value: StackedValue, position: Operand) -> AnyValue:
    """The element at a position, as views of the blocks."""
    parts: list[AnyValue] = [
        _place(context, block, position) if len(block.sizes) > 1 else context.build.load(block.pointer, position)
        for block in value.blocks
    ]  # fmt: skip
    return TupleValue(tuple(parts)) if isinstance(value.element, Tuple) else parts[0]


def _place(context: Context, block: Stored, position: Operand) -> Stored:
    """The array at a position of a block."""
    kept = block.sizes[1:]
    maps: list[AxisMap] = [(None, position, ZERO), *[direct(axis) for axis in range(len(kept))]]
    place = view(context, block, kept, tuple(maps))
    assert isinstance(place, Stored)
    return place
