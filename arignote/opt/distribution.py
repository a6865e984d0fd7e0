"""Products with a matrix that stays the same leave a loop, which is cut in two around them.

A recurrent network multiplies the inputs of each step, or what the layer below gives, by the same weights: small
products, which read the whole matrix in every iteration. Instead a first loop computes the operands of all iterations,
one product follows, and a second loop does the rest. Theano's scan moved such products out; here the first loop may
carry values of its own (a layer below), as long as these do not depend on the product.

Failures come as they would. Checks that differ between iterations stay in one of the two loops; those that depend on
sizes alone are looked at before the first loop, and where one is to fail, the iterations up to that one are run as they
were written. `loop_cuts.py` finds out where a loop can be cut.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, Span, functions_below, nodes_of, topological
from arignote.ir.structure import ANY
from arignote.ir.types import INT64, TOKEN, Array, Scalar, dims_of
from arignote.opt.loop_cuts import Cut, Loop, applied, candidates, cut, taken_apart
from arignote.opt.loops import copied
from arignote.opt.program import NOWHERE, Translation, rebuild
from arignote.opt.rewrite import Rewriter, Rule, index_rules
from arignote.opt.rules.structure import made_by

_STACKING = frozenset(("list_push", "update_index", "update_slice"))
"""What makes something in each iteration."""


def _distribute(rewriter: Rewriter, node: Apply) -> Node | None:
    """For loops that make something in each iteration anyway: memory grows by a factor, not with the iterations."""
    closure = made_by(node.inputs[1], "closure")
    if closure is None or not closure["function"].is_defined:
        return None
    result = made_by(closure["function"].result, "tuple")
    if result is None or not any(x.op.name in _STACKING for x in applied(result.inputs)):
        return None
    return _distribute_any(rewriter, node)


def _distribute_any(rewriter: Rewriter, node: Apply) -> Node | None:
    closure = made_by(node.inputs[1], "closure")
    if closure is None or not _multiplies(closure["function"]):
        return None
    loop = taken_apart(node, closure)
    if loop is None or not candidates(loop):
        return None
    cuts = (cut(rewriter, loop, *found) for found in candidates(loop))
    found = next((x for x in cuts if x is not None), None)
    return None if found is None else _Writer(rewriter, loop, found).write()


def _multiplies(function: Function) -> bool:
    """Whether matrices are multiplied in the function or below."""
    if not function.is_defined:
        return False
    below = functions_below(function)
    return all(f.is_defined and not f.is_opaque for f in below) and any(
        x.op.name == "matmul" for f in below for x in applied(tuple(nodes_of(f))))  # fmt: skip


class _Writer:
    """Writes the two loops and what lies between them."""

    def __init__(self, rewriter: Rewriter, loop: Loop, where: Cut) -> None:
        self.rewriter, self.loop, self.cut = rewriter, loop, where
        self.count = rewriter.op("maximum", loop.node.inputs[0], rewriter.integer(0))
        self.init = loop.node.inputs[2:]

    def write(self) -> Node:
        rewriter, loop, where = self.rewriter, self.loop, self.cut
        here = rewriter.span
        token = None if loop.token is None else self._token()
        first = self._first(token)
        lead = loop.token is not None
        if lead:
            token = rewriter.item(first, 0)
        stack = rewriter.item(first, lead + len(where.early))
        rewriter.span = loop.function.spans.get(where.products[0], here)
        products = [self._product(stack, product) for product in where.products]
        rewriter.span = here
        second, late = self._second(token, stack, products)
        items: list[Node] = []
        for i in range(len(self.init)):
            if i in where.early:
                items.append(rewriter.item(first, lead + where.early.index(i)))
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
        rewriter, loop, where = self.rewriter, self.loop, self.cut
        inside, builder = self._inside(), Rewriter(rewriter.rules)
        start = self._stack()
        stack = Parameter("stack", start.type)
        carried = [inside[loop.carried[i]] for i in where.early]
        results = copied(builder, [*(loop.results[i] for i in where.early), where.operand], inside, loop.function.spans)
        results[-1] = builder.op("update_index", stack, results[-1], inside[loop.index], axes=(0,), accumulate=False)
        init = [self.init[i] for i in where.early]
        if token is not None:
            assert loop.token is not None
            chain = inside[loop.carried[loop.token]]
            results.insert(0, self._checked(builder, chain, inside, loop.checks[: where.checked]))
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
        rewriter, loop, where = self.rewriter, self.loop, self.cut
        inside, builder = self._inside(), Rewriter(rewriter.rules)
        given = {inside[p]: x for p, x in zip(loop.captured, loop.captures, strict=True)}
        for node, value in ((where.operand, stack), *zip(where.products, products, strict=True)):
            block = Parameter("block", value.type)
            given[block] = value
            inside[node] = builder.op("index", block, inside[loop.index], axes=(0,))
        late = [i for i in range(len(self.init)) if i not in where.early]
        plain = [i for i in late if i != loop.token]
        results = dict(zip(plain, copied(builder, [loop.results[i] for i in plain], inside, loop.function.spans)))
        if token is not None:
            assert loop.token is not None
            checks = [x for x in loop.checks[where.checked :] if x not in where.products]
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
    nodes = [x for f in below if f.is_defined for x in applied(tuple(nodes_of(f)))]
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
