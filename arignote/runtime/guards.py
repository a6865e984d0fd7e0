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

from arignote.runtime import layout
from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import imported

(STATIC, ARRAY, FLOAT, INTEGER, BOOLEAN, SCALAR, SEQUENCE, LIST, DICT, CLASS,
 ATTRIBUTE, GLOBAL, ABSENT, CELL, METHOD, CONSTANT, NODE_ARRAY, NODE_NUMBER, NODE_FLOAT, NODE_INTEGER, UNION, ITEMS,
 TEST_CLASS, TEST_ARRAY, TEST_NUMBER, TEST_NODE, TEST_STATIC, WORD, JUMP, DIFFERENT) = range(30)  # fmt: skip
"""The codes; each is one paragraph below."""

OPERATION_BYTES = 32
MATCHES, DIFFERS, FAILS = 0, 1, 2
"""What a guard answers. FAILS: a Python exception is set."""

HOLD = 1 << 32
"""In an ARRAY operation: keep the array alive during the call, since what contains it may drop it."""

# Fields of the interpreter's frame, which the caller provides. OWNED and STACK are vectors (see below). NARROW and WIDE
# have a bit for each place in a tree that holds Python numbers: whether one of a narrower kind, and one of the kind
# itself was met.
REGISTERS, SLOTS, PLACES, TOTAL_BYTES, OWNED, STACK, NARROW, WIDE, MAP, MAP_COUNT, MAP_CAPACITY = (
    0, 8, 16, 24, 32, 64, 96, 104, 112, 120, 128)  # fmt: skip
FRAME_WORDS = 17

# A vector: the address of its words, how many are used, how many there are, and whether the memory is to be freed.
COUNT, SPACE, ON_HEAP = 8, 16, 24

# What waits on STACK, in four words: an object, where its box goes, a table; and for lists their buffers, before.
NODE_ITEM, ROOT_ITEM, LIST_ITEM, LEAVE_ITEM = range(4)
ITEM_WORDS = 4

# A table of the alternatives of a union: their number, then for each these fields, in 64 bytes.
ENTRIES, ENTRY_BYTES = 8, 64
CLASS_FIELD, TAG_FIELD, REFERENCES_FIELD, WORDS_FIELD, OPERATIONS_FIELD, OPERATION_COUNT, IS_NULL = range(0, 56, 8)

# A table of a list: its class, its number of buffers, the operations of an element, whether it is a list (or a tuple),
# and the bytes of an element of each buffer, 0 where it holds references.
LIST_CLASS, LIST_BUFFERS, LIST_OPERATIONS, LIST_OPERATION_COUNT, IS_LIST, LIST_BYTES = range(0, 48, 8)

DEFINITIONS = ""


class _Guard:
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

    # Trees

    def _mark(self, field: int, bits: Value) -> None:
        self.f.store(self.f.load("i64", self.f["frame"], field) | bits, self.f["frame"], field)

    def node_float(self) -> None:
        """A Python float; or a bool or an int that float64 holds, if `second` is a bit and a float is met elsewhere."""
        f, value, bit = self.f, self.source(), self.field(24, "i64")
        with f.when(f.load("ptr", value, layout.TYPE).equals(imported(f, "PyFloat_Type"))):
            f.store(f.load("i64", value, layout.FLOAT_VALUE), self.slot())
            self._mark(WIDE, bit)
            self._go_on()
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
            self._go_on()
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

    def _push(self, *words: Value) -> None:
        """Words onto the stack of what waits."""
        f = self.f
        for word in words:
            ok = f.call("i1", "append_word", f.address(f["frame"], STACK), word)
            with f.when(ok.equals(0)):
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
        f, value = self.f, self.source()
        self._hold_source(value)
        self._push(f.to_integer(value), f.to_integer(self.slot()), f.to_integer(self.first()), self.field(24, "i64"))

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
            self._push(f.to_integer(buffer))
        nothing = f.constant("i64", 0)
        self._push(f.to_integer(value), nothing, f.to_integer(table), f.constant("i64", LIST_ITEM))

    def _go_on(self) -> None:
        """Goes on with the next operation."""
        self.f.jump("next")

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
            DIFFERENT: self.different,
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


# From 3.12 on some objects are immortal: the low half of their count is negative, and they are left alone. The low
# half is the whole count of every other object.


def _retain() -> Function:
    f = Function("retain_object", "void", object="ptr")
    count = f.load("i32", f["object"], layout.REFERENCE_COUNT)
    with f.when(count >= 0):
        f.store(count + 1, f["object"], layout.REFERENCE_COUNT)
    f.leave()
    return f


def _release() -> Function:
    f = Function("release_object", "void", object="ptr")
    count = f.load("i32", f["object"], layout.REFERENCE_COUNT)
    with f.when(count > 0):
        f.store(count - 1, f["object"], layout.REFERENCE_COUNT)
        with f.when(count.equals(1)):
            f.call("void", imported(f, "_Py_Dealloc"), f["object"])
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_retain(), _release(), _Guard("guard", False).write(), _Guard("guard_element", True).write()]
