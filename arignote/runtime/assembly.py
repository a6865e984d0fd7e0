"""A small writer of LLVM text for the runtime's own native functions, so that they read like programs.

    f = Function("ag_example", "i64", pointer="ptr", count="i64")
    total = f.variable("i64", 0)
    with f.repeat(f["count"]) as index:
        total.set(total.get() + f.load("i64", f["pointer"], index * 8))
    f.leave(total.get())

Local variables live in memory; LLVM's `sroa` turns them into registers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from arignote.ir.records import dataclass

Operand = "Value | int"


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A value in LLVM's text, with the arithmetic of (signed) integers."""

    function: Function
    type: str
    text: str

    def __add__(self, other: Value | int) -> Value:
        return self.function.binary("add", self, other)

    def __sub__(self, other: Value | int) -> Value:
        return self.function.binary("sub", self, other)

    def __mul__(self, other: Value | int) -> Value:
        return self.function.binary("mul", self, other)

    def __and__(self, other: Value | int) -> Value:
        return self.function.binary("and", self, other)

    def __or__(self, other: Value | int) -> Value:
        return self.function.binary("or", self, other)

    def __xor__(self, other: Value | int) -> Value:
        return self.function.binary("xor", self, other)

    def __lshift__(self, other: Value | int) -> Value:
        return self.function.binary("shl", self, other)

    def __rshift__(self, other: Value | int) -> Value:
        return self.function.binary("lshr", self, other)

    def __floordiv__(self, other: Value | int) -> Value:
        return self.function.binary("udiv", self, other)

    def __lt__(self, other: Value | int) -> Value:
        return self.function.compare("slt", self, other)

    def __le__(self, other: Value | int) -> Value:
        return self.function.compare("sle", self, other)

    def __gt__(self, other: Value | int) -> Value:
        return self.function.compare("sgt", self, other)

    def __ge__(self, other: Value | int) -> Value:
        return self.function.compare("sge", self, other)

    def equals(self, other: Value | int | None) -> Value:
        """Whether two integers or pointers are the same; None is the null pointer."""
        return self.function.compare("eq", self, other)

    def differs(self, other: Value | int | None) -> Value:
        """Whether two integers or pointers differ; None is the null pointer."""
        return self.function.compare("ne", self, other)


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A local variable."""

    function: Function
    type: str
    address: Value

    def get(self) -> Value:
        """The present value."""
        return self.function.load(self.type, self.address)

    def set(self, value: Value | int | None) -> None:
        """Assigns."""
        self.function.store(value, self.address, type=self.type)


class Function:
    """One function being written."""

    inlined = False
    """Whether it becomes a part of each function of the module that calls it."""

    def __init__(self, name: str, returns: str, **parameters: str) -> None:
        self.name, self.returns, self.parameters = name, returns, parameters
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._count = 0

    def __getitem__(self, parameter: str) -> Value:
        return Value(self, self.parameters[parameter], f"%{parameter}")

    def text(self) -> str:
        """The definition, as LLVM text."""
        header = ", ".join(f"{type} %{name}" for name, type in self.parameters.items())
        body = "\n".join(f"  {line}" if not line.endswith(":") else line for line in [*self._entry, *self._lines])
        attributes = "alwaysinline nounwind" if self.inlined else "nounwind"
        return f"define {self.returns} @{self.name}({header}) {attributes} {{\nentry:\n{body}\n  unreachable\n}}\n"

    def emit(self, line: str) -> None:
        """One instruction without a result, or a label."""
        self._lines.append(line)

    def result(self, type: str, instruction: str) -> Value:
        """One instruction with a result."""
        value = Value(self, type, f"%v{self._next()}")
        self.emit(f"{value.text} = {instruction}")
        return value

    def _next(self) -> int:
        self._count += 1
        return self._count

    # Values

    def operand(self, value: Value | int | None, type: str) -> str:
        """The text of an operand: a value, an integer literal, or null."""
        if isinstance(value, Value):
            return value.text
        if value is None or type == "ptr":
            return "null"
        return str(int(value))

    def constant(self, type: str, value: int) -> Value:
        """An integer literal as a value."""
        return Value(self, type, str(value))

    def binary(self, name: str, left: Value, right: Value | int) -> Value:
        """An arithmetic instruction on two operands of one type."""
        return self.result(left.type, f"{name} {left.type} {left.text}, {self.operand(right, left.type)}")

    def compare(self, relation: str, left: Value, right: Value | int | None) -> Value:
        """A comparison of integers or pointers."""
        return self.result("i1", f"icmp {relation} {left.type} {left.text}, {self.operand(right, left.type)}")

    def minimum(self, left: Value, right: Value | int) -> Value:
        """The smaller of two signed integers."""
        chosen = self.operand(right, left.type)
        return self.result(left.type, f"select i1 {(left < right).text}, {left.type} {left.text}, {left.type} {chosen}")

    def widen(self, value: Value, type: str = "i64", signed: bool = True) -> Value:
        """A narrower integer as a wider one."""
        return self.result(type, f"{'sext' if signed else 'zext'} {value.type} {value.text} to {type}")

    def narrow(self, value: Value, type: str) -> Value:
        """The low bits of an integer."""
        return self.result(type, f"trunc {value.type} {value.text} to {type}")

    def to_pointer(self, value: Value) -> Value:
        """An address as a pointer."""
        return self.result("ptr", f"inttoptr i64 {value.text} to ptr")

    def to_integer(self, pointer: Value) -> Value:
        """A pointer as an address."""
        return self.result("i64", f"ptrtoint ptr {pointer.text} to i64")

    # Memory

    def address(self, pointer: Value, offset: Value | int = 0) -> Value:
        """`pointer` plus `offset` bytes."""
        if offset == 0 and isinstance(offset, int):
            return pointer
        return self.result("ptr", f"getelementptr i8, ptr {pointer.text}, i64 {self.operand(offset, 'i64')}")

    def load(self, type: str, pointer: Value, offset: Value | int = 0) -> Value:
        """Reads `offset` bytes after `pointer`."""
        return self.result(type, f"load {type}, ptr {self.address(pointer, offset).text}")

    def store(self, value: Value | int | None, pointer: Value, offset: Value | int = 0, type: str = "") -> None:
        """Writes `offset` bytes after `pointer`; a literal needs its type."""
        kind = value.type if isinstance(value, Value) else type
        self.emit(f"store {kind} {self.operand(value, kind)}, ptr {self.address(pointer, offset).text}")

    def load_atomic(self, type: str, pointer: Value, offset: Value | int = 0) -> Value:
        """Reads what another thread may have released, in one order with all atomic operations but `store_atomic`."""
        place = self.address(pointer, offset).text
        return self.result(type, f"load atomic {type}, ptr {place} seq_cst, align {_size(type)}")

    def store_atomic(self, value: Value | int, pointer: Value, offset: Value | int, type: str) -> None:
        """Writes so that another thread that reads it sees everything before."""
        place = self.address(pointer, offset).text
        self.emit(f"store atomic {type} {self.operand(value, type)}, ptr {place} release, align {_size(type)}")

    def exchange(self, operation: str, value: Value | int, pointer: Value, offset: Value | int, type: str) -> Value:
        """An atomic read-modify-write (`xchg`, `add`, ...); the result is the old value."""
        place = self.address(pointer, offset).text
        return self.result(type, f"atomicrmw {operation} ptr {place}, {type} {self.operand(value, type)} seq_cst")

    def variable(self, type: str, initial: Value | int | None = None) -> Variable:
        """A new local variable."""
        slot = Variable(self, type, Value(self, "ptr", f"%v{self._next()}"))
        self._entry.append(f"{slot.address.text} = alloca {type}")
        slot.set(initial if initial is not None or type == "ptr" else 0)
        return slot

    def local_words(self, count: int) -> Value:
        """The address of `count` uninitialised 8-byte words, gone when the function returns."""
        value = Value(self, "ptr", f"%v{self._next()}")
        self._entry.append(f"{value.text} = alloca [{count} x i64], align 16")
        return value

    def words(self, count: Value) -> Value:
        """The same for a count known only at run time."""
        return self.result("ptr", f"alloca i64, i64 {count.text}, align 16")

    # Control

    def call(self, returns: str, callee: Value | str, *args: Value | int | None, types: Sequence[str] = ()) -> Value:
        """A call of a function by its address, or by its name in the same module. Literals are i64, None is null."""
        shown = []
        for position, arg in enumerate(args):
            literal = "ptr" if arg is None else "i64"
            kind = arg.type if isinstance(arg, Value) else types[position] if types else literal
            shown.append(f"{kind} {self.operand(arg, kind)}")
        target = f"@{callee}" if isinstance(callee, str) else callee.text
        instruction = f"call {returns} {target}({', '.join(shown)})"
        if returns == "void":
            self.emit(instruction)
            return Value(self, "void", "")
        return self.result(returns, instruction)

    def leave(self, value: Value | int | None = None) -> None:
        """Returns from the function."""
        ending = "ret void" if self.returns == "void" else f"ret {self.returns} {self.operand(value, self.returns)}"
        self.emit(ending)
        self.label(f"after{self._next()}")

    def label(self, name: str) -> None:
        """The start of a basic block; the one before must have ended, or be empty because nothing reaches it."""
        if self._lines and self._lines[-1].endswith(":"):
            self.emit("unreachable")
        self.emit(f"{name}:")

    def jump(self, label: str) -> None:
        """Goes to a label; what follows is reached only by its own label."""
        self.emit(f"br label %{label}")
        self.label(f"after{self._next()}")

    def branch(self, condition: Value, yes: str, no: str) -> None:
        """Goes to one of two labels."""
        self.emit(f"br i1 {condition.text}, label %{yes}, label %{no}")

    @contextlib.contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """The body runs if the condition holds."""
        number = self._next()
        self.branch(condition, f"then{number}", f"end{number}")
        self.label(f"then{number}")
        yield
        self.emit(f"br label %end{number}")
        self.label(f"end{number}")

    @contextlib.contextmanager
    def loop(self) -> Iterator[str]:
        """The body runs until it jumps to the label that is given, or leaves."""
        number = self._next()
        self.emit(f"br label %loop{number}")
        self.label(f"loop{number}")
        yield f"end{number}"
        self.emit(f"br label %loop{number}")
        self.label(f"end{number}")

    @contextlib.contextmanager
    def repeat(self, count: Value) -> Iterator[Value]:
        """The body runs for each index from 0 to `count` - 1."""
        index = self.variable("i64", 0)
        with self.loop() as end:
            present = index.get()
            with self.when(present >= count):
                self.jump(end)
            yield present
            index.set(present + 1)

    def switch(self, value: Value, cases: dict[int, Callable[[], None]], default: str) -> None:
        """Runs the case of this value, then what follows; any other value goes to the label `default`."""
        number = self._next()
        targets = " ".join(f"{value.type} {case}, label %case{number}_{case}" for case in cases)
        self.emit(f"switch {value.type} {value.text}, label %{default} [ {targets} ]")
        for case, body in cases.items():
            self.label(f"case{number}_{case}")
            body()
            self.emit(f"br label %done{number}")
        self.label(f"done{number}")


def _size(type: str) -> int:
    return 8 if type == "ptr" else int(type[1:]) // 8
