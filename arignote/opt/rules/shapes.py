"""Shapes: what is known to have no effect is removed, and chains are shortened. Sizes decide (`arignote.ir.sizes`)."""

from __future__ import annotations

from arignote.ir.graph import Apply, Node
from arignote.ir.sizes import as_size, sizes
from arignote.ir.types import Array, dims_of, fits
from arignote.ops.table import OPERATIONS
from arignote.opt.rewrite import Rewriter, Rule
from arignote.opt.rules.structure import made_by

_ELEMENTWISE = tuple(name for name, operation in OPERATIONS.items() if operation.elementwise)


def _size(rewriter: Rewriter, node: Apply) -> Node | None:
    size = sizes(node.inputs[0])[node["axis"]]
    if isinstance(size, int):
        return rewriter.integer(size)
    if isinstance(size, Node):
        return size
    source, axis = size
    return None if source is node.inputs[0] and axis == node["axis"] else rewriter.op("size", source, axis=axis)


def _to_own_sizes(rewriter: Rewriter, node: Apply) -> Node | None:
    """broadcast_to and reshape to the sizes that are there already."""
    x = node.inputs[0]
    wanted = tuple([rewriter.facts.find(as_size(s)) for s in node.inputs[1:]])
    return x if rewriter.facts.sizes(x) == wanted and fits(x.type, node.type) else None


def _broadcast_twice(rewriter: Rewriter, node: Apply) -> Node | None:
    inner, *shape = node.inputs
    if not isinstance(inner, Apply) or node.can_fail:
        return None
    leads = inner.op.name == "expand_dims" and inner["axes"] == tuple(range(len(inner["axes"])))
    if not leads and inner.op.name != "broadcast_to":
        return None
    return rewriter.op("broadcast_to", inner.inputs[0], *shape, dims=node["dims"])


def _broadcast_operand(rewriter: Rewriter, node: Apply) -> Node | None:
    """Elementwise operations broadcast by themselves, where the other operands keep the size."""
    facts = rewriter.facts
    if not isinstance(node.type, Array) or facts.may_mismatch(node):
        return None
    for position, x in enumerate(node.inputs):
        if isinstance(x, Apply) and x.op.name == "broadcast_to":
            inputs = (*node.inputs[:position], x.inputs[0], *node.inputs[position + 1 :])
            bare = Apply(node.op, inputs, node.attributes)
            if fits(bare.type, node.type) and facts.sizes(bare) == facts.sizes(node):
                return rewriter.build(node.op, inputs, node.attributes)
    return None


def _broadcast_whole(rewriter: Rewriter, node: Apply) -> Node | None:
    """f(broadcast(a), broadcast(b)) of scalars a and b is broadcast(f(a, b)): computed once."""
    shape: Apply | None = None
    inputs = []
    for x in node.inputs:
        source = made_by(x, "broadcast_to")
        if source is not None and not dims_of(source.inputs[0].type):
            shape = source if rewriter.facts.sizes(source) == rewriter.facts.sizes(node) else shape
            x = source.inputs[0]
        if dims_of(x.type):
            return None
        inputs.append(x)
    if shape is None or not isinstance(node.type, Array) or rewriter.facts.may_mismatch(node):
        return None
    value = rewriter.build(node.op, tuple(inputs), node.attributes)
    return rewriter.op("broadcast_to", value, *shape.inputs[1:], dims=node.type.dims)


def _sum_to(rewriter: Rewriter, node: Apply) -> Node | None:
    """As a plain sum, where the sizes tell which axes were broadcast."""
    x, like = node.inputs
    if rewriter.facts.sizes(x) == rewriter.facts.sizes(like) and fits(x.type, node.type):
        return x
    found = Rewriter.sum_to(rewriter, x, like)
    return None if found is node or made_by(found, "sum_to") is not None else found


def _reduction_of_one(rewriter: Rewriter, node: Apply) -> Node | None:
    """A reduction over axes of size 1, or over none."""
    x, axes = node.inputs[0], node["axes"]
    ones = tuple(axis for axis in axes if dims_of(x.type)[axis] == 1)
    if not axes:
        return x
    if not ones:
        return None
    rest = tuple(axis - sum(one < axis for one in ones) for axis in axes if axis not in ones)
    left = rewriter.op("squeeze", x, axes=ones)
    return rewriter.op(node.op.name, left, axes=rest) if rest else left


def _reduction_of_transpose(rewriter: Rewriter, node: Apply) -> Node | None:
    """The array is gone through as it lies; NumPy does the same, whatever the order of the axes."""
    inner = made_by(node.inputs[0], "transpose")
    if inner is None:
        return None
    permutation = inner["permutation"]
    kept = [permutation[axis] for axis in range(len(permutation)) if axis not in node["axes"]]
    reduced = tuple(sorted(permutation[axis] for axis in node["axes"]))
    return _in_order(rewriter, rewriter.op(node.op.name, inner.inputs[0], axes=reduced), kept)


def _position_in_transpose(rewriter: Rewriter, node: Apply) -> Node | None:
    inner = made_by(node.inputs[0], "transpose")
    if inner is None:
        return None
    permutation, axis = inner["permutation"], node["axis"]
    kept = [each for each in permutation if each != permutation[axis]]
    return _in_order(rewriter, rewriter.op(node.op.name, inner.inputs[0], axis=permutation[axis]), kept)


def _in_order(rewriter: Rewriter, found: Node, axes: list[int]) -> Node:
    """What has axes with ascending numbers, in the order in which they stand in `axes`."""
    if axes == sorted(axes):
        return found
    return rewriter.op("transpose", found, permutation=tuple(sorted(axes).index(axis) for axis in axes))


