"""Unboxing of nodes, elements and unions: the rest of the interpreter's operations, and the interpreter as a whole."""

from __future__ import annotations

from collections.abc import Callable

from arignote.runtime import layout
from arignote.runtime.assembly import Function, Value
from arignote.runtime.guard_codes import (
    ABSENT,
    ARRAY,
    ATTRIBUTE,
    BOOLEAN,
    CELL,
    CLASS,
    CLASS_FIELD,
    CONSTANT,
    DICT,
    DIFFERENT,
    DIFFERS,
    ENTRIES,
    FAILS,
    FIELD_IN_OBJECT,
    FIELD_IN_VALUES,
    FLOAT,
    GLOBAL,
    INTEGER,
    IS_NULL,
    ITEMS,
    JUMP,
    LIST,
    LIST_BUFFERS,
    LIST_BYTES,
    LIST_CLASS,
    LIST_ITEM,
    MATCHES,
    METHOD,
    NARROW,
    NODE_ARRAY,
    NODE_FLOAT,
    NODE_INTEGER,
    NODE_NUMBER,
    SCALAR,
    SEQUENCE,
    STACK,
    STATIC,
    TEST_ARRAY,
    TEST_CLASS,
    TEST_NODE,
    TEST_NUMBER,
    TEST_STATIC,
    UNION,
    WIDE,
    WORD,
)
from arignote.runtime.guards import Guard
from arignote.runtime.imports import imported

DEFINITIONS = ""


