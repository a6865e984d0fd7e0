"""Products with a matrix that stays the same leave a loop, which is cut in two around them.

A recurrent network multiplies the inputs of each step, or what the layer below gives, by the same weights: small
products, which read the whole matrix in every iteration. Instead a first loop computes the operands of all iterations,
one product follows, and a second loop does the rest. Theano's scan moved such products out; here the first loop may
carry values of its own (a layer below), as long as these do not depend on the product.

Failures come as they would. Checks that differ between iterations stay in one of the two loops; those that depend on
sizes alone are made before the first loop, and where one is to fail, the checks of iteration 0 are run in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, Span, functions_below, nodes_of, topological
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.structure import ANY
from arignote.ir.types import INT64, TOKEN, Array, Scalar, dims_of
from arignote.opt.inline import copy_body
from arignote.opt.loops import copied
from arignote.opt.program import NOWHERE, Translation, rebuild, size_of
from arignote.opt.rewrite import Rewriter, Rule, index_rules
from arignote.opt.rules import structure
from arignote.opt.rules.structure import made_by
from arignote.opt.uniform import Uniform

LARGEST = 1000
"""Bodies with more operations, calls in them included, are left alone."""
_FLOATS = frozenset(("float32", "float64"))
_STACKING = frozenset(("list_push", "update_index", "update_slice"))
_INSIDE = tuple(rule for rule in structure.RULES if rule.name != "stop gradient")


@dataclass(slots=True)
class _Loop:
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
class _Cut:
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


def _distribute(rewriter: Rewriter, node: Apply) -> Node | None:
    """For loops that make something in each iteration anyway: memory grows by a factor, not with the iterations."""
    closure = made_by(node.inputs[1], "closure")
    if closure is None or not closure["function"].is_defined:
        return None
    result = made_by(closure["function"].result, "tuple")
    if result is None or not any(x.op.name in _STACKING for x in _applied(result.inputs)):
        return None
    return _distribute_any(rewriter, node)


def _distribute_any(rewriter: Rewriter, node: Apply) -> Node | None:
    closure = made_by(node.inputs[1], "closure")
    if closure is None or not _multiplies(closure["function"]):
        return None
    loop = _taken_apart(node, closure)
    if loop is None or not _candidates(loop):
        return None
    cuts = (_cut(rewriter, loop, *found) for found in _candidates(loop))
    cut = next((x for x in cuts if x is not None), None)
    return None if cut is None else _Writer(rewriter, loop, cut).write()


def _applied(nodes: tuple[Node, ...]) -> list[Apply]:
    return [x for x in nodes if isinstance(x, Apply)]


def _multiplies(function: Function) -> bool:
    """Whether matrices are multiplied in the function or below."""
    if not function.is_defined:
        return False
    below = functions_below(function)
    return all(f.is_defined and not f.is_opaque for f in below) and any(
        x.op.name == "matmul" for f in below for x in _applied(tuple(nodes_of(f))))  # fmt: skip


def _taken_apart(node: Apply, closure: Apply) -> _Loop | None:
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
    if checks is None or len(tokens) > 1 or any(x.type is TOKEN for x in (*closure.inputs, *parameters[:count])):
        return None
    return _Loop(node, function, closure.inputs, parameters[:count], parameters[count], carried, result.inputs, checks)


def _expanded(function: Function) -> Function | None:
    """The body with the bodies of what it calls; None if that is too large, or something calls itself."""
    left = LARGEST
    while any(x.op.name == "call" for x in _applied(tuple(nodes_of(function)))):
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


def _candidates(loop: _Loop) -> list[tuple[Node, list[Apply]]]:
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


def _cut(rewriter: Rewriter, loop: _Loop, operand: Node, products: list[Apply]) -> _Cut | None:
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
    return _Cut(operand, products, early, checked, rows[0], list(bad[0]), late_bad)


def _views(rewriter: Rewriter, loop: _Loop, among: list[int], checked: list[Apply]) -> tuple[Uniform, Uniform]:
    """The sizes in the first iteration, and in those after it."""
    start: dict[Parameter, list[Size | None]] = {loop.carried[i]: list(sizes(loop.node.inputs[2 + i])) for i in among}
    first = Uniform(rewriter, loop.function, loop.captures, start)
    return first, first.later(checked)


def _cone(loop: _Loop, operand: Node) -> tuple[list[int], set[Node]]:
    """The carried values that the operand needs, and all that they and it are computed from."""
    place = {p: i for i, p in enumerate(loop.carried)}
    early: dict[int, None] = {}
    while True:
        cone = topological([operand, *(loop.results[i] for i in early)])
        new = [place[x] for x in cone if isinstance(x, Parameter) and x in place and place[x] not in early]
        if not new:
            return sorted(early), set(cone)
        early.update(dict.fromkeys(new))


def _reads_early(loop: _Loop, operand: Node, products: list[Apply], early: list[int], checked: int) -> bool:
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


def _failures(rewriter: Rewriter, loop: _Loop, products: list[Apply],
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


def _failure(rewriter: Rewriter, loop: _Loop, uniform: Uniform, check: Apply) -> list[Node] | None:
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


def _counts(loop: _Loop, check: Apply) -> bool:
    """Whether a captured array is read at the iteration, of which there are as many as it has elements."""
    captured = dict(zip(loop.captured, loop.captures))
    array, *places = check.inputs
    if array not in captured or places != [loop.index]:
        return False
    return sizes(captured[array])[check["axes"][0]] == as_size(loop.node.inputs[0])  # type: ignore[index]


def _never(condition: Node) -> bool:
    return isinstance(condition, Constant) and not condition.value


class _Writer:
    """Writes the two loops and what lies between them."""

    def __init__(self, rewriter: Rewriter, loop: _Loop, cut: _Cut) -> None:
        self.rewriter, self.loop, self.cut = rewriter, loop, cut
        self.count = rewriter.op("maximum", loop.node.inputs[0], rewriter.integer(0))
        self.init = loop.node.inputs[2:]

    def write(self) -> Node:
        rewriter, loop, cut = self.rewriter, self.loop, self.cut
        here = rewriter.span
        token = None if loop.token is None else self._token()
        first = self._first(token)
        lead = loop.token is not None
        if lead:
            token = rewriter.item(first, 0)
        stack = rewriter.item(first, lead + len(cut.early))
        rewriter.span = loop.function.spans.get(cut.products[0], here)
        products = [self._product(stack, product) for product in cut.products]
        rewriter.span = here
        second, late = self._second(token, stack, products)
        items: list[Node] = []
        for i in range(len(self.init)):
            if i in cut.early:
                items.append(rewriter.item(first, lead + cut.early.index(i)))
            else:
                items.append(rewriter.item(second, late.index(i)))
        return rewriter.tuple(items)

    def _token(self) -> Node:
        """The token of the first loop: where the second is to fail, the iterations up to that have been checked."""
        rewriter, loop = self.rewriter, self.loop
        assert loop.token is not None
        token = self.init[loop.token]
        conditions = [self._any(conditions, past) for past, conditions in enumerate((self.cut.bad, self.cut.late_bad))
                      if conditions]  # fmt: skip
        if not conditions:
            return token
        bad = conditions[0] if len(conditions) == 1 else rewriter.op("logical_or", *conditions)
        same = Parameter("token", TOKEN)
        skip = rewriter.closure(Rewriter({}).function("no_checks", [same], Rewriter({}).tuple([same])), [token])
        probe = self._two_iterations() if self.cut.late_bad else self._one_iteration()
        return rewriter.item(rewriter.op("cond", bad, probe, skip), 0)

    def _any(self, conditions: list[Node], past: int) -> Node:
        """Whether one of the conditions holds and there are more iterations than `past`."""
        rewriter = self.rewriter
        wrong = conditions[0]
        for other in conditions[1:]:
            wrong = rewriter.op("logical_or", wrong, other)
        return rewriter.op("logical_and", rewriter.op("greater", self.count, rewriter.integer(past)), wrong)

    def _one_iteration(self) -> Node:
        """A closure that makes the checks of the first iteration and gives the token."""
        loop = self.loop
        assert loop.token is not None
        given = dict(zip((*loop.captured, *loop.carried), (*loop.captures, *self.init), strict=True))
        inside: dict[Node, Node] = {p: Parameter(p.name, p.type) for p in given}
        inside[loop.index] = self.rewriter.integer(0)
        builder = Rewriter(self.rewriter.rules)
        last = self._checked(builder, inside[loop.carried[loop.token]], inside, loop.checks)
        return self._closure("checks", builder, [], {inside[p]: x for p, x in given.items()}, [last])

    def _two_iterations(self) -> Node:
        """A closure that runs the loop as it was for at most two iterations and gives the token."""
        loop, builder = self.loop, Rewriter({})
        assert loop.token is not None
        closure, init = loop.node.inputs[1], loop.node.inputs[2:]
        assert isinstance(closure, Apply)
        given: dict[Node, Node] = {Parameter("given", x.type): x for x in dict.fromkeys((*closure.inputs, *init))}
        place = {x: p for p, x in given.items()}
        few, count = Parameter("few", INT64), self.rewriter.op("minimum", self.count, self.rewriter.integer(2))
        body = builder.closure(closure["function"], [place[x] for x in closure.inputs])
        again = builder.op("for_loop", few, body, *(place[x] for x in init))
        return self._closure("checks", builder, [], {few: count, **given}, [builder.item(again, loop.token)])

    def _checked(self, builder: Rewriter, token: Node, inside: dict[Node, Node], checks: list[Apply]) -> Node:
        """The token after some checks."""
        spans = self.loop.function.spans
        for check in checks:
            if check.op.name == "raise_if":
                operands = copied(builder, list(check.inputs[1:]), inside, self.loop.function.spans)
                builder.span = spans.get(check, NOWHERE)
                token = builder.build(check.op, (token, *operands), check.attributes)
            else:
                pinned = copied(builder, [check], inside, self.loop.function.spans)[0]
                builder.span = spans.get(check, NOWHERE)
                token = builder.op("after", token, pinned)
        builder.span = NOWHERE
        return token

    def _closure(self, name: str, builder: Rewriter, parameters: list[Parameter], given: dict[Node, Node],
                 results: list[Node]) -> Node:  # fmt: skip
        """A closure of those of the given values that its function reads."""
        result = builder.tuple(results)
        read = set(topological([result]))
        captured = [x for x in given if x in read]
        function = builder.function(name, [*captured, *parameters], result)  # type: ignore[list-item]
        return self.rewriter.closure(function, [given[x] for x in captured])

    def _first(self, token: Node | None) -> Node:
        """The loop that stacks the operand: token, carried values, stack."""
        rewriter, loop, cut = self.rewriter, self.loop, self.cut
        inside, builder = self._inside(), Rewriter(rewriter.rules)
        start = self._stack()
        stack = Parameter("stack", start.type)
        carried = [inside[loop.carried[i]] for i in cut.early]
        results = copied(builder, [*(loop.results[i] for i in cut.early), cut.operand], inside, loop.function.spans)
        results[-1] = builder.op("update_index", stack, results[-1], inside[loop.index], axes=(0,), accumulate=False)
        init = [self.init[i] for i in cut.early]
        if token is not None:
            assert loop.token is not None
            chain = inside[loop.carried[loop.token]]
            results.insert(0, self._checked(builder, chain, inside, loop.checks[: cut.checked]))
            carried.insert(0, chain)
            init.insert(0, token)
        given = {inside[p]: x for p, x in zip(loop.captured, loop.captures, strict=True)}
        parameters = [inside[loop.index], *carried, stack]
        closure = self._closure(f"{loop.function.name}_operands", builder, parameters, given, results)  # type: ignore[arg-type]
        return rewriter.op("for_loop", loop.node.inputs[0], closure, *init, start)

    def _inside(self) -> dict[Node, Node]:
        return {p: Parameter(p.name, p.type) for p in self.loop.function.parameters}

    def _stack(self) -> Node:
        """Room for the operand in all iterations. The inner size is the matrix's, so that the product cannot fail."""
        operand, matrix = self.cut.products[0].inputs
        type_ = operand.type
        assert isinstance(type_, Array)
        outside = self._outside(matrix)
        width = self.rewriter.size(outside, 0)
        zero = Constant(0.0, Scalar(type_.dtype))
        return self.rewriter.op("broadcast_to", zero, self.count, self.cut.rows, width, dims=(ANY, *type_.dims))

    def _outside(self, node: Node) -> Node:
        """What is the same in all iterations, outside the loop."""
        captured: dict[Node, Node] = dict(zip(self.loop.captured, self.loop.captures, strict=True))
        return copied(self.rewriter, [node], captured)[0]

    def _product(self, stack: Node, product: Apply) -> Node:
        """The products of all iterations, one beside the other."""
        rewriter = self.rewriter
        matrix = self._outside(product.inputs[1])
        inner, width = rewriter.size(matrix, 0), rewriter.size(matrix, 1)
        rows = rewriter.op("multiply", self.count, self.cut.rows)
        dims = dims_of(product.type)
        flat = rewriter.op("reshape", stack, rows, inner, dims=(ANY, dims_of(product.inputs[0].type)[1]))
        whole = rewriter.op("matmul", flat, matrix)
        return rewriter.op("reshape", whole, self.count, self.cut.rows, width, dims=(ANY, *dims))

    def _second(self, token: Node | None, stack: Node, products: list[Node]) -> tuple[Node, list[int]]:
        """The loop that does the rest, and which carried values it has."""
        rewriter, loop, cut = self.rewriter, self.loop, self.cut
        inside, builder = self._inside(), Rewriter(rewriter.rules)
        given = {inside[p]: x for p, x in zip(loop.captured, loop.captures, strict=True)}
        for node, value in ((cut.operand, stack), *zip(cut.products, products, strict=True)):
            block = Parameter("block", value.type)
            given[block] = value
            inside[node] = builder.op("index", block, inside[loop.index], axes=(0,))
        late = [i for i in range(len(self.init)) if i not in cut.early]
        plain = [i for i in late if i != loop.token]
        results = dict(zip(plain, copied(builder, [loop.results[i] for i in plain], inside, loop.function.spans)))
        if token is not None:
            assert loop.token is not None
            checks = [x for x in loop.checks[cut.checked :] if x not in cut.products]
            results[loop.token] = self._checked(builder, inside[loop.carried[loop.token]], inside, checks)
        parameters = [inside[loop.index], *(inside[loop.carried[i]] for i in late)]
        closure = self._closure(loop.function.name, builder, parameters, given, [results[i] for i in late])  # type: ignore[arg-type]
        init = [token if i == loop.token else self.init[i] for i in late]
        return rewriter.op("for_loop", loop.node.inputs[0], closure, *init), late  # type: ignore[arg-type]


