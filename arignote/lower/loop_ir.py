"""The loop IR: what an array program is after its arrays have become loop nests over memory.

Imperative, structured, in single-assignment form. Grammar:

    program   = procedure*                       the first is the entry; the others are called from it
    procedure = name parameters body results     results are operands, evaluated at the end of the body
    type      = bool | int32 | int64 | float32 | float64     scalars
              | ptr[type]                        address of the first element (never owns)
              | buffer                           reference to a counted buffer (may be null)
    operand   = variable | constant
    statement = Let var = op(operands)           pure scalar operation; a cast's target is the type of its variable
              | Load var = ptr[offset]           offset in elements, int64
              | Store ptr[offset] = value        perhaps within memory that is read when all of it is written
              | Alloc buffer, ptr = count        fresh, 64-byte aligned, undefined, one reference; can fail (site 0)
              | Scratch ptr = count              undefined memory for a constant number of elements, until the procedure
                                                 ends; the same at every execution of the statement
              | Box buffer = tag(operands)       fresh buffer that holds a tag and the operands, of which it takes over
                                                 the buffers' references; can fail (site 0)
              | Tag var = buffer                 int64: the tag of a box, 0 of null
              | Unbox results = buffer as tag    what a box of this tag holds; if the tag is 0, zeros of a null one
              | Retain buffer | Release buffer   null is allowed and ignored
              | Unique var = buffer              bool: not null and exactly one reference
              | For index in 0..count carried body yields -> results
              | While carried test{body; value} body yields -> results     the carried values when the test failed
              | If condition then yields else yields -> results
              | Call results = procedure(operands)        a failure of the callee propagates
              | ParallelMap count of procedure(operands) into targets        a call with the operands and k for each k
                                                 in 0..count, by several threads; result i goes to targets[i][k]
              | Extern results = symbol(operands)         C function; when it can fail it returns an i32 status
              | RaiseIf condition, site, operands         leaves the procedure with that error site and run-time values
              | Kernel reads, writes, body, yields -> results

Statements that can leave the procedure (RaiseIf, Call, ParallelMap, Alloc, Box, a failing Extern, a Kernel with a
RaiseIf in it) name the buffers that are `live` there: they are released on that path, so that an error leaks nothing. A
buffer stands there as often as it has references to give back.

A box is never written again, so what it holds stays alive as long as it does. `box_words` tells where in its data the
operands are: the references first, as whoever frees it needs them, then all others.

Flags of For. `vector`: the iterations are independent (except for carried reductions), so a vectoriser need not prove
it. `reduction`: the order of the accumulation of its carried floating-point values is free. `parallel`: only the
outermost statement of a kernel; nothing is carried, iterations are independent, and chunks of at least `grain` go to
several threads.

A Kernel is a loop nest that the backend makes a function of its own: what is reached through one of the pointers in
`writes` is reached through no other pointer, which is what lets a compiler vectorise without run-time alias checks.
It contains only Let, Load, Store, For, While, If, Scratch (of its own, in front of the loops: each thread has one), and
RaiseIf (unless parallel) or, if it was a loop of the user's program (`parallel_loops.py`), the question for signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from arignote.ir.records import dataclass, field

Type = str

BOOL: Type = "bool"
INT32: Type = "int32"
INT64: Type = "int64"
FLOAT32: Type = "float32"
FLOAT64: Type = "float64"
BUFFER: Type = "buffer"

INTEGERS = (INT32, INT64)
FLOATS = (FLOAT32, FLOAT64)
SCALARS = (BOOL, *INTEGERS, *FLOATS)

CHECK_SIGNALS = "ag_check_signals"
"""The C function that asks whether Ctrl-C was pressed; the backend calls it once in many iterations of a loop."""

OUT_OF_MEMORY_SITE = 0
RECURSION_SITE = 1
MAXIMUM_SITE_ARGUMENTS = 8


def pointer_to(element: Type) -> Type:
    """The type of an address whose elements have type `element`."""
    return f"ptr[{element}]"


def is_pointer(type: Type) -> bool:
    """Whether `type` is a pointer type."""
    return type.startswith("ptr[")


def element_of(type: Type) -> Type:
    """The element type of a pointer type."""
    return type[4:-1]


@dataclass(slots=True, eq=False)
class Var:
    """A variable: assigned exactly once, identified by its number within the procedure."""

    id: int
    type: Type


@dataclass(slots=True, eq=False)
class Const:
    """A constant operand: a Python bool, int or float of the given scalar type."""

    value: bool | int | float
    type: Type


Operand = Var | Const


@dataclass(slots=True, eq=False)
class Let:
    """`var = op(args)`: a pure scalar operation."""

    var: Var
    op: str
    args: tuple[Operand, ...]


@dataclass(slots=True, eq=False)
class Load:
    """`var = pointer[offset]`."""

    var: Var
    pointer: Operand
    offset: Operand


@dataclass(slots=True, eq=False)
class Store:
    """`pointer[offset] = value`. `within`: of how many elements what it writes to is a part, if nobody reads any of
    them before all are written."""

    pointer: Operand
    offset: Operand
    value: Operand
    within: Operand | None = None


@dataclass(slots=True, eq=False)
class Alloc:
    """A fresh buffer of `count` elements (the element type is that of `pointer`) with one reference."""

    buffer: Var
    pointer: Var
    count: Operand
    live: tuple[Var, ...] = ()


@dataclass(slots=True, eq=False)
class Scratch:
    """Memory for `count` elements that belongs to this run of the procedure."""

    pointer: Var
    count: int


@dataclass(slots=True, eq=False)
class Box:
    """A fresh buffer with one reference that holds a tag and operands."""

    buffer: Var
    tag: int
    args: tuple[Operand, ...]
    live: tuple[Var, ...] = ()


@dataclass(slots=True, eq=False)
class Tag:
    """`var` = the tag of a box; 0 of null."""

    var: Var
    buffer: Operand


@dataclass(slots=True, eq=False)
class Unbox:
    """The operands that a box of this tag holds; the buffers among them stay the box's."""

    results: tuple[Var, ...]
    buffer: Operand
    tag: int


