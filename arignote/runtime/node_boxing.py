"""Boxing of trees by native code: a node's object is made when it is first met, and gets its fields later.

A box to which there is only one reference is met once; the others are looked up in a map, so that what is shared in a
result is one object. What the operations here do not know is left to `tree_boxing.py`.

    operation = { i32 code, i32 word, i32 reference, i32 count, i64 name, i64 second }
"""

from __future__ import annotations

from arignote.runtime import guard_codes, layout
from arignote.runtime.assembly import Function, Value, Variable
from arignote.runtime.buffers import HEADER_BYTES, REFERENCES, TAG
from arignote.runtime.guard_codes import COUNT, ITEM_WORDS, MAP_COUNT, STACK
from arignote.runtime.imports import imported

FLOAT, INTEGER, BOOLEAN, SCALAR, ARRAY, STATIC, NODE, FLOATS, INTEGERS, BOOLEANS, NODES, UNION = range(12)
"""The codes: what a field is. FLOATS to NODES are lists; `count` is 1 for a tuple."""

DEFINITIONS = ""

_BOX_OBJECT = 16
"""Where an entry of the map has its object."""


def _make_node() -> Function:
    """The object of a box, a new reference; it may wait for its fields. Null: failed."""
    f = Function("make_node", "ptr", frame="ptr", box="ptr", table="ptr")
    frame, box, table = f["frame"], f["box"], f["table"]
    with f.when(box.equals(None)):
        f.leave(_retained(f, imported(f, "_Py_NoneStruct")))
    is_single = f.load("i64", box, REFERENCES).equals(1)
    known = f.variable("ptr")
    with f.when((is_single & f.load("i64", frame, MAP_COUNT).equals(0)).equals(0)):
        known.set(f.call("ptr", "look_up", frame, box, table))
        with f.when(known.get().equals(None)):
            f.leave(None)
        found = f.load("ptr", known.get(), _BOX_OBJECT)
        with f.when(found.differs(None)):
            f.leave(_retained(f, found))
    entry = f.address(table, f.load("i64", box, TAG) * guard_codes.ENTRY_BYTES + guard_codes.ENTRIES)
    made = f.call("ptr", imported(f, "PyType_GenericAlloc"), f.load("ptr", entry, guard_codes.CLASS_FIELD), 0)
    with f.when(made.equals(None)):
        f.leave(None)
    with f.when(known.get().differs(None)):
        f.store(made, known.get(), _BOX_OBJECT)
    waits = f.call("i1", "push_item", f.address(frame, STACK), made, box, entry, 0)
    with f.when(waits.equals(0)):
        f.call("void", "release_object", made)
        f.leave(None)
    f.leave(made)
    return f


def _retained(f: Function, thing: Value) -> Value:
    f.call("void", "retain_object", thing)
    return thing


def _fill_nodes() -> Function:
    """Gives all objects that wait their fields; false where that failed."""
    f = Function("fill_nodes", "i1", frame="ptr")
    stack = f.address(f["frame"], STACK)
    with f.loop():
        count = f.load("i64", stack, COUNT)
        with f.when(count.equals(0)):
            f.leave(1)
        item = f.address(f.load("ptr", stack), (count - ITEM_WORDS) << 3)
        f.store(count - ITEM_WORDS, stack, COUNT)
        thing, box, entry = (f.load("ptr", item, offset) for offset in (0, 8, 16))
        operations = f.load("ptr", entry, guard_codes.OPERATIONS_FIELD)
        with f.repeat(f.load("i64", entry, guard_codes.OPERATION_COUNT)) as index:
            operation = f.address(operations, index << 5)
            value = f.call("ptr", "box_field", f["frame"], operation, f.address(box, HEADER_BYTES))
            with f.when(value.equals(None)):
                f.leave(0)
            failed = f.call("i32", imported(f, "PyObject_GenericSetAttr"), thing, f.load("ptr", operation, 16), value)
            f.call("void", "release_object", value)
            with f.when(failed.differs(0)):
                f.leave(0)
    return f


