"""Symbolic sizes: when are two dimensions known to be equal?

`sizes(node)` gives one key per dimension: a number, a scalar node whose value is the size, or `(node, axis)`, the size
of that axis of that node. Equal keys mean equal sizes. Keys are derived from the operation that made the node; they are
what lets the front end pin fewer checks, the optimiser drop broadcasts, and the lowering fuse.
"""

from __future__ import annotations

from typing import TypeGuard

from arignote.ir.graph import Apply, Constant, Function, Node
from arignote.ir.structure import ANY
from arignote.ir.types import Type, dims_of

Size = int | Node | tuple[Node, int]


def sizes(node: Node) -> tuple[Size, ...]:
    """One size per dimension of an array; none for a scalar."""
    try:
        return node.known_sizes
    except AttributeError:  # the slot is not filled yet
        for below in _unknown_below(node):
            below.known_sizes = _derive(below)
        return node.known_sizes


def _unknown_below(node: Node) -> list[Node]:
    """Nodes whose sizes must be known first, operands first; no recursion."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(node, False)]
    while stack:
        current, ready = stack.pop()
        if ready:
            order.append(current)
        elif current not in seen and not hasattr(current, "known_sizes"):
            seen.add(current)
            stack.append((current, True))
            if isinstance(current, Apply) and (current.op.elementwise or current.op.name in _RULES):
                stack.extend((child, False) for child in _read_by_rule(current) if dims_of(child.type))
    return order


def _read_by_rule(node: Apply) -> tuple[Node, ...]:
    """The nodes whose sizes the rule of a node asks for: of a loop or a branch, those that go in."""
    source = _path(node)[0]
    if isinstance(source, Apply) and source.op.name in _LOOPS:
        return source.inputs[2:]
    if isinstance(source, Apply) and source.op.name == "cond":
        return tuple([x for side in source.inputs[1:] if isinstance(side, Apply) for x in _parts(side.inputs)])
    return node.inputs


def _parts(nodes: tuple[Node, ...]) -> list[Node]:
    """The nodes, and in the place of a tuple its parts."""
    found: list[Node] = []
    left = list(nodes)
    while left:
        node = left.pop()
        if _is_tuple(node):
            left += node.inputs
        else:
            found.append(node)
    return found


def _is_tuple(node: Node) -> TypeGuard[Apply]:
    return isinstance(node, Apply) and node.op.name == "tuple"


def _path(node: Node) -> tuple[Node, tuple[int, ...]]:
    """What a node is a part of, of a part of, and so on; and which parts these are, the outermost first."""
    path: list[int] = []
    while isinstance(node, Apply) and node.op.name == "item":
        path.append(node["index"])
        node = node.inputs[0]
    return node, tuple(reversed(path))


def _derive(node: Node) -> tuple[Size, ...]:
    dims = dims_of(node.type)
    if not dims:
        return ()
    found: list[Size] = [(node, axis) for axis in range(len(dims))]
    if isinstance(node, Apply):
        if node.op.elementwise:
            found = _broadcast([sizes(x) for x in node.inputs], found)
        elif node.op.name in _RULES:
            found = _RULES[node.op.name](node, found)
    return tuple(dim if dim >= 0 else size for dim, size in zip(dims, found, strict=True))


def _broadcast(operands: list[tuple[Size, ...]], own: list[Size]) -> list[Size]:
    """A dimension known not to be 1 decides; if all that are not 1 agree they decide; otherwise the result's own."""
    result = list(own)
    for axis in range(1, len(own) + 1):
        here = list(dict.fromkeys(x[-axis] for x in operands if len(x) >= axis and x[-axis] != 1))
        if len(here) == 1:
            result[-axis] = here[0]
        elif here:
            certain = [s for s in here if isinstance(s, int) or (isinstance(s, tuple) and _is_not_one(*s))]
            if certain:
                result[-axis] = min(certain, key=str)
    return result


def _is_not_one(node: Node, axis: int) -> bool:
    return dims_of(node.type)[axis] != ANY