_REASON = "the operand does not depend on the product, and rows are multiplied one by one"
RULES = (Rule("products before the loop", ("for_loop",), _distribute, _REASON),)
_ALWAYS = (Rule("products before the loop", ("for_loop",), _distribute_any, _REASON),)


def distribute(root: Function) -> Function:
    """The program with its loops cut, before it is differentiated in reverse: what its loops compute is kept anyway,
    and the backward of a product outside is two products outside. Programs that compute again to save memory stay."""
    below = functions_below(root)
    nodes = [x for f in below if f.is_defined for x in _applied(tuple(nodes_of(f)))]
    names = {x.op.name for x in nodes}
    if not {"for_loop", "matmul"} <= names or "checkpoint" in names or not all(f.is_defined for f in below):
        return root
    return rebuild(root, _copy)


def _copy(translation: Translation, old: Function, new: Function) -> tuple[Node, dict[Node, frozenset[Span]]]:
    rewriter = Rewriter(index_rules(_ALWAYS))
    mapping: dict[Node, Node] = dict(zip(old.parameters, new.parameters))
    for node in nodes_of(old):
        if isinstance(node, Apply):
            rewriter.span = old.spans.get(node, NOWHERE)
            inputs = tuple([mapping[x] for x in node.inputs])
            mapping[node] = rewriter.build(node.op, inputs, translation.attributes(node.attributes))
        else:
            mapping.setdefault(node, node)
    return mapping[old.result], rewriter.spans
