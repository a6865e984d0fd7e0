"""Symbolic sizes: when are two dimensions known to be equal?

`sizes(node)` gives one key per dimension: a number, a scalar node whose value is the size, or `(node, axis)`, the size
of that axis of that node. Equal keys mean equal sizes. Keys are derived from the operation that made the node; they are
what lets the front end pin fewer checks, the optimiser drop broadcasts, and the lowering fuse.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.structure import ANY
from arignote.ir.types import dims_of

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
                stack.extend((child, False) for child in current.inputs if dims_of(child.type))
    return order


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
    return own


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
}  # fmt: skip
