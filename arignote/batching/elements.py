"""Elements one after another: a loop that takes out an element, does the work as it is written for one, and puts what
comes out where the elements' results are collected.

An array of results is made when the first one has told its shape. Inside a program that is batched all others must be
known to have the same shape; at the end of the whole mapped function they are compared, as `numpy.stack` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from arignote.batching.convert import components, conform, element
from arignote.batching.masks import Mask, batched_type, parts, some, uniform
from arignote.batching.shapes import have_one_shape
from arignote.batching.transform import Batching
from arignote.ir.graph import Apply, Function, Node, Parameter
from arignote.ir.records import dataclass
from arignote.ir.types import INT64, TOKEN, Array, Closure, List, Tuple, Type, Union, dims_of, dtype_of
from arignote.ir.types import parts as types_inside
from arignote.ops.batching import Batch, CannotBatch
from arignote.ops.emit import Emit

SMALL = 16
"""Entries of an array that may be copied without thought."""

DIFFERENT_SHAPES = "all input arrays must have the same shape"

Make = Callable[[Emit, list[Node]], Node]
"""(emit, operands for one element) -> the result for it"""

STACKERS: dict[type[Type], Callable[[Batch, Node, Node, Any], tuple[Node, Node]]] = {}
"""(batch, token, list of what all elements gave, type of one) -> (token, all together). Filled by `stack`."""


@dataclass(frozen=True, slots=True)
class Given:
    """An operand in its batched form, with the type that one element has."""

    value: Node
    type: Type
    mask: Mask


def apply_per_element(walk: Batching, node: Apply) -> tuple[Node, Mask]:
    """An application, done for each element; its results must be certain to have one shape."""
    if not have_one_shape(node, walk.masks):
        raise CannotBatch(f"the shape of what {node.op.name} gives may differ from element to element")
    if walk.in_loop and any(_is_large(leaf) for leaf in _leaves(node.type)):
        raise CannotBatch("arrays, which each iteration would copy")
    given = [Given(walk.values[x], x.type, walk.masks[x]) for x in node.inputs]

    def make(emit: Emit, operands: list[Node]) -> Node:
        return emit.at(walk.emit.span).apply(node.op, *operands, **dict(node.attributes))

    result = each(walk.batch, f"each_{node.op.name}", given, node.type, make)
    return result, uniform(node.type, True)


def _is_large(type_: Type) -> bool:
    """Whether taking a value out of its stack and putting it back, in each iteration of a loop that may change one
    entry of it, would cost more than the iteration itself."""
    dims = dims_of(type_) if isinstance(type_, Array) else ()
    return min(dims, default=0) < 0 or math.prod(dims) > SMALL


def each(batch: Batch, name: str, given: Sequence[Given], type_: Type, make: Make, compare: bool = False) -> Node:
    """The results for all elements, all their parts mapped. `compare`: raise where the shapes of results differ, for
    which a token must be among the operands."""
    emit, inner = batch.emit, Emit()
    leaves = list(_leaves(type_))
    if not compare:
        _require_arrays(leaves)
    pieces: dict[Node, Parameter] = {}
    tokens: dict[Node, None] = {}
    for operand in given:
        _collect(emit, operand, pieces, tokens)
    if len(tokens) > 1:
        raise CannotBatch("effects in two orders")
    if TOKEN not in leaves:
        tokens.clear()  # nothing happens in an order: the token is only passed along
    token = Parameter("token", TOKEN) if tokens else inner.op("token")
    index = Parameter("index", INT64)
    operands = [_rebuilt(emit, inner, operand, pieces, token, index) for operand in given]
    value = make(inner, operands)
    collect = _Collect(batch, inner, index, list(leaves), token, compare)
    results = collect.run(list(_leaf_values(inner, value, type_)))
    carried = [*([token] if isinstance(token, Parameter) else []), *collect.outs]
    body = inner.function(name, [*pieces.values(), collect.count, index, *carried],
                          inner.tuple([*([collect.token] if tokens else []), *results]))  # fmt: skip
    wanted = [leaf for leaf in leaves if leaf is not TOKEN]
    starts = [*tokens, *(_start(batch, leaf) for leaf in wanted)]
    loop = emit.op("for_loop", batch.count, emit.closure(body, [*pieces, batch.count]), *starts)
    outs = emit.items(loop)
    last = outs[0] if tokens else None
    found = []
    for out, leaf in zip(outs[len(tokens) :], wanted, strict=True):
        if isinstance(leaf, List | Union):
            assert last is not None
            last, out = STACKERS[type(leaf)](batch, last, out, leaf)
        found.append(out)
    return _assembled(emit, type_, iter(found), last)


# operands ----------------------------------------------------------------------------------------------------------


def _has_token(type_: Type) -> bool:
    stack, seen = [type_], {type_}
    while stack:
        current = stack.pop()
        if current is TOKEN:
            return True
        for part in types_inside(current):
            if part not in seen:
                seen.add(part)
                stack.append(part)
    return False


def _is_taken_apart(operand: Given) -> bool:
    return isinstance(operand.type, Tuple | Closure) and (some(operand.mask) or _has_token(operand.type))


def _inside(emit: Emit, operand: Given) -> list[Given]:
    found = components(emit, operand.value, operand.type, operand.mask)
    return [Given(*x) for x in zip(found, parts(operand.type) or (), operand.mask, strict=True)]


def _collect(emit: Emit, operand: Given, pieces: dict[Node, Parameter], tokens: dict[Node, None]) -> None:
    """What the loop's body captures, and the token that it carries."""
    if operand.type is TOKEN:
        tokens[operand.value] = None
    elif _is_taken_apart(operand):
        for part in _inside(emit, operand):
            _collect(emit, part, pieces, tokens)
    elif operand.value not in pieces:
        pieces[operand.value] = Parameter(f"e{len(pieces)}", operand.value.type)


