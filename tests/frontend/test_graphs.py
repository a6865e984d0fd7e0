"""The shape of the graphs: what is static leaves no trace, loops carry little, captured variables become parameters."""

import numpy as np

from arignote.frontend.specialise import specialise
from arignote.ir.graph import Apply, functions_below, nodes_of
from arignote.ir.structure import ANY, ArrayOf, NumpyScalarOf, PythonScalarOf, StaticOf, TupleOf
from tests.frontend.running import Transforms, graph, run

SCALE = 2.5
COUNT = 3


def operations(program) -> list[str]:
    return [
        node.op.name
        for function in functions_below(program.main)
        for node in nodes_of(function)
        if isinstance(node, Apply)
    ]


def test_static_code_leaves_no_trace() -> None:
    def f(x):
        names = {"a": 1, "b": 2}
        k = sum(names.values()) * 2 - 5
        return x * k if "a" in names and k == 1 else None

    assert operations(graph(f, np.float64(2.0))) == ["token", "cast", "multiply", "tuple"] or operations(
        graph(f, np.float64(2.0))
    ) == ["token", "multiply", "tuple"]


def test_index_arithmetic_is_not_guarded() -> None:
    def f(x):
        y = np.zeros(len(x))
        for i in range(1, len(x) - 1):
            y[i] = x[i - 1] + x[i + 1]
        return y

    assert "raise_if" not in operations(graph(f, np.ones(5)))
    np.testing.assert_array_equal(run(f, np.arange(5.0)), [0, 2, 4, 6, 0])


def test_early_return_needs_no_flag() -> None:
    def f(x):
        if x < 0:
            return -x
        if x > 10:
            return x * 2
        return x

    found = operations(graph(f, 1.0))
    assert found.count("cond") == 2
    assert "select" not in found


def test_temporaries_are_not_carried() -> None:
    def f(x, n):
        s = x
        for i in range(n):
            a = s * 2
            b = a + 1
            s = b - i
        return s

    program = graph(f, 1.0, 3)
    loop = next(n for n in nodes_of(program.main) if isinstance(n, Apply) and n.op.name == "for_loop")
    assert len(loop.inputs) == 3


def test_captured_number_is_a_parameter() -> None:
    program = graph(lambda x: x * SCALE, 1.0)
    assert [(c.key, c.structure) for c in program.captures if c.structure is not None and c.key == "SCALE"] == [
        ("SCALE", PythonScalarOf("float64"))
    ]
    assert len(program.main.parameters) == 2


def test_captured_number_that_must_be_static() -> None:
    program = graph(lambda x: (x, 2 * x, 3 * x, 4 * x)[COUNT], 1.0)
    assert any(c.structure is StaticOf(3) for c in program.captures)
    assert len(program.main.parameters) == 1


def test_builtin_names_are_guarded() -> None:
    program = graph(lambda x: len(x), np.ones(3))
    assert [(c.key, c.structure) for c in program.captures] == [("len", None)]


def test_closure_variable() -> None:
    k = 4.0
    program = graph(lambda x: x + k, 1.0)
    assert [(c.key, c.structure) for c in program.captures] == [(None, PythonScalarOf("float64"))]
    assert run(lambda x: x + k, 1.0) == 5.0


def test_function_is_specialised_once() -> None:
    def f(x):
        def g(v):
            return np.sin(v) * 2

        return g(x) + g(x + 1) + g(x + 2)

    program = graph(f, np.float64(1.0))
    assert len(functions_below(program.main)) == 2


def test_result_structure() -> None:
    program = graph(lambda x: (1, 2.0, None, x, x.sum(), len(x)), np.ones(3))
    dims = program.result.items[3].dims
    assert program.result is TupleOf(
        (
            PythonScalarOf("int64"),
            PythonScalarOf("float64"),
            StaticOf(None),
            ArrayOf("float64", dims),
            NumpyScalarOf("float64"),
            PythonScalarOf("int64"),
        )
    )
    assert dims != (ANY,)


def test_static_argument() -> None:
    def f(x, mode):
        return x if mode == "same" else -x

    program = specialise(f, (PythonScalarOf("float64"), StaticOf("same")), {}, Transforms())
    assert operations(program) == ["token", "tuple"]
