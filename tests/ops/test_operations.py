"""Every operation's paragraph is complete, its reference is NumPy's, and its derivative is right in both modes."""

import numpy as np
import pytest

from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Parameter, TypeRuleError
from arignote.ir.types import Array, Scalar, dims_of, dtype_of, fits
from arignote.ops.derivative import Linear, Partials, Refused, Rules, Structural, Zero
from arignote.ops.emit import Emit
from arignote.ops.table import FAMILIES, OPERATIONS
from tests.ops.cases import CASES, TIES, Case, apply, arguments, normal
from tests.ops.rules import is_float_node, jvp, vjp

STEP = 1e-6
DIFFERENTIABLE = [c for c in CASES if isinstance(OPERATIONS[c.op].derivative, Partials | Linear | Rules)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_paragraph_is_complete(name):
    operation = OPERATIONS[name]
    assert callable(operation.type_rule)
    assert isinstance(operation.derivative, Partials | Linear | Rules | Zero | Structural | Refused)
    assert operation.reference is not None or isinstance(operation.derivative, Structural)


def test_names_are_unique():
    assert len(OPERATIONS) == sum(len(family.FAMILY) for family in FAMILIES)


def test_every_differentiable_operation_has_a_case():
    checked = {case.op for case in CASES}
    wanted = {name for name, op in OPERATIONS.items() if isinstance(op.derivative, Partials | Linear | Rules)}
    assert wanted <= checked


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_reference(case, known):
    emit = Emit()
    node, parameters = apply(case, emit, known)
    function = emit.function("f", parameters, node)
    check(function)
    result = evaluate(function, *arguments(case))  # compares dtype, rank and sizes with the type
    if case.expected is not None:
        np.testing.assert_array_equal(result, case.expected)


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=repr)
def test_derivative(case, known):
    """<cotangent, J tangent> computed by the jvp, by the vjp and by central differences."""
    check_derivative(case, known)


def check_derivative(case: Case, known: bool) -> None:
    emit = Emit()
    node, parameters = apply(case, emit, known)
    values = arguments(case)
    floats = [x for x in node.inputs if isinstance(x, Parameter) and is_float_node(x)]
    if not floats or not is_float_node(node):
        return
    directions = {p: normal(*np.shape(v)) for p, v in zip(parameters, values) if p in floats}
    primal = emit.function("primal", parameters, node)

    tangents = {p: Parameter(f"d{p.name}", p.type) for p in floats}
    tangent = jvp(emit, node, [tangents.get(x) for x in node.inputs])
    assert tangent is not None and fits(tangent.type, node.type)
    forward = emit.function("forward", [*parameters, *tangents.values()], tangent)
    check(forward)
    out = evaluate(forward, *values, *directions.values())

    cotangent = Parameter("g", node.type)
    weight = normal(*np.shape(out))
    back = vjp(emit, node, cotangent)
    assert len(back) == len(node.inputs)
    along = 0.0
    for x, adjoint in zip(node.inputs, back):
        if x not in directions:
            assert adjoint is None or x not in floats
        elif adjoint is not None:
            assert dtype_of(adjoint.type) == dtype_of(x.type)
            assert len(dims_of(adjoint.type)) == len(dims_of(x.type))
            backward = emit.function("backward", [*parameters, cotangent], adjoint)
            check(backward)
            along += np.sum(evaluate(backward, *values, weight) * directions[x])

    def at(step):
        moved = [v + step * directions[p] if p in directions else v for p, v in zip(parameters, values)]
        return evaluate(primal, *moved)

    difference = np.sum(weight * (at(STEP) - at(-STEP))) / (2 * STEP)
    assert np.sum(weight * out) == pytest.approx(along, rel=1e-9, abs=1e-9)
    assert difference == pytest.approx(along, rel=2e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share_evenly(name):
    x = TIES if name == "max" else -TIES
    emit = Emit()
    node, [parameter] = apply(Case(name, (x,), {"axes": (1,)}), emit, False)
    g = Parameter("g", node.type)
    back = emit.function("back", [parameter, g], vjp(emit, node, g)[0])
    np.testing.assert_array_equal(evaluate(back, x, np.array([4.0, 5.0])), [[0, 2, 2], [5, 0, 0]])


def test_repeated_scatter_gives_the_cotangent_to_the_last():
    emit = Emit()
    operands = (np.zeros(3), np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]))
    case = Case("scatter", operands, {"axis": 0, "accumulate": False})
    node, parameters = apply(case, emit, False)
    g = Parameter("g", node.type)
    back = emit.function("back", [*parameters, g], vjp(emit, node, g)[1])
    np.testing.assert_array_equal(evaluate(back, *arguments(case), np.array([7.0, 8.0, 9.0])), [0, 8, 7])


@pytest.mark.parametrize(("op", "shapes", "attributes", "message"), [
    ("matmul", [(2, 3), (4, 5)], {}, "matmul: Input operand 1 has a mismatch in its core dimension 0"),
    ("concatenate", [(2, 3), (2, 4)], {"axis": 0}, "must match exactly, but along dimension 1"),
    ("concatenate", [(2, 3), (2,)], {"axis": 0}, "same number of dimensions"),
    ("add", [(2, 3), (2,)], {}, "operands could not be broadcast together with shapes"),
    ("squeeze", [(2, 3)], {"axes": (0,)}, "cannot select an axis to squeeze out which has size not equal to one"),
    ("max", [(0, 3)], {"axes": (0,)}, "zero-size array to reduction operation"),
])  # fmt: skip
def test_shape_errors_in_the_words_of_numpy(op, shapes, attributes, message):
    emit = Emit()
    operands = [Parameter("x", Array("float64", shape)) for shape in shapes]
    with pytest.raises(TypeRuleError, match=message) as caught:
        emit.op(op, *operands, **attributes)
    assert caught.value.is_shape_error


def test_reshape_and_broadcast_of_known_sizes():
    emit = Emit()
    x = Parameter("x", Array("float64", (2, 3)))
    with pytest.raises(TypeRuleError, match="cannot reshape array of size 6 into shape"):
        emit.op("reshape", x, emit.integer(4), dims=(4,))
    with pytest.raises(TypeRuleError, match="remapped shapes"):
        emit.op("broadcast_to", x, emit.integer(4), emit.integer(4), dims=(4, 4))


def test_dtype_errors():
    emit = Emit()
    x, y = Parameter("x", Array("float64", (3,))), Parameter("y", Scalar("float32"))
    refused = (("add", (x, y), {}), ("any", (x,), {"axes": (0,)}), ("index", (x, y), {"axes": (0,)}))
    for op, operands, attributes in refused:
        with pytest.raises(TypeRuleError):
            emit.op(op, *operands, **attributes)