def _rebuilt(emit: Emit, inner: Emit, operand: Given, pieces: dict[Node, Parameter], token: Node, index: Node) -> Node:
    """The operand for one element, in the body."""
    if operand.type is TOKEN:
        return token
    if not _is_taken_apart(operand):
        return element(inner, pieces[operand.value], operand.type, operand.mask, index)
    found = [_rebuilt(emit, inner, part, pieces, token, index) for part in _inside(emit, operand)]
    return inner.tuple(found) if isinstance(operand.type, Tuple) else inner.closure(operand.type.function, found)  # type: ignore[attr-defined]


# results -----------------------------------------------------------------------------------------------------------


def _leaves(type_: Type) -> Iterator[Type]:
    """The parts of a result that are collected one by one, in order: scalars, arrays, tokens, lists, unions."""
    if isinstance(type_, Tuple | Closure):
        for part in parts(type_) or ():
            yield from _leaves(part)
    else:
        yield type_


def _require_arrays(leaves: Sequence[Type]) -> None:
    """What has no shape, or a length that may differ, is put together at the end of the whole function only."""
    for leaf in leaves:
        if isinstance(leaf, List):
            raise CannotBatch("lists that differ in length from element to element")
        if isinstance(leaf, Union):
            raise CannotBatch("trees that differ from element to element")


def _leaf_values(emit: Emit, value: Node, type_: Type) -> Iterator[Node]:
    match type_:
        case Tuple() | Closure():
            found = components(emit, value, type_, uniform(type_, False))
            for part, inner in zip(found, parts(type_) or (), strict=True):
                yield from _leaf_values(emit, part, inner)
        case _:
            yield value


def _collected_type(leaf: Type, dim: int) -> Type:
    """What the results are collected in: lists and trees in a list, to be put together when all are known."""
    return List(leaf) if isinstance(leaf, List | Union) else batched_type(leaf, True, dim)


def _start(batch: Batch, leaf: Type) -> Node:
    """Where results are collected, before there is any: as large as is known."""
    if isinstance(leaf, List | Union):
        return batch.emit.op("list_new", batch.count, element=leaf)
    zero = batch.emit.constant(0, dtype_of(leaf))
    shape = [batch.emit.integer(max(dim, 0)) for dim in dims_of(leaf)]
    return batch.emit.op("broadcast_to", zero, batch.count, *shape, dims=(batch.dim, *dims_of(leaf)))


def _assembled(emit: Emit, type_: Type, outs: Iterator[Node], token: Node | None) -> Node:
    """The collected leaves as one value, closures as tuples of their captures."""
    if type_ is TOKEN:
        assert token is not None
        return token
    if not isinstance(type_, Tuple | Closure):
        return next(outs)
    found = [_assembled(emit, part, outs, token) for part in parts(type_) or ()]
    if isinstance(type_, Closure) and not some(uniform(type_, True)):
        return emit.closure(type_.function, found)
    return emit.tuple(found)


class _Collect:
    """Puts the results of one element in their places."""

    def __init__(self, batch: Batch, emit: Emit, index: Node, leaves: list[Type], token: Node, compare: bool) -> None:
        self.emit, self.index, self.token, self.compare = emit, index, token, compare
        self.dim = batch.dim
        self.count = Parameter("count", INT64)
        self.leaves = leaves
        self.outs = [Parameter("out", _collected_type(leaf, batch.dim)) for leaf in leaves if leaf is not TOKEN]

    def run(self, values: list[Node]) -> list[Node]:
        """The new states of what is carried."""
        for value in values:
            if value.type is TOKEN:
                self.token = value
        rest = iter(self.outs)
        pairs = [(next(rest), value, leaf) for value, leaf in zip(values, self.leaves, strict=True)
                 if leaf is not TOKEN]  # fmt: skip
        return [self._put(*pair) for pair in pairs]

    def _put(self, out: Node, value: Node, leaf: Type) -> Node:
        emit = self.emit
        value = conform(emit, value, leaf)
        if isinstance(leaf, List | Union):
            return emit.op("list_push", out, value)
        if min(dims_of(leaf), default=0) < 0:
            out = self._made(out, value)
            if self.compare:
                self._compare(out, value)
        put = emit.op("update_index", out, value, self.index, axes=(0,), accumulate=False)
        return conform(emit, put, out.type)

    def _made(self, out: Node, value: Node) -> Node:
        """The collecting array; the first element makes it."""
        emit, type_ = self.emit, out.type
        assert isinstance(type_, Array)
        first = emit.op("equal", self.index, emit.integer(0))
        inner = Emit()
        shape = [Parameter(f"size{axis}", INT64) for axis in range(type_.rank)]
        full = inner.op("broadcast_to", inner.constant(0, type_.dtype), *shape, dims=type_.dims)
        make = inner.function("make_results", shape, full)
        known = Parameter("out", type_)
        then = emit.closure(make, [self.count, *emit.sizes(value)])
        return emit.op("cond", first, then, emit.closure(Function("keep", [known], known), [out]))

    def _compare(self, out: Node, value: Node) -> None:
        emit = self.emit
        for axis, dim in enumerate(dims_of(value.type)):
            if dim < 0:
                differs = emit.op("not_equal", emit.size(out, axis + 1), emit.size(value, axis))
                self.token = emit.op("raise_if", self.token, differs, exception=ValueError,
                                     message=(DIFFERENT_SHAPES,))  # fmt: skip

