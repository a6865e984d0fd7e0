"""Loops and branches of single values; loops over vectors of iterations are handed to emit_vector."""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import For, If, Operand, Statement, While
from .emit_apart import emit_apart
from .emit_vector import emit_vector_loop
from .function_text import FunctionText, Lines
from .loop_frame import LoopFrame
from .text import llvm_type
from .vector_analysis import plan, unrollable

UNROLLED_ITERATIONS = 16
SHORT_ITERATIONS = 4


def emit_range(function: FunctionText, statement: For, begin: str, end: str) -> None:
    """The iterations begin..end of a loop, on vectors where that is possible."""
    vectors = plan(statement) if statement.vector else None
    if vectors is not None:
        emit_vector_loop(function, statement, vectors, begin, end)
    else:
        scalar_loop(function, statement, begin, end)


def emit_for(function: FunctionText, statement: For) -> None:
    """A counted loop in the form that suits it."""
    if function.is_straight and emit_apart(function, statement):
        return
    vectors = plan(statement) if statement.vector and not unrollable(statement, SHORT_ITERATIONS) else None
    if vectors is not None:
        emit_vector_loop(function, statement, vectors)
    elif unrollable(statement, UNROLLED_ITERATIONS):
        unroll(function, statement)
    else:
        scalar_loop(function, statement, "0", function.text(statement.count))


def unroll(function: FunctionText, statement: For) -> None:
    """A short loop as straight code."""
    carried = [function.text(initial) for initial in statement.initial]
    for iteration in range(int(statement.count.value)):  # type: ignore[union-attr]
        function.values[statement.index.id] = str(iteration)
        for var, value in zip(statement.carried, carried, strict=True):
            function.values[var.id] = value
        function.keep(statement.carried)
        function.statements(statement.body)
        carried = [function.text(value) for value in statement.yields]
    for var, value in zip(statement.results, carried, strict=True):
        function.values[var.id] = value


def scalar_loop(function: FunctionText, statement: For, begin: str, end: str) -> None:
    """A loop of one iteration after the other."""
    initial = [function.text(value) for value in statement.initial]
    frame = LoopFrame(function, begin, end)
    function.values[statement.index.id] = frame.index
    names = [frame.carry() for _ in statement.carried]
    for var, name in zip(statement.carried, names, strict=True):
        function.values[var.id] = name
    function.keep(statement.carried)
    function.statements(statement.body)
    types = [llvm_type(var.type) for var in statement.carried]
    later = [function.text(value) for value in statement.yields]
    after = frame.finish(list(zip(names, types, initial, later, strict=True)))
    for var, value in zip(statement.results, after, strict=True):
        function.values[var.id] = value


def emit_while(function: FunctionText, statement: While) -> None:
    """A loop with a test of its own."""
    if function.is_straight and emit_apart(function, statement):
        return
    initial = [function.text(value) for value in statement.initial]
    preheader: Lines = []
    function.lines.append(preheader)
    before = function.block
    header, body, done = function.label(), function.label(), function.label()
    function.jump(header)
    function.begin(header)
    phis: Lines = []
    function.lines.append(phis)
    function.open(preheader)
    names = [function.name("c") for _ in statement.carried]
    for var, name in zip(statement.carried, names, strict=True):
        function.values[var.id] = name
        function.depths[name] = len(function.regions) - 1
    function.keep(statement.carried)
    function.statements(statement.test_body)
    function.branch(function.text(statement.test), body, done)
    function.begin(body)
    function.statements(statement.body)
    later = [function.text(value) for value in statement.yields]
    latch = function.block
    function.jump(header)
    function.close()
    for name, var, first, following in zip(names, statement.carried, initial, later, strict=True):
        phis.append(f"  {name} = phi {llvm_type(var.type)} [{first}, %{before}], [{following}, %{latch}]")
    function.begin(done)
    for var, name in zip(statement.results, names, strict=True):
        function.values[var.id] = name
        # The carried values of the last test are the results, and belong to the surroundings from here on.
        function.depths[name] = len(function.regions) - 1


def cheap(body: list[Statement]) -> bool:
    """Whether a side of a branch yields values that exist already, so that a select does for the branch."""
    return not body


def emit_if(function: FunctionText, statement: If) -> None:
    """A branch."""
    condition = function.text(statement.condition)
    if cheap(statement.then_body) and cheap(statement.else_body):
        for var, a, b in zip(statement.results, statement.then_yields, statement.else_yields, strict=True):
            right = f"select i1 {condition}, {function.typed(a)}, {function.typed(b)}"
            function.values[var.id] = function.let(right)
        return
    then, otherwise, done = function.label(), function.label(), function.label()
    function.branch(condition, then, otherwise)
    first, first_block = side(function, then, statement.then_body, statement.then_yields, done)
    second, second_block = side(function, otherwise, statement.else_body, statement.else_yields, done)
    function.begin(done)
    for var, a, b in zip(statement.results, first, second, strict=True):
        right = f"phi {llvm_type(var.type)} [{a}, %{first_block}], [{b}, %{second_block}]"
        function.values[var.id] = function.let(right)


def side(
    function: FunctionText, label: str, body: list[Statement], yields: tuple[Operand, ...], done: str
) -> tuple[list[str], str]:
    """One side of a branch: its values, and the block in which it ends."""
    function.begin(label)
    function.open(None)
    function.statements(body)
    values = [function.text(value) for value in yields]
    function.close()
    last = function.block
    function.jump(done)
    return values, last


EMITTERS: dict[type, Callable[[FunctionText, Statement], None]] = {For: emit_for, While: emit_while, If: emit_if}
