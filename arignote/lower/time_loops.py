"""Loops over time whose body is one kernel, each element on its own: the loop runs inside the kernel.

    for t in steps:                             for segment in segments:
        kernel for i: b[i] = f(a[i], x[i], t)       kernel for i:
        a = b                           ->              v, w = a[i], x[i]
                                                        for t in steps of the segment: v = f(v, w, t)
                                                        b[i] = v
                                                    a = b

What is carried from one step to the next stays in registers, what does not change is read once, and threads are
asked once for many steps. This holds where each element of what is carried is read only where it is written again.
Segments are short enough that a loop of any length can be interrupted between two of them.
"""

from __future__ import annotations

from collections.abc import Callable

from arignote.ir.records import dataclass, field
from arignote.lower.loop_ir import (
    CHECK_SIGNALS,
    Alloc,
    Const,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    Procedure,
    RaiseIf,
    Statement,
    Store,
    Var,
    While,
    bodies,
    definitions,
    is_pointer,
    operands,
    walk,
)
from arignote.lower.renaming import rename
from arignote.lower.values import ONE

NewVariable = Callable[[str], Var]
SEGMENT = 1 << 22
"""So many steps of elements are done between two chances to interrupt the loop: some milliseconds."""
FEWEST_STEPS = 8
"""So many steps at least for each element: then the memory of large arrays is no longer what takes the time."""


def move_into_kernels(procedure: Procedure, new_variable: NewVariable) -> None:
    """Let the loops over time of a procedure run in their kernels."""
    stack = [procedure.body]
    while stack:
        body = stack.pop()
        place = 0
        while place < len(body):
            statement = body[place]
            if isinstance(statement, For) and len(statement.carried) > 0:
                loop = _TimeLoop(statement, new_variable)
                if loop.suits():
                    body[place:place] = front = loop.move()
                    place += len(front) + 1
                    continue
            if not isinstance(statement, Kernel):
                stack += bodies(statement)
            place += 1


@dataclass(slots=True)
class _Carried:
    """An array that is carried: read through one pointer, written through another, both in the same place."""

    pointer: Var
    target: Var
    loads: list[Load] = field(default_factory=list)


