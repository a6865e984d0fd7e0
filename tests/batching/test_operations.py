"""Every operation says how it works on many elements, and does there what it does on each."""

import itertools

import numpy as np
import pytest

from arignote.batching.batch import batch
from arignote.batching.transform import STRUCTURAL, Batcher
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.structure import ANY, MANY
from arignote.ops.batching import Aligned, PerElement, Stacked, Uniform
from arignote.ops.derivative import Structural
from arignote.ops.emit import Emit
from arignote.ops.table import OPERATIONS
from tests.ops.cases import CASES, apply, arguments

MOST_MAPPED = 3

# Operations that are never applied to what differs from element to element, or send all elements one by one.
NOTHING_TO_BATCH = {"token", "undefined", "print"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_how_it_is_batched(name):
    operation = OPERATIONS[name]
    if isinstance(operation.derivative, Structural):
        assert operation.batching is None
        assert name in STRUCTURAL or name in NOTHING_TO_BATCH
    else:
        assert isinstance(operation.batching, Aligned | Stacked | Uniform | PerElement)
        assert not isinstance(operation.batching, PerElement) or operation.batching.why


def test_every_operation_has_a_case():
    checked = {case.op for case in CASES} | set(UNTESTED)
    assert {name for name, op in OPERATIONS.items() if not isinstance(op.derivative, Structural)} <= checked


# Elementwise operations without a case of their own go the way of all elementwise operations.
UNTESTED = [name for name, op in OPERATIONS.items() if op.elementwise]


def near(value, count):
    """`count` values like this one."""
    value = np.asarray(value)
    if value.dtype.kind == "f":
        return np.stack([value * (1 + k / 8) for k in range(count)]) if count else np.zeros((0, *value.shape))
    others = [np.roll(value, k) for k in range(count)]
    return np.stack(others) if count else np.zeros((0, *value.shape), value.dtype)


def check_batched(function, values, mapped, count, dim):
    """The batched function against the function on each element, both by the interpreter."""
    made = batch(Batcher(), function, mapped, dim)
    check(made.function)
    many = [near(v, count) if m else v for v, m in zip(values, mapped)]
    expected = [evaluate(function, *[v[k] if m else v for v, m in zip(many, mapped)]) for k in range(count)]
    given = [None, *many] if made.token else many
    result = evaluate(made.function, *given)
    result = result[1] if made.token else result
    compare(result, expected, made.mask)


def compare(result, expected, mask):
    if isinstance(mask, tuple):
        for place, inner in enumerate(mask):
            compare(result[place], [x[place] for x in expected], inner)
    elif mask:
        assert len(result) == len(expected)
        for got, wanted in zip(result, expected):
            np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-13)
    else:
        for wanted in expected:
            np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_batched_operation(case, known):
    emit = Emit()
    node, parameters = apply(case, emit, known)
    function = emit.function("f", parameters, node)
    values = arguments(case)
    choices = [m for m in itertools.product([False, True], repeat=len(parameters)) if any(m)]
    for mapped in choices[:: max(1, len(choices) // 8)]:
        for count, dim in ((3, 3), (3, MANY), (1, 1), (0, ANY)):
            try:
                check_batched(function, values, mapped, count, dim)
            except (ValueError, IndexError):
                assert raises(function, values, mapped, count)


def raises(function, values, mapped, count):
    """Whether some element raises, or the elements' results cannot be stacked."""
    many = [near(v, count) if m else v for v, m in zip(values, mapped)]
    try:
        np.stack([evaluate(function, *[v[k] if m else v for v, m in zip(many, mapped)]) for k in range(count)])
    except (ValueError, IndexError):
        return True
    return False