@dataclass(slots=True, eq=False)
class Retain:
    """One more reference to `buffer`."""

    buffer: Operand


@dataclass(slots=True, eq=False)
class Release:
    """One reference to `buffer` less; the last one frees it."""

    buffer: Operand


@dataclass(slots=True, eq=False)
class Unique:
    """`var` = whether `buffer` is not null and has exactly one reference, so that it may be written in place."""

    var: Var
    buffer: Operand


@dataclass(slots=True, eq=False)
class For:
    """A counted loop; `count <= 0` runs no iteration and the results are the initial values."""

    index: Var
    count: Operand
    carried: tuple[Var, ...]
    initial: tuple[Operand, ...]
    body: list[Statement]
    yields: tuple[Operand, ...]
    results: tuple[Var, ...]
    vector: bool = False
    parallel: bool = False
    reduction: bool = False
    grain: Operand | None = None


@dataclass(slots=True, eq=False)
class While:
    """A loop that runs `test_body`, and leaves when `test` is false; its results are the carried values then."""

    carried: tuple[Var, ...]
    initial: tuple[Operand, ...]
    test_body: list[Statement]
    test: Operand
    body: list[Statement]
    yields: tuple[Operand, ...]
    results: tuple[Var, ...]


@dataclass(slots=True, eq=False)
class If:
    """A branch; both sides yield the values of `results`."""

    condition: Operand
    then_body: list[Statement]
    then_yields: tuple[Operand, ...]
    else_body: list[Statement]
    else_yields: tuple[Operand, ...]
    results: tuple[Var, ...]


@dataclass(slots=True, eq=False)
class Call:
    """A call of another procedure of the program."""

    results: tuple[Var, ...]
    procedure: str
    args: tuple[Operand, ...]
    live: tuple[Var, ...] = ()


@dataclass(slots=True, eq=False)
class ParallelMap:
    """Calls of another procedure that takes over nothing, with a number of their own as the last operand. Their results
    become elements of the targets, which hold nulls where they are to hold references."""

    count: Operand
    procedure: str
    args: tuple[Operand, ...]
    targets: tuple[Var, ...]
    live: tuple[Var, ...] = ()


@dataclass(slots=True, eq=False)
class Extern:
    """A call of a C function.

    With `can_fail` it is `int32 symbol(ctx, args..., results)` with one 8-byte slot per result, as a procedure is;
    otherwise it is `result symbol(args...)` with at most one result.
    """

    results: tuple[Var, ...]
    symbol: str
    args: tuple[Operand, ...]
    can_fail: bool = False
    live: tuple[Var, ...] = ()


