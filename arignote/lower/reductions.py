"""Reductions: how one accumulates, and the loop that computes a single result in the middle of another nest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.lower.loop_ir import Const, Operand
from arignote.lower.loop_ir_build import ProcedureBuilder
from arignote.lower.values import ZERO

if TYPE_CHECKING:
    from arignote.lower.lazy import Reduction
    from arignote.lower.nests import Nest

INFINITY = float("inf")
LARGEST = {"int32": 2**31 - 1, "int64": 2**63 - 1, "bool": True, "float32": INFINITY, "float64": INFINITY}
SMALLEST = {"int32": -(2**31), "int64": -(2**63), "bool": False, "float32": -INFINITY, "float64": -INFINITY}

NOWHERE = Const(2**63 - 1, "int64")
NO_BETTER = {"greater": "less_equal", "less": "greater_equal"}


class Accumulator:
    """A reduction in one register: an operation and its identity. `rounds`: the order of accumulation matters."""

    width = 1

    def __init__(self, op: str, identity: Const, rounds: bool) -> None:
        self.op, self.rounds = op, rounds
        self.initial: list[Operand] = [identity]

    def step(self, build: ProcedureBuilder, carried: list[Operand], value: Operand, position: Operand) -> list[Operand]:
        """The registers after one more value."""
        return [build.let(self.op, carried[0], value)]

    def combine(self, build: ProcedureBuilder, left: list[Operand], right: list[Operand]) -> list[Operand]:
        """The registers of two runs, the left one first."""
        return [build.let(self.op, left[0], right[0])]

    def result(self, carried: list[Operand]) -> Operand:
        """The result of the reduction."""
        return carried[0]


class PositionAccumulator(Accumulator):
    """argmax, argmin: the best value so far and where it was. The first one wins; a NaN beats everything."""

    width = 2

    def __init__(self, better: str, identity: Const) -> None:
        super().__init__(better, identity, False)
        self.initial = [identity, ZERO]

    def _wins(self, build: ProcedureBuilder, value: Operand, best: Operand) -> Operand:
        if not value.type.startswith("float"):
            return build.let(self.op, value, best)
        no_better = build.let(NO_BETTER[self.op], value, best)
        known = build.let("logical_not", build.let("isnan", best))
        return build.let("logical_and", build.let("logical_not", no_better), known)  # two comparisons, one after a mask

    def step(self, build: ProcedureBuilder, carried: list[Operand], value: Operand, position: Operand) -> list[Operand]:
        wins = self._wins(build, value, carried[0])
        return [build.let("select", wins, value, carried[0]), build.let("select", wins, position, carried[1])]

    def combine(self, build: ProcedureBuilder, left: list[Operand], right: list[Operand]) -> list[Operand]:
        wins = self._wins(build, right[0], left[0])
        return [build.let("select", wins, right[0], left[0]), build.let("select", wins, right[1], left[1])]

    def result(self, carried: list[Operand]) -> Operand:
        return carried[1]

    def value_alone(self) -> Accumulator:
        """The reduction to the best value, wherever it is."""
        return Accumulator("maximum" if self.op == "greater" else "minimum", self.initial[0], False)  # type: ignore

    @staticmethod
    def first_place(build: ProcedureBuilder, first: Operand, value: Operand, best: Operand,
                    position: Operand) -> Operand:  # fmt: skip
        """The first place where the best value has been found, after one more value."""
        same = build.let("equal", value, best)
        if value.type.startswith("float"):
            both = build.let("logical_and", build.let("isnan", value), build.let("isnan", best))
            same = build.let("logical_or", same, both)
        return build.let("minimum", first, build.let("select", same, position, NOWHERE))


def accumulator_of(reduction: Reduction) -> Accumulator:
    """How a reduction accumulates."""
    return accumulator(reduction.op, reduction.source.dtype)  # type: ignore[union-attr]


def accumulator(op: str, dtype: str) -> Accumulator:
    """How the reduction of this name accumulates values of this dtype."""
    rounds = dtype.startswith("float")
    match op:
        case "sum":
            return Accumulator("add", Const(0.0 if rounds else 0, dtype), rounds)
        case "prod":
            return Accumulator("multiply", Const(1.0 if rounds else 1, dtype), rounds)
        case "max":
            return Accumulator("maximum", Const(SMALLEST[dtype], dtype), False)
        case "min":
            return Accumulator("minimum", Const(LARGEST[dtype], dtype), False)
        case "any":
            return Accumulator("logical_or", Const(False, "bool"), False)
        case "all":
            return Accumulator("logical_and", Const(True, "bool"), False)
        case "argmax":
            return PositionAccumulator("greater", Const(SMALLEST[dtype], dtype))
        case "argmin":
            return PositionAccumulator("less", Const(LARGEST[dtype], dtype))
    raise AssertionError(op)


def element_of_reduction(nest: Nest, reduction: Reduction, indices: tuple[Operand, ...]) -> Operand:
    """One result of a reduction, by loops inside the nest that needs it."""
    build = nest.build
    how = accumulator_of(reduction)
    full: list[Operand] = []
    kept = iter(indices)
    for axis in range(len(reduction.space)):
        full.append(ZERO if axis in reduction.axes else next(kept))

    def loops(position: int, carried: list[Operand]) -> list[Operand]:
        if position == len(reduction.axes):
            value = nest.value(reduction.source, tuple(full))
            return how.step(build, carried, value, full[reduction.axes[-1]])
        axis = reduction.axes[position]
        last = position == len(reduction.axes) - 1
        types = [value.type for value in carried]
        with build.loop(reduction.space[axis], carried, types=types, vector=last, reduction=last) as loop, nest.scope():
            full[axis] = loop.index
            loop.yields(*loops(position + 1, list(loop.carried)))
        return list(loop.results)

    return how.result(loops(0, list(how.initial)))
