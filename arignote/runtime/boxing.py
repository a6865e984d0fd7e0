"""Boxing: a small native interpreter that makes the Python result from the slots that the procedure filled.

A stack machine: leaves push an object, containers take their items from the stack.

    operation = { i32 code, i32 slot, i32 count, i32 flags, i64 first, i64 second }
"""

from __future__ import annotations

from arignote.runtime import array_memory, guard_codes, layout
from arignote.runtime.assembly import Function, Value, Variable
from arignote.runtime.buffers import CAPACITY, HEADER_BYTES, REFERENCES
from arignote.runtime.imports import imported

ARRAY, FLOAT, INTEGER, BOOLEAN, SCALAR, STATIC, TUPLE, LIST, DICT, CALL, TREE, NODE = range(12)
"""The codes; each is one paragraph below."""

OPERATION_BYTES = 32

SHARED = 1
"""In an ARRAY operation: a later result has the same slot, and the buffer needs a reference for it."""

COPY_LIMIT = 2 << 10
"""Arrays up to this many bytes that cannot own their buffer are copied: cheaper than an object that holds it."""

DEFINITIONS = ""


def _drop_array() -> Function:
    """What a capsule does when the last array over a buffer is gone."""
    f = Function("drop_array", "void", capsule="ptr")
    f.call("void", "ag_release", f.call("ptr", imported(f, "PyCapsule_GetPointer"), f["capsule"], None))
    f.leave()
    return f


def _make_array() -> Function:
    """A new ndarray over (or copied from) a result's memory; takes the buffer's reference, also when it fails."""
    f = Function("make_array", "ptr", slot="ptr", rank="i64", itemsize="i64", descr="ptr")
    with f.when(f["rank"].equals(0)):  # the value itself is in the slot
        scalar = _new_array(f, f["descr"], f.constant("i32", 0), Value(f, "ptr", "null"), Value(f, "ptr", "null"), 0)
        with f.when(scalar.differs(None)):
            f.call("ptr", imported(f, "memcpy"), f.load("ptr", scalar, layout.ARRAY_DATA), f["slot"], f["itemsize"])
        f.leave(scalar)
    buffer, data, dims = f.load("ptr", f["slot"]), f.load("ptr", f["slot"], 8), f.address(f["slot"], 16)
    total = f.variable("i64", f["itemsize"])
    with f.repeat(f["rank"]) as index:
        total.set(total.get() * f.load("i64", dims, index << 3))
    rank = f.narrow(f["rank"], "i32")
    with f.when(f.call("i1", "may_own", buffer, data, total.get())):
        array = _array_over(f, buffer, data, rank, dims)
        _give_memory(f, array, data, total.get())
        f.leave(array)
    with f.when((total.get() <= COPY_LIMIT) | buffer.equals(None)):
        copy = _new_array(f, f["descr"], rank, dims, Value(f, "ptr", "null"), 0)
        with f.when(copy.differs(None)):
            f.call("ptr", imported(f, "memcpy"), f.load("ptr", copy, layout.ARRAY_DATA), data, total.get())
        f.call("void", "ag_release", buffer)
        f.leave(copy)
    array = _array_over(f, buffer, data, rank, dims)
    capsule = f.call("ptr", imported(f, "PyCapsule_New"), buffer, None, Value(f, "ptr", "@drop_array"))
    with f.when(capsule.equals(None)):
        f.call("void", "ag_release", buffer)
        f.call("void", "release_object", array)
        f.leave(None)
    failed = f.call("i32", imported(f, "PyArray_SetBaseObject"), array, capsule)
    with f.when(failed.differs(0)):
        f.call("void", "release_object", array)
        f.leave(None)
    f.leave(array)
    return f