class _TimeLoop:
    """One loop, and what is found out about it."""

    def __init__(self, loop: For, new_variable: NewVariable) -> None:
        self.loop, self.new_variable = loop, new_variable
        self.kernel: Kernel | None = None
        self.moving: list[Let | Load] = []
        """What is computed anew in each step, outside of the kernel."""
        self.arrays: list[_Carried] = []
        self.stores: dict[int, Store] = {}
        self.names: dict[int, Operand] = {}
        """Variables that only look carried, and what they are."""

    def suits(self) -> bool:
        """Whether the loop can run inside its kernel."""
        loop = self.loop
        if loop.parallel or not self._look_at_body():
            return False
        assert self.kernel is not None
        return self._look_at_carried() and self._look_at_steps() and self._look_at_kernel() and self._is_known_before()

    def _look_at_body(self) -> bool:
        for statement in self.loop.body:
            match statement:
                case Kernel():
                    if self.kernel is not None or statement.yields or statement.parallel_loop is None:
                        return False
                    self.kernel = statement
                case Extern():
                    if statement.symbol != CHECK_SIGNALS:
                        return False
                case Let() | Load() | RaiseIf() | Alloc():
                    pass
                case _:
                    return False
        return self.kernel is not None

    def _look_at_carried(self) -> bool:
        """Numbers that are carried must stay the same; arrays are the same, or written by the kernel."""
        loop = self.loop
        assert self.kernel is not None
        fresh = {each.pointer.id for each in loop.body if isinstance(each, Alloc)}
        if any(var.id not in fresh for var in self.kernel.writes):
            return False
        for var, initial, later in zip(loop.carried, loop.initial, loop.yields):
            if later is var or _key(later) == _key(initial):
                self.names[var.id] = initial
            elif is_pointer(var.type) and isinstance(later, Var) and later.id in fresh:
                self.arrays.append(_Carried(var, later))
            elif var.type != "buffer":
                return False
        return bool(self.arrays)

    def _look_at_steps(self) -> bool:
        """What depends on the step may only be numbers, and only the kernel's body may read them."""
        assert self.kernel is not None
        arrays = {array.pointer.id for array in self.arrays} | {var.id for var in self.kernel.writes}
        varying = {self.loop.index.id, *arrays}
        for statement in self.loop.body:
            if isinstance(statement, Kernel):
                outer = [each.count for each in _loops(statement)] + [each.grain for each in _loops(statement)]
                if _mentions(tuple([each for each in outer if each is not None]), varying):
                    return False
            elif not isinstance(statement, Alloc) and _mentions(operands(statement), varying) or (
                isinstance(statement, Alloc) and _mentions((statement.count,), varying)
            ):
                if not self._may_move(statement, arrays):
                    return False
                assert isinstance(statement, Let | Load)
                self.moving.append(statement)
                varying.add(statement.var.id)
        return not _mentions(self.loop.yields, {_result(each).id for each in self.moving} | {self.loop.index.id})

    def _may_move(self, statement: Statement, arrays: set[int]) -> bool:
        """Whether a statement computes a number, and not from what the loop writes."""
        if isinstance(statement, Load) and _mentions((statement.pointer,), arrays):
            return False
        return isinstance(statement, Let | Load) and not is_pointer(statement.var.type)

    def _look_at_kernel(self) -> bool:
        """The kernel has one innermost loop, which loads and stores what is carried in the same places."""
        kernel = self.kernel
        assert kernel is not None
        numbering = _Numbering(self.names)
        by_pointer = {array.pointer.id: array for array in self.arrays}
        written = {var.id for var in kernel.writes}
        loops = _loops(kernel)
        if not loops or any(array.target.id not in written for array in self.arrays):
            return False
        for depth, body in enumerate([kernel.body, *[loop.body for loop in loops]]):
            for statement in body:
                innermost = depth == len(loops)
                match statement:
                    case Let():
                        numbering.define(statement)
                    case Load():
                        if not isinstance(statement.pointer, Var) or statement.pointer.id in written:
                            return False
                        if statement.pointer.id in by_pointer:
                            if not innermost:
                                return False
                            by_pointer[statement.pointer.id].loads.append(statement)
                    case Store():
                        number = statement.pointer.id  # type: ignore[union-attr]
                        if not innermost or number in self.stores:
                            return False
                        self.stores[number] = statement
                    case For():
                        if innermost or statement.carried:
                            return False
                    case _:
                        return False
        for array in self.arrays:
            store = self.stores.get(array.target.id)
            if store is None or any(numbering.of(load.offset) != numbering.of(store.offset) for load in array.loads):
                return False
        return self._is_simple(kernel)

    def _is_simple(self, kernel: Kernel) -> bool:
        """Whether the offsets of loads and stores do not follow from what is carried or from the step."""
        inner = _loops(kernel)[-1].body
        varying = {load.var.id for array in self.arrays for load in array.loads}
        varying |= {_result(each).id for each in self.moving} | {self.loop.index.id}
        for statement in inner:
            if isinstance(statement, Let):
                if _mentions(statement.args, varying):
                    varying.add(statement.var.id)
            elif _mentions((statement.offset,), varying):  # type: ignore[union-attr]
                return False
        outer = [each for body in [kernel.body, *[loop.body for loop in _loops(kernel)[:-1]]] for each in body]
        return not any(_mentions(operands(each), varying) for each in outer if not isinstance(each, For))

    def move(self) -> list[Statement]:
        """Change the loop; what has to stand in front of it."""
        loop, kernel = self.loop, self.kernel
        assert kernel is not None
        front: list[Statement] = []
        elements = self._elements(front)
        per = self._let(front, "floor_divide", Const(SEGMENT, "int64"), elements)
        per = self._let(front, "maximum", per, Const(FEWEST_STEPS, "int64"))
        above = self._let(front, "add", loop.count, self._let(front, "subtract", per, ONE))
        segments = self._let(front, "floor_divide", above, per)
        here: list[Statement] = []
        first = self._let(here, "multiply", loop.index, per)
        steps = self._let(here, "minimum", self._let(here, "subtract", loop.count, first), per)
        place = loop.body.index(kernel)
        self._move_into(kernel, first, steps)
        self._choose_grain(kernel, here, steps)
        kernel.rows = None
        kernel.reads = (*kernel.reads, *self._moved_pointers())
        loop.body[place:place] = here
        loop.body[:] = [each for each in loop.body if not any(each is other for other in self.moving)]
        loop.count = segments
        return front

    def _moved_pointers(self) -> list[Var]:
        kernel = self.kernel
        assert kernel is not None
        known = {var.id for var in (*kernel.reads, *kernel.writes)}
        pointers = {each.pointer.id: each.pointer for each in self.moving if isinstance(each, Load)}  # type: ignore[union-attr]
        return [var for number, var in pointers.items() if number not in known]  # type: ignore[misc]

    def _counts(self) -> list[Operand]:
        """The counts of the kernel's loops."""
        assert self.kernel is not None
        return [self.names.get(each.count.id, each.count) if isinstance(each.count, Var) else each.count
                for each in _loops(self.kernel)]  # fmt: skip

    def _is_known_before(self) -> bool:
        """Whether the number of elements is known in front of the loop."""
        inside = {var.id for each in walk([self.loop]) for var in definitions(each)}
        return not _mentions(tuple(self._counts()), inside)

    def _elements(self, front: list[Statement]) -> Operand:
        """How many elements each step has, at least one."""
        total: Operand = ONE
        for count in self._counts():
            total = self._let(front, "multiply", total, count)
        return self._let(front, "maximum", total, ONE)

    def _let(self, body: list[Statement], op: str, *args: Operand) -> Var:
        var = self.new_variable("int64")
        body.append(Let(var, op, args))
        return var

    def _choose_grain(self, kernel: Kernel, here: list[Statement], steps: Operand) -> None:
        """As many elements less are worth a thread as there are steps."""
        outer = kernel.parallel_loop
        assert outer is not None
        if outer.grain is not None:
            fewer = self._let(here, "floor_divide", outer.grain, self._let(here, "maximum", steps, ONE))
            outer.grain = self._let(here, "maximum", fewer, ONE)

    def _move_into(self, kernel: Kernel, first: Operand, steps: Operand) -> None:
        """The innermost body: loads, the loop over the steps of the segment, stores."""
        host = _loops(kernel)[-1]
        index = self.new_variable("int64")
        arrays = [array for array in self.arrays if array.loads]
        for array in self.arrays:
            if all(array.target is not other.target for other in arrays):
                arrays.append(array)
        now = {array.pointer.id: self.new_variable(array.loads[0].var.type) for array in arrays if array.loads}
        carried: list[Var] = []
        initial: list[Operand] = []
        head: list[Statement] = []
        for array in arrays:
            store = self.stores[array.target.id]
            var = now.get(array.pointer.id) or self.new_variable(store.value.type)
            carried.append(var)
            if not array.loads:
                initial.append(_zero(var.type))
                continue
            loaded = self.new_variable(var.type)
            head.append(Load(loaded, array.pointer, store.offset))
            initial.append(loaded)
        body, outside = self._split(host.body)
        replaced: dict[int, Operand] = {load.var.id: now[array.pointer.id] for array in arrays for load in array.loads}
        step = self.new_variable("int64")
        moved: list[Statement] = [Let(step, "add", (first, index)), *self.moving, *body]
        results = tuple([self.new_variable(var.type) for var in carried])
        yields = tuple([self.stores[array.target.id].value for array in arrays])
        inner = For(index, steps, tuple(carried), tuple(initial), moved, yields, results)
        replaced[self.loop.index.id] = step
        rename([inner], replaced)
        stores: list[Statement] = []
        done: set[int] = set()
        for array, result in zip(arrays, results):
            if array.target.id not in done:
                done.add(array.target.id)
                store = self.stores[array.target.id]
                stores.append(Store(store.pointer, store.offset, result, store.within))
        host.body[:] = [*outside, *head, inner, *stores]

    def _split(self, body: list[Statement]) -> tuple[list[Statement], list[Statement]]:
        """What is computed in each step, and what is the same in all."""
        loads = {load.var.id for array in self.arrays for load in array.loads}
        varying = loads | {_result(each).id for each in self.moving} | {self.loop.index.id}
        inside: list[Statement] = []
        outside: list[Statement] = []
        for statement in body:
            if isinstance(statement, Store) or isinstance(statement, Load) and statement.var.id in loads:
                continue
            if _mentions(operands(statement), varying):
                varying.add(_result(statement).id)  # type: ignore[arg-type]
                inside.append(statement)
            else:
                outside.append(statement)
        return inside, outside