def as_size(node: Node) -> Size:
    """The key of a size given as a scalar node."""
    if isinstance(node, Constant):
        return int(node.value)
    if isinstance(node, Apply) and node.op.name == "size":
        return sizes(node.inputs[0])[node["axis"]]
    return node


def _transpose(node: Apply, own: list[Size]) -> list[Size]:
    inner = sizes(node.inputs[0])
    return [inner[axis] for axis in node["permutation"]]


def _expand_dims(node: Apply, own: list[Size]) -> list[Size]:
    inner = iter(sizes(node.inputs[0]))
    return [1 if axis in node["axes"] else next(inner) for axis in range(len(own))]


def _drop_axes(node: Apply, own: list[Size]) -> list[Size]:
    axes = node["axes"] if any(key == "axes" for key, _ in node.attributes) else (node["axis"],)
    return [size for axis, size in enumerate(sizes(node.inputs[0])) if axis not in axes]


def _as_first(node: Apply, own: list[Size]) -> list[Size]:
    return list(sizes(node.inputs[0]))


def _as_second(node: Apply, own: list[Size]) -> list[Size]:
    return list(sizes(node.inputs[1]))


def _given(node: Apply, own: list[Size]) -> list[Size]:
    return [as_size(x) for x in node.inputs[1:]]


def _slice(node: Apply, own: list[Size]) -> list[Size]:
    result = list(sizes(node.inputs[0]))
    for position, axis in enumerate(node["axes"]):
        result[axis] = as_size(node.inputs[2 + 3 * position])
    return result


def _matmul(node: Apply, own: list[Size]) -> list[Size]:
    a, b = (sizes(x) for x in node.inputs)
    return [*_broadcast([a[:-2], b[:-2]], own[:-2]), a[-2], b[-1]]


def _lu(node: Apply, own: list[Size]) -> list[Size]:
    inner = list(sizes(node.inputs[0]))
    return [*inner[:-2], own[-2], inner[-1]]


def _solution(node: Apply, own: list[Size]) -> list[Size]:
    a, b = sizes(node.inputs[0]), sizes(node.inputs[-1])
    return [*_broadcast([a[:-2], b[:-2]], own[:-2]), *b[-2:]]


def _concatenate(node: Apply, own: list[Size]) -> list[Size]:
    result = list(sizes(node.inputs[0]))
    result[node["axis"]] = own[node["axis"]]
    return result


def _gather(node: Apply, own: list[Size]) -> list[Size]:
    x, *indices = node.inputs
    axis, inner = node["axis"], sizes(x)
    picked = [sizes(i) for i in indices]
    rank = len(picked[0])
    return [*inner[:axis], *_broadcast(picked, own[axis : axis + rank]), *inner[axis + len(indices) :]]


def _item(node: Apply, own: list[Size]) -> list[Size]:
    """The index arrays that `nonzero` gives have one length."""
    source = node.inputs[0]
    if isinstance(source, Apply) and source.op.name == "nonzero" and node["index"] > 0:
        return [(Apply(node.op, node.inputs, (("index", 0),)), 0)]
    known = _part_sizes(*_path(node))
    return [mine if size is None else size for mine, size in zip(own, known, strict=True)]


def component_sizes(node: Node, index: int) -> list[Size | None]:
    """The sizes of an array in a tuple, where they are known."""
    source, path = _path(node)
    return _part_sizes(source, (*path, index))


def _part_sizes(node: Node, path: tuple[int, ...]) -> list[Size | None]:
    """The sizes of an array in a tuple, or in a tuple in it, where they are known."""
    while path and _is_tuple(node):
        node, path = node.inputs[path[0]], path[1:]
    if not path:
        return list(sizes(node))
    inner, further = _path(node)
    if further:
        return _part_sizes(inner, (*further, *path))
    if isinstance(node, Apply) and node.op.name in _LOOPS and len(path) == 1:
        return _carried(node, path[0])
    if isinstance(node, Apply) and node.op.name == "cond":
        return _chosen(node, path)
    return _unknown(node.type, path)


