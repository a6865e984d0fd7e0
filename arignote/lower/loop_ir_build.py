"""Building loop IR: one builder per procedure, with a cursor that nested statements move.

    build = ProcedureBuilder("sum")
    x, n = build.parameter(pointer_to("float64")), build.parameter("int64")
    with build.kernel(reads=[x]) as kernel:
        with build.loop(n, [0.0], types=["float64"], vector=True, reduction=True) as loop:
            loop.yields(build.let("add", loop.carried[0], build.load(x, loop.index)))
        kernel.yields(loop.results[0])
    program.add(build.finish(kernel.results[0]))

`loop.test(value)` ends the test of a while loop and `branch.otherwise()` begins the other side of a branch, so that a
nested region is always one `with` block. Python numbers are accepted as operands: they take the type of their
neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from .loop_ir import (
    BUFFER,
    INT64,
    Alloc,
    Box,
    Call,
    Const,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    ParallelMap,
    Procedure,
    RaiseIf,
    Release,
    Retain,
    Scratch,
    Statement,
    Store,
    Tag,
    Type,
    Unbox,
    Unique,
    Var,
    While,
    element_of,
    pointer_to,
    result_type,
)

Number = bool | int | float


def const(value: Number, type: Type = INT64) -> Const:
    """A constant operand."""
    return Const(value, type)


def operand_of(value: Operand | Number, type: Type) -> Operand:
    """An operand as it is, or a Python number as a constant of `type`."""
    return value if isinstance(value, (Var, Const)) else Const(value, type)


class Region:
    """A statement under construction; inside its `with` block the builder appends to its body."""

    __slots__ = ("builder", "carried", "results", "_outer")

    def __init__(self, builder: ProcedureBuilder) -> None:
        self.builder = builder
        self.carried: tuple[Var, ...] = ()
        self.results: tuple[Var, ...] = ()
        self._outer: list[Statement] = []

    def _first_body(self) -> list[Statement]:
        raise NotImplementedError

    def _finish(self) -> Statement:
        raise NotImplementedError

    def __enter__(self):  # noqa: ANN204 - every subclass returns itself
        self._outer = self.builder.body
        self.builder.body = self._first_body()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.builder.body = self._outer
        if kind is None:
            self._outer.append(self._finish())


class LoopRegion(Region):
    """A For under construction."""

    __slots__ = ("index", "statement")

    def __init__(self, builder: ProcedureBuilder, statement: For) -> None:
        super().__init__(builder)
        self.statement = statement
        self.index, self.carried, self.results = statement.index, statement.carried, statement.results

    def yields(self, *values: Operand | Number) -> None:
        """The carried values of the next iteration."""
        self.statement.yields = tuple(
            operand_of(value, var.type) for value, var in zip(values, self.carried, strict=True)
        )

    def _first_body(self) -> list[Statement]:
        return self.statement.body

    def _finish(self) -> Statement:
        assert len(self.statement.yields) == len(self.carried), "a loop must yield its carried values"
        return self.statement


class WhileRegion(Region):
    """A While under construction: what comes before `test` belongs to the test."""

    __slots__ = ("statement",)

    def __init__(self, builder: ProcedureBuilder, statement: While) -> None:
        super().__init__(builder)
        self.statement = statement
        self.carried, self.results = statement.carried, statement.results

    def test(self, value: Operand) -> None:
        """Ends the test: the loop goes on while `value` is true."""
        self.statement.test = value
        self.builder.body = self.statement.body

    def yields(self, *values: Operand | Number) -> None:
        """The carried values of the next iteration."""
        self.statement.yields = tuple(
            operand_of(value, var.type) for value, var in zip(values, self.carried, strict=True)
        )

    def _first_body(self) -> list[Statement]:
        return self.statement.test_body

    def _finish(self) -> Statement:
        assert len(self.statement.yields) == len(self.carried), "a loop must yield its carried values"
        return self.statement


class BranchRegion(Region):
    """An If under construction: what comes after `otherwise` belongs to the other side."""

    __slots__ = ("statement",)

    def __init__(self, builder: ProcedureBuilder, condition: Operand) -> None:
        super().__init__(builder)
        self.statement = If(condition, [], (), [], (), ())

    def otherwise(self) -> None:
        """Ends the side where the condition holds."""
        self.builder.body = self.statement.else_body

    def yields(self, *values: Operand) -> None:
        """The values of this side; both sides must yield the same types."""
        if self.builder.body is self.statement.then_body:
            self.statement.then_yields = values
        else:
            self.statement.else_yields = values
        if not self.results:
            self.results = tuple(self.builder.var(value.type) for value in values)
            self.statement.results = self.results

    def _first_body(self) -> list[Statement]:
        return self.statement.then_body

    def _finish(self) -> Statement:
        assert len(self.statement.then_yields) == len(self.statement.else_yields), "both sides must yield"
        return self.statement


class KernelRegion(Region):
    """A Kernel under construction."""

    __slots__ = ("statement",)

    def __init__(self, builder: ProcedureBuilder, statement: Kernel) -> None:
        super().__init__(builder)
        self.statement = statement

    def yields(self, *values: Operand) -> None:
        """The values that the kernel gives to the statements after it."""
        self.statement.yields = values
        self.results = tuple(self.builder.var(value.type) for value in values)
        self.statement.results = self.results

    def _first_body(self) -> list[Statement]:
        return self.statement.body

    def _finish(self) -> Statement:
        return self.statement


INDEX_FORMULAS = frozenset(("add", "subtract", "maximum"))


class ProcedureBuilder:
    """Builds one procedure; `body` is the statement list that is being appended to."""

    __slots__ = ("name", "parameters", "body", "definitions", "_whole", "_next")

    def __init__(self, name: str) -> None:
        self.name = name
        self.parameters: list[Var] = []
        self.definitions: dict[int, tuple[str, tuple[Operand, ...]]] = {}
        """How the integers are defined that indices are made of."""
        self._whole: list[Statement] = []
        self.body = self._whole
        self._next = 0

    def var(self, type: Type) -> Var:
        """A variable with a fresh number, still to be defined."""
        self._next += 1
        return Var(self._next - 1, type)

    def parameter(self, type: Type) -> Var:
        """The next parameter of the procedure."""
        self.parameters.append(self.var(type))
        return self.parameters[-1]

    def finish(self, *results: Operand) -> Procedure:
        """The procedure, with the operands that it returns."""
        return Procedure(self.name, tuple(self.parameters), self._whole, results)

    def append(self, statement: Statement) -> None:
        """Appends a statement at the cursor."""
        self.body.append(statement)

    def let(self, op: str, *args: Operand | Number, dtype: Type | None = None) -> Var:
        """`op(args)`; `dtype` is the type of the result where the operands do not tell it (cast, reinterpret, null)."""
        known = next((arg.type for arg in reversed(args) if isinstance(arg, (Var, Const))), INT64)
        if op == "pointer_offset":
            known = INT64
        whole = tuple(operand_of(arg, known) for arg in args)
        var = self.var(dtype or result_type(op, whole))
        if op in INDEX_FORMULAS and var.type == INT64:
            self.definitions[var.id] = op, whole
        self.body.append(Let(var, op, whole))
        return var

    def cast(self, value: Operand, dtype: Type) -> Operand:
        """`value` converted to `dtype`; itself when it has that type already."""
        return value if value.type == dtype else self.let("cast", value, dtype=dtype)

    def index_add(self, left: Operand | int, right: Operand | int) -> Operand:
        """Sum of two int64, folded where constants allow."""
        left, right = operand_of(left, INT64), operand_of(right, INT64)
        if isinstance(left, Const) and isinstance(right, Const):
            return Const(left.value + right.value, INT64)
        if isinstance(left, Const) and left.value == 0:
            return right
        if isinstance(right, Const) and right.value == 0:
            return left
        return self.let("add", left, right)

    def index_multiply(self, left: Operand | int, right: Operand | int) -> Operand:
        """Product of two int64, folded where constants allow."""
        left, right = operand_of(left, INT64), operand_of(right, INT64)
        if isinstance(left, Const):
            left, right = right, left
        if isinstance(right, Const):
            if isinstance(left, Const):
                return Const(left.value * right.value, INT64)
            if right.value in (0, 1):
                return left if right.value else right
        return self.let("multiply", left, right)

    def load(self, pointer: Operand, offset: Operand | int = 0) -> Var:
        """`pointer[offset]`."""
        var = self.var(element_of(pointer.type))
        self.body.append(Load(var, pointer, operand_of(offset, INT64)))
        return var

    def store(self, pointer: Operand, offset: Operand | int, value: Operand | Number,
              within: Operand | None = None) -> None:  # fmt: skip
        """`pointer[offset] = value`."""
        self.body.append(Store(pointer, operand_of(offset, INT64), operand_of(value, element_of(pointer.type)), within))

    def alloc(self, dtype: Type, count: Operand | int, live: Sequence[Var] = ()) -> tuple[Var, Var]:
        """A fresh buffer of `count` elements and the address of the first."""
        buffer, pointer = self.var(BUFFER), self.var(pointer_to(dtype))
        self.body.append(Alloc(buffer, pointer, operand_of(count, INT64), tuple(live)))
        return buffer, pointer

    def scratch(self, dtype: Type, count: int) -> Var:
        """Memory for a few elements, until the end of the procedure."""
        pointer = self.var(pointer_to(dtype))
        self.body.append(Scratch(pointer, count))
        return pointer

    def box(self, tag: int, args: Sequence[Operand]) -> Var:
        """A fresh box."""
        buffer = self.var(BUFFER)
        self.body.append(Box(buffer, tag, tuple(args)))
        return buffer

    def tag(self, buffer: Operand) -> Var:
        """The tag of a box."""
        var = self.var(INT64)
        self.body.append(Tag(var, buffer))
        return var

    def unbox(self, buffer: Operand, tag: int, types: Sequence[Type]) -> tuple[Var, ...]:
        """What a box of this tag holds."""
        results = tuple(map(self.var, types))
        self.body.append(Unbox(results, buffer, tag))
        return results

    def retain(self, buffer: Operand) -> None:
        """One more reference."""
        self.body.append(Retain(buffer))

    def release(self, buffer: Operand) -> None:
        """One reference less."""
        self.body.append(Release(buffer))

    def unique(self, buffer: Operand) -> Var:
        """Whether this is the only reference to a buffer."""
        var = self.var("bool")
        self.body.append(Unique(var, buffer))
        return var

    def raise_if(self, condition: Operand, site: int, args: Sequence[Operand] = (), live: Sequence[Var] = ()) -> None:
        """Leaves the procedure with an error when the condition holds."""
        self.body.append(RaiseIf(condition, site, tuple(args), tuple(live)))

    def call(
        self, procedure: str, args: Sequence[Operand], types: Sequence[Type], live: Sequence[Var] = ()
    ) -> tuple[Var, ...]:
        """Calls a procedure whose results have the given types."""
        results = tuple(map(self.var, types))
        self.body.append(Call(results, procedure, tuple(args), tuple(live)))
        return results

    def parallel_map(self, count: Operand, procedure: str, args: Sequence[Operand], targets: Sequence[Var]) -> None:
        """Calls a procedure for each number below `count`; the results go into the targets."""
        self.body.append(ParallelMap(count, procedure, tuple(args), tuple(targets)))

    def extern(
        self,
        symbol: str,
        args: Sequence[Operand],
        types: Sequence[Type] = (),
        can_fail: bool = False,
        live: Sequence[Var] = (),
    ) -> tuple[Var, ...]:
        """Calls a C function whose results have the given types."""
        results = tuple(map(self.var, types))
        self.body.append(Extern(results, symbol, tuple(args), can_fail, tuple(live)))
        return results

    def _carry(
        self, initial: Sequence[Operand | Number], types: Sequence[Type] | None
    ) -> tuple[tuple[Operand, ...], tuple[Var, ...], tuple[Var, ...]]:
        """Initial operands, carried variables and result variables of a loop; bare numbers need `types`."""
        known = types or [value.type for value in initial]  # type: ignore[union-attr]
        return (
            tuple(operand_of(value, type) for value, type in zip(initial, known, strict=True)),
            tuple(map(self.var, known)),
            tuple(map(self.var, known)),
        )

    def loop(
        self,
        count: Operand | int,
        initial: Sequence[Operand | Number] = (),
        *,
        types: Sequence[Type] | None = None,
        vector: bool = False,
        parallel: bool = False,
        reduction: bool = False,
        grain: Operand | int | None = None,
    ) -> LoopRegion:
        """`for index in 0..count`, carrying values that begin as `initial`."""
        begin, carried, results = self._carry(initial, types)
        size = None if grain is None else operand_of(grain, INT64)
        bound, index = operand_of(count, INT64), self.var(INT64)
        return LoopRegion(self, For(index, bound, carried, begin, [], (), results, vector, parallel, reduction, size))

    def while_loop(self, initial: Sequence[Operand | Number], *, types: Sequence[Type] | None = None) -> WhileRegion:
        """A loop whose block first computes `loop.test(...)`, and then the next carried values."""
        begin, carried, results = self._carry(initial, types)
        return WhileRegion(self, While(carried, begin, [], Const(False, "bool"), [], (), results))

    def branch(self, condition: Operand) -> BranchRegion:
        """A branch whose block holds both sides, with `branch.otherwise()` between them."""
        return BranchRegion(self, condition)

    def kernel(self, reads: Sequence[Var] = (), writes: Sequence[Var] = (), live: Sequence[Var] = ()) -> KernelRegion:
        """A loop nest to be compiled as a function of its own."""
        return KernelRegion(self, Kernel(tuple(reads), tuple(writes), [], live=tuple(live)))
