"""Sums of matrix products that a loop accumulates, as one product after the loop.

The backward of a recurrent loop adds a_t^T b_t to the cotangent of its weights in each iteration: a small product, and
a pass over the whole matrix. Instead an iteration puts a_t and b_t in their places of two blocks, and after the loop
one product sums over iterations and rows together. The blocks are as large as what the loop's backward keeps anyway:
this is done where a loop reads a list of residuals, and not elsewhere.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, nodes_of
from arignote.ir.loop_sizes import checked_equal, fixed_axes
from arignote.ir.records import dataclass, field
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.structure import ANY
from arignote.ir.types import INT64, Array, List, Scalar, dims_of
from arignote.opt.loops import copied
from arignote.opt.rewrite import Rewriter, Rule
from arignote.opt.rules.structure import made_by

_FLOATS = frozenset(("float32", "float64"))


@dataclass(slots=True)
class _Sum:
    """A carried matrix to which each iteration adds transpose(left) @ right."""

    position: int
    left: Node
    right: Node
    rows: Node  # how many rows both have, known outside


@dataclass(slots=True)
class _Blocks:
    """What is stacked: the value in the body, and the block before the loop."""

    values: list[Node] = field(default_factory=list)
    starts: list[Node] = field(default_factory=list)

    def add(self, value: Node, start: Node) -> None:
        if value not in self.values:
            self.values.append(value)
            self.starts.append(start)


def _after_loop(rewriter: Rewriter, loop: Apply) -> Node | None:
    closure = made_by(loop.inputs[1], "closure")
    if closure is None or not any(isinstance(x.type, List) for x in closure.inputs):
        return None
    function: Function = closure["function"]
    result = made_by(function.result, "tuple") if function.is_defined else None
    if result is None:
        return None
    sums = _sums(rewriter, loop, function)
    if not sums:
        return None
    count = rewriter.op("maximum", loop.inputs[0], rewriter.integer(0))
    init = loop.inputs[2:]
    blocks = _Blocks()
    for found in sums:
        for value, axis in ((found.left, 0), (found.right, 1)):
            width = rewriter.op("size", init[found.position], axis=axis)
            blocks.add(value, _block(rewriter, value, (count, found.rows, width)))
    body = _stacking(rewriter, loop, function, sums, blocks)
    gone = {found.position for found in sums}
    left = [x for i, x in enumerate(init) if i not in gone]
    new = rewriter.op("for_loop", loop.inputs[0], rewriter.closure(body, closure.inputs), *left, *blocks.starts)
    full = {value: rewriter.item(new, len(left) + i) for i, value in enumerate(blocks.values)}
    totals = {found.position: _product(rewriter, init[found.position], full, found, count) for found in sums}
    places = iter(range(len(left)))
    return rewriter.tuple([totals[i] if i in totals else rewriter.item(new, next(places)) for i in range(len(init))])


def _sums(rewriter: Rewriter, loop: Apply, function: Function) -> list[_Sum]:
    carried = function.parameters[len(function.parameters) - len(loop.inputs) + 2 :]
    result = function.result
    assert isinstance(result, Apply)
    uses: dict[Node, int] = {}
    for node in nodes_of(function):
        for operand in node.inputs if isinstance(node, Apply) else ():
            uses[operand] = uses.get(operand, 0) + 1
    found: list[_Sum] = []
    for position, (parameter, after) in enumerate(zip(carried, result.inputs, strict=True)):
        added = made_by(after, "add")
        if added is None or parameter not in added.inputs or uses[parameter] != 1 or uses[after] != 1:
            continue
        product = made_by(added.inputs[added.inputs[0] is parameter], "matmul")
        if product is None or uses[product] != 1 or not _is_matrix(parameter, product):
            continue
        left, right = product.inputs
        turned = made_by(left, "transpose")
        left = turned.inputs[0] if turned is not None else rewriter.op("transpose", left, permutation=(1, 0))
        rows = outer_size(rewriter, loop, sizes(right)[0]) or outer_size(rewriter, loop, sizes(left)[0])
        if rows is not None:
            found.append(_Sum(position, left, right, rows))
    return found


def _is_matrix(parameter: Parameter, product: Apply) -> bool:
    """Whether the two have one shape for certain, if they can be added at all."""
    type_ = parameter.type
    if not isinstance(type_, Array) or type_.dtype not in _FLOATS or product.type is not type_:
        return False
    return len(type_.dims) == 2 and ANY not in type_.dims and all(len(dims_of(x.type)) == 2 for x in product.inputs)


def _block(rewriter: Rewriter, value: Node, shape: tuple[Node, Node, Node]) -> Node:
    assert isinstance(value.type, Array)
    zero = Constant(0.0, Scalar(value.type.dtype))
    return rewriter.op("broadcast_to", zero, *shape, dims=(ANY, *value.type.dims))


def _stacking(rewriter: Rewriter, loop: Apply, function: Function, sums: list[_Sum], blocks: _Blocks) -> Function:
    """The body that puts what is multiplied in its place."""
    first = len(function.parameters) - len(loop.inputs) + 2
    gone = {found.position for found in sums}
    inside: dict[Node, Node] = {p: Parameter(p.name, p.type) for p in function.parameters}
    stacks = [Parameter("rows", start.type) for start in blocks.starts]
    result = function.result
    assert isinstance(result, Apply)
    kept = [x for i, x in enumerate(result.inputs) if i not in gone]
    builder = Rewriter(rewriter.rules)
    copies = copied(builder, [*kept, *blocks.values], inside, function.spans)
    index = inside[function.parameters[first - 1]]
    written = [builder.op("update_index", stack, value, index, axes=(0,), accumulate=False)
               for stack, value in zip(stacks, copies[len(kept) :], strict=True)]  # fmt: skip
    stay = [inside[p] for i, p in enumerate(function.parameters) if i - first not in gone]
    return builder.function(function.name, [*stay, *stacks], builder.tuple([*copies[: len(kept)], *written]))  # type: ignore[list-item]


def _product(rewriter: Rewriter, start: Node, full: dict[Node, Node], found: _Sum, count: Node) -> Node:
    """start + the sum over iterations and rows."""
    rows = rewriter.op("multiply", count, found.rows)
    flat: list[Node] = []
    for value, axis in ((found.left, 0), (found.right, 1)):
        dims = dims_of(value.type)
        width = rewriter.op("size", start, axis=axis)
        flat.append(rewriter.op("reshape", full[value], rows, width, dims=(ANY, dims[1])))
    product = rewriter.op("matmul", rewriter.op("transpose", flat[0], permutation=(1, 0)), flat[1])
    return rewriter.op("add", start, product)


def outer_size(rewriter: Rewriter, loop: Apply, key: Size) -> Node | None:
    """A size in a loop's body as a node outside it; None if it may differ from one iteration to the next."""
    if isinstance(key, int):
        return rewriter.integer(key)
    if isinstance(key, Constant):
        return key
    closure = loop.inputs[1]
    function: Function = closure.type.function  # type: ignore[attr-defined]
    assert isinstance(closure, Apply)
    captured: dict[Node, Node] = dict(zip(function.parameters, closure.inputs))
    if isinstance(key, tuple):
        return _outer_axis(rewriter, loop, function, captured, key)
    if isinstance(key, Parameter):
        return captured.get(key)
    assert isinstance(key, Apply)
    if key.op.name == "size":
        return outer_size(rewriter, loop, as_size(key)) if as_size(key) is not key else None
    if not key.op.elementwise or key.can_fail or key.type is not INT64:
        return None
    operands = [outer_size(rewriter, loop, as_size(x)) for x in key.inputs]
    known = [x for x in operands if x is not None]
    return rewriter.build(key.op, tuple(known), key.attributes) if len(known) == len(operands) else None