def _unknown(type_: Type, path: tuple[int, ...]) -> list[Size | None]:
    for index in path:
        type_ = type_.items[index]  # type: ignore[attr-defined]
    return [None] * len(dims_of(type_))


def _carried(loop: Apply, index: int) -> list[Size | None]:
    """What no iteration changes is as it was before the loop."""
    before = sizes(loop.inputs[2 + index])
    function = _defined(loop.inputs[1])
    if function is None:
        return [None] * len(before)
    parameter = function.parameters[len(function.parameters) - len(loop.inputs) + 2 + index]
    after = component_sizes(function.result, index)
    pairs = enumerate(zip(before, after, strict=True))
    return [mine if size == (parameter, axis) else None for axis, (mine, size) in pairs]


def _chosen(branch: Apply, path: tuple[int, ...]) -> list[Size | None]:
    """What both sides agree on, in terms of what they capture."""
    one, other = [_of_side(x, path) for x in branch.inputs[1:]]
    return [a if a == b else None for a, b in zip(one, other, strict=True)]


def _of_side(closure: Node, path: tuple[int, ...]) -> list[Size | None]:
    function = _defined(closure)
    if function is None:
        return _unknown(closure.type.function.result_type, path)  # type: ignore[attr-defined]
    captured: dict[Node, Node] = dict(zip(function.parameters, closure.inputs, strict=True))  # type: ignore[attr-defined]
    return [None if size is None else _outside(size, captured) for size in _part_sizes(function.result, path)]


def _defined(closure: Node) -> Function | None:
    """The function of a closure that is made right here."""
    if not (isinstance(closure, Apply) and closure.op.name == "closure"):
        return None
    function: Function = closure["function"]
    return function if function.is_defined else None


def _outside(size: Size, captured: dict[Node, Node]) -> Size | None:
    """A size in a function in terms of what the function captures."""
    if isinstance(size, int):
        return size
    if isinstance(size, tuple):
        given = _given_part(size[0], captured)
        return None if given is None else sizes(given)[size[1]]
    return as_size(captured[size]) if size in captured else None


def _given_part(node: Node, captured: dict[Node, Node]) -> Node | None:
    """What a parameter stands for, or a part of one that is a tuple."""
    parameter, path = _path(node)
    given = captured.get(parameter)
    for index in path:
        if given is None or not _is_tuple(given):
            return None
        given = given.inputs[index]
    return given


_LOOPS = frozenset(("for_loop", "while_loop"))
_RULES = {
    "transpose": _transpose, "expand_dims": _expand_dims, "squeeze": _drop_axes, "index": _drop_axes,
    "sum": _drop_axes, "prod": _drop_axes, "max": _drop_axes, "min": _drop_axes, "any": _drop_axes, "all": _drop_axes,
    "argmax": _drop_axes, "argmin": _drop_axes, "cumsum": _as_first, "recurrence": _as_second, "slice": _slice,
    "broadcast_to": _given, "reshape": _given, "iota": lambda node, own: [as_size(node.inputs[0])],
    "random_words": lambda node, own: [*sizes(node.inputs[0])[:-1], as_size(node.inputs[2])],
    "update_slice": _as_first, "update_index": _as_first, "scatter": _as_first, "sum_to": _as_second,
    "matmul": _matmul, "concatenate": _concatenate, "stop_gradient": _as_first,
    "lu": _lu, "lu_solve": _solution, "triangular_solve": _solution, "cholesky": _as_first,
    "cholesky_adjoint": _solution, "log_abs_det": lambda node, own: [*sizes(node.inputs[0])[:-2], 1],
    "gather": _gather, "sort": _as_first, "argsort": _as_first, "item": _item,
    "cond": lambda node, own: [a if b is None else b for a, b in zip(own, _chosen(node, ()), strict=True)],
}  # fmt: skip
