"""One LLVM function in the making: cursor, names, values of variables, scopes.

The text is written in good form, so that little is left to LLVM's own passes, which are slow: values are numbered (an
operation with the same operands is written once), and pure operations are moved in front of the loops that they do not
depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from ...lower.loop_ir import Const, Operand, Statement, Type, Var, known_after
from .table import instruction
from .text import ModuleText, constant_text, llvm_type

Lines = list  # of text, or of Lines: a place kept open for what is moved in front of a loop
NextRows = dict[int, Operand]


class Region:
    """A scope of values: a function, a loop body, or one side of a branch."""

    __slots__ = ("available", "depth", "preheader", "unconditional")

    def __init__(self, depth: int, preheader: Lines | None, unconditional: bool) -> None:
        self.depth = depth
        self.preheader = preheader
        self.unconditional = unconditional
        self.available: dict[object, str] = {}


class FunctionText:
    """One LLVM function in the making: the cursor, the values of variables, and the scopes that are open."""

    emitters: ClassVar[dict[type, Callable[[FunctionText, Statement], None]]] = {}

    def __init__(self, module: ModuleText, procedure_name: str, fails_with: str = "ret i32 1") -> None:
        self.module = module
        self.procedure_name = procedure_name
        self.fails_with = fails_with
        self.entry: Lines = []
        self.lines: Lines = []
        self.cold: Lines = []
        self.endings: dict[tuple[int, tuple[str, ...]], str] = {}  # of error paths; see cleanup.py
        self.slots: dict[int, int] = {}  # where buffers are kept for error paths, by variable number
        self.released_outside: frozenset[int] = frozenset()  # buffers that the caller releases where this fails
        self.is_straight = False  # whether it is translated without optimisation; see emit_apart.py
        self.block = "entry"
        self.counter = 0
        self.values: dict[int, object] = {}
        self.depths: dict[str, int] = {}
        self.indices: set[str] = set()  # of loops: numbers that are not negative
        self.usual: set[str] = set()  # truth values that mostly are true
        self.rare: dict[str, tuple[str, str]] = {}  # those that hardly ever are: what is rare, and what else must hold
        self.regions = [Region(0, None, True)]
        self.read_only: frozenset[int] = frozenset()
        self.width = 0
        self.mask: str | None = None
        self.fused: frozenset[int] = frozenset()
        self.streams: dict[int, str] = {}  # whether stores to a pointer pass the caches by
        self.next_rows: NextRows = {}  # which loads ask for the next row, and how far that is; see next_rows.py
        self.kernels = 0
        self.loops = 0
        self.budget: str | None = None
        self.loop_state: str | None = None  # of a loop that several threads run, which ask by it; see emit_parallel.py
        self.has_loop_state = False  # whether there is room for one in the frame
        self.area_words = 0

    # Names, blocks, instructions

    def name(self, prefix: str = "v") -> str:
        """A fresh local name."""
        self.counter += 1
        return f"%{prefix}{self.counter}"

    def label(self) -> str:
        """A fresh label."""
        self.counter += 1
        return f"b{self.counter}"

    def begin(self, label: str) -> None:
        """Begins a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def put(self, line: str) -> None:
        """Appends an instruction without a result."""
        self.lines.append("  " + line)

    def let(self, right: str, prefix: str = "v") -> str:
        """Appends an instruction and names its result."""
        self.counter += 1
        name = f"%{prefix}{self.counter}"
        self.lines.append(f"  {name} = {right}")
        self.depths[name] = len(self.regions) - 1
        return name

    def branch(self, condition: str, then: str, otherwise: str, unlikely: bool = False) -> None:
        """A conditional branch; `unlikely` says that the first target is rare."""
        self.put(f"br i1 {condition}, label %{then}, label %{otherwise}{', !prof !0' if unlikely else ''}")

    def jump(self, label: str) -> None:
        """An unconditional branch."""
        self.put(f"br label %{label}")

    # Scopes and moving values out of loops

    def open(self, preheader: Lines | None, unconditional: bool = False) -> Region:
        """Opens a scope: a loop body, whose invariants go to `preheader`, or a conditional one."""
        region = Region(len(self.regions), preheader, unconditional)
        self.regions.append(region)
        return region

    def close(self) -> None:
        """Closes the innermost scope."""
        self.regions.pop()

    def depth(self, text: str) -> int:
        """The depth of the scope in which a value is defined; 0 for constants and parameters."""
        return self.depths.get(text, 0)

    def known(self, key: object) -> str | None:
        """The value already computed under `key` in an open scope."""
        for region in reversed(self.regions):
            found = region.available.get(key)
            if found is not None:
                return found
        return None

    def pure(self, key: object, right: str, operands: Iterable[str], movable: bool = True) -> str:
        """A value without effect: written once, in front of every loop that it does not depend on."""
        found = self.known(key)
        if found is not None:
            return found
        depth = max((self.depths.get(text, 0) for text in operands), default=0)
        target = self.target(depth) if movable else None
        if target is None:
            value = self.let(right)
            self.regions[-1].available[key] = value
            return value
        value = self.name()
        target.preheader.append(f"  {value} = {right}")  # type: ignore[union-attr]
        self.depths[value] = target.depth - 1
        target.available[key] = value  # not further out: a preheader is skipped when its loop does not run
        return value

    def target(self, depth: int) -> Region | None:
        """The outermost loop scope inside depth `depth`: its preheader is where a value of that depth belongs."""
        for region in self.regions[depth + 1 :]:
            if region.preheader is not None:
                return region
        return None

    def area(self, words: int) -> str:
        """Memory in the frame, of which nothing is read after the next call: it is the same for all that ask."""
        self.area_words = max(self.area_words, words)
        return "%area"

    # Operands and statements

    def text(self, operand: Operand) -> str:
        """The text of a scalar operand."""
        if isinstance(operand, Const):
            return constant_text(operand)
        return self.values[operand.id]  # type: ignore[return-value]

    def typed(self, operand: Operand) -> str:
        """Type and text of a scalar operand."""
        return f"{llvm_type(operand.type)} {self.text(operand)}"

    def scalar_let(self, op: str, texts: list[str], types: list[Type], result: Type) -> str:
        """A scalar operation on values that are given as text."""
        if op in ("add", "multiply", "subtract") and result == "int64":
            folded = fold(op, texts)
            if folded is not None:
                return folded
        if op in UNSIGNED and result == "int64" and texts[0] in self.indices and texts[1][0] in "123456789":
            return self.pure((op, result, "", *texts), f"{UNSIGNED[op]} i64 {texts[0]}, {texts[1]}", texts)
        key = (op, result, types[0] if types else "", *texts)
        found = self.known(key)
        if found is not None:
            return found
        right, is_value = instruction(self.module, op, texts, types, result, 0)
        return right if is_value else self.pure(key, right, texts)

    def statements(self, body: list[Statement]) -> None:
        """All statements of a body."""
        emitters = self.emitters
        for statement in body:
            emitters[type(statement)](self, statement)
            if self.slots:
                self.keep(known_after(statement))

    def keep(self, variables: Iterable[Var]) -> None:
        """Stores buffers where the path of an error finds them."""
        for var in variables:
            slot = self.slots.get(var.id)
            if slot is not None:
                place = self.let(f"getelementptr ptr, ptr %slots, i64 {slot}") if slot else "%slots"
                self.put(f"store ptr {self.text(var)}, ptr {place}")

    def function(self, head: str) -> str:
        """The whole function, with the blocks of rare errors last."""
        flat: list[str] = []
        flatten(self.lines, flat)
        flatten(self.cold, flat)
        area = [f"  %area = alloca [{self.area_words} x i64]"] if self.area_words else []
        return "\n".join((head + " {", "entry:", *area, *self.entry, *flat, "}", ""))


UNSIGNED = {"floor_divide": "udiv", "remainder": "urem"}
"""Divisions of the index of a loop by a positive number, which need not look at signs."""


def fold(op: str, texts: list[str]) -> str | None:
    """Constant and neutral cases of index arithmetic."""
    left, right = texts
    if right[0] != "%":
        number = int(right)
        if left[0] != "%":
            other = int(left)
            result = other + number if op == "add" else other * number if op == "multiply" else other - number
            return str(result) if -(2**63) <= result < 2**63 else None
        if number == (1 if op == "multiply" else 0):
            return left
    elif op != "subtract" and left == ("1" if op == "multiply" else "0"):
        return right
    return "0" if op == "multiply" and "0" in texts else None


def flatten(lines: Lines, into: list[str]) -> None:
    """The text of nested lines in order."""
    for line in lines:
        if line.__class__ is str:
            into.append(line)
        else:
            flatten(line, into)