@dataclass(slots=True, eq=False)
class RaiseIf:
    """Leaves the procedure with error `site` and its run-time values when the condition holds."""

    condition: Operand
    site: int
    args: tuple[Operand, ...] = ()
    live: tuple[Var, ...] = ()


@dataclass(slots=True, eq=False)
class Rows:
    """What the lowering knows of a kernel that goes through `count` rows, each on its own; see `row_fusion.py`.

    loop:      the loop over rows: the parallel one, or one in it over the rows of a block
    index:     the number of the row, in its body
    block:     how many rows a block has, where there are blocks
    local:     arrays (by the number of their pointer) of which row r touches elements r * width ... (r + 1) * width
               alone, with that width
    elsewhere: arrays that are touched anywhere
    """

    count: Operand
    loop: For
    index: Var
    block: Operand | None
    local: dict[int, Operand]
    elsewhere: set[int]


@dataclass(slots=True, eq=False)
class Kernel:
    """A loop nest compiled as a function of its own; see the module's text."""

    reads: tuple[Var, ...]
    writes: tuple[Var, ...]
    body: list[Statement]
    yields: tuple[Operand, ...] = ()
    results: tuple[Var, ...] = ()
    live: tuple[Var, ...] = ()
    rows: Rows | None = None

    @property
    def parallel_loop(self) -> For | None:
        """The parallel loop which is this kernel's last statement, if there is one."""
        last = self.body[-1] if self.body else None
        return last if isinstance(last, For) and last.parallel else None


