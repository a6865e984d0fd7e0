"""One operation applied: operands as NumPy values, attributes, and the expected value written in plain NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arignote.ir.graph import Apply, Node, Parameter
from arignote.ir.structure import ANY
from arignote.ir.types import Array, Scalar, Type
from arignote.ops.emit import Emit


@dataclass(frozen=True)
class Case:
    op: str
    operands: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    expected: Any = None

    def __repr__(self) -> str:
        shapes = ",".join(str(np.shape(x)) for x in self.operands if isinstance(x, np.ndarray))
        return f"{self.op}{shapes}{self.attributes or ''}".replace(" ", "")


def type_of(value: Any, known: bool) -> Type:
    """The type of a value, with or without knowledge of its sizes."""
    if isinstance(value, np.ndarray):
        return Array(value.dtype.name, value.shape if known else [ANY] * value.ndim)
    return Scalar(np.asarray(value).dtype.name)


def apply(case: Case, emit: Emit, known: bool) -> tuple[Apply, list[Parameter]]:
    """The operation on parameters; Python integers among the operands become constants."""
    parameters: list[Parameter] = []
    inputs: list[Node] = []
    for position, value in enumerate(case.operands):
        if isinstance(value, int):
            inputs.append(emit.integer(value))
        else:
            parameters.append(Parameter(f"x{position}", type_of(value, known)))
            inputs.append(parameters[-1])
    return emit.op(case.op, *inputs, **case.attributes), parameters


def arguments(case: Case) -> list[Any]:
    return [value for value in case.operands if not isinstance(value, int)]


random = np.random.default_rng(7)


def normal(*shape: int) -> Any:
    return random.normal(size=shape)


def positive(*shape: int) -> Any:
    return random.uniform(0.2, 0.8, size=shape)


A, B, M = normal(3, 4), normal(4), normal(2, 3, 4)
TIES = np.array([[1.0, 3.0, 3.0], [2.0, -1.0, 0.0]])
ZEROS = np.array([[1.5, 0.0, 2.0, 3.0], [0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0, -1.0]])
ROWS, COLUMNS = np.array([2, 0, 2, 1]), np.array([1, 1, 3, 0])
ALL = (ANY, ANY)

SHAPE_CASES = [
    Case("broadcast_to", (B, 3, 4), {"dims": ALL}, np.broadcast_to(B, (3, 4))),
    Case("broadcast_to", (normal(3, 1), 2, 3, 4), {"dims": (2, 3, 4)}),
    Case("broadcast_to", (np.float64(2.5), 2, 0), {"dims": (2, 0)}, np.full((2, 0), 2.5)),
    Case("sum_to", (A, B), {}, A.sum(0)),
    Case("sum_to", (M, normal(3, 1)), {}, M.sum(axis=(0, 2)).reshape(3, 1)),
    Case("sum_to", (A, np.float64(0)), {}, A.sum()),
    Case("sum_to", (A, A), {}, A),
    Case("reshape", (A, 2, 6), {"dims": ALL}, A.reshape(2, 6)),
    Case("reshape", (normal(1, 1),), {"dims": ()}),
    Case("reshape", (np.zeros((0, 3)), 5, 0), {"dims": ALL}, np.zeros((5, 0))),
    Case("transpose", (M,), {"permutation": (2, 0, 1)}, M.transpose(2, 0, 1)),
    Case("expand_dims", (A,), {"axes": (0, 3)}, A[None, :, :, None]),
    Case("expand_dims", (np.float64(3.5),), {"axes": (0,)}, np.array([3.5])),
    Case("squeeze", (normal(1, 3, 1),), {"axes": (0, 2)}),
    Case("squeeze", (np.array([4.0]),), {"axes": (0,)}, np.float64(4.0)),
    Case("concatenate", (A, normal(3, 1), normal(3, 0)), {"axis": 1}),
    Case("concatenate", (A, A), {"axis": 0}, np.concatenate((A, A))),
    Case("size", (M,), {"axis": 1}, np.int64(3)),
]

INDEX_CASES = [
    Case("slice", (A, 2, 3, -1), {"axes": (0,), "dims": ALL}, A[::-1]),
    Case("slice", (A, 1, 2, 2), {"axes": (1,), "dims": ALL}, A[:, 1::2]),
    Case("slice", (A, 1, 2, 1, 3, 4, -1), {"axes": (0, 1), "dims": ALL}, A[1:, ::-1]),
    Case("slice", (A, 3, 0, 1), {"axes": (0,), "dims": ALL}, A[3:]),
    Case("update_slice", (A, normal(2, 4), 2, 2, -1), {"axes": (0,), "accumulate": False}),
    Case("update_slice", (A, normal(2, 4), 0, 2, 2), {"axes": (0,), "accumulate": True}),
    Case("update_slice", (A, normal(0, 4), 0, 0, 1), {"axes": (0,), "accumulate": False}, A),
    Case("index", (A, 1, -1), {"axes": (0, 1)}, A[1, -1]),
    Case("index", (A, 2), {"axes": (1,)}, A[:, 2]),
    Case("update_index", (A, np.float64(5), 1, -1), {"axes": (0, 1), "accumulate": False}),
    Case("update_index", (A, normal(3), -2), {"axes": (1,), "accumulate": True}),
    Case("gather", (A, ROWS), {"axis": 0}, A[ROWS]),
    Case("gather", (M, ROWS % 2, ROWS), {"axis": 0}, M[ROWS % 2, ROWS]),
    Case("gather", (M, ROWS[:, None], COLUMNS[None, :2]), {"axis": 1}, M[:, ROWS[:, None], COLUMNS[None, :2]]),
    Case("gather", (A, np.zeros(0, np.int64)), {"axis": 1}, np.zeros((3, 0))),
    Case("scatter", (A, normal(4, 4), ROWS), {"axis": 0, "accumulate": True}),
    Case("scatter", (A, normal(4, 4), ROWS), {"axis": 0, "accumulate": False}),
    Case("scatter", (M, normal(2, 4), ROWS, COLUMNS), {"axis": 1, "accumulate": False}),
    Case("iota", (4,), {"dtype": "int64", "dim": ANY}, np.arange(4)),
    Case("iota", (-1,), {"dtype": "float64", "dim": ANY}, np.zeros(0)),
    Case("nonzero", (A > 0,), {}, np.nonzero(A > 0)),
]

REDUCE_CASES = [
    *(Case("sum", (M,), {"axes": axes}, M.sum(axis=axes)) for axes in ((), (1,), (0, 2), (0, 1, 2))),
    Case("sum", (np.zeros((0, 3)),), {"axes": (0,)}, np.zeros(3)),
    *(Case("prod", (M,), {"axes": axes}, M.prod(axis=axes)) for axes in ((), (1,), (0, 2), (0, 1, 2))),
    Case("prod", (ZEROS,), {"axes": (1,)}, ZEROS.prod(axis=1)),
    Case("prod", (np.zeros((0, 3)),), {"axes": (0,)}, np.ones(3)),
    *(Case(name, (M,), {"axes": axes}, getattr(M, name)(axis=axes))
      for name in ("max", "min") for axes in ((1,), (0, 2))),
    Case("any", (A > 0,), {"axes": (0,)}, (A > 0).any(axis=0)),
    Case("all", (A > 0,), {"axes": (0, 1)}, (A > 0).all()),
    Case("argmax", (A,), {"axis": 1}, A.argmax(axis=1)),
    Case("argmin", (B,), {"axis": 0}, B.argmin()),
    Case("cumsum", (A,), {"axis": 0, "reverse": False}, A.cumsum(axis=0)),
    Case("cumsum", (A,), {"axis": 1, "reverse": True}, A[:, ::-1].cumsum(axis=1)[:, ::-1]),
    Case("recurrence", (A, normal(3, 4)), {"axis": 0, "reverse": False}),
    Case("recurrence", (A, normal(3, 4)), {"axis": 1, "reverse": True}),
    Case("recurrence", (np.zeros((2, 0)), np.zeros((2, 0))), {"axis": 1, "reverse": True}, np.zeros((2, 0))),
    Case("recurrence", (normal(1), normal(1)), {"axis": 0, "reverse": False}),
    Case("sort", (A,), {"axis": 0, "stable": False}, np.sort(A, axis=0)),
    Case("sort", (B,), {"axis": 0, "stable": False}, np.sort(B)),
    Case("argsort", (A,), {"axis": 1, "stable": False}, np.argsort(A, axis=1)),
]

LINALG_CASES = [
    Case("matmul", (A, normal(4, 2)), {}),
    Case("matmul", (normal(2, 1, 3, 4), normal(1, 3, 4, 2)), {}),
    Case("matmul", (normal(3, 0), normal(0, 2)), {}, np.zeros((3, 2))),
]

SQUARE, POSITIVE = normal(2, 4, 4) + 3 * np.eye(4), np.eye(4) + 0.1 * normal(3, 4, 4)
POSITIVE = POSITIVE @ np.swapaxes(POSITIVE, -1, -2)
EXCHANGED = np.array([[0.0, 2.0], [4.0, 2.0]])
LU_OF_EXCHANGED = np.array([[4.0, 0.0], [2.0, 2.0], [1.0, 1.0]])
UNIT = {"lower": False, "transposed": True, "unit": True}
FACTOR_CASES = [
    Case("lu", (EXCHANGED,), {}, LU_OF_EXCHANGED),
    Case("lu_solve", (EXCHANGED, LU_OF_EXCHANGED, normal(2, 3)), {"transposed": False}),
    Case("lu_solve", (SQUARE[0], np.zeros((5, 4)), normal(4, 1)), {"transposed": True}),
    Case("log_abs_det", (EXCHANGED, LU_OF_EXCHANGED), {}, np.log([8.0])),
    Case("cholesky", (POSITIVE,), {}, np.linalg.cholesky(POSITIVE)),
    Case("cholesky_adjoint", (np.linalg.cholesky(POSITIVE[0]), normal(4, 4)), {}),
    Case("triangular_solve", (SQUARE, normal(1, 4, 3)), {"lower": True, "transposed": False, "unit": False}),
    Case("triangular_solve", (SQUARE[0], normal(4, 2)), {"lower": False, "transposed": False, "unit": False}),
    Case("triangular_solve", (SQUARE[0], normal(4, 2)), UNIT),
]

UNARY = {
    "exp": normal, "exp2": normal, "expm1": normal, "log": positive, "log2": positive, "log10": positive,
    "log1p": positive, "sqrt": positive, "cbrt": positive, "sin": normal, "cos": normal, "tan": positive,
    "arcsin": positive, "arccos": positive, "arctan": normal, "sinh": normal, "cosh": normal, "tanh": normal,
    "arcsinh": normal, "arccosh": lambda *s: 1 + positive(*s), "arctanh": positive, "erf": normal, "erfc": normal,
    "gammaln": positive, "square": normal, "negative": normal, "absolute": normal, "sign": normal, "floor": normal,
    "ceil": normal, "round": normal, "trunc": normal, "digamma": positive, "stop_gradient": normal,
}  # fmt: skip
BINARY = ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "fmax", "fmin", "arctan2", "hypot",
          "copysign", "remainder", "floor_divide")  # fmt: skip

ELEMENTWISE_CASES = [
    *(Case(name, (make(2, 3),)) for name, make in UNARY.items()),
    *(Case(name, (positive(2, 3) + 1, positive(3) + 0.5)) for name in BINARY),
    *(Case(name, (positive(3, 1), positive(2, 1, 4))) for name in BINARY),
    *(Case(name, (np.float64(0.75), np.float64(0.5))) for name in BINARY),
    Case("select", (A > 0, A, B)),
    Case("select", (np.bool_(True), np.float64(1.5), B)),
    Case("cast", (A,), {"dtype": "int64"}),
    Case("cast", (A,), {"dtype": "float64"}),
]

CASES = [*SHAPE_CASES, *INDEX_CASES, *REDUCE_CASES, *LINALG_CASES, *FACTOR_CASES, *ELEMENTWISE_CASES]
