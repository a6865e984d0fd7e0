"""The checker of the loop IR: single assignment, scopes, types, and what each region may contain."""

from __future__ import annotations

from collections.abc import Sequence

from .loop_ir import (
    ARITY,
    BOOL,
    BUFFER,
    CHECK_SIGNALS,
    FLOATS,
    INT64,
    INTEGERS,
    MAXIMUM_SITE_ARGUMENTS,
    SCALAR_OPS,
    SCALARS,
    TYPE_GIVEN,
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
    Program,
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
    is_pointer,
    result_type,
)

IN_KERNELS = (Let, Load, Store, For, While, If, RaiseIf, Scratch, Extern)
INTEGER_ONLY = frozenset(
    """bitwise_and bitwise_or bitwise_xor invert left_shift right_shift unsigned_right_shift multiply_high add_overflows
    subtract_overflows multiply_overflows""".split()
)
FLOAT_ONLY = frozenset(
    """divide exp log exp2 log2 log10 log1p expm1 sqrt cbrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh
    arccosh arctanh arctan2 hypot erf erfc gammaln digamma copysign""".split()
)
BITWISE = frozenset(["bitwise_and", "bitwise_or", "bitwise_xor", "invert"])


class LoopIRError(Exception):
    """A program is not well formed."""


def check(program: Program) -> None:
    """Raises LoopIRError where a program is not well formed."""
    for name, procedure in program.procedures.items():
        if name != procedure.name:
            raise LoopIRError(f"procedure {procedure.name} is filed under {name}")
        _Checker(program, procedure).run()