class _Numbering:
    """Which operands are certainly equal: the same operations on the same operands."""

    def __init__(self, names: dict[int, Operand]) -> None:
        self.names, self.keys = names, dict[int, object]()

    def of(self, operand: Operand) -> object:
        """A key that equal operands share."""
        if isinstance(operand, Var):
            operand = self.names.get(operand.id, operand)
        if isinstance(operand, Var) and operand.id in self.keys:
            return self.keys[operand.id]
        return _key(operand)

    def define(self, let: Let) -> None:
        """Note what a variable is."""
        self.keys[let.var.id] = (let.op, let.var.type, *map(self.of, let.args))


def _key(operand: Operand) -> object:
    """What equal variables and equal constants share."""
    return operand.id if isinstance(operand, Var) else (operand.type, repr(operand.value))


def _loops(kernel: Kernel) -> list[For]:
    """The loops of a nest, from the outermost; of several in one body the last."""
    found: list[For] = []
    body = kernel.body
    while True:
        inner = [each for each in body if isinstance(each, For | While | If)]
        if len(inner) != 1 or not isinstance(inner[0], For):
            return found
        found.append(inner[0])
        body = inner[0].body


def _mentions(found: tuple[Operand, ...], variables: set[int]) -> bool:
    return any(isinstance(operand, Var) and operand.id in variables for operand in found)


def _result(statement: Let | Load) -> Var:
    return statement.var


def _zero(type: str) -> Const:
    return Const(False if type == "bool" else 0.0 if type.startswith("float") else 0, type)