def _transpose(rewriter: Rewriter, node: Apply) -> Node | None:
    x, permutation = node.inputs[0], node["permutation"]
    if permutation == tuple(range(len(permutation))):
        return x
    inner = made_by(x, "transpose")
    if inner is None:
        return None
    composed = tuple(inner["permutation"][axis] for axis in permutation)
    return rewriter.op("transpose", inner.inputs[0], permutation=composed)


_SAME_ORDER = frozenset({"reshape", "expand_dims", "squeeze"})


def _reshape_twice(rewriter: Rewriter, node: Apply) -> Node | None:
    inner, *shape = node.inputs
    if not isinstance(inner, Apply) or inner.op.name not in _SAME_ORDER:
        return None
    source = inner.inputs[0]
    return rewriter.op("reshape", source, *shape, dims=node["dims"]) if dims_of(source.type) else None


def _no_axes(rewriter: Rewriter, node: Apply) -> Node | None:
    return None if node["axes"] else node.inputs[0]


def _squeeze_of_expand(rewriter: Rewriter, node: Apply) -> Node | None:
    """Axes of size 1 put in and taken out again: both lists lose what they share."""
    inner = made_by(node.inputs[0], "expand_dims")
    if inner is None:
        return None
    added, removed = inner["axes"], node["axes"]
    if set(added).isdisjoint(removed):
        return None
    kept = [axis for axis in range(len(dims_of(inner.type))) if axis not in removed]
    still_added = tuple(place for place, axis in enumerate(kept) if axis in added)
    original = [axis for axis in range(len(dims_of(inner.type))) if axis not in added]
    still_removed = tuple(place for place, axis in enumerate(original) if axis in removed)
    x = inner.inputs[0]
    x = rewriter.op("squeeze", x, axes=still_removed) if still_removed else x
    return rewriter.op("expand_dims", x, axes=still_added) if still_added else x


def _expand_of_squeeze(rewriter: Rewriter, node: Apply) -> Node | None:
    inner = made_by(node.inputs[0], "squeeze")
    return inner.inputs[0] if inner is not None and inner["axes"] == node["axes"] else None


def _expand_twice(rewriter: Rewriter, node: Apply) -> Node | None:
    inner = made_by(node.inputs[0], "expand_dims")
    if inner is None:
        return None
    outer = node["axes"]
    places = [axis for axis in range(len(dims_of(node.type))) if axis not in outer]
    axes = tuple(sorted((*outer, *(places[axis] for axis in inner["axes"]))))
    return rewriter.op("expand_dims", inner.inputs[0], axes=axes)


def _slice(rewriter: Rewriter, node: Apply) -> Node | None:
    """Axes that are taken whole need no slicing."""
    x, *triples = node.inputs
    found = sizes(x)
    kept = []
    for position, axis in enumerate(node["axes"]):
        start, count, step = (as_size(b) for b in triples[3 * position : 3 * position + 3])
        if not (start == 0 and step == 1 and count == found[axis]):
            kept.append(position)
    if len(kept) == len(node["axes"]):
        return None
    if not kept:
        return x if fits(x.type, node.type) else None
    bounds = [b for position in kept for b in triples[3 * position : 3 * position + 3]]
    axes = tuple(node["axes"][position] for position in kept)
    return rewriter.op("slice", x, *bounds, axes=axes, dims=node["dims"])


def _index_of_update(rewriter: Rewriter, node: Apply) -> Node | None:
    """What was just written is read."""
    x, *i = node.inputs
    update = made_by(x, "update_index")
    if update is None or update["accumulate"] or update["axes"] != node["axes"]:
        return None
    return update.inputs[1] if list(update.inputs[2:]) == i else None


def _only_one(rewriter: Rewriter, node: Apply) -> Node | None:
    return node.inputs[0] if len(node.inputs) == 1 else None


RULES = (
    Rule("known size", ("size",), _size, "the size is known, or that of an array further up"),
    Rule("to its own sizes", ("broadcast_to", "reshape"), _to_own_sizes, "nothing changes"),
    Rule("broadcast twice", ("broadcast_to",), _broadcast_twice, "the last shape decides; leading axes are implied"),
    Rule("broadcast of scalars", _ELEMENTWISE, _broadcast_whole, "all elements are equal"),
    Rule("broadcast operand", _ELEMENTWISE, _broadcast_operand, "elementwise operations broadcast"),
    Rule("sum to a shape", ("sum_to",), _sum_to, "the sizes tell which axes were broadcast"),
    Rule("reduction of one", ("prod", "max", "min", "any", "all"), _reduction_of_one, "one element is its own product"),
    Rule("sum of one", ("sum",), _reduction_of_one, "true but for -0.0, whose sum NumPy begins with 0.0", inexact=True),
    Rule("reduction of a transpose", ("sum", "prod", "max", "min", "any", "all"), _reduction_of_transpose,
         "the same elements are reduced"),
    Rule("position in a transpose", ("argmax", "argmin"), _position_in_transpose, "the same axis under another number"),
    Rule("transpose", ("transpose",), _transpose, "permutations compose"),
    Rule("reshape twice", ("reshape",), _reshape_twice, "the order of the elements stays"),
    Rule("no axes", ("expand_dims", "squeeze"), _no_axes, "nothing changes"),
    Rule("squeeze of expand_dims", ("squeeze",), _squeeze_of_expand, "put in and taken out"),
    Rule("expand_dims of squeeze", ("expand_dims",), _expand_of_squeeze, "taken out and put in"),
    Rule("expand_dims twice", ("expand_dims",), _expand_twice, "positions compose"),
    Rule("slice of everything", ("slice",), _slice, "start 0, step 1, the whole size"),
    Rule("index of an update", ("index",), _index_of_update, "what was just written is read"),
    Rule("concatenation of one", ("concatenate",), _only_one, "nothing to join"),
)