class _Checker:
    """The state of checking one procedure: what is defined, and what is in scope."""

    def __init__(self, program: Program, procedure: Procedure) -> None:
        self.program, self.procedure = program, procedure
        self.defined: set[int] = set()
        self.scope: dict[int, Var] = {}
        self.in_kernel = False

    def fail(self, message: str) -> None:
        raise LoopIRError(f"{self.procedure.name}: {message}")

    def run(self) -> None:
        for var in self.procedure.parameters:
            self.define(var)
        self.body(self.procedure.body)
        for result in self.procedure.results:
            self.use(result)

    def define(self, var: Var) -> None:
        if var.id in self.defined:
            self.fail(f"%{var.id} is assigned twice")
        if var.type not in SCALARS and var.type != BUFFER and not is_pointer(var.type):
            self.fail(f"%{var.id} has the unknown type {var.type}")
        self.defined.add(var.id)
        self.scope[var.id] = var

    def use(self, operand: Operand, type: Type | None = None) -> None:
        if isinstance(operand, Var) and self.scope.get(operand.id) is not operand:
            self.fail(f"%{operand.id} is used where it is not defined")
        if isinstance(operand, Const) and operand.type not in SCALARS:
            self.fail(f"a constant of type {operand.type}")
        if type is not None and operand.type != type:
            name = f"%{operand.id}" if isinstance(operand, Var) else repr(operand.value)
            self.fail(f"{name} is {operand.type} where {type} is needed")

    def use_all(self, operands: Sequence[Operand], variables: Sequence[Var]) -> None:
        if len(operands) != len(variables):
            self.fail(f"{len(operands)} values for {len(variables)} variables")
        for operand, var in zip(operands, variables, strict=True):
            self.use(operand, var.type)

    def body(self, body: list[Statement]) -> None:
        for statement in body:
            if self.in_kernel and not isinstance(statement, IN_KERNELS):
                self.fail(f"{type(statement).__name__} in a kernel")
            getattr(self, f"_{type(statement).__name__.lower()}")(statement)

    def nested(self, body: list[Statement], variables: Sequence[Var], ends: Sequence[Sequence[Operand]]) -> None:
        """A body with variables of its own, and the operands at its end."""
        outer, self.scope = self.scope, dict(self.scope)
        for var in variables:
            self.define(var)
        self.body(body)
        for operands in ends:
            for operand in operands:
                self.use(operand)
        self.scope = outer

    def results(self, results: Sequence[Var]) -> None:
        for var in results:
            self.define(var)

    def live(self, buffers: Sequence[Var]) -> None:
        for buffer in buffers:
            self.use(buffer, BUFFER)

    def _let(self, statement: Let) -> None:
        op, args = statement.op, statement.args
        if op not in SCALAR_OPS:
            self.fail(f"no scalar operation {op!r}")
        if len(args) != ARITY[op]:
            self.fail(f"{op} of {len(args)} operands")
        for arg in args:
            self.use(arg)
        if op not in TYPE_GIVEN and result_type(op, args) != statement.var.type:
            self.fail(f"{op} gives {result_type(op, args)}, not {statement.var.type}")
        self._operand_types(op, args)
        self.define(statement.var)

    def _operand_types(self, op: str, args: Sequence[Operand]) -> None:
        if op == "pointer_offset":
            self.use(args[1], INT64)
        elif op == "select":
            self.use(args[0], BOOL)
            self.use(args[2], args[1].type)
        else:
            for arg in args[1:]:
                self.use(arg, args[0].type)
        kind = args[0].type if args else ""
        if op in INTEGER_ONLY and kind not in INTEGERS and not (kind == BOOL and op in BITWISE):
            self.fail(f"{op} of {kind}")
        if op in FLOAT_ONLY and kind not in FLOATS:
            self.fail(f"{op} of {kind}")

    def _load(self, statement: Load) -> None:
        self._address(statement.pointer, statement.offset, statement.var.type)
        self.define(statement.var)

    def _store(self, statement: Store) -> None:
        self.use(statement.value)
        if statement.within is not None:
            self.use(statement.within, INT64)
        self._address(statement.pointer, statement.offset, statement.value.type)

    def _address(self, pointer: Operand, offset: Operand, element: Type) -> None:
        self.use(pointer)
        self.use(offset, INT64)
        if not is_pointer(pointer.type) or element_of(pointer.type) != element:
            self.fail(f"{element} through {pointer.type}")

    def _alloc(self, statement: Alloc) -> None:
        self.use(statement.count, INT64)
        self.live(statement.live)
        self.define(statement.buffer)
        self.define(statement.pointer)

    def _scratch(self, statement: Scratch) -> None:
        if statement.count < 0:
            self.fail(f"memory for {statement.count} elements")
        self.define(statement.pointer)

    def _box(self, statement: Box) -> None:
        for arg in statement.args:
            self.use(arg)
        self.live(statement.live)
        self.define(statement.buffer)

    def _tag(self, statement: Tag) -> None:
        self.use(statement.buffer, BUFFER)
        self.define(statement.var)

    def _unbox(self, statement: Unbox) -> None:
        self.use(statement.buffer, BUFFER)
        self.results(statement.results)

    def _retain(self, statement: Retain) -> None:
        self.use(statement.buffer, BUFFER)

    def _release(self, statement: Release) -> None:
        self.use(statement.buffer, BUFFER)

    def _unique(self, statement: Unique) -> None:
        self.use(statement.buffer, BUFFER)
        self.define(statement.var)

    def _for(self, statement: For) -> None:
        self.use(statement.count, INT64)
        if statement.grain is not None:
            self.use(statement.grain, INT64)
        if statement.parallel and (statement.carried or not self.in_kernel):
            self.fail("a parallel loop carries nothing and belongs to a kernel")
        self.use_all(statement.initial, statement.carried)
        self.nested(statement.body, (statement.index, *statement.carried), (statement.yields,))
        self._yields(statement.yields, statement.carried, statement.results)

    def _yields(self, yields: Sequence[Operand], carried: Sequence[Var], results: Sequence[Var]) -> None:
        types = [var.type for var in carried]
        if [value.type for value in yields] != types or [var.type for var in results] != types:
            self.fail("a loop's carried values, yields and results differ in type")
        self.results(results)

    def _while(self, statement: While) -> None:
        self.use_all(statement.initial, statement.carried)
        outer, self.scope = self.scope, dict(self.scope)
        self.results(statement.carried)
        self.body(statement.test_body)
        self.use(statement.test, BOOL)
        self.body(statement.body)
        for value in statement.yields:
            self.use(value)
        self.scope = outer
        self._yields(statement.yields, statement.carried, statement.results)

    def _if(self, statement: If) -> None:
        self.use(statement.condition, BOOL)
        self.nested(statement.then_body, (), (statement.then_yields,))
        self.nested(statement.else_body, (), (statement.else_yields,))
        types = [var.type for var in statement.results]
        if types != [v.type for v in statement.then_yields] or types != [v.type for v in statement.else_yields]:
            self.fail("the sides of a branch yield other types than its results")
        self.results(statement.results)

    def _call(self, statement: Call) -> None:
        callee = self.program.procedures.get(statement.procedure)
        if callee is None:
            self.fail(f"no procedure {statement.procedure}")
            return
        for arg in statement.args:
            self.use(arg)
        if [arg.type for arg in statement.args] != [var.type for var in callee.parameters]:
            self.fail(f"arguments of {callee.name} have other types than its parameters")
        if [var.type for var in statement.results] != [value.type for value in callee.results]:
            self.fail(f"results of {callee.name} have other types")
        self.live(statement.live)
        self.results(statement.results)

    def _parallelmap(self, statement: ParallelMap) -> None:
        self.use(statement.count, INT64)
        callee = self.program.procedures.get(statement.procedure)
        if callee is None:
            self.fail(f"no procedure {statement.procedure}")
            return
        for operand in (*statement.args, *statement.targets):
            self.use(operand)
        if [*[arg.type for arg in statement.args], INT64] != [var.type for var in callee.parameters]:
            self.fail(f"arguments of {callee.name} have other types than its parameters")
        if [element_of(var.type) for var in statement.targets] != [value.type for value in callee.results]:
            self.fail(f"results of {callee.name} have other types than the targets")
        if callee.consumed:
            self.fail(f"{callee.name} takes over what all its calls are given")
        self.live(statement.live)

    def _extern(self, statement: Extern) -> None:
        for arg in statement.args:
            self.use(arg)
        if not statement.can_fail and len(statement.results) > 1:
            self.fail(f"{statement.symbol} returns one value at most")
        if self.in_kernel and (statement.symbol != CHECK_SIGNALS or statement.live):
            self.fail("a kernel calls nothing, and only asks for signals; the kernel's own `live` is released")
        self.live(statement.live)
        self.results(statement.results)

    def _raiseif(self, statement: RaiseIf) -> None:
        self.use(statement.condition, BOOL)
        for arg in statement.args:
            self.use(arg)
        if len(statement.args) > MAXIMUM_SITE_ARGUMENTS:
            self.fail("too many values for an error")
        if self.in_kernel and statement.live:
            self.fail("an error in a kernel releases nothing: the kernel's own `live` does")
        self.live(statement.live)

    def _kernel(self, statement: Kernel) -> None:
        for pointer in (*statement.reads, *statement.writes):
            self.use(pointer)
            if not is_pointer(pointer.type):
                self.fail(f"a kernel reads or writes through {pointer.type}")
        if statement.parallel_loop is not None and statement.results:
            self.fail("a parallel kernel has no values")
        self.live(statement.live)
        self.in_kernel = True
        self.nested(statement.body, (), (statement.yields,))
        self.in_kernel = False
        self.use_types(statement.yields, statement.results)

    def use_types(self, yields: Sequence[Operand], results: Sequence[Var]) -> None:
        if [value.type for value in yields] != [var.type for var in results]:
            self.fail("a kernel's values and results differ in type")
        self.results(results)
