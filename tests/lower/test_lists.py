"""Lists: values, errors, no copies, no leaks."""

import numpy as np

from arignote.ir.types import UNIT, List, Tuple
from arignote.lower.loop_ir_evaluate import Evaluation, call
from arignote.lower.lower import lower
from tests.lower.harness import Array, Emit, Parameter, Scalar, agree, flat_arguments, main

N = -1
F, I = Scalar("float64"), Scalar("int64")
V = Array("float64", (N,))
rng = np.random.default_rng(0)


def test_push_get_pop_of_scalars():
    e, a, n = Emit(), Parameter("a", F), Parameter("n", I)
    empty = e.op("list_new", e.integer(0), element=F)
    one = e.op("list_push", empty, a)
    two = e.op("list_push", one, e.op("multiply", a, a))
    popped = e.op("list_pop", two)
    results = (
        e.op("list_get", two, n),
        e.op("list_length", two),
        e.op("list_length", e.item(popped, 0)),
        e.item(popped, 1),
    )
    for index in (0, 1, -1, -2, 2, -3):
        agree(main(e, [a, n], *results), 3.0, index)
    agree(main(e, [a, n], e.item(e.op("list_pop", empty), 1)), 3.0, 0)


def residuals(capacity):
    """A loop that pushes arrays and scalars, and a loop that pops them."""
    e, x, n = Emit(), Parameter("x", V), Parameter("n", I)
    element = Tuple([V, F])
    i, a, kept = Parameter("i", I), Parameter("a", V), Parameter("kept", List(element))
    total = e.op("sum", a, axes=(0,))
    step = e.op("multiply", e.op("sin", a), e.constant(1.5, "float64"))
    forward = e.function("forward", [i, a, kept], e.tuple([step, e.op("list_push", kept, e.tuple([step, total]))]))
    start = e.op("list_new", n if capacity is None else e.integer(capacity), element=element)
    loop = e.op("for_loop", n, e.closure(forward), x, start)
    j, b, left = Parameter("j", I), Parameter("b", V), Parameter("left", List(element))
    popped = e.op("list_pop", left)
    pair = e.item(popped, 1)
    back = e.op("add", e.op("multiply", b, e.item(pair, 0)), e.item(pair, 1))
    backward = e.function("backward", [j, b, left], e.tuple([back, e.item(popped, 0)]))
    second = e.op("for_loop", n, e.closure(backward), x, e.item(loop, 1))
    return main(e, [x, n], e.item(second, 0), e.op("list_length", e.item(second, 1)))


def test_residuals_of_a_loop():
    for capacity in (None, 0):
        for trips in (0, 1, 20):
            agree(residuals(capacity), rng.normal(size=3), trips)


def test_preallocated_lists_do_not_grow():
    function = residuals(None)
    run = Evaluation(lower(function).program)
    call(run, run.program.entry, flat_arguments([rng.normal(size=3), 6], [V, I]))
    # Four buffers of the list (one per operand of an element), and per iteration the array of each loop
    # and the block results of its sum.
    assert len(run.buffers) <= 5 + 6 + 6 + 1 + 6


def test_old_list_stays_as_it_was():
    e, x = Emit(), Parameter("x", V)
    one = e.op("list_push", e.op("list_new", e.integer(4), element=V), e.op("exp", x))
    two, other = e.op("list_push", one, x), e.op("list_push", one, e.op("sin", x))
    changed = e.op("list_set", two, e.integer(0), x)
    parts = [e.op("list_get", item, e.integer(place)) for item in (two, other, changed) for place in (0, 1)]
    agree(main(e, [x], *parts, e.op("list_get", one, e.integer(-1))), rng.normal(size=3))


def test_popped_shared_list():
    e, x = Emit(), Parameter("x", V)
    two = e.op("list_push", e.op("list_push", e.op("list_new", e.integer(4), element=V), e.op("exp", x)), x)
    popped = e.op("list_pop", two)
    again = e.op("list_push", e.item(popped, 0), e.op("cos", x))
    agree(
        main(e, [x], e.op("list_get", again, e.integer(1)), e.op("list_get", two, e.integer(1)), e.item(popped, 1)),
        rng.normal(size=3),
    )
    agree(main(e, [x], e.op("list_get", again, e.integer(1))), rng.normal(size=3))


def test_lists_of_lists_and_units():
    e, x = Emit(), Parameter("x", V)
    inner = e.op("list_push", e.op("list_new", e.integer(0), element=V), e.op("exp", x))
    outer = e.op("list_push", e.op("list_new", e.integer(0), element=List(V)), inner)
    outer = e.op("list_push", outer, e.op("list_push", inner, x))
    last = e.op("list_get", outer, e.integer(1))
    units = e.op("list_push", e.op("list_new", e.integer(0), element=UNIT), e.tuple([]))
    agree(
        main(e, [x], e.op("list_get", last, e.integer(1)), e.op("list_length", last), e.op("list_length", units)),
        rng.normal(size=3),
    )