Statement = (
    Let | Load | Store | Alloc | Scratch | Box | Tag | Unbox | Retain | Release | Unique
    | For | While | If | Call | ParallelMap | Extern | RaiseIf | Kernel
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Procedure:
    """A function of the program.

    consumed: buffers among the parameters of which it takes over one reference, also where it fails; the others are
              borrowed
    """

    name: str
    parameters: tuple[Var, ...]
    body: list[Statement]
    results: tuple[Operand, ...]
    consumed: tuple[Var, ...] = ()


@dataclass(slots=True, eq=False)
class Program:
    """Procedures by name; the first is the entry."""

    procedures: dict[str, Procedure] = field(default_factory=dict)

    @property
    def entry(self) -> Procedure:
        """The procedure that the runtime calls."""
        return next(iter(self.procedures.values()))

    def add(self, procedure: Procedure) -> Procedure:
        """Adds a procedure under its name."""
        self.procedures[procedure.name] = procedure
        return procedure


# Scalar operations, by the rule that gives the type of their result.

SAME_TYPE = frozenset(
    """add subtract multiply divide floor_divide remainder power negative absolute sign minimum maximum fmin fmax
    exp log exp2 log2 log10 log1p expm1 sqrt cbrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh
    arctanh arctan2 hypot erf erfc gammaln digamma floor ceil round trunc copysign bitwise_and bitwise_or bitwise_xor
    invert left_shift right_shift unsigned_right_shift multiply_high""".split()
)
TO_BOOL = frozenset(
    """isnan isfinite isinf signbit equal not_equal less less_equal greater greater_equal
    logical_and logical_or logical_not logical_xor add_overflows subtract_overflows multiply_overflows
    is_null""".split()
)
TYPE_GIVEN = frozenset(["cast", "reinterpret", "null", "buffer_data"])

SCALAR_OPS = SAME_TYPE | TO_BOOL | TYPE_GIVEN | {"select", "pointer_offset"}

ARITY: dict[str, int] = dict.fromkeys(SCALAR_OPS, 1) | dict.fromkeys(
    """add subtract multiply divide floor_divide remainder power minimum maximum fmin fmax arctan2 hypot copysign
    bitwise_and bitwise_or bitwise_xor left_shift right_shift unsigned_right_shift multiply_high equal not_equal less
    less_equal greater greater_equal logical_and logical_or logical_xor add_overflows subtract_overflows
    multiply_overflows pointer_offset""".split(),
    2,
)
ARITY["select"] = 3
ARITY["null"] = 0


def result_type(op: str, args: tuple[Operand, ...]) -> Type:
    """The type of the result of a scalar operation whose type is not given (see TYPE_GIVEN)."""
    if op in SAME_TYPE or op == "pointer_offset":
        return args[0].type
    if op in TO_BOOL:
        return BOOL
    if op == "select":
        return args[1].type
    raise ValueError(f"the type of the result of {op!r} must be given")


def box_words(types: Iterable[Type]) -> list[int]:
    """The position, in the eight-byte words of a box, of operands of these types."""
    types = list(types)
    references, others = 0, types.count(BUFFER)
    words: list[int] = []
    for type in types:
        if type == BUFFER:
            words.append(references)
            references += 1
        else:
            words.append(others)
            others += 1
    return words


_BODIES: dict[type, Callable[[Any], tuple[list[Statement], ...]]] = {
    For: lambda loop: (loop.body,),
    Kernel: lambda kernel: (kernel.body,),
    While: lambda loop: (loop.test_body, loop.body),
    If: lambda branch: (branch.then_body, branch.else_body),
}


def bodies(statement: Statement) -> tuple[list[Statement], ...]:
    """The statement lists nested directly in a statement."""
    inner = _BODIES.get(type(statement))
    return () if inner is None else inner(statement)


def walk(body: Iterable[Statement]) -> Iterator[Statement]:
    """All statements of a body, with those nested in them, in order."""
    pending = [iter(body)]
    while pending:
        for statement in pending[-1]:
            yield statement
            inner = bodies(statement)
            if inner:
                pending.extend(map(iter, reversed(inner)))
                break
        else:
            pending.pop()


_OPERANDS: dict[type, Callable[[Any], tuple[Operand, ...]]] = {
    Let: lambda let: let.args,
    RaiseIf: lambda check: (check.condition, *check.args, *check.live),
    **dict.fromkeys((Call, Extern, Box), lambda call: (*call.args, *call.live)),
    ParallelMap: lambda calls: (calls.count, *calls.args, *calls.targets, *calls.live),
    Load: lambda load: (load.pointer, load.offset),
    Store: lambda store: (store.pointer, store.offset, store.value, *(() if store.within is None else (store.within,))),
    Alloc: lambda alloc: (alloc.count, *alloc.live),
    **dict.fromkeys((Retain, Release, Unique, Tag, Unbox), lambda use: (use.buffer,)),
    For: lambda loop: (loop.count, *(() if loop.grain is None else (loop.grain,)), *loop.initial, *loop.yields),
    While: lambda loop: (*loop.initial, loop.test, *loop.yields),
    If: lambda branch: (branch.condition, *branch.then_yields, *branch.else_yields),
    Kernel: lambda kernel: (*kernel.reads, *kernel.writes, *kernel.yields, *kernel.live),
}


def operands(statement: Statement) -> tuple[Operand, ...]:
    """The operands that a statement itself reads, those at the ends of its bodies included."""
    reads = _OPERANDS.get(type(statement))
    return () if reads is None else reads(statement)


_DEFINITIONS: dict[type, Callable[[Any], tuple[Var, ...]]] = {
    **dict.fromkeys((Let, Load, Unique, Tag), lambda one: (one.var,)),
    Alloc: lambda alloc: (alloc.buffer, alloc.pointer),
    Box: lambda box: (box.buffer,),
    Scratch: lambda scratch: (scratch.pointer,),
    For: lambda loop: (loop.index, *loop.carried, *loop.results),
    While: lambda loop: (*loop.carried, *loop.results),
    **dict.fromkeys((If, Call, Extern, Kernel, Unbox), lambda many: many.results),
}


def definitions(statement: Statement) -> tuple[Var, ...]:
    """The variables that a statement itself defines, those of its loop headers included."""
    defines = _DEFINITIONS.get(type(statement))
    return () if defines is None else defines(statement)


def known_after(statement: Statement) -> tuple[Var, ...]:
    """The variables that a statement defines for what comes after it."""
    return statement.results if isinstance(statement, (For, While)) else definitions(statement)


def free_variables(body: Iterable[Statement], extra: Iterable[Operand] = ()) -> list[Var]:
    """The variables that a body (and the operands `extra` after it) takes from outside, in order of first use."""
    defined: set[int] = set()
    used: dict[int, Var] = {}
    for statement in walk(body):
        defined.update(var.id for var in definitions(statement))
        used.update((operand.id, operand) for operand in operands(statement) if isinstance(operand, Var))
    used.update((operand.id, operand) for operand in extra if isinstance(operand, Var))
    return [var for id, var in used.items() if id not in defined]
