"""Outer products that recursive functions add to a matrix are collected, and added many at a time.

    total += outer(u, v)     ->     left[count], right[count] = u, v;  count += 1
                                    if count == ROWS: total += transpose(left) @ right;  count = 0

The backward of `W @ x` adds an outer product to the cotangent of W: a pass over the whole matrix for each node of a
tree. A product of matrices passes over it once for ROWS of them. In a loop the factors are as many as its iterations,
and there is one product after it (`accumulations.py`); of a recursion nobody knows how many there will be. In dense
linear algebra these are delayed, or blocked, updates.

A matrix that is given to such a function, and comes back with nothing done to it but additions (`passed_through.py`),
becomes the tuple (total, left, right, count) all the way from where it is first given to where the last sum comes
back; there what is left is added. Only cotangents are: their order is free, and that of a program's own sums is not.
Small matrices, which stay in the nearest cache, have no rows to collect in, and products are added at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arignote.ir.graph import Apply, Function, Node, Parameter, Span, nodes_of
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import INT64, RESIDUAL, Array, Tuple, Type, Union, dtype_of, is_float
from arignote.opt.demand import LOOPS
from arignote.opt.passed_through import Found, Way, added_through
from arignote.opt.program import Translation, components, rebuild
from arignote.opt.rewrite import Rewriter, Rule, fuel, is_on, node_by_node
from arignote.opt.rules.structure import made_by

NAME = "delayed updates"
RULE = Rule(NAME, (), lambda rewriter, node: None, "the order in which cotangents are added is free")

ROWS = 32
"""So many outer products are added at once."""
LEAST_ELEMENTS = 4096
"""Matrices with fewer are added to at once."""


def delay_updates(root: Function) -> Function:
    """The program with such sums collected."""
    groups = components(root)
    recursive = {function for group, circular in groups if circular for function in group}
    if not recursive or not is_on(RULE):
        return root
    ways, backward = _ways([function for group, _ in reversed(groups) for function in group], recursive)
    return rebuild(root, _Delay(ways, backward).body, _Delayed(ways)) if ways else root


# Which sums ----------------------------------------------------------------------------------------------------------


def _ways(functions: list[Function], recursive: set[Function]) -> tuple[Found, set[Function]]:
    """Where the sums to be collected pass through, and those of these functions in which all sums are cotangents."""
    closures = _closures(functions)
    chosen: Found = {}
    backward: set[Function] = set()
    for function in functions:
        for node in nodes_of(function) if function not in recursive else ():
            for way, component in _sums_of(node) if isinstance(node, Apply) else ():
                if way in chosen:
                    continue
                found, added = added_through(*way, component)
                if found and _is_worth_it(found, added, recursive) and _is_alone(found, chosen, closures):
                    if not fuel().spend(RULE, node, node):  # type: ignore[arg-type]
                        return chosen, backward
                    chosen.update(found)
                    if _adds_cotangents(found):
                        backward.update(each for each, _ in found)
    return chosen, backward


def _sums_of(node: Apply) -> list[tuple[Way, int]]:
    """The matrices that a loop carries or a call is given, and the components in which they may come out."""
    closure = made_by(node.inputs[LOOPS[node.op.name]], "closure") if node.op.name == "for_loop" else None
    if closure is not None:
        first = len(closure.inputs) + 1
        return [((closure["function"], first + place), place)
                for place, x in enumerate(node.inputs[2:]) if _is_matrix(x.type)]  # fmt: skip
    closure = made_by(node.inputs[0], "closure") if node.op.name == "call" else None
    if closure is None or not isinstance(node.type, Tuple):
        return []
    first = len(closure.inputs)
    return [((closure["function"], first + place), component)
            for place, x in enumerate(node.inputs[1:]) if _is_matrix(x.type)
            for component, type_ in enumerate(node.type.items) if type_ is x.type]  # fmt: skip


def _is_matrix(type_: Type) -> bool:
    return isinstance(type_, Array) and len(type_.dims) == 2 and is_float(type_.dtype) and set(type_.dims) == {MANY}


def _is_worth_it(found: Found, added: list[Apply], recursive: set[Function]) -> bool:
    """Whether recursive functions are among those that a sum passes through, and an outer product is added on the way;
    and whether it has one type everywhere."""
    types = {function.parameters[place].type for function, place in found}
    if len(types) > 1 or not any(function in recursive for function, _ in found):
        return False
    return any(_factors(node, _adds_cotangents(found)) is not None for node in added)


def _adds_cotangents(found: Found) -> bool:
    """Whether plain additions on the way are of cotangents: a function on it takes what its forward has left."""
    return any(isinstance(p.type, Union) and p.type.definition.name.startswith(RESIDUAL)
               for function, _ in found for p in function.parameters)  # fmt: skip


def _factors(update: Apply, plain: bool) -> tuple[Node, Node] | None:
    """A column and a row whose product is added to a whole matrix. Only derivatives add so by `update_slice`; `plain`:
    other additions count too."""
    if update.op.name == "update_slice":
        addends = update.inputs[1:] if update["accumulate"] and not update["axes"] else ()
    else:
        addends = update.inputs if plain and update.op.name == "add" else ()
    for product in (made_by(x, "multiply") for x in addends):
        dims = [] if product is None else [x.type.dims if isinstance(x.type, Array) else () for x in product.inputs]
        for column, row in ((0, 1), (1, 0)):
            if product is not None and dims[column] == (MANY, 1) and dims[row] == (1, MANY):
                return product.inputs[column], product.inputs[row]
    return None


def _closures(functions: list[Function]) -> dict[Function, list[tuple[Apply, Apply, int]]]:
    """For each function where it is used: (the closure, what uses it, as which operand)."""
    found: dict[Function, list[tuple[Apply, Apply, int]]] = {}
    for function in functions:
        for node in nodes_of(function):
            for place, x in enumerate(node.inputs) if isinstance(node, Apply) else ():
                if isinstance(x, Apply) and x.op.name == "closure":
                    found.setdefault(x["function"], []).append((x, node, place))  # type: ignore[arg-type]
    return found


def _is_alone(found: Found, chosen: Found, closures: dict[Function, list[tuple[Apply, Apply, int]]]) -> bool:
    """Whether these functions are only called, loop bodies, or each a branch in one place."""
    for function, place in found:
        uses = closures.get(function, [])
        captures = any(place < len(closure.inputs) for closure, _, _ in uses)
        if captures and len(uses) > 1 or any(not _is_run(user, at) for _, user, at in uses):
            return False
    return not any(way in chosen for way in found)


def _is_run(user: Apply, operand: int) -> bool:
    return operand == {"call": 0, "for_loop": 1}.get(user.op.name, -1) or user.op.name == "cond"


_ADDITIONS = frozenset(("add", "update_slice", "update_index", "scatter"))


# The program rewritten -----------------------------------------------------------------------------------------------


def _delayed(type_: Type) -> Tuple:
    """The type of (total, left, right, count) for a matrix."""
    assert isinstance(type_, Array)
    panel = Array(type_.dtype, (MANY, MANY))
    return Tuple([type_, panel, panel, INT64])


def _by_function(ways: Found) -> dict[Function, dict[int, int]]:
    """For each function, which of its parameters come out in which components."""
    found: dict[Function, dict[int, int]] = {}
    for (function, place), component in ways.items():
        found.setdefault(function, {})[place] = component
    return found


class _Delayed(Translation):
    """Sums have the types of collected ones where they pass through a function."""

    def __init__(self, ways: Found) -> None:
        super().__init__()
        self.ways = _by_function(ways)

    def result_type(self, function: Function) -> Type:
        type_ = super().result_type(function)
        components = set(self.ways.get(function, {}).values())
        if not components:
            return type_
        assert isinstance(type_, Tuple)
        return Tuple([_delayed(item) if i in components else item for i, item in enumerate(type_.items)])

    def parameters(self, function: Function) -> tuple[Parameter, ...]:
        parameters, ways = super().parameters(function), self.ways.get(function, {})
        return tuple(Parameter(p.name, _delayed(p.type)) if place in ways else p
                     for place, p in enumerate(parameters))  # fmt: skip


class _Delay:
    """Rebuilds each function. What was a matrix and has become a tuple is a sum on its way."""

    def __init__(self, ways: Found, backward: set[Function]) -> None:
        self.ways, self.backward = _by_function(ways), backward
        self.functions: dict[Type, tuple[Function, Function]] = {}
        """For each type of matrix, what adds to a collected sum, and what gives it as a matrix."""

    def body(self, translation: Translation, old: Function, new: Function) -> tuple[Node, dict[Node, frozenset[Span]]]:
        def step(rewriter: Rewriter, node: Apply, mapping: dict[Node, Node]) -> Node:
            sum_ = self._added(rewriter, node, mapping, old in self.backward)
            return self._rebuilt(rewriter, translation, node, mapping) if sum_ is None else sum_

        return node_by_node(old, new, step)

    def _rebuilt(self, rewriter: Rewriter, translation: Translation, node: Apply, mapping: dict[Node, Node]) -> Node:
        inputs = [mapping[x] for x in node.inputs]
        entered = self._entered(node, inputs)
        for operand in entered:
            inputs[operand] = _started(rewriter, inputs[operand])
        if node.op.name == "size" and _has_become_a_sum(node.inputs[0], inputs[0]):
            return rewriter.size(rewriter.item(inputs[0], 0), node["axis"])
        built = rewriter.build(node.op, tuple(inputs), translation.attributes(node.attributes))
        if not entered:
            return built
        left = set(entered.values())
        return rewriter.tuple([self._settled(rewriter, x) if i in left else x
                               for i, x in enumerate(rewriter.items(built))])  # fmt: skip

    def _entered(self, node: Apply, inputs: list[Node]) -> dict[int, int]:
        """Operands that are matrices still where a sum goes into a function, and the components that come back."""
        run = {"call": 0, "for_loop": 1}.get(node.op.name, 0)
        closure = made_by(node.inputs[run], "closure") if node.op.name in ("call", "for_loop") else None
        if closure is None:
            return {}
        first = len(closure.inputs) + LOOPS.get(node.op.name, 0)
        ways = self.ways.get(closure["function"], {})
        operands = {run + 1 + place - first: component for place, component in ways.items()}
        return {at: component for at, component in operands.items() if isinstance(inputs[at].type, Array)}

    def _added(self, rewriter: Rewriter, node: Apply, mapping: dict[Node, Node], plain: bool) -> Node | None:
        """A collected sum after an addition; None for what is not one."""
        sums = [x for x in node.inputs if _has_become_a_sum(x, mapping[x])] if node.op.name in _ADDITIONS else []
        if not sums:
            return None
        total, *collected = rewriter.items(mapping[sums[0]])
        factors = _factors(node, plain)
        if factors is None:
            inputs = tuple([total if x is sums[0] else mapping[x] for x in node.inputs])
            return rewriter.tuple([rewriter.build(node.op, inputs, node.attributes), *collected])
        column, row = (mapping[x] for x in factors)
        return rewriter.call(self._of(total.type)[0], total, *collected, column, row)

    def _settled(self, rewriter: Rewriter, sum_: Node) -> Node:
        return rewriter.call(self._of(rewriter.item(sum_, 0).type)[1], *rewriter.items(sum_))

    def _of(self, type_: Type) -> tuple[Function, Function]:
        if type_ not in self.functions:
            self.functions[type_] = _collecting(type_), _settling(type_)
        return self.functions[type_]


def _has_become_a_sum(old: Node, new: Node) -> bool:
    return isinstance(old.type, Array) and isinstance(new.type, Tuple)


# Sums that are collected ---------------------------------------------------------------------------------------------


def _started(rewriter: Rewriter, matrix: Node) -> Node:
    """A matrix to which nothing is to be added yet."""
    sizes = rewriter.sizes(matrix)
    is_small = rewriter.op("less", rewriter.op("multiply", *sizes), rewriter.integer(LEAST_ELEMENTS))
    rows = rewriter.op("select", is_small, rewriter.integer(0), rewriter.integer(ROWS))
    zero = rewriter.constant(0, dtype_of(matrix.type))
    panels = [rewriter.op("broadcast_to", zero, rows, size, dims=(MANY, MANY)) for size in sizes]
    return rewriter.tuple([matrix, *panels, rewriter.integer(0)])


_NAMES = ("total", "left", "right", "count", "column", "row")


def _parameters(type_: Type) -> list[Parameter]:
    return [Parameter(name, part) for name, part in zip(_NAMES, _delayed(type_).items)]


def _branch(name: str, values: Sequence[Node], result: Callable[[Rewriter, list[Parameter]], Node]) -> Apply:
    """The closure of a function that gives `result` of these values."""
    inside = [Parameter(name, value.type) for name, value in zip(_NAMES, values)]
    builder = Rewriter({})
    function = builder.function(name, inside, result(builder, inside))
    return builder.op("closure", *values, function=function)


def _collecting(type_: Type) -> Function:
    """(total, left, right, count, column, row) -> the same with the product of column and row added."""
    dtype = dtype_of(type_)
    factors = [Parameter("column", Array(dtype, (MANY, 1))), Parameter("row", Array(dtype, (1, MANY)))]
    values = [*_parameters(type_), *factors]
    builder = Rewriter({})
    has_rows = builder.op("greater", builder.size(values[1], 0), builder.integer(0))
    collect, add = _branch("collect", values, _collect), _branch("add_outer", values, _add_outer)
    return builder.function("collect_outer", values, builder.op("cond", has_rows, collect, add))


def _add_outer(builder: Rewriter, values: list[Parameter]) -> Node:
    total, left, right, count, column, row = values
    return builder.tuple([_add(builder, total, builder.op("multiply", column, row)), left, right, count])


def _collect(builder: Rewriter, values: list[Parameter]) -> Node:
    total, left, right, count, column, row = values
    place = (count, builder.integer(1), builder.integer(1))
    turned = builder.op("transpose", column, permutation=(1, 0))
    panels = [builder.op("update_slice", panel, x, *place, axes=(0,), accumulate=False)
              for panel, x in ((left, turned), (right, row))]  # fmt: skip
    after = builder.op("add", count, builder.integer(1))
    rows = builder.size(left, 0)
    sum_ = [total, *panels, after]
    add, keep = _branch("add_rows", sum_, _add_rows), _branch("keep_rows", sum_, Rewriter.tuple)
    return builder.op("cond", builder.op("equal", after, rows), add, keep)


def _add_rows(builder: Rewriter, values: list[Parameter]) -> Node:
    total, left, right, _ = values
    return builder.tuple([_add(builder, total, _product(builder, left, right)), left, right, builder.integer(0)])


def _settling(type_: Type) -> Function:
    """(total, left, right, count) -> the matrix with all that was collected."""
    values = _parameters(type_)
    builder = Rewriter({})
    left_over = builder.op("greater", values[3], builder.integer(0))
    add = _branch("add_rest", values, _add_rest)
    keep = _branch("nothing_left", values, lambda _, inside: inside[0])
    return builder.function("settle_outer", values, builder.op("cond", left_over, add, keep))


def _add_rest(builder: Rewriter, values: list[Parameter]) -> Node:
    total, left, right, count = values
    place = (builder.integer(0), count, builder.integer(1))
    panels = [builder.op("slice", panel, *place, axes=(0,), dims=(ANY, MANY)) for panel in (left, right)]
    return _add(builder, total, _product(builder, *panels))


def _product(builder: Rewriter, left: Node, right: Node) -> Node:
    return builder.op("matmul", builder.op("transpose", left, permutation=(1, 0)), right)


def _add(builder: Rewriter, total: Node, product: Node) -> Node:
    return builder.op("update_slice", total, product, axes=(), accumulate=True)