class NodeGuard(Guard):
    """The interpreter, with the operations for nodes of trees, elements of lists, and unions."""

    def _mark(self, field: int, bits: Value) -> None:
        self.f.store(self.f.load("i64", self.f["frame"], field) | bits, self.f["frame"], field)

    def node_float(self) -> None:
        """A Python float; or a bool or an int that float64 holds, if `second` is a bit and a float is met elsewhere."""
        f, value, bit = self.f, self.source(), self.field(24, "i64")
        with f.when(f.load("ptr", value, layout.TYPE).equals(imported(f, "PyFloat_Type"))):
            f.store(f.load("i64", value, layout.FLOAT_VALUE), self.slot())
            self._mark(WIDE, bit)
            self.go_on()
        number = self._narrow_integer(value, bit)
        converted = f.result("double", f"sitofp i64 {number.text} to double")
        self.require((number + (1 << 53)) <= f.constant("i64", 1 << 54))
        self.require((number + (1 << 53)) >= 0)
        f.store(converted, self.slot())
        self._mark(NARROW, bit)

    def node_integer(self) -> None:
        """A Python int in the range of int64; or a bool, if `second` is a bit and an int is met elsewhere."""
        f, value, bit = self.f, self.source(), self.field(24, "i64")
        with f.when(f.load("ptr", value, layout.TYPE).equals(imported(f, "PyLong_Type"))):
            self.integer()
            self._mark(WIDE, bit)
            self.go_on()
        f.store(self._narrow_integer(value, bit), self.slot())
        self._mark(NARROW, bit)

    def _narrow_integer(self, value: Value, bit: Value) -> Value:
        """The number of an int or a bool, where a wider number is as good."""
        f, overflow = self.f, self.f.variable("i32", 0)
        self.require(bit.differs(0))
        is_bool = value.equals(imported(f, "Py_True")) | value.equals(imported(f, "Py_False"))
        self.require(is_bool | f.load("ptr", value, layout.TYPE).equals(imported(f, "PyLong_Type")))
        number = f.call("i64", imported(f, "PyLong_AsLongLongAndOverflow"), value, overflow.address)
        self.require(overflow.get().equals(0))
        return number

    def _push_item(self, thing: Value, place: Value, table: Value, kind: Value) -> None:
        """One more that waits."""
        f = self.f
        with f.when(f.call("i1", "push_item", f.address(f["frame"], STACK), thing, place, table, kind).equals(0)):
            f.leave(FAILS)

    def _hold_source(self, value: Value) -> None:
        """With `count` 1, what contains the object may drop it, so a reference is kept."""
        with self.f.when(self.field(12).equals(1)):
            self.f.call("void", "retain_object", value)
            self.own(value)

    def union(self) -> None:
        """A node: one of the alternatives of the table `first`. Its box is made later, and goes to the destination.

        `second`: NODE_ITEM if a node or a list contains it, otherwise ROOT_ITEM.
        """
        f, value, table = self.f, self.source(), self.first()
        first_kind = f.load("ptr", table, ENTRIES + CLASS_FIELD)
        is_null = f.load("i64", table, ENTRIES + IS_NULL).differs(0)
        is_none = value.equals(imported(f, "_Py_NoneStruct"))
        with f.when(is_none & is_null & first_kind.equals(f.load("ptr", value, layout.TYPE))):
            self.go_on()
        self._hold_source(value)
        self._push_item(value, self.slot(), table, self.field(24, "i64"))

    def list_items(self) -> None:
        """A list of any length, by the table `first`: length and capacity go to the destination, buffers to `second`
        and after."""
        f, value, table = self.f, self.source(), self.first()
        self.require_type(value, f.load("ptr", table, LIST_CLASS))
        self._hold_source(value)
        length = f.load("i64", value, layout.VARIABLE_SIZE)
        for following in (0, 1):
            f.store(length, self.slot(following=following))
        with f.repeat(f.load("i64", table, LIST_BUFFERS)) as index:
            buffer = f.call("ptr", "list_buffer", length, f.load("i64", table, (index << 3) + LIST_BYTES))
            with f.when(buffer.equals(None)):
                f.leave(FAILS)
            f.store(buffer, self.slot(self.field(24, "i64") + index))
            appended = f.call("i1", "append_word", f.address(f["frame"], STACK), f.to_integer(buffer))
            with f.when(appended.equals(0)):
                f.leave(FAILS)
        self._push_item(value, Value(f, "ptr", "null"), table, f.constant("i64", LIST_ITEM))

    def _skip_unless(self, holds: Value) -> None:
        """Skips `count` operations unless the condition holds."""
        f = self.f
        with f.when(holds.equals(0)):
            self.position.set(self.position.get() + self.field(12))

    def test_class(self) -> None:
        """Whether the object is of the class `first`, and, with `second` not negative, has so many items."""
        f, value, size = self.f, self.source(), self.field(24, "i64")
        holds = f.variable("i1", f.load("ptr", value, layout.TYPE).equals(self.first()))
        with f.when(holds.get() & (size >= 0)):
            holds.set(f.load("i64", value, layout.VARIABLE_SIZE).equals(size))
        self._skip_unless(holds.get())

    def test_array(self) -> None:
        """Whether it is an array of the type number `first` and the rank `second`."""
        f, value = self.f, self.source()
        holds = f.variable("i1", f.load("ptr", value, layout.TYPE).equals(imported(f, "PyArray_Type")))
        with f.when(holds.get()):
            descr = f.load("ptr", value, layout.ARRAY_DESCR)
            same_type = f.widen(f.load("i32", descr, layout.DESCR_TYPE_NUMBER)).equals(self.field(16, "i64"))
            same_rank = f.widen(f.load("i32", value, layout.ARRAY_RANK)).equals(self.field(24, "i64"))
            holds.set(same_type & same_rank)
        self._skip_unless(holds.get())

    def test_number(self) -> None:
        """Whether its class is `first`, one of bool, int, float, or one before that."""
        kind, expected = self.f.load("ptr", self.source(), layout.TYPE), self.first()
        whole, floating = imported(self.f, "PyLong_Type"), imported(self.f, "PyFloat_Type")
        is_bool = kind.equals(self.f.load("ptr", imported(self.f, "Py_True"), layout.TYPE))
        self._skip_unless(kind.equals(expected) | is_bool | (kind.equals(whole) & expected.equals(floating)))

    def test_node(self) -> None:
        """Whether its class is one of those in the table `first`."""
        entry = self.f.call("ptr", "find_entry", self.first(), self.f.load("ptr", self.source(), layout.TYPE))
        self._skip_unless(entry.differs(None))

    def test_static(self) -> None:
        """Whether it is the object `first`, or with `second` 1 equal to it and of its class."""
        f, value, expected = self.f, self.source(), self.first()
        holds = f.variable("i1", value.equals(expected))
        same_class = f.load("ptr", value, layout.TYPE).equals(f.load("ptr", expected, layout.TYPE))
        with f.when(holds.get().equals(0) & same_class & self.field(24, "i64").equals(1)):
            equal = f.call("i32", imported(f, "PyObject_RichCompareBool"), value, expected, 2, types=("", "", "i32"))
            with f.when(equal < 0):
                f.leave(FAILS)
            holds.set(equal.equals(1))
        self._skip_unless(holds.get())

    def word(self) -> None:
        """The number `first`."""
        self.f.store(self.field(16, "i64"), self.slot())

    def skip(self) -> None:
        """Skips `count` operations."""
        self.position.set(self.position.get() + self.field(12))

    def different(self) -> None:
        """No alternative was the right one."""
        self.f.jump("differs")

    def write(self) -> Function:
        """The whole interpreter."""
        f = self.f
        cases: dict[int, Callable[[], None]] = {
            STATIC: self.static, ARRAY: self.array, FLOAT: self.float, INTEGER: self.integer, BOOLEAN: self.boolean,
            SCALAR: self.scalar, SEQUENCE: self.sequence, LIST: self.list, DICT: self.dict, CLASS: self.class_,
            ATTRIBUTE: self.attribute, GLOBAL: self.global_, ABSENT: self.absent, CELL: self.cell,
            METHOD: self.method, CONSTANT: self.constant, NODE_ARRAY: self.node_array, NODE_NUMBER: self.node_number,
            NODE_FLOAT: self.node_float, NODE_INTEGER: self.node_integer, UNION: self.union, ITEMS: self.list_items,
            TEST_CLASS: self.test_class, TEST_ARRAY: self.test_array, TEST_NUMBER: self.test_number,
            TEST_NODE: self.test_node, TEST_STATIC: self.test_static, WORD: self.word, JUMP: self.skip,
            DIFFERENT: self.different, FIELD_IN_OBJECT: self.field_in_object, FIELD_IN_VALUES: self.field_in_values,
        }  # fmt: skip
        with f.loop() as end:
            index = self.position.get()
            with f.when(index >= f["count"]):
                f.jump(end)
            self.operation = f.address(f["operations"], index << 5)
            f.switch(f.load("i32", self.operation), cases, "differs")
            f.emit("br label %next")
            f.label("next")
            self.position.set(self.position.get() + 1)
        f.leave(MATCHES)
        f.label("differs")
        f.leave(DIFFERS)
        return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [NodeGuard("guard", False).write(), NodeGuard("guard_element", True).write()]
