"""Walks over graphs."""

from arignote.ir.graph import Function, Parameter, functions_below, nodes_of, topological
from arignote.ir.types import FLOAT64
from arignote.ops.emit import Emit


def test_operands_come_first_and_each_node_once():
    emit = Emit()
    x, y = Parameter("x", FLOAT64), Parameter("y", FLOAT64)
    total = emit.op("add", x, y)
    difference = emit.op("subtract", total, x)
    root = emit.op("multiply", total, difference)
    assert topological([root]) == [x, y, total, difference, root]


def test_a_function_that_has_been_redefined_has_other_nodes():
    emit = Emit()
    x = Parameter("x", FLOAT64)
    function = emit.function("f", [x], emit.op("sin", x))
    assert nodes_of(function)[-1].op.name == "sin"
    function.redefine(emit.op("cos", x), {})
    assert nodes_of(function)[-1].op.name == "cos"


def test_functions_that_are_not_defined_yet_are_below_others():
    emit = Emit()
    x = Parameter("x", FLOAT64)
    later = Function("later", [Parameter("x", FLOAT64)])
    later.declare(FLOAT64)
    caller = emit.function("caller", [x], emit.call(later, x))
    assert functions_below(caller) == [caller, later]
