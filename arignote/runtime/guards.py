"""Unboxing: a small native interpreter that compares arguments with their structures and reads their leaves.

A specialisation's guard is a list of operations (`encode.py` writes them) over object registers: the first registers
hold the call's arguments, the others what is found inside containers. Leaves go to 8-byte slots, in the order of the
procedure's parameters. An interpreter, and not generated code: it costs some nanoseconds a leaf, and nothing at
compile time. The nodes of trees and the elements of lists have lists of operations of their own, which `trees.py` runs
one node after another.

    operation = { i32 code, i32 source, i32 destination, i32 count, i64 first, i64 second }

A destination is the number of an 8-byte word: among the slots, in the data of a node's box, or among addresses, one for
each operand of a list's element.
"""

from __future__ import annotations

from collections.abc import Callable

from arignote.runtime import fields, layout
from arignote.runtime.assembly import Function, Value
from arignote.runtime.guard_codes import (
    DIFFERS,
    FAILS,
    HOLD,
    OWNED,
    PLACES,
    REGISTERS,
    SLOTS,
    TOTAL_BYTES,
)
from arignote.runtime.imports import imported

DEFINITIONS = ""


class Guard:
    """Writes the interpreter; `of_elements`: destinations are addresses of their own."""

    def __init__(self, name: str, of_elements: bool) -> None:
        self.f = Function(name, "i32", operations="ptr", count="i64", frame="ptr")
        f, self.of_elements = self.f, of_elements
        self.registers = f.load("ptr", f["frame"], REGISTERS)
        self.slots = f.load("ptr", f["frame"], PLACES if of_elements else SLOTS)
        self.operation = f["operations"]
        self.position = f.variable("i64", 0)

    def field(self, offset: int, type: str = "i32") -> Value:
        """A field of the present operation; i32 fields come widened."""
        value = self.f.load(type, self.operation, offset)
        return self.f.widen(value) if type == "i32" else value

    def source(self) -> Value:
        """The object in the source register."""
        return self.f.load("ptr", self.registers, self.field(4) << 3)

    def set_register(self, value: Value, index: Value | int = 0) -> None:
        """Puts an object into the destination register, or into the one `index` after it."""
        self.f.store(value, self.registers, (self.field(8) + index) << 3)

    def slot(self, number: Value | None = None, following: Value | int = 0) -> Value:
        """The address of the destination (or of another one), or of one `following` it."""
        number = self.field(8) if number is None else number
        place = self.f.address(self.slots, (number + following) << 3)
        return self.f.load("ptr", place) if self.of_elements else place

    def require(self, condition: Value) -> None:
        """Answers DIFFERS unless the condition holds."""
        number = self.f._next()
        self.f.branch(condition, f"holds{number}", "differs")
        self.f.label(f"holds{number}")

    def go_on(self) -> None:
        """Goes on with the next operation."""
        self.f.jump("next")

    def require_type(self, value: Value, expected: Value) -> None:
        """The exact class of an object."""
        self.require(self.f.load("ptr", value, layout.TYPE).equals(expected))

    def first(self) -> Value:
        """The operation's first constant, as an object."""
        return self.field(16, "ptr")

    def own(self, value: Value) -> None:
        """Remembers a reference that the caller drops after the call."""
        f = self.f
        with f.when(f.call("i1", "append_word", f.address(f["frame"], OWNED), f.to_integer(value)).equals(0)):
            f.call("void", "release_object", value)
            f.leave(FAILS)

    # One method for each code

    def static(self) -> None:
        """The very object `first`; with `count` 1 an equal one of the same class is as good (strings, integers)."""
        f, value, expected = self.f, self.source(), self.first()
        with f.when(value.differs(expected)):
            self.require(self.field(12).equals(1))
            self.require_type(value, f.load("ptr", expected, layout.TYPE))
            equal = f.call("i32", imported(f, "PyObject_RichCompareBool"), value, expected, 2, types=("", "", "i32"))
            with f.when(equal < 0):
                f.leave(FAILS)
            self.require(equal.equals(1))

    def array(self) -> None:
        """An array of rank `count`; bit k of `first` says that size k is 1, and otherwise it must not be 1.

        `second` holds the type number (8 bits), the bytes of an element (8 bits) and HOLD. Destinations: the buffer
        (null), the address, the sizes.
        """
        value, data, total = self._checked_array(lambda is_one, stated: is_one.equals(stated))
        self.f.store(None, self.slot(), 0, "ptr")
        self.f.store(data, self.slot(following=1))
        self._add_sizes(value, total, 2)

    def node_array(self) -> None:
        """The same in a node, where null is already; bit k of `first` says that size k may be 1."""
        value, data, total = self._checked_array(lambda is_one, stated: (is_one & (stated ^ 1)).equals(0))
        self.f.store(data, self.slot())
        self._add_sizes(value, total, 1)

    def node_number(self) -> None:
        """The number in an array of rank 0."""
        _, data, _ = self._checked_array(lambda is_one, stated: is_one.equals(stated))
        self._copy_number(data, (self.field(24, "i64") >> 8) & 0xFF)

    def _checked_array(self, fits: Callable[[Value, Value], Value]) -> tuple[Value, Value, Value]:
        """The array, the address of its data, and the bytes of an element."""
        f, value = self.f, self.source()
        second, rank = self.field(24, "i64"), self.field(12)
        self.require_type(value, imported(f, "PyArray_Type"))
        descr = f.load("ptr", value, layout.ARRAY_DESCR)
        type_number = f.load("i32", descr, layout.DESCR_TYPE_NUMBER)
        self.require(f.widen(type_number).equals(second & 0xFF))
        self.require(f.widen(f.load("i32", value, layout.ARRAY_RANK)).equals(rank))
        dims, pattern = f.load("ptr", value, layout.ARRAY_DIMS), self.field(16, "i64")
        with f.repeat(rank) as index:
            is_one = f.widen(f.load("i64", dims, index << 3).equals(1), signed=False)
            self.require(fits(is_one, (pattern >> index) & 1))
        with f.when((second & HOLD).differs(0)):
            f.call("void", "retain_object", value)
            self.own(value)
        return value, f.load("ptr", self._readable(value, descr, type_number), layout.ARRAY_DATA), (second >> 8) & 0xFF

    def _add_sizes(self, value: Value, itemsize: Value, first: int) -> None:
        """Writes the sizes from the destination number `first` on, and adds the array's bytes to the total."""
        f, dims, total = self.f, self.f.load("ptr", value, layout.ARRAY_DIMS), self.f.variable("i64", itemsize)
        with f.repeat(self.field(12)) as index:
            size = f.load("i64", dims, index << 3)
            f.store(size, self.slot(following=index + first))
            total.set(total.get() * size)
        f.store(f.load("i64", f["frame"], TOTAL_BYTES) + total.get(), f["frame"], TOTAL_BYTES)

    def _readable(self, value: Value, descr: Value, type_number: Value) -> Value:
        """The array if it is contiguous, aligned and in native byte order; otherwise a copy that is."""
        f, chosen = self.f, self.f.variable("ptr", value)
        wanted = layout.C_CONTIGUOUS | layout.ALIGNED
        has_layout = (f.load("i32", value, layout.ARRAY_FLAGS) & wanted).equals(wanted)
        is_native = f.load("i8", descr, layout.DESCR_BYTE_ORDER).differs(layout.BIG_ENDIAN)
        with f.when((has_layout & is_native).equals(0)):
            plain = f.call("ptr", imported(f, "PyArray_DescrFromType"), type_number)
            flags = f.constant("i32", wanted)
            copy = f.call("ptr", imported(f, "PyArray_FromArray"), value, plain, flags)
            with f.when(copy.equals(None)):
                f.leave(FAILS)
            self.own(copy)
            chosen.set(copy)
        return chosen.get()

    def float(self) -> None:
        """A Python float."""
        value = self.source()
        self.require_type(value, imported(self.f, "PyFloat_Type"))
        self.f.store(self.f.load("i64", value, layout.FLOAT_VALUE), self.slot())

    def integer(self) -> None:
        """A Python int in the range of int64."""
        f, value, overflow = self.f, self.source(), self.f.variable("i32", 0)
        self.require_type(value, imported(f, "PyLong_Type"))
        number = f.call("i64", imported(f, "PyLong_AsLongLongAndOverflow"), value, overflow.address)
        self.require(overflow.get().equals(0))
        f.store(number, self.slot())

    def boolean(self) -> None:
        """True or False."""
        f, value = self.f, self.source()
        is_true = value.equals(imported(f, "Py_True"))
        self.require(is_true | value.equals(imported(f, "Py_False")))
        f.store(f.widen(is_true, "i8", signed=False), self.slot())

    def scalar(self) -> None:
        """A NumPy scalar of the class `first` with `count` bytes."""
        value = self.source()
        self.require_type(value, self.first())
        self._copy_number(self.f.address(value, layout.NUMPY_SCALAR_VALUE), self.field(12))

    def _copy_number(self, place: Value, size: Value) -> None:
        slot = self.slot()
        for width in (1, 4, 8):
            with self.f.when(size.equals(width)):
                self.f.store(self.f.load(f"i{8 * width}", place), slot)

    def sequence(self) -> None:
        """A tuple, or named tuple, of the class `first` with `count` items."""
        value = self.source()
        self.require_type(value, self.first())
        self._items(value, self.f.address(value, layout.TUPLE_ITEMS))

    def list(self) -> None:
        """A list of `count` items."""
        value = self.source()
        self.require_type(value, self.first())
        self._items(value, self.f.load("ptr", value, layout.LIST_ITEMS))

    def _items(self, value: Value, items: Value) -> None:
        count = self.field(12)
        self.require(self.f.load("i64", value, layout.VARIABLE_SIZE).equals(count))
        with self.f.repeat(count) as index:
            self.set_register(self.f.load("ptr", items, index << 3), index)

    def dict(self) -> None:
        """A dict with exactly the `count` keys at `second`, in that order."""
        f, value, count, keys = self.f, self.source(), self.field(12), self.field(24, "ptr")
        self.require_type(value, self.first())
        self.require(f.load("i64", value, layout.DICT_USED).equals(count))
        position, key, item = f.variable("i64", 0), f.variable("ptr"), f.variable("ptr")
        advance, string = imported(f, "PyDict_Next"), imported(f, "PyUnicode_Type")
        with f.repeat(count) as index:
            more = f.call("i32", advance, value, position.address, key.address, item.address)
            self.require(more.differs(0))
            expected = f.load("ptr", keys, index << 3)
            with f.when(key.get().differs(expected)):
                self.require_type(key.get(), string)
                order = f.call("i32", imported(f, "PyUnicode_Compare"), key.get(), expected)
                self.require(order.equals(0))
            self.set_register(item.get(), index)

    def class_(self) -> None:
        """An instance of exactly the class `first`."""
        self.require_type(self.source(), self.first())

    def attribute(self) -> None:
        """The attribute named `first`. What its class computes is not known, so the reference is kept."""
        f = self.f
        found = f.call("ptr", imported(f, "PyObject_GetAttr"), self.source(), self.first())
        with f.when(found.equals(None)):
            is_missing = f.call("i32", imported(f, "PyErr_ExceptionMatches"), imported(f, "AttributeError"))
            with f.when(is_missing.equals(0)):
                f.leave(FAILS)
            f.call("void", imported(f, "PyErr_Clear"))
            f.leave(DIFFERS)
        self.own(found)
        self.set_register(found)

    def field_in_object(self) -> None:
        """The attribute named `first`, at an offset of `count` bytes; `second` is the version of the class."""
        self._field(lambda value: self.f.load("ptr", value, self.field(12)))

    def field_in_values(self) -> None:
        """The attribute named `first`, `count` bytes into the array of values; `second` is the version of the class."""

        def read(value: Value) -> Value:
            f, found = self.f, self.f.variable("ptr")
            if fields.VALUES_VALID:
                has_values = f.load("i8", value, fields.VALUES_VALID).differs(0)
                values = f.address(value, fields.VALUES_START)
            else:
                word = f.load("i64", value, fields.VALUES_POINTER)
                has_values = word.differs(0) & (word & 1).equals(fields.VALUES_TAG)
                values = f.to_pointer(word + fields.VALUES_TAG)
            with f.when(has_values):
                found.set(f.load("ptr", values, self.field(12)))
            return found.get()

        self._field(read)

    def _field(self, read: Callable[[Value], Value]) -> None:
        """What is read directly, if the class is as it was and the field is there; otherwise it is looked up."""
        f, value = self.f, self.source()
        version = f.widen(f.load("i32", f.load("ptr", value, layout.TYPE), fields.VERSION), signed=False)
        with f.when(version.equals(self.field(24, "i64"))):
            found = read(value)
            with f.when(found.differs(None)):
                self.set_register(found)
                self.go_on()
        self.attribute()

    def global_(self) -> None:
        """What the dict `first` holds under the name `second`."""
        found = self._look_up()
        self.require(found.differs(None))
        self.set_register(found)

    def absent(self) -> None:
        """The dict `first` holds nothing under the name `second`."""
        self.require(self._look_up().equals(None))

    def _look_up(self) -> Value:
        f = self.f
        found = f.call("ptr", imported(f, "PyDict_GetItemWithError"), self.first(), self.field(24, "ptr"))
        with f.when(found.equals(None)), f.when(f.call("ptr", imported(f, "PyErr_Occurred")).differs(None)):
            f.leave(FAILS)
        return found

    def cell(self) -> None:
        """The contents of the cell `first`."""
        found = self.f.load("ptr", self.first(), layout.CELL_CONTENTS)
        self.require(found.differs(None))
        self.set_register(found)

    def method(self) -> None:
        """A bound method with the object `first` and the function `second`; each access makes another one."""
        f, value = self.f, self.source()
        self.require_type(value, imported(f, "PyMethod_Type"))
        self.require(f.load("ptr", value, layout.METHOD_SELF).equals(self.first()))
        self.require(f.load("ptr", value, layout.METHOD_FUNCTION).equals(self.field(24, "ptr")))

    def constant(self) -> None:
        """The object `first`, as the default of a parameter."""
        self.set_register(self.first())


# From 3.12 on some objects are immortal: the low half of their count is negative, and they are left alone. The low
# half is the whole count of every other object.


def _retain() -> Function:
    f = Function("retain_object", "void", object="ptr")
    f.inlined = True
    count = f.load("i32", f["object"], layout.REFERENCE_COUNT)
    with f.when(count >= 0):
        f.store(count + 1, f["object"], layout.REFERENCE_COUNT)
    f.leave()
    return f


def _release() -> Function:
    f = Function("release_object", "void", object="ptr")
    f.inlined = True
    count = f.load("i32", f["object"], layout.REFERENCE_COUNT)
    with f.when(count > 0):
        f.store(count - 1, f["object"], layout.REFERENCE_COUNT)
        with f.when(count.equals(1)):
            f.call("void", imported(f, "_Py_Dealloc"), f["object"])
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_retain(), _release()]