def _outer_axis(rewriter: Rewriter, loop: Apply, function: Function, captured: dict[Node, Node],
                key: tuple[Node, int]) -> Node | None:  # fmt: skip
    init = loop.inputs[2:]
    carried = function.parameters[len(function.parameters) - len(init) :]
    fixed = fixed_axes(function, len(init))
    for node, axis in (key, *checked_equal(function).get(key, ())):
        if isinstance(node, Parameter) and node in captured:
            return rewriter.op("size", captured[node], axis=axis)
        if isinstance(node, Parameter) and node in carried and axis in fixed[carried.index(node)]:
            return rewriter.op("size", init[carried.index(node)], axis=axis)
        pushed = _pushed(node, captured)
        if pushed is not None:
            return outer_size(rewriter, pushed[0], sizes(pushed[1])[axis])
    return None


def _pushed(node: Node, captured: dict[Node, Node]) -> tuple[Apply, Node] | None:
    """Of an element of a captured list, or a part of one: the loop that filled the list, and what it pushed."""
    item = made_by(node, "item")
    get = made_by(node if item is None else item.inputs[0], "list_get")
    list_ = None if get is None else captured.get(get.inputs[0])
    source = None if list_ is None else made_by(list_, "item")
    loop = None if source is None else made_by(source.inputs[0], "for_loop")
    if loop is None or source is None or made_by(loop.inputs[1], "closure") is None:
        return None
    init, result = loop.inputs[2 + source["index"]], loop.inputs[1]["function"].result  # type: ignore[index]
    push = made_by(result.inputs[source["index"]], "list_push") if made_by(result, "tuple") else None
    if push is None or made_by(init, "list_new") is None or not isinstance(push.inputs[0], Parameter):
        return None
    if item is None:
        return loop, push.inputs[1]
    element = made_by(push.inputs[1], "tuple")
    return None if element is None else (loop, element.inputs[item["index"]])


RULES = (
    Rule("products after the loop", ("for_loop",), _after_loop,
         "a sum of matrix products is one product, in which the order of additions is free"),
)  # fmt: skip