class _Field:
    """Writes `box_field(frame, operation, data)`: the object of one field, a new reference."""

    def __init__(self) -> None:
        self.f = Function("box_field", "ptr", frame="ptr", operation="ptr", data="ptr")
        self.made: Variable = self.f.variable("ptr")

    def number(self, offset: int) -> Value:
        """A number of the operation."""
        return self.f.widen(self.f.load("i32", self.f["operation"], offset))

    def second(self) -> Value:
        """The operation's second object or table."""
        return self.f.load("ptr", self.f["operation"], 24)

    def word(self) -> Value:
        """The address of the field's first word that is no reference."""
        return self.f.address(self.f["data"], self.number(4) << 3)

    def reference(self) -> Value:
        """The field's first reference."""
        return self.f.load("ptr", self.f["data"], self.number(8) << 3)

    def float_at(self, place: Value) -> Value:
        """A Python float."""
        return self.f.call("ptr", imported(self.f, "PyFloat_FromDouble"), self.f.load("double", place))

    def integer_at(self, place: Value) -> Value:
        """A Python int."""
        return self.f.call("ptr", imported(self.f, "PyLong_FromLongLong"), self.f.load("i64", place))

    def boolean_at(self, place: Value) -> Value:
        """True or False."""
        byte = self.f.widen(self.f.load("i8", place), signed=False)
        return self.f.call("ptr", imported(self.f, "PyBool_FromLong"), byte)

    def node_at(self, place: Value) -> Value:
        """A node."""
        return self.f.call("ptr", "make_node", self.f["frame"], self.f.load("ptr", place), self.second())

    def scalar(self) -> None:
        """A NumPy scalar with the descr `second`."""
        self.made.set(self.f.call("ptr", imported(self.f, "PyArray_Scalar"), self.word(), self.second(), None))

    def array(self) -> None:
        """An array with the descr `second`; `count` is the rank and, above 8 bits, the bytes of an element.

        Its memory becomes the array's own only if nothing else refers to it; otherwise it is copied.
        """
        f, rank, itemsize = self.f, self.number(12) & 0xFF, self.number(12) >> 8
        with f.when(rank.equals(0)):
            self.made.set(f.call("ptr", "make_array", self.word(), rank, itemsize, self.second()))
            f.jump("done")
        slots = f.words(rank + 2)
        buffer = f.variable("ptr", self.reference())
        with f.when(buffer.get().differs(None)):
            references = f.load("i64", buffer.get(), REFERENCES)
            is_shared = references.differs(1)
            with f.when(is_shared):
                buffer.set(None)
            with f.when(is_shared.equals(0)):
                f.store(references + 1, buffer.get(), REFERENCES)
        f.store(buffer.get(), slots)
        with f.repeat(rank + 1) as index:
            f.store(f.load("i64", self.word(), index << 3), f.address(slots, 8), index << 3)
        self.made.set(f.call("ptr", "make_array", slots, rank, itemsize, self.second()))

    def static(self) -> None:
        """The object `second`."""
        self.made.set(_retained(self.f, self.second()))

    def union(self) -> None:
        """One of several: `second` has an operation for each, and the first word says which holds."""
        f = self.f
        chosen = f.address(self.second(), f.load("i64", self.word()) << 5)
        self.made.set(f.call("ptr", "box_field", f["frame"], chosen, f["data"]))

    def items(self, code: int) -> None:
        """A list, or a tuple, of items of one kind."""
        f, length = self.f, self.f.load("i64", self.word())
        is_tuple = self.number(12).differs(0)
        made, items = f.variable("ptr"), f.variable("ptr")
        with f.when(is_tuple):
            made.set(f.call("ptr", imported(f, "PyTuple_New"), length))
        with f.when(is_tuple.equals(0)):
            made.set(f.call("ptr", imported(f, "PyList_New"), length))
        with f.when(made.get().equals(None)):
            f.leave(None)
        items.set(f.address(made.get(), layout.TUPLE_ITEMS))
        with f.when(is_tuple.equals(0) & (length > 0)):
            items.set(f.load("ptr", made.get(), layout.LIST_ITEMS))
        data = f.address(self.reference(), HEADER_BYTES)
        at = {FLOATS: self.float_at, INTEGERS: self.integer_at, BOOLEANS: self.boolean_at, NODES: self.node_at}[code]
        with f.repeat(length) as index:
            item = at(f.address(data, index if code == BOOLEANS else index << 3))
            with f.when(item.equals(None)):
                f.call("void", "release_object", made.get())
                f.leave(None)
            f.store(item, items.get(), index << 3)
        self.made.set(made.get())

    def write(self) -> Function:
        """The whole function."""
        f = self.f
        cases = {
            FLOAT: lambda: self.made.set(self.float_at(self.word())),
            INTEGER: lambda: self.made.set(self.integer_at(self.word())),
            BOOLEAN: lambda: self.made.set(self.boolean_at(self.word())),
            SCALAR: self.scalar, ARRAY: self.array, STATIC: self.static,
            NODE: lambda: self.made.set(self.node_at(f.address(f["data"], self.number(8) << 3))),
            FLOATS: lambda: self.items(FLOATS), INTEGERS: lambda: self.items(INTEGERS),
            BOOLEANS: lambda: self.items(BOOLEANS), NODES: lambda: self.items(NODES), UNION: self.union,
        }  # fmt: skip
        f.switch(f.load("i32", f["operation"]), cases, "done")
        f.jump("done")
        f.label("done")
        f.leave(self.made.get())
        return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_make_node(), _fill_nodes(), _Field().write()]
