"""Where a loop can be cut in two: before the products of what changes and a matrix that stays the same.

The first loop computes the operand of such products in all iterations, with the carried values that it needs; the
second needs nothing of the first but the operand. The program's order of failures decides whether that is allowed.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, nodes_of, topological
from arignote.ir.records import dataclass
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.structure import ANY
from arignote.ir.types import TOKEN, Array, dims_of
from arignote.opt.inline import copy_body
from arignote.opt.program import NOWHERE, size_of
from arignote.opt.rewrite import Rewriter, index_rules
from arignote.opt.rules import structure
from arignote.opt.rules.structure import made_by
from arignote.opt.uniform import Uniform

LARGEST = 1000
"""Bodies with more operations, calls in them included, are left alone."""
MOST_CHECKS = 200
"""So are those with more checks: each is looked at in the light of those before it."""
_FLOATS = frozenset(("float32", "float64"))
_INSIDE = tuple(rule for rule in structure.RULES if rule.name != "stop gradient")


@dataclass(slots=True)
class Loop:
    """A `for_loop` taken apart. `checks`: what its chain of effects pins or raises, in order."""

    node: Apply
    function: Function
    captures: tuple[Node, ...]
    captured: tuple[Parameter, ...]
    index: Parameter
    carried: tuple[Parameter, ...]
    results: tuple[Node, ...]
    checks: list[Apply]

    @property
    def token(self) -> int | None:
        """The position of the token among the carried values."""
        return next((i for i, p in enumerate(self.carried) if p.type is TOKEN), None)


@dataclass(slots=True)
class Cut:
    """How a loop is cut.

    early:    the carried values of the first loop
    checked:  how many checks are made in it
    rows:     how many rows the operand has in every iteration
    bad:      conditions on which something fails in the first iteration
    late_bad: further conditions, on which something fails in the second
    """

    operand: Node
    products: list[Apply]
    early: list[int]
    checked: int
    rows: Node
    bad: list[Node]
    late_bad: list[Node]


def applied(nodes: tuple[Node, ...]) -> list[Apply]:
    return [x for x in nodes if isinstance(x, Apply)]


def taken_apart(node: Apply, closure: Apply) -> Loop | None:
    function = _expanded(closure["function"])
    result = made_by(function.result, "tuple") if function is not None else None
    if function is None or result is None:
        return None
    count = len(closure.inputs)
    parameters = function.parameters
    carried = parameters[count + 1 :]
    tokens = [i for i, p in enumerate(carried) if p.type is TOKEN]
    checks: list[Apply] | None = []
    if tokens:
        checks = _chain(result.inputs[tokens[0]], carried[tokens[0]])
    if checks is None or len(checks) > MOST_CHECKS or len(tokens) > 1:
        return None
    if any(p.type is TOKEN for p in parameters[:count]):
        return None
    return Loop(node, function, closure.inputs, parameters[:count], parameters[count], carried, result.inputs, checks)


def _expanded(function: Function) -> Function | None:
    """The body with the bodies of what it calls; None if that is too large, or something calls itself."""
    left = LARGEST
    while any(x.op.name == "call" for x in applied(tuple(nodes_of(function)))):
        builder = Rewriter(index_rules(_INSIDE))
        parameters = [Parameter(p.name, p.type) for p in function.parameters]
        mapping: dict[Node, Node] = dict(zip(function.parameters, parameters))
        for node in nodes_of(function):
            if not isinstance(node, Apply):
                mapping.setdefault(node, node)
                continue
            builder.span = function.spans.get(node, NOWHERE)
            operands = tuple([mapping[x] for x in node.inputs])
            called = made_by(operands[0], "closure") if node.op.name == "call" else None
            if node.op.name != "call":
                mapping[node] = builder.build(node.op, operands, node.attributes)
            elif called is None or (left := left - size_of(called["function"])) < 0:
                return None
            else:
                mapping[node] = copy_body(builder, called["function"], (*called.inputs, *operands[1:]))
        function = builder.function(function.name, parameters, mapping[function.result])
    return function


def _chain(last: Node, first: Parameter) -> list[Apply] | None:
    """The checks between two tokens; None if anything else happens there."""
    checks: list[Apply] = []
    while last is not first:
        if not isinstance(last, Apply) or last.op.name not in ("after", "raise_if"):
            return None
        pinned = last.inputs[1:] if last.op.name == "after" else (last,)
        checks += reversed([x for x in pinned if isinstance(x, Apply)])
        last = last.inputs[0]
    return checks[::-1]


def candidates(loop: Loop) -> list[tuple[Node, list[Apply]]]:
    """What is multiplied by a matrix that stays the same, with the products; what comes last in the body first."""
    moving: set[Node] = {loop.index, *loop.carried}
    found: dict[Node, list[Apply]] = {}
    for node in nodes_of(loop.function):
        if not isinstance(node, Apply) or moving.isdisjoint(node.inputs):
            continue
        moving.add(node)
        if node.op.name == "matmul" and node.inputs[0] in moving and node.inputs[1] not in moving and _fits(node):
            found.setdefault(node.inputs[0], []).append(node)
    return list(found.items())[::-1]


def _fits(product: Apply) -> bool:
    """Whether two matrices are multiplied whose inner sizes are equal if the product does not fail."""
    a, b = (dims_of(x.type) for x in product.inputs)
    type_ = product.type
    assert isinstance(type_, Array)
    return len(a) == len(b) == 2 and a[1] == b[0] and ANY not in (*a, *b) and type_.dtype in _FLOATS


def cut(rewriter: Rewriter, loop: Loop, operand: Node, products: list[Apply]) -> Cut | None:
    """The cut before the products with one operand; None where there is none."""
    early, cone = _cone(loop, operand)
    products = [x for x in products if x not in cone]
    if not products or loop.token in early:
        return None
    late = {p for i, p in enumerate(loop.carried) if i not in early and i != loop.token}
    tainted: set[Node] = {*late, *products}
    for node in nodes_of(loop.function):
        if isinstance(node, Apply) and not tainted.isdisjoint(x for x in node.inputs if x.type is not TOKEN):
            tainted.add(node)
    checked = next((i for i, x in enumerate(loop.checks) if x in tainted), len(loop.checks))
    if any(x in cone for x in loop.checks[checked:]) or _reads_early(loop, operand, products, early, checked):
        return None
    # The first loop runs to its end before the second begins: its sizes stay the same by its own checks alone.
    views = _views(rewriter, loop, early, loop.checks[:checked])
    rows = [view.size(sizes(operand)[0]) for view in views]
    bad = _failures(rewriter, loop, products, checked)
    if rows[0] is None or rows[0] is not rows[1] or bad is None:
        return None
    for number, view in enumerate(views):
        for product in products:
            found = _failure(rewriter, loop, view, product)
            if found is None:
                return None
            bad[number].update(dict.fromkeys(found))
    late_bad = [x for x in bad[1] if x not in bad[0]]
    return Cut(operand, products, early, checked, rows[0], list(bad[0]), late_bad)


def _views(rewriter: Rewriter, loop: Loop, among: list[int], checked: list[Apply]) -> tuple[Uniform, Uniform]:
    """The sizes in the first iteration, and in those after it."""
    start: dict[Parameter, list[Size | None]] = {loop.carried[i]: list(sizes(loop.node.inputs[2 + i])) for i in among}
    first = Uniform(rewriter, loop.function, loop.captures, start)
    return first, first.later(checked)


def _cone(loop: Loop, operand: Node) -> tuple[list[int], set[Node]]:
    """The carried values that the operand needs, and all that they and it are computed from."""
    place = {p: i for i, p in enumerate(loop.carried)}
    early: dict[int, None] = {}
    while True:
        cone = topological([operand, *(loop.results[i] for i in early)])
        new = [place[x] for x in cone if isinstance(x, Parameter) and x in place and place[x] not in early]
        if not new:
            return sorted(early), set(cone)
        early.update(dict.fromkeys(new))


def _reads_early(loop: Loop, operand: Node, products: list[Apply], early: list[int], checked: int) -> bool:
    """Whether the second loop would need more of the first than the operand."""
    given = {loop.carried[i] for i in early}
    roots = [x for i, x in enumerate(loop.results) if i not in early and i != loop.token]
    for check in loop.checks[checked:]:
        if check not in products:
            roots += check.inputs[1:] if check.op.name == "raise_if" else [check]
    seen: set[Node] = {operand, *products}
    while roots:
        node = roots.pop()
        if node in given or node.type is TOKEN:
            return True
        if node not in seen:
            seen.add(node)
            roots.extend(node.inputs if isinstance(node, Apply) else ())
    return False


def _failures(rewriter: Rewriter, loop: Loop, products: list[Apply],
              checked: int) -> tuple[dict[Node, None], dict[Node, None]] | None:  # fmt: skip
    """Conditions on which the second loop fails in its first iteration, and in one after it, if the first loop may fail
    later than in its first; None if either may fail in any iteration."""
    every = [i for i in range(len(loop.carried)) if i != loop.token]
    views = _views(rewriter, loop, every, loop.checks)
    bad: tuple[dict[Node, None], dict[Node, None]] = ({}, {})
    waits = False
    for place, check in enumerate(loop.checks):
        if place >= checked and (not waits or check in products):
            continue
        for view in views:
            view.knows(loop.checks[:place])  # what comes before in the iteration has passed
        first, later = (_failure(rewriter, loop, view, check) for view in views)
        if place < checked:
            waits |= first is None or later is None or not set(later) <= set(first)
        elif first is None or later is None:
            return None
        else:
            bad[0].update(dict.fromkeys(first))
            bad[1].update(dict.fromkeys(later))
    return bad


def _failure(rewriter: Rewriter, loop: Loop, uniform: Uniform, check: Apply) -> list[Node] | None:
    """The conditions, outside the loop, on which a check fails; None if they may differ between iterations."""
    if check.op.name == "raise_if":
        condition = uniform.scalar(check.inputs[1])
        return None if condition is None else [] if _never(condition) else [condition]
    if check.op.name == "index":
        return [] if _counts(loop, check) else None
    shapes = [list(zip(sizes(x), dims_of(x.type))) for x in check.inputs]
    if check.op.name == "matmul" and all(len(shape) == 2 for shape in shapes):
        return _differ(rewriter, uniform, [shapes[0][1][0], shapes[1][0][0]])
    if not check.op.elementwise:
        return None
    bad: list[Node] = []
    for axis in range(1, max(map(len, shapes)) + 1):
        meeting = [shape[-axis] for shape in shapes if len(shape) >= axis and shape[-axis][1] != 1]
        found = _differ(rewriter, uniform, [size for size, _ in meeting])
        if found is None or found and any(dim == ANY for _, dim in meeting):
            return None
        bad += found
    return bad


def _differ(rewriter: Rewriter, uniform: Uniform, meeting: list[Size]) -> list[Node] | None:
    """Conditions on which sizes that must be equal are not; None if they may differ between iterations."""
    keys = list(dict.fromkeys(meeting))
    if len(keys) < 2:
        return []
    found = [uniform.size(key) for key in keys]
    first = found[0]
    if first is None or any(x is None for x in found):
        return None
    return [rewriter.op("not_equal", first, x) for x in found[1:] if x is not None and x is not first]


def _counts(loop: Loop, check: Apply) -> bool:
    """Whether a captured array is read at the iteration, of which there are as many as it has elements."""
    captured = dict(zip(loop.captured, loop.captures))
    array, *places = check.inputs
    if array not in captured or places != [loop.index]:
        return False
    return sizes(captured[array])[check["axes"][0]] == as_size(loop.node.inputs[0])  # type: ignore[index]


def _never(condition: Node) -> bool:
    return isinstance(condition, Constant) and not condition.value