def _give_memory(f: Function, array: Value, data: Value, total: Value) -> None:
    """The array owns its memory from now on, as NumPy's do; `tracemalloc` hears of it as of NumPy's."""
    flags = f.load("i32", array, layout.ARRAY_FLAGS)
    f.store(flags | layout.OWNS_DATA, array, layout.ARRAY_FLAGS)
    handler = imported(f, "array_handler")
    f.call("void", "retain_object", handler)
    f.store(handler, array, layout.ARRAY_HANDLER)
    domain = f.constant("i32", array_memory.TRACE_DOMAIN)
    f.call("i32", imported(f, "PyTraceMalloc_Track"), domain, f.to_integer(data), total)


def _may_own() -> Function:
    """Whether an array may own the buffer as NumPy's arrays own their memory: nothing else refers to it, its data
    begins where the buffer's does, and a small array has not the buffer of a large one."""
    f = Function("may_own", "i1", buffer="ptr", data="ptr", total="i64")
    f.inlined = True
    no = Value(f, "i1", "false")
    with f.when(f["buffer"].equals(None)):
        f.leave(no)
    with f.when(f["data"].differs(f.address(f["buffer"], HEADER_BYTES))):
        f.leave(no)
    with f.when(f.load("i64", f["buffer"], REFERENCES).differs(1)):
        f.leave(no)
    is_filled = f.load("i64", f["buffer"], CAPACITY) <= (f["total"] << 1) + COPY_LIMIT
    f.leave((f["total"] > COPY_LIMIT) | is_filled)
    return f


def _array_over(f: Function, buffer: Value, data: Value, rank: Value, dims: Value) -> Value:
    """A new ndarray over this memory, which it does not own yet. Leaves the function if there is none."""
    flags = layout.C_CONTIGUOUS | layout.ALIGNED | layout.WRITEABLE
    array = _new_array(f, f["descr"], rank, dims, data, flags)
    with f.when(array.equals(None)):
        f.call("void", "ag_release", buffer)
        f.leave(None)
    return array


def _new_array(f: Function, descr: Value, rank: Value, dims: Value, data: Value, flags: int) -> Value:
    """PyArray_NewFromDescr, which takes a reference to the descr."""
    f.call("void", "retain_object", descr)
    kind = imported(f, "PyArray_Type")
    number = Value(f, "i32", str(flags))
    create = imported(f, "PyArray_NewFromDescr")
    return f.call("ptr", create, kind, descr, rank, dims, None, data, number, None)


def _set_items() -> Function:
    """Puts items, whose references it takes, into a copy of the dict `other` that nobody has seen. How many failed.

    If `begin` is not 0, the entries of `other` begin there in its table, and none of the items can be part of a cycle:
    then they are written there, as long as the copy's table has the same form. Setting them one by one looks up each.
    """
    f = Function("set_items", "i32", made="ptr", other="ptr", keys="ptr", items="ptr", count="i64", begin="i64")
    with f.when(f["begin"].differs(0)):
        table, model = (f.load("ptr", f[name], layout.DICT_TABLE) for name in ("made", "other"))
        form = f.load("i64", table, layout.TABLE_FORM) ^ f.load("i64", model, layout.TABLE_FORM)
        with f.when((form & layout.TABLE_FORM_MASK).equals(0)):
            with f.repeat(f["count"]) as index:
                place = f.address(table, f["begin"] + index * layout.TABLE_ENTRY_BYTES + layout.TABLE_ENTRY_VALUE)
                before = f.load("ptr", place)
                f.store(f.load("ptr", f["items"], index << 3), place)
                f.call("void", "release_object", before)
            f.leave(0)
    failures, set_item = f.variable("i32", 0), imported(f, "PyDict_SetItem")
    with f.repeat(f["count"]) as index:
        item = f.load("ptr", f["items"], index << 3)
        failures.set(failures.get() | f.call("i32", set_item, f["made"], f.load("ptr", f["keys"], index << 3), item))
        f.call("void", "release_object", item)
    f.leave(failures.get())
    return f


