"""Small graphs built by hand."""

from __future__ import annotations

from arignote.ir.graph import Function, Parameter
from arignote.ir.structure import ANY, MANY, ArrayOf, NumpyScalarOf, PythonScalarOf
from arignote.ir.types import BOOL, FLOAT64, INT64, TOKEN, UNIT, Array, Closure, List, Tuple, Union, UnionDefinition
from arignote.ops.emit import Emit

VECTOR = Array("float64", (MANY,))


def loop() -> Function:
    """carried = 1.5; for i in range(len(x)): carried = carried * sum(sin(x)) + i"""
    emit = Emit()
    x, k, i, carried = (Parameter(*p) for p in (("x", VECTOR), ("k", FLOAT64), ("i", INT64), ("carried", FLOAT64)))
    body = emit.function("body/1", [k, i, carried],
                         emit.tuple([emit.op("add", emit.op("multiply", carried, k), emit.cast(i, "float64"))]))
    total = emit.op("sum", emit.op("sin", x), axes=(0,))
    result = emit.op("for_loop", emit.size(x, 0), emit.closure(body, [total]), emit.constant(1.5, "float64"))
    return emit.function("loop", [x], emit.item(result, 0))


def effects() -> Function:
    """print(f"x = {x}"); if x < 0: raise ValueError("# bad 'x'")"""
    emit = Emit()
    token, x = Parameter("token", TOKEN), Parameter("x", FLOAT64)
    template = ("x's = ", PythonScalarOf("float64"), NumpyScalarOf("float64"), "\n")
    printed = emit.op("print", token, x, x, template=template)
    raised = emit.op("raise_if", printed, emit.op("less", x, emit.constant(0.0, "float64")),
                     exception=ValueError, message=("# bad 'x'",))
    return emit.function("effects", [token, x], emit.tuple([raised, x]))


def branches() -> Function:
    """A list in one branch, a placeholder in the other; an array printed; all kinds of constants."""
    emit = Emit()
    flag, x = Parameter("flag", BOOL), Parameter("x", Array("float64", (ANY, 3)))
    row, list_ = Parameter("row", Array("float64", (3,))), List(Array("float64", (3,)))
    empty = emit.op("list_new", emit.integer(1), element=list_.element)
    then = emit.function("then", [row], emit.tuple([emit.op("list_push", empty, row), emit.constant(-0.0, "float32")]))
    other = Parameter("row", row.type)
    otherwise = emit.function("then", [other], emit.tuple([
        emit.op("undefined", type=list_), emit.constant(float("nan"), "float32")]))
    first = emit.op("index", x, emit.integer(0), axes=(0,))
    chosen = emit.op("cond", flag, emit.closure(then, [first]), emit.closure(otherwise, [first]))
    token = emit.op("print", emit.op("token"), x, template=(ArrayOf("float64", (ANY, 3)), "\n"))
    return emit.function("branches", [flag, x], emit.tuple([token, chosen, emit.constant(True, "bool")]))


def factorial() -> Function:
    """def factorial(n): return 1 if n <= 0 else n * factorial(n - 1)"""
    emit = Emit()
    n, m, k = Parameter("n", INT64), Parameter("n", INT64), Parameter("n", INT64)
    function = Function("factorial", [n])
    function.declare(INT64)
    then = emit.function("one", [k], emit.integer(1))
    less = emit.call(function, emit.op("subtract", m, emit.integer(1)))
    otherwise = emit.function("times", [m], emit.op("multiply", m, less))
    done = emit.op("less_equal", n, emit.integer(0))
    function.define(emit.op("cond", done, emit.closure(then, [n]), emit.closure(otherwise, [n])))
    return function


def returned_closure() -> Function:
    """A function whose result is a closure and a tuple type that names it."""
    emit = Emit()
    a, g, x = Parameter("a", FLOAT64), Parameter("g", FLOAT64), Parameter("x", FLOAT64)
    back = emit.function("back", [a, g], emit.op("multiply", a, g))
    forward = emit.function("forward", [x], emit.tuple([emit.op("sin", x), emit.closure(back, [emit.op("cos", x)])]))
    p = Parameter("p", Tuple([FLOAT64, Closure(back, 1)]))
    use = emit.function("use", [p], emit.op("call", emit.item(p, 1), emit.constant(1.0, "float64")))
    y = Parameter("y", FLOAT64)
    return emit.function("derivative", [y], emit.call(use, emit.call(forward, y)))


def tree_type() -> Union:
    """None, or a value, a weight and two trees."""
    definition = UnionDefinition("Tree")
    tree = Union(definition)
    return definition.define([UNIT, Tuple([tree, VECTOR, FLOAT64, tree])])


def tree_sum() -> Function:
    """def total(t): return 0.0 if t is None else total(t.left) + t.weight * np.sum(t.value) + total(t.right)"""
    emit = Emit()
    tree = tree_type()
    t, u, v = Parameter("t", tree), Parameter("u", tree), Parameter("v", tree)
    function = Function("tree_sum", [t])
    function.declare(FLOAT64)
    leaf = emit.function("leaf", [u], emit.constant(0.0, "float64"))
    left, value, weight, right = emit.items(emit.op("project", v, alternative=1))
    here = emit.op("multiply", weight, emit.op("sum", value, axes=(0,)))
    total = emit.op("add", emit.op("add", emit.call(function, left), here), emit.call(function, right))
    node = emit.function("node", [v], total)
    empty = emit.op("equal", emit.op("tag", t), emit.integer(0))
    function.define(emit.op("cond", empty, emit.closure(leaf, [t]), emit.closure(node, [t])))
    return function


def tree_made() -> Function:
    """A tree of three nodes, and a placeholder for its tangent."""
    emit = Emit()
    x, a = Parameter("x", VECTOR), Parameter("a", FLOAT64)
    tree = tree_type()
    none = emit.op("inject", emit.tuple([]), type=tree, alternative=0)
    low = emit.op("inject", emit.tuple([none, x, a, none]), type=tree, alternative=1)
    high = emit.op("inject", emit.tuple([low, emit.op("sin", x), a, low]), type=tree, alternative=1)
    tangent = emit.op("undefined", type=Union(tree.definition.tangent))
    return emit.function("tree_made", [x, a], emit.tuple([high, tangent]))


ALL = (loop, effects, branches, factorial, returned_closure, tree_sum, tree_made)
