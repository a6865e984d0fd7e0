"""What the verifier refuses."""

import pytest

from arignote.ir.check import CheckError, check
from arignote.ir.graph import Function, Parameter, Span
from arignote.ir.types import BOOL, FLOAT64, INT64, TOKEN, Array, Tuple
from arignote.ops.emit import Emit
from tests.ir import programs


@pytest.mark.parametrize("make", programs.ALL, ids=lambda f: f.__name__)
def test_good_graphs_pass(make):
    check(make())


def refused(function, message):
    with pytest.raises(CheckError, match=message):
        check(function)


def test_a_foreign_parameter():
    x, y = Parameter("x", FLOAT64), Parameter("y", FLOAT64)
    refused(Emit().function("f", [x], Emit().op("add", x, y)), "%y : f64 belongs to another function")


def test_a_parameter_twice():
    x = Parameter("x", FLOAT64)
    refused(Function("f", [x, x], x), "stands twice")


def test_a_result_that_does_not_fit_its_declaration():
    x = Parameter("x", FLOAT64)
    function = Function("f", [x])
    function.declare(INT64)
    refused(function.define(x), "the result is f64, declared as i64")


def test_a_loop_whose_body_gives_something_else():
    emit = Emit()
    i, carried = Parameter("i", INT64), Parameter("carried", Array("float64", (2,)))
    body = Function("body", [i, carried])
    body.declare(Tuple([carried.type]))
    x = Parameter("x", carried.type)
    node = emit.op("for_loop", emit.integer(3), emit.closure(body), x)
    body.define(emit.tuple([emit.op("concatenate", carried, carried, axis=0)]))
    body.declare(body.result.type)
    refused(emit.function("f", [x], node), "values carried by body")


def test_a_token_used_twice():
    emit = Emit()
    token, x = Parameter("token", TOKEN), Parameter("x", FLOAT64)
    first = emit.op("print", token, template=("first\n",))
    second = emit.op("print", token, template=("second\n",))
    refused(emit.function("f", [token, x], emit.tuple([first, second])), "is used up by")


def test_branches_may_share_a_token():
    emit = Emit()
    branches = []
    for text in ("yes\n", "no\n"):
        token = Parameter("token", TOKEN)
        branches.append(emit.function(text[:-1], [token], emit.op("print", token, template=(text,))))
    token, flag = Parameter("token", TOKEN), Parameter("flag", BOOL)
    check(emit.function("f", [token, flag], emit.op("cond", flag, *(emit.closure(b, [token]) for b in branches))))


def test_spans_of_other_nodes():
    x = Parameter("x", FLOAT64)
    function = Function("f", [x], x, {Emit().op("sin", x): frozenset({Span("a.py", "f", 1)})})
    refused(function, "spans of 1 nodes that are not its own")
