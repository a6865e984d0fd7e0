"""Sums of tangents. A sum is built so that what is added to is written in place where nobody else holds it."""

from __future__ import annotations

from arignote.autodiff.activity import differentiable
from arignote.autodiff.chain import add_masked
from arignote.autodiff.emit import AdjointEmit
from arignote.autodiff.zeros import is_zero
from arignote.ir.graph import Apply, Function, Node, Parameter
from arignote.ir.types import INT64, List, Tuple, Union, UnionDefinition


def add_lists(emit: AdjointEmit, a: Node, b: Node) -> Node:
    """Elementwise sum of two lists of tangents of one length."""
    assert isinstance(a.type, List)
    inner = AdjointEmit()
    left, right = Parameter("left", a.type), Parameter("right", b.type)
    index, total = Parameter("index", INT64), Parameter("total", a.type)
    value = add_tangents(inner, inner.op("list_get", left, index), inner.op("list_get", right, index))
    result = inner.tuple([inner.op("list_push", total, inner.conform(value, a.type.element))])
    body = inner.function("add_lists", (left, right, index, total), result)
    length = emit.op("list_length", a)
    start = emit.op("list_new", length, element=a.type.element)
    return emit.item(emit.op("for_loop", length, emit.closure(body, (a, b)), start), 0)


def add_tangents(emit: AdjointEmit, a: Node, b: Node) -> Node:
    """Sum of two whole tangents of one type."""
    if isinstance(a.type, Tuple):
        return emit.tuple(add_tangents(emit, x, y) for x, y in zip(emit.items(a), emit.items(b), strict=True))
    if isinstance(a.type, List):
        return add_lists(emit, a, b)
    if isinstance(a.type, Union):
        return add_unions(emit, a, b)
    return add_arrays(emit, a, b)


_UPDATES = ("update_index", "update_slice", "scatter")


def add_arrays(emit: AdjointEmit, a: Node, b: Node) -> Node:
    """a + b; where one is zero but for some places, those places of the other are increased instead, which a loop that
    accumulates can do in place."""
    if is_zero(a) or is_zero(b):
        return b if is_zero(a) else a
    for base, sparse in ((a, b), (b, a)):
        updates = _updates_of_zero(sparse)
        for update in updates:
            attributes = {**dict(update.attributes), "accumulate": True}
            base = emit.apply(update.op, base, *update.inputs[1:], **attributes)
        if updates:
            return base
    return add_masked(emit, a, b) or emit.op("add", a, b)


def _updates_of_zero(node: Node) -> list[Apply]:
    """The chain of updates, innermost first, that made `node` from zeros; empty where there is none."""
    chain: list[Apply] = []
    while isinstance(node, Apply) and node.op.name in _UPDATES:
        chain.append(node)
        node = node.inputs[0]
    if not chain or not is_zero(node):
        return []
    chain.reverse()
    adds = all(x["accumulate"] for x in chain[1:])
    return chain if adds and (chain[0]["accumulate"] or chain[0].op.name != "scatter") else []


def add_unions(emit: AdjointEmit, a: Node, b: Node) -> Node:
    """Sum of two tangents of a union: zero is neutral, otherwise both belong to one alternative. What only one of
    the two reaches is shared and not walked through, so the sum costs what they have in common."""
    if is_zero(a) or is_zero(b):
        return b if is_zero(a) else a
    assert isinstance(a.type, Union)
    made = [isinstance(x, Apply) and x.op.name == "inject" for x in (a, b)]
    if all(made):
        return _inject_sum(emit, a.type, a["alternative"], a.inputs[0], b.inputs[0])  # type: ignore[index, attr-defined]
    return emit.call(_union_sum(a.type.definition), a, b)


def _inject_sum(emit: AdjointEmit, type_: Union, alternative: int, a: Node, b: Node) -> Node:
    total = emit.conform(add_tangents(emit, a, b), type_.alternatives[alternative])
    return emit.op("inject", total, type=type_, alternative=alternative)


def _union_sum(definition: UnionDefinition) -> Function:
    """(a, b) -> a + b, which calls itself where the union contains itself. Made once."""
    found = definition.derived.get("sum")
    if found is None:
        type_ = Union(definition)
        a, b = Parameter("a", type_), Parameter("b", type_)
        found = definition.derived["sum"] = Function(f"add_{definition.name}", (a, b))
        found.declare(type_)
        emit = AdjointEmit()
        found.define(_if_zero(emit, a, emit.closure(_same("second", type_), [b]),
                                  emit.closure(_first_is_not_zero(type_), [a, b])))  # fmt: skip
    return found


def _if_zero(emit: AdjointEmit, a: Node, then: Node, otherwise: Node) -> Node:
    return emit.op("cond", emit.op("equal", emit.op("tag", a), emit.integer(0)), then, otherwise)


def _same(name: str, type_: Union) -> Function:
    value = Parameter(name, type_)
    return Function(name, (value,), value)


def _first_is_not_zero(type_: Union) -> Function:
    emit = AdjointEmit()
    a, b = Parameter("a", type_), Parameter("b", type_)
    both = _alternatives_sum(type_)
    result = _if_zero(emit, b, emit.closure(_same("first", type_), [a]), emit.closure(both, [a, b]))
    return Function("add_to_first", (a, b), result)


def _alternatives_sum(type_: Union) -> Function:
    """The sum where neither is zero: the alternatives are tried one after the other."""
    chosen: Function | None = None
    for alternative, payload in reversed(list(enumerate(type_.alternatives))):
        if not differentiable(payload):
            continue
        emit = AdjointEmit()
        a, b = Parameter("a", type_), Parameter("b", type_)
        parts = [emit.op("project", x, alternative=alternative) for x in (a, b)]
        this = Function(f"add_alternative_{alternative}", (a, b), _inject_sum(emit, type_, alternative, *parts))
        if chosen is None:
            chosen = this
            continue
        emit = AdjointEmit()
        a, b = Parameter("a", type_), Parameter("b", type_)
        matches = emit.op("equal", emit.op("tag", a), emit.integer(alternative))
        result = emit.op("cond", matches, emit.closure(this, [a, b]), emit.closure(chosen, [a, b]))
        chosen = Function("add_alternatives", (a, b), result)
    assert chosen is not None, f"{type_!r} has no derivative"
    return chosen
