"""Which sizes are known to be equal, and which operations therefore cannot fail."""

import pytest

from arignote.ir.graph import Function, Parameter
from arignote.ir.sizes import as_size, sizes
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import Array, Scalar
from arignote.ops.emit import Emit

emit = Emit()


def array(*dims, dtype="float64"):
    return Parameter("x", Array(dtype, dims))


def test_a_parameter_owns_its_unknown_sizes():
    x = array(MANY, 3, ANY)
    assert sizes(x) == ((x, 0), 3, (x, 2))


def test_elementwise_operations_keep_sizes():
    x, row = array(MANY, ANY), array(1, ANY)
    assert sizes(emit.op("sin", x)) == sizes(x)
    assert sizes(emit.op("add", x, emit.op("expand_dims", emit.op("sum", x, axes=(1,)), axes=(1,)))) == sizes(x)
    assert sizes(emit.op("add", x, row))[0] == (x, 0)


def test_moving_axes_moves_sizes():
    x = array(MANY, 3, ANY)
    assert sizes(emit.op("transpose", x, permutation=(2, 0, 1))) == ((x, 2), (x, 0), 3)
    assert sizes(emit.op("sum", x, axes=(1,))) == ((x, 0), (x, 2))
    assert sizes(emit.op("expand_dims", x, axes=(1,))) == ((x, 0), 1, 3, (x, 2))
    assert sizes(emit.op("squeeze", emit.op("expand_dims", x, axes=(1,)), axes=(1,))) == sizes(x)


def test_products_of_matrices():
    a, b = array(MANY, ANY), array(ANY, 5)
    assert sizes(emit.op("matmul", a, b)) == ((a, 0), 5)


def test_a_size_that_is_asked_for():
    x = array(MANY, ANY)
    assert as_size(emit.size(emit.op("transpose", x, permutation=(1, 0)), 0)) == (x, 1)
    assert sizes(emit.op("iota", emit.size(x, 1), dtype="int64", dim=ANY)) == ((x, 1),)


def test_masks_index_with_arrays_of_one_length():
    mask = array(MANY, ANY, dtype="bool")
    rows, columns = emit.items(emit.op("nonzero", mask))
    assert sizes(rows) == sizes(columns)
    x = emit.op("cast", mask, dtype="float64")
    assert not emit.op("gather", x, rows, columns, axis=0).can_fail


def test_deep_chains_need_no_stack():
    x = node = array(MANY)
    for _ in range(20_000):
        node = emit.op("negative", node)
    assert sizes(node) == ((x, 0),)


def of_branch(captured, given):
    """A branch on captured data, of which both sides give ((flag, the array), flag); the array of it."""
    flag = Parameter("flag", Scalar("bool"))
    sides = []
    for name in ("then", "else"):
        parameter = Parameter("c", captured.type)
        body = emit.tuple([emit.tuple([flag_of(name), given(parameter)]), flag_of(name)])
        function = Function(name, (parameter,), body)
        sides.append(emit.closure(function, (captured,)))
    return emit.item(emit.item(emit.op("cond", flag, *sides), 0), 1)


def flag_of(name):
    return emit.constant(name == "then", "bool")


def test_parts_of_tuples_in_tuples_keep_their_sizes():
    x = array(MANY, ANY)
    assert sizes(of_branch(x, lambda c: emit.op("sin", c))) == sizes(x)


def test_parts_of_captured_tuples_keep_their_sizes():
    x = array(MANY, ANY)
    captured = emit.tuple([flag_of("then"), emit.tuple([x, flag_of("else")])])
    assert sizes(of_branch(captured, lambda c: emit.op("sin", emit.item(emit.item(c, 1), 0)))) == sizes(x)
    unknown = Parameter("t", captured.type)
    node = of_branch(unknown, lambda c: emit.item(emit.item(c, 1), 0))
    assert sizes(node) == ((node, 0), (node, 1))


def test_branches_one_after_the_other_need_no_stack():
    x = node = array(MANY)
    for _ in range(3000):
        node = of_branch(emit.tuple([flag_of("then"), node]), lambda c: emit.op("sin", emit.item(c, 1)))
    assert sizes(node) == ((x, 0),)


def test_shared_operands_are_looked_at_once():
    """x1 = x0 + x0 * x0 and so on: 2 ** 200 ways lead from the last to the first."""
    x = node = array(MANY)
    for _ in range(200):
        node = emit.op("update_slice", node, node, emit.integer(0), emit.size(x, 0), emit.integer(1), axes=(0,),
                       accumulate=True, )  # fmt: skip
    assert sizes(node) == ((x, 0),)


def cannot_fail():
    x, y = array(MANY, ANY), array(MANY, ANY)
    product = emit.op("matmul", x, emit.op("transpose", x, permutation=(1, 0)))
    flat = emit.op("reshape", x, emit.op("multiply", emit.size(x, 1), emit.size(x, 0)), dims=(ANY,))
    yield emit.op("add", x, emit.op("sin", x))
    yield emit.op("add", x, emit.op("sum", y, axes=(0, 1)))
    yield product
    yield emit.broadcast_like(emit.op("sum", x, axes=(0,)), x)
    yield flat
    yield emit.op("reshape", flat, *emit.sizes(x), dims=(MANY, ANY))
    yield emit.op("gather", x, emit.op("iota", emit.size(x, 0), dtype="int64", dim=ANY), axis=0)
    yield emit.op("gather", x, emit.op("argsort", emit.op("sum", x, axes=(1,)), axis=0, stable=False), axis=0)
    yield emit.op("index", array(3), emit.integer(-3), axes=(0,))
    yield emit.op("max", array(3, MANY), axes=(0,))
    yield emit.op("concatenate", x, emit.op("sin", x), axis=0)
    yield emit.op("recurrence", x, emit.op("sin", x), axis=0, reverse=False)


def can_fail():
    x, y = array(MANY, ANY), array(MANY, ANY)
    yield emit.op("add", x, y)
    yield emit.op("matmul", x, y)
    yield emit.broadcast_like(emit.op("sum", x, axes=(0,)), y)
    yield emit.op("reshape", x, *emit.sizes(y), dims=(MANY, ANY))
    yield emit.op("gather", x, emit.op("iota", emit.size(x, 1), dtype="int64", dim=ANY), axis=0)
    yield emit.op("index", array(3), emit.integer(3), axes=(0,))
    yield emit.op("index", x, emit.integer(0), axes=(0,))
    yield emit.op("max", x, axes=(0,))
    yield emit.op("argmax", x, axis=1)
    yield emit.op("squeeze", x, axes=(1,))
    yield emit.op("concatenate", x, y, axis=0)


@pytest.mark.parametrize("node", list(cannot_fail()), ids=lambda n: n.op.name)
def test_cannot_fail(node):
    assert not node.can_fail


@pytest.mark.parametrize("node", list(can_fail()), ids=lambda n: n.op.name)
def test_can_fail(node):
    assert node.can_fail
