"""Context: what everything that interprets a program works with. It owns the scope, the journal, the frame and the
place.

Handlers of known functions are called `(context, arguments, keywords) -> Value`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from arignote.frontend.journal import Journal
from arignote.frontend.promotion import as_dtype, elementwise, kind_of
from arignote.frontend.scope import EVALUATORS, EXECUTORS, HOOKS, Scope
from arignote.frontend.show import show_value
from arignote.frontend.values import (
    INT64_MAX,
    INT64_MIN,
    PYTHON_DTYPES,
    REPEATED,
    STALE_HINT,
    ArrayValue,
    Cell,
    DictValue,
    Elements,
    Frame,
    Link,
    ListValue,
    Memory,
    RecordValue,
    RecursiveValue,
    ScalarValue,
    Static,
    Unreadable,
    Value,
    Write,
    is_fixed,
    now,
)
from arignote.ir.errors import AliasingError, CompileError, ShapeError, TypeInferenceError
from arignote.ir.graph import TRUE, Constant, Node, Span, TypeRuleError
from arignote.ir.structure import NumpyScalarOf, PythonScalarOf, Structure
from arignote.ir.types import Array, dims_of

if TYPE_CHECKING:
    from arignote.frontend.instances import Program
    from arignote.frontend.narrowing import Facts


MADE_WITH = "\0made with"
"""First in a message: what follows is a tuple of the arguments of the exception, not pieces of its text."""


class Raised(Exception):
    """The program certainly raises here; what follows is never reached."""


COPIES: dict[type[Value], str] = {
    RecordValue: "make another: x = dataclasses.replace(x, field=value)",
    ListValue: "write into a copy: x = list(x)",
    DictValue: "write into a copy: x = dict(x)",
}
"""How to come by something that may be written into."""


class StaticRequired(TypeInferenceError):
    """A value that must be known at compile time is known at run time only; `origin` is the captured variable it is."""

    origin: Any = None
    value: Value | None = None


class WritesIntoArgument(AliasingError):
    """A function writes into memory that its caller sees."""


class Context:
    """The state of interpretation, and the primitives that emit nodes."""

    def __init__(self, program: Program, scope: Scope) -> None:
        self.program = program
        self.scope = scope
        self.journal = Journal()
        self.frame: Frame = None  # type: ignore[assignment]
        self.span: Span | None = None
        self.calls: list[tuple[Span, str]] = []
        self.returned_at: Span | None = None
        self.loops_to_unroll = 0
        self.taken: dict[Cell, tuple[Node, Scope]] = {}
        self.facts: Facts = {}
        self.conditions: dict[Node, tuple[Facts, Facts]] = {}
        self.is_first_guess = False
        self.is_conditional = False
        self.failure: tuple[Exception, Span | None, list[tuple[Span, str]]] | None = None

    # Interpretation

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression."""
        return EVALUATORS[type(node)](self, node)

    def execute(self, block: Sequence[ast.stmt]) -> None:
        """Run statements; where they lead stands in `frame.flow`."""
        EXECUTORS[list](self, block)

    def unless_skipped(self, action: Callable[[], Any]) -> Any:
        """Do what may not be reached, if this is in a branch or in a loop of its function: where Python would raise, so
        does the program, when it comes there."""
        outer = self.is_conditional
        self.is_conditional = outer or self.scope.parent is not None
        try:
            return action()
        finally:
            self.is_conditional = outer

    def call(self, function: Value, arguments: Sequence[Value], keywords: dict[str, Value] | None = None) -> Value:
        """Call a function value, a known function, a class, a method ..."""
        return HOOKS["call"](self, function, list(arguments), keywords or {})

    def elements(self, value: Value) -> list[Value]:
        """The items of something iterable whose length is known now."""
        return HOOKS["elements"](self, value)

    def lift(self, thing: Any) -> Value:
        """A Python object met during interpretation as a value."""
        return HOOKS["lift"](self, thing)

    def at(self, node: ast.AST) -> None:
        """What is emitted next is written at this piece of source."""
        span = getattr(node, "arignote_span", None)
        if span is None:
            span = self.frame.definition.span_of(node)
            node.arignote_span = span  # type: ignore[attr-defined]
        self.span = span[0]
        self.scope.emit.span = span[1]

    # Errors

    def error(
        self, message: str, kind: type[CompileError] = TypeInferenceError, hint: str = "", raises: Any = None
    ) -> NoReturn:
        """Refuse the program at the current place. `raises`: the exception, and its message, that Python would raise;
        where the value is but one of several, or but a first guess, or this place may not be reached, so does the
        program."""
        if raises is not None and (self.is_first_guess or self.is_conditional):
            self.raise_now(*raises)
        error = kind(message, self.span, hint, self.known_calls())
        error.raises = raises
        raise error

    def note_failure(self, error: Exception) -> None:
        """Remember at which line an exception was first met: should nobody expect it, it is reported there."""
        known = self.failure is not None and self.failure[0] is error
        if not known and not isinstance(error, CompileError | Raised):
            self.failure = error, self.span, self.known_calls()

    def unreadable(self, message: str, hint: str) -> NoReturn:
        """Refuse to read a value that is not known, for this reason."""
        self.error(message, AliasingError if hint == STALE_HINT else TypeInferenceError, hint)

    def raise_now(self, exception: type[BaseException], *message: Any) -> NoReturn:
        """The program certainly raises here."""
        self.raise_if(TRUE, exception, *message)
        raise Raised

    def raise_if(self, condition: Node, exception: type[BaseException], *message: Any) -> None:
        """Raise at run time where the condition holds. Pieces of the message are strings, values (shown as `str` shows
        them), and (dtype, python, node) for a bare scalar node."""
        if isinstance(condition, Constant) and not condition.value:
            return
        cases = HOOKS["message_cases"](self, message)
        if cases is not None:
            for here, words in cases:
                self.raise_if(self.emit("logical_and", condition, here), exception, *words)
            return
        pieces, nodes = self.message(message)
        scope = self.scope
        scope.token = scope.emit.op("raise_if", scope.token, condition, *nodes, exception=exception, message=pieces)

    def message(self, parts: Iterable[Any]) -> tuple[tuple[str | Structure, ...], list[Node]]:
        """Pieces of a template, and the nodes of its run-time parts."""
        pieces: list[Any] = []
        nodes: list[Node] = []
        parts = tuple(parts)
        if parts and parts[0] is MADE_WITH:
            HOOKS["arguments"](self, parts[1], pieces, nodes)
            return tuple(pieces), nodes
        for part in parts:
            if isinstance(part, tuple):
                pieces.append(PythonScalarOf(part[0]) if part[1] else NumpyScalarOf(part[0]))
                nodes.append(part[2])
            elif isinstance(part, Value):
                HOOKS["pieces"](self, part, pieces, nodes)
            else:
                pieces.append(part)
        merged: list[Any] = []
        for piece in pieces:
            if isinstance(piece, str) and merged and isinstance(merged[-1], str):
                merged[-1] += piece
            else:
                merged.append(piece)
        return tuple(merged), nodes

    def show(self, value: Value) -> str:
        """The type of a value, for messages."""
        return show_value(value)

    # Nodes

    def emit(self, name: str, *nodes: Any, **attributes: Any) -> Node:
        """Apply an operation. Where it can fail it is pinned into the order of effects."""
        scope = self.scope
        try:
            node = scope.emit.op(name, *nodes, **attributes)
        except TypeRuleError as error:
            self.error(str(error), ShapeError if error.is_shape_error else TypeInferenceError)
        if node.can_fail and node not in scope.pinned:
            scope.pinned.add(node)
            known = scope.known_outside(node)
            if known is not None:
                return known
            scope.token = scope.emit.op("after", scope.token, node)
        return node

    def cast(self, node: Node, dtype: str) -> Node:
        return self.scope.emit.cast(node, dtype)

    def node(self, value: Value, dtype: str | None = None) -> Node:
        """The node of a number or an array in the current scope, cast to `dtype` if one is given."""
        if dtype is not None:
            return as_dtype(self, value, dtype)  # type: ignore[return-value]
        if isinstance(value, ScalarValue):
            return self.scope.bring(value.node, value.scope)
        if isinstance(value, ArrayValue):
            self.check_fresh(value)
            return self.scope.bring(*self.contents(value))
        if isinstance(value, Static) and type(value.object) in PYTHON_DTYPES:
            return self.constant(value.object)
        self.error(f"expected a number or an array, got {self.show(value)}")

    def constant(self, number: bool | int | float) -> Node:
        """The node of a Python number."""
        if type(number) is int and not INT64_MIN <= number <= INT64_MAX:
            self.error(f"the integer {number} does not fit in int64", hint="use a float")
        return self.scope.emit.constant(number, PYTHON_DTYPES[type(number)])

    # Values

    def scalar(self, node: Node, python: bool, low: int = INT64_MIN, high: int = INT64_MAX) -> ScalarValue:
        """A run-time number: a Python one or a NumPy scalar. `low` and `high` bound an int."""
        return ScalarValue(node, self.scope, python, low, high)

    def array(self, node: Node, *, shares: Iterable[Value] = (), rank0: bool = True) -> ArrayValue:
        """An array; a scalar node gives a 0-d array. `shares`: the values whose memory it may share (views)."""
        cells = [value for value in shares if isinstance(value, Cell)]
        if not cells:
            return ArrayValue((node, self.scope))
        roots: frozenset[Memory] = frozenset().union(*(cell.roots for cell in cells))
        touched: frozenset[Memory] = frozenset().union(*(cell.touched for cell in cells))
        return ArrayValue((node, self.scope), roots, touched)

    def result(self, node: Node, shares: Iterable[Value] = ()) -> Value:
        """What a NumPy function returns for this node: an array, or a NumPy scalar where there is no dimension."""
        if isinstance(node.type, Array):
            return self.array(node, shares=shares)
        return self.scalar(node, python=False)

    def size(self, array: ArrayValue, axis: int) -> Value:
        """One entry of the shape: a Python int, static where it is known."""
        known = dims_of(array.type)[axis]
        if known >= 0:
            return Static(known)
        node = self.scope.emit.op("size", self.node(array), axis=axis)
        return self.scalar(node, python=True, low=0, high=2**60)

    def known_calls(self) -> list[tuple[Span, str]]:
        """The calls that led here and have a place in the source: what a transform calls first has none."""
        return [call for call in self.calls if call[0] is not None]

    def static(self, value: Value, what: str = "this value",
               hint: str = "write it as a literal, or mark the argument with static_argnums") -> Any:  # fmt: skip
        """The Python object of a value that must be known at compile time: a number, a tuple of such, a slice ..."""
        found = HOOKS["static"](self, value)
        if found is not HOOKS:
            return found
        error = StaticRequired(
            f"{what} must be known at compile time, but it is {self.show(value)}, known at run time only",
            self.span,
            hint,
            self.known_calls(),
        )
        error.origin = getattr(value, "origin", None)
        error.value = value
        raise error

    def is_static(self, value: Value) -> bool:
        """Whether `static` would succeed."""
        return HOOKS["static"](self, value) is not HOOKS

    def truth(self, value: Value) -> Value:
        """bool(value): Static(True), Static(False) or a run-time Python bool."""
        return HOOKS["truth"](self, value)

    def elementwise(self, name: str, *values: Value) -> Value:
        return elementwise(self, name, *values)

    def dtype(self, value: Value) -> str:
        """The dtype of a number or an array."""
        return kind_of(self, value)[0]

    # Cells

    def set(self, mutable: Any, state: Any) -> None:
        self.journal.set(mutable, state)

    def check_fresh(self, cell: Cell) -> None:
        """Refuse to read a cell whose memory was written through another one since it was made."""
        write = cell.overwritten()
        if write is not None:
            self.error(self.stale_message(cell, write), AliasingError, hint=STALE_HINT)

    def stale_message(self, cell: Cell, write: Write) -> str:
        place = f" (line {write.span.line})" if write.span is not None else ""
        name, other = self._name_of(cell), self._name_of(write.cell)
        this = f"'{name}', {self.show(cell)}," if name else f"this {self.show(cell)}"
        that = f"'{other}', which" if other and other != name else "one that"
        return (
            f"{this} may share memory with {that} was written since{place}; in Python the write would be visible here"
        )

    def _name_of(self, cell: Cell) -> str | None:
        """A variable that holds the cell."""
        frame = self.frame
        for variables in (frame.variables, frame.env) if frame is not None else ():
            for name, variable in variables.items():
                if variable.state is cell and not variable.internal and name.isidentifier():
                    return name
        return None

    def check_writable(self, cell: Cell) -> None:
        """Refuse to write into memory that the caller sees, or that was written through another reference."""
        self.check_fresh(cell)
        for memory in cell.touched:
            if memory is REPEATED:
                self.error(
                    f"this writes into {memory.owner}, and in Python every place of the list would show it",
                    AliasingError,
                    hint="put copies into the list",
                )
            if memory.owner is not None:
                self.error(
                    f"this writes into {memory.owner}, which the caller would see",
                    WritesIntoArgument,
                    hint=COPIES.get(type(cell), "write into a copy: x = x.copy()"),
                )

    def write(self, cell: Cell, state: Any) -> None:
        """Give a cell new contents in place. For an array or a tree, the state is the new node (of this scope)."""
        whole: Cell | None = cell
        while whole is not None:
            self.check_writable(whole)
            whole = whole.link.parent if whole.link is not None and whole.link.is_live else None
        if isinstance(cell, ArrayValue | RecursiveValue):
            state = (state, self.scope)
        self.store(cell, state)

    def store(self, cell: Cell, state: Any) -> None:
        """Give a cell that may be written its new state."""
        base = cell.base
        for memory in cell.touched:
            before = memory.state.certain if memory.state is not None else None
            self.set(memory, Write(base, now(), self.span, memory in cell.roots, before))
        if base is cell:
            self.set(cell, state)
        else:
            HOOKS["write_part"](self, cell, state)

    def contents(self, cell: Cell) -> Any:
        """The state of a cell as it is now, which is that of a part of another one where it is linked."""
        return cell.state if cell.link is None else HOOKS["contents"](self, cell)

    def link(self, part: Cell, whole: Cell, index: Value) -> None:
        """Let a view, just made, show what is written into the array that it is a part of, and the other way round."""
        if is_fixed(index):
            part.link = Link(whole, index, self.contents(whole))

    def read(self, cell: Cell) -> Any:
        """The items of a list, dict or record."""
        self.check_fresh(cell)
        state = self.contents(cell)
        if isinstance(state, Unreadable):
            self.unreadable(state.message, state.hint)
        if isinstance(state, Elements):
            raise StaticRequired(
                "the length of this list must be known at compile time here, but it is known at run time only",
                self.span,
                "use an array, or a loop over the list",
                self.known_calls(),
            )
        return state


def numpy_dtype(thing: Any) -> str | None:
    """The name of the dtype that a static object names, or None."""
    try:
        return np.dtype(thing).name
    except TypeError:
        return None
