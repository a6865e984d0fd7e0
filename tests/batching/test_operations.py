"""Every operation says how it works on many elements, and does there what it does on each."""

import itertools

import numpy as np
import pytest

from arignote.batching.batch import batch
from arignote.batching.transform import STRUCTURAL, Batcher
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Parameter
from arignote.ir.structure import ANY, MANY
from arignote.ops.batching import Aligned, PerElement, Stacked, Uniform
from arignote.ops.derivative import Structural
from arignote.ops.emit import Emit
from arignote.ops.table import OPERATIONS
from tests.ops.cases import CASES, Case, apply, arguments, normal, type_of

# Operations that are never applied to what differs from element to element, or send all elements one by one, or are
# made when the elements are together already.
NOTHING_TO_BATCH = {"token", "undefined", "print", "parallel_map"}


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
    checked = {case.op for case in [*CASES, *EXTRA_CASES]} | set(UNTESTED)
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


A, M = normal(3, 4), normal(2, 3, 4)
EXTRA_CASES = [Case("random_words", (np.array([3, 4]), 0, 6), {"stream": 1, "dim": ANY})]


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("case", [*CASES, *EXTRA_CASES], ids=repr)
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


def of_positions(*values):
    return np.array(values, np.int64)


POSITIONS = {
    "slice": ("slice", {"axes": (1,), "dims": (3, ANY)}, (A, of_positions(0, 2, 1), 2, 1)),
    "slice backwards": ("slice", {"axes": (0,), "dims": (ANY, 4)}, (A, of_positions(2, 1, 2), 2, -1)),
    "slice with steps": ("slice", {"axes": (1,), "dims": (3, ANY)}, (A, 0, 2, of_positions(1, 2, 3))),
    "slice two axes": ("slice", {"axes": (0, 2), "dims": (ANY, 3, ANY)},
                       (M, of_positions(0, 1, 0), 1, 1, of_positions(1, 0, 2), 2, 1)),
    "slice one of two": ("slice", {"axes": (0, 2), "dims": (ANY, 3, ANY)}, (M, 0, 2, 1, of_positions(1, 0, 2), 2, 1)),
    "update slice": ("update_slice", {"axes": (1,), "accumulate": False},
                     (A, normal(3, 2), of_positions(0, 2, 1), 2, 1)),
    "add to slice": ("update_slice", {"axes": (0, 1), "accumulate": True},
                     (A, normal(2, 2), of_positions(0, 1, 1), 2, 1, of_positions(2, 0, 1), 2, 1)),
    "index": ("index", {"axes": (0, 1)}, (A, of_positions(0, -1, 2), of_positions(3, 1, -4))),
    "index last": ("index", {"axes": (2,)}, (M, of_positions(0, -1, 2))),
    "index around": ("index", {"axes": (0, 2)}, (M, of_positions(0, -1, 1), 2)),
    "update index": ("update_index", {"axes": (1,), "accumulate": False}, (A, normal(3), of_positions(0, -1, 2))),
    "add to index": ("update_index", {"axes": (0, 2), "accumulate": True}, (M, normal(3), 1, of_positions(0, -1, 2))),
    "gather": ("gather", {"axis": 1}, (M, of_positions([0, 1], [2, -1], [1, 1]))),
    "gather two": ("gather", {"axis": 0}, (M, of_positions([0, 1], [1, -1], [1, 1]), np.array([2, 0]))),
    "scatter": ("scatter", {"axis": 1, "accumulate": False},
                (M, normal(2, 2, 4), of_positions([0, 1], [2, -1], [1, 1]))),
    "add to scatter": ("scatter", {"axis": 0, "accumulate": True},
                       (M, normal(2, 4), of_positions([0, 1], [1, -1], [1, 1]), np.array([2, 0]))),
}  # fmt: skip


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("others", ["same", "mapped"])
@pytest.mark.parametrize("name", POSITIONS)
def test_positions_that_differ(name, others, known):
    """Slices, indices and gathers at places of their own, of an array for all or of one for each."""
    operation, attributes, operands = POSITIONS[name]
    emit, parameters, inputs, many = Emit(), [], [], []
    for operand in operands:
        if isinstance(operand, int):
            inputs.append(emit.integer(operand))
            continue
        is_place = operand.dtype == np.int64 and len(operand) == 3
        one = operand[0] if is_place else operand
        parameters.append(Parameter(f"x{len(parameters)}", type_of(one, known)))
        inputs.append(parameters[-1])
        is_mapped = is_place or (others == "mapped" and one.dtype.kind == "f")
        many.append((operand if is_place else np.stack([one, one * 2, one - 1]) if is_mapped else one, is_mapped))
    function = emit.function("f", parameters, emit.op(operation, *inputs, **attributes))
    for dim in (3, MANY, ANY):
        made = batch(Batcher(), function, tuple(mapped for _, mapped in many), dim)
        check(made.function)
        wanted = [evaluate(function, *[v[k] if mapped else v for v, mapped in many]) for k in range(3)]
        np.testing.assert_array_equal(evaluate(made.function, *[v for v, _ in many]), np.stack(wanted))
        assert not made.token