class _Boxer:
    """Writes the interpreter."""

    def __init__(self) -> None:
        self.f = Function("box", "ptr", operations="ptr", count="i64", results="ptr", stack="ptr")
        self.operation = self.f["operations"]
        self.top = self.f.variable("i64", 0)
        self.frame = self.f.local_words(guard_codes.FRAME_WORDS)
        for field in range(guard_codes.OWNED, 8 * guard_codes.FRAME_WORDS, 8):
            self.f.store(0, self.frame, field, "i64")

    def field(self, offset: int, type: str = "i32") -> Value:
        """A field of the present operation; i32 fields come widened."""
        value = self.f.load(type, self.operation, offset)
        return self.f.widen(value) if type == "i32" else value

    def slot(self) -> Value:
        """The address of the result's slot."""
        return self.f.address(self.f["results"], self.field(4) << 3)

    def push(self, value: Value) -> None:
        """A new object, or failure."""
        f = self.f
        failed = value.equals(None)
        number = f._next()
        f.branch(failed, "failed", f"pushed{number}")
        f.label(f"pushed{number}")
        f.store(value, f["stack"], self.top.get() << 3)
        self.top.set(self.top.get() + 1)

    def items(self) -> Value:
        """Takes `count` items off the stack; their address."""
        self.top.set(self.top.get() - self.field(8))
        return self.f.address(self.f["stack"], self.top.get() << 3)

    def array(self) -> None:
        """An array of rank `count` with the descr `first`; `second` bytes to an element."""
        f = self.f
        with f.when((self.field(12) & SHARED).differs(0) & self.field(8).differs(0)):
            buffer = f.load("ptr", self.slot())
            with f.when(buffer.differs(None)):
                f.store(f.load("i64", buffer, REFERENCES) + 1, buffer, REFERENCES)
        itemsize, descr = self.field(24, "i64"), self.field(16, "ptr")
        self.push(f.call("ptr", "make_array", self.slot(), self.field(8), itemsize, descr))

    def float(self) -> None:
        """A Python float."""
        f = self.f
        self.push(f.call("ptr", imported(f, "PyFloat_FromDouble"), f.load("double", self.slot())))

    def integer(self) -> None:
        """A Python int."""
        f = self.f
        self.push(f.call("ptr", imported(f, "PyLong_FromLongLong"), f.load("i64", self.slot())))

    def boolean(self) -> None:
        """True or False."""
        f = self.f
        byte = f.widen(f.load("i8", self.slot()), signed=False)
        self.push(f.call("ptr", imported(f, "PyBool_FromLong"), byte))

    def scalar(self) -> None:
        """A NumPy scalar with the descr `first`."""
        f = self.f
        self.push(f.call("ptr", imported(f, "PyArray_Scalar"), self.slot(), self.field(16, "ptr"), None))

    def static(self) -> None:
        """The object `first`."""
        value = self.field(16, "ptr")
        self.f.call("void", "retain_object", value)
        self.push(value)

    def tuple(self) -> None:
        """A tuple of the last `count` items."""
        made = self._container("PyTuple_New")
        self._fill(self.f.address(made, layout.TUPLE_ITEMS))
        self.push(made)

    def list(self) -> None:
        """A list of the last `count` items."""
        made = self._container("PyList_New")
        with self.f.when(self.field(8) > 0):
            self._fill(self.f.load("ptr", made, layout.LIST_ITEMS))
        self.push(made)

    def _container(self, constructor: str) -> Value:
        f = self.f
        made = f.call("ptr", imported(f, constructor), self.field(8))
        number = f._next()
        f.branch(made.equals(None), "failed", f"made{number}")
        f.label(f"made{number}")
        return made

    def _fill(self, place: Value) -> None:
        f, items = self.f, self.items()
        with f.repeat(self.field(8)) as index:
            f.store(f.load("ptr", items, index << 3), place, index << 3)

    def dict(self) -> None:
        """A dict of the last `count` items under the keys at `first`: a copy of the dict `second`, which has these keys
        already, as it would grow several times otherwise. The flags say where the entries begin, see `set_items`."""
        f, keys = self.f, self.field(16, "ptr")
        made = f.call("ptr", imported(f, "PyDict_Copy"), self.field(24, "ptr"))
        number = f._next()
        f.branch(made.equals(None), "failed", f"made{number}")
        f.label(f"made{number}")
        given = self.items(), self.field(8), self.field(12)
        failures = f.call("i32", "set_items", made, self.field(24, "ptr"), keys, *given)
        with f.when(failures.differs(0)):
            f.call("void", "release_object", made)
            f.jump("failed")
        self.push(made)

    def call(self) -> None:
        """What the callable `first` makes of the last `count` items."""
        f = self.f
        items, count = self.items(), self.field(8)
        made = f.call("ptr", imported(f, "PyObject_Vectorcall"), self.field(16, "ptr"), items, count, None)
        with f.repeat(count) as index:
            f.call("void", "release_object", f.load("ptr", items, index << 3))
        self.push(made)

    def node(self) -> None:
        """The object of a box, by the table `first`."""
        f, box, made = self.f, self.f.load("ptr", self.slot()), self.f.variable("ptr")
        made.set(f.call("ptr", "make_node", self.frame, box, self.field(16, "ptr")))
        with f.when(made.get().differs(None)), f.when(f.call("i1", "fill_nodes", self.frame).equals(0)):
            f.call("void", "release_object", made.get())
            made.set(None)
        with f.when((self.field(12) & SHARED).equals(0)):
            f.call("void", "ag_release", box)
        self.push(made.get())

    def tree(self) -> None:
        """What the callable `first` makes of the slots. Then the references in the `count` slots listed at `second` go.
        """
        f, argument = self.f, self.f.local_words(1)
        number = f.call("ptr", imported(f, "PyLong_FromLongLong"), f.to_integer(f["results"]))
        made = f.variable("ptr")
        with f.when(number.differs(None)):
            f.store(number, argument)
            made.set(f.call("ptr", imported(f, "PyObject_Vectorcall"), self.field(16, "ptr"), argument, 1, None))
            f.call("void", "release_object", number)
        self._release_listed()
        self.push(made.get())

    def _release_listed(self) -> None:
        f = self.f
        with f.repeat(self.field(8)) as index:
            slot = f.load("i64", self.field(24, "ptr"), index << 3)
            f.call("void", "ag_release", f.load("ptr", f["results"], slot << 3))

    def write(self) -> Function:
        """The whole interpreter. After a failure it drops the objects made so far and the buffers not yet boxed."""
        f = self.f
        index = f.variable("i64", 0)
        cases = {
            ARRAY: self.array, FLOAT: self.float, INTEGER: self.integer, BOOLEAN: self.boolean, SCALAR: self.scalar,
            STATIC: self.static, TUPLE: self.tuple, LIST: self.list, DICT: self.dict, CALL: self.call,
            TREE: self.tree, NODE: self.node,
        }  # fmt: skip
        with f.loop() as end:
            with f.when(index.get() >= f["count"]):
                f.jump(end)
            self.operation = f.address(f["operations"], index.get() << 5)
            f.switch(f.load("i32", self.operation), cases, "failed")
            index.set(index.get() + 1)
        f.call("void", "end_frame", self.frame)
        f.leave(f.load("ptr", f["stack"]))
        f.label("failed")
        with f.repeat(self.top.get()) as position:
            f.call("void", "release_object", f.load("ptr", f["stack"], position << 3))
        self._drop_the_rest(index)
        f.call("void", "end_frame", self.frame)
        f.leave(None)
        return f

    def _drop_the_rest(self, index: Variable) -> None:
        f = self.f
        with f.loop() as end:
            index.set(index.get() + 1)
            with f.when(index.get() >= f["count"]):
                f.jump(end)
            self.operation = f.address(f["operations"], index.get() << 5)
            owns = (self.field(0).equals(ARRAY) | self.field(0).equals(NODE)) & (self.field(12) & SHARED).equals(0)
            with f.when(owns):
                f.call("void", "ag_release", f.load("ptr", self.slot()))
            with f.when(self.field(0).equals(TREE)):
                self._release_listed()


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_drop_array(), _may_own(), _make_array(), _set_items(), _Boxer().write()]
