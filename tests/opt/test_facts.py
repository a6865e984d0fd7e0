"""A pinned check is never left out, and proves sizes equal only where it has been made."""

from arignote.ir.check import check
from arignote.ir.graph import Parameter
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import TOKEN, Array
from arignote.ops.emit import Emit
from arignote.opt import optimise

VECTOR = Array("float64", (MANY,))
emit = Emit()
token, x, y = Parameter("token", TOKEN), Parameter("x", VECTOR), Parameter("y", VECTOR)
ones = emit.full_like(x, 1)


def optimised(result, *parameters):
    function = emit.function("f", parameters, result)
    check(function)
    result = optimise(function)
    check(result)
    return result.result


def test_a_pinned_check_proves_sizes_equal():
    product = emit.op("multiply", x, y)
    result = optimised(emit.tuple([emit.op("after", token, product), emit.op("multiply", ones, y)]), token, x, y)
    pinned, value = result.inputs
    assert pinned.inputs == (token, product) and value is y


def test_the_check_itself_stays():
    product = emit.op("multiply", ones, y)
    result = optimised(emit.tuple([emit.op("after", token, product), product]), token, x, y)
    assert result.inputs[0].inputs == (token, product)


def test_without_the_check_nothing_is_known():
    product = emit.op("multiply", ones, y)
    assert optimised(emit.tuple([product]), x, y).inputs[0] is product


def test_a_size_that_may_be_one_proves_nothing():
    z = Parameter("z", Array("float64", (ANY,)))
    product, later = emit.op("multiply", x, z), emit.op("multiply", ones, z)
    result = optimised(emit.tuple([emit.op("after", token, product), later]), token, x, z)
    assert result.inputs[1] is later


def test_a_check_in_one_function_proves_nothing_in_another():
    """Two functions may share parameters; each makes its own checks."""
    inner = emit.function("inner", [token, x, y], emit.op("after", token, emit.op("multiply", x, y)))
    weak = emit.op("multiply", ones, y)
    flag = Parameter("flag", Array("float64", (MANY,)))
    first = emit.op("call", emit.closure(inner), token, flag, flag)
    result = optimised(emit.tuple([emit.op("after", first, weak), weak]), token, x, y, flag)
    assert result.inputs[1] is weak
