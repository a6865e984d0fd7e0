"""Unboxing of trees: the nodes that wait are visited one after another, on a stack in memory.

A node becomes a box (`docs/architecture.md`, section 4), which is put where its parent wants it before the children are
visited. An object to which there is only one reference is met once; every other is looked up in a map, so that what is
shared stays shared, and a cycle is noticed: a box is open while its children are being visited.
"""

from __future__ import annotations

from arignote.runtime import guard_codes, layout
from arignote.runtime.assembly import Function, Value
from arignote.runtime.buffers import HEADER_BYTES, KIND, LENGTH, NEXT, REFERENCES, REFERENCES_KIND, TAG
from arignote.runtime.guard_codes import (
    COUNT,
    DIFFERS,
    ENTRIES,
    ENTRY_BYTES,
    FAILS,
    ITEM_WORDS,
    LEAVE_ITEM,
    LIST_ITEM,
    MAP,
    MAP_CAPACITY,
    MAP_COUNT,
    MATCHES,
    NODE_ITEM,
    ON_HEAP,
    OWNED,
    ROOT_ITEM,
    SPACE,
    STACK,
)
from arignote.runtime.imports import imported

_OPEN = NEXT
"""In the header of a box: not 0 while its children are being visited. Only boxes that are freed use this word."""

_SINGLE = 2
"""How many references there are to an object of which a node alone, and the frame's vector of references, have one."""

_SMALLEST_VECTOR, _SMALLEST_MAP = 128, 64
_MAP_ENTRY_BYTES = 32
_OBJECT, _TABLE, _BOX = 0, 8, 16
"""Fields of an entry of the map."""

DEFINITIONS = ""


def _append_word() -> Function:
    """Appends to a vector; false where there is no memory, with the exception set."""
    f = Function("append_word", "i1", vector="ptr", word="i64")
    count = f.load("i64", f["vector"], COUNT)
    with f.when(count >= f.load("i64", f["vector"], SPACE)), f.when(f.call("i1", "grow", f["vector"]).equals(0)):
        f.leave(0)
    f.store(f["word"], f.load("ptr", f["vector"]), count << 3)
    f.store(count + 1, f["vector"], COUNT)
    f.leave(1)
    return f


def _push_item() -> Function:
    """One more that waits; false where there is no memory, with the exception set."""
    f = Function("push_item", "i1", vector="ptr", thing="ptr", place="ptr", table="ptr", kind="i64")
    count = f.load("i64", f["vector"], COUNT)
    with (
        f.when((count + ITEM_WORDS) > f.load("i64", f["vector"], SPACE)),
        f.when(f.call("i1", "grow", f["vector"]).equals(0)),
    ):
        f.leave(0)
    item = f.address(f.load("ptr", f["vector"]), count << 3)
    for number, name in enumerate(("thing", "place", "table", "kind")):
        f.store(f[name], item, 8 * number)
    f.store(count + ITEM_WORDS, f["vector"], COUNT)
    f.leave(1)
    return f


def _grow() -> Function:
    """Doubles the space of a vector."""
    f = Function("grow", "i1", vector="ptr")
    space = f.variable("i64", f.load("i64", f["vector"], SPACE) << 1)
    with f.when(space.get() < _SMALLEST_VECTOR):
        space.set(_SMALLEST_VECTOR)
    space.set((space.get() + 7) & ~7)
    memory = f.call("ptr", imported(f, "aligned_alloc"), HEADER_BYTES, space.get() << 3)
    with f.when(memory.equals(None)):
        f.call("ptr", imported(f, "PyErr_NoMemory"))
        f.leave(0)
    before, used = f.load("ptr", f["vector"]), f.load("i64", f["vector"], COUNT) << 3
    f.call("ptr", imported(f, "memcpy"), memory, before, used)
    with f.when(f.load("i64", f["vector"], ON_HEAP).differs(0)):
        f.call("void", imported(f, "free"), before)
    f.store(memory, f["vector"])
    f.store(space.get(), f["vector"], SPACE)
    f.store(1, f["vector"], ON_HEAP, "i64")
    f.leave(1)
    return f


def _list_buffer() -> Function:
    """A buffer of zeros for so many elements of so many bytes, 0 for references."""
    f = Function("list_buffer", "ptr", length="i64", itemsize="i64")
    itemsize = f.variable("i64", f["itemsize"])
    with f.when(itemsize.get().equals(0)):
        itemsize.set(8)
    total = f["length"] * itemsize.get()
    buffer = f.call("ptr", "ag_alloc", total)
    with f.when(buffer.equals(None)):
        f.call("ptr", imported(f, "PyErr_NoMemory"))
        f.leave(None)
    f.call("ptr", imported(f, "memset"), f.address(buffer, HEADER_BYTES), Value(f, "i32", "0"), total)
    with f.when(f["itemsize"].equals(0)):
        f.store(REFERENCES_KIND, buffer, KIND, "i64")
        f.store(f["length"], buffer, LENGTH)
    f.leave(buffer)
    return f


def _find_entry() -> Function:
    """The entry of a class in the table of a union, or null."""
    f = Function("find_entry", "ptr", table="ptr", kind="ptr")
    with f.repeat(f.load("i64", f["table"])) as index:
        entry = f.address(f["table"], index * ENTRY_BYTES + ENTRIES)
        with f.when(f.load("ptr", entry, guard_codes.CLASS_FIELD).equals(f["kind"])):
            f.leave(entry)
    f.leave(None)
    return f


def _visit_trees() -> Function:
    """Visits what waits, and what comes to wait meanwhile."""
    f = Function("visit_trees", "i32", frame="ptr")
    stack = f.address(f["frame"], STACK)
    with f.loop():
        count = f.load("i64", stack, COUNT)
        with f.when(count.equals(0)):
            narrow, wide = f.load("i64", f["frame"], guard_codes.NARROW), f.load("i64", f["frame"], guard_codes.WIDE)
            with f.when((narrow & (wide ^ -1)).differs(0)):
                f.leave(DIFFERS)
            f.leave(MATCHES)
        item = f.address(f.load("ptr", stack), (count - ITEM_WORDS) << 3)
        f.store(count - ITEM_WORDS, stack, COUNT)
        thing, place, table = (f.load("ptr", item, offset) for offset in (0, 8, 16))
        kind = f.load("i64", item, 24)
        status = f.variable("i32", MATCHES)
        with f.when(kind <= ROOT_ITEM):
            status.set(f.call("i32", "visit_node", f["frame"], thing, place, table, kind))
        with f.when(kind.equals(LIST_ITEM)):
            status.set(f.call("i32", "visit_list", f["frame"], thing, table))
        with f.when(kind.equals(LEAVE_ITEM)):
            f.store(0, thing, _OPEN, "i64")
        with f.when(status.get().differs(MATCHES)):
            f.leave(status.get())
    return f


def _visit_node() -> Function:
    """Makes the box of a node, and puts its address where it is wanted."""
    f = Function("visit_node", "i32", frame="ptr", node="ptr", place="ptr", table="ptr", kind="i64")
    frame, node = f["frame"], f["node"]
    entry = f.call("ptr", "find_entry", f["table"], f.load("ptr", node, layout.TYPE))
    with f.when(entry.equals(None)):
        f.leave(DIFFERS)
    operations = f.load("ptr", entry, guard_codes.OPERATIONS_FIELD)
    operation_count = f.load("i64", entry, guard_codes.OPERATION_COUNT)
    registers = f.load("ptr", frame, guard_codes.REGISTERS)
    with f.when(f.load("i64", entry, guard_codes.IS_NULL).differs(0)):
        f.store(node, registers)
        f.leave(f.call("i32", "guard", operations, operation_count, frame))
    is_single = f.load("i32", node, layout.REFERENCE_COUNT).equals(_SINGLE) & f["kind"].equals(NODE_ITEM)
    with f.when(is_single.equals(0)):
        known = f.call("ptr", "look_up", frame, node, f["table"])
        with f.when(known.equals(None)):
            f.leave(FAILS)
        box = f.load("ptr", known, _BOX)
        with f.when(box.differs(None)):
            with f.when(f.load("i64", box, _OPEN).differs(0)):
                f.leave(DIFFERS)
            f.store(f.load("i64", box, REFERENCES) + 1, box, REFERENCES)
            f.store(box, f["place"])
            f.leave(MATCHES)
    made = _make_box(f, entry)
    f.store(made, f["place"])
    with f.when(is_single.equals(0)):
        f.store(made, f.call("ptr", "look_up", frame, node, f["table"]), _BOX)
        f.store(1, made, _OPEN, "i64")
        leave = f.constant("i64", LEAVE_ITEM)
        with f.when(f.call("i1", "push_item", f.address(frame, STACK), made, None, None, leave).equals(0)):
            f.leave(FAILS)
    f.store(f.address(made, HEADER_BYTES), frame, guard_codes.SLOTS)
    f.store(node, registers)
    f.leave(f.call("i32", "guard", operations, operation_count, frame))
    return f


def _make_box(f: Function, entry: Value) -> Value:
    words = f.load("i64", entry, guard_codes.WORDS_FIELD)
    made = f.call("ptr", "ag_alloc", words << 3)
    with f.when(made.equals(None)):
        f.call("ptr", imported(f, "PyErr_NoMemory"))
        f.leave(FAILS)
    with f.repeat(words) as index:
        f.store(0, f.address(made, HEADER_BYTES), index << 3, "i64")
    f.store(REFERENCES_KIND, made, KIND, "i64")
    f.store(f.load("i64", entry, guard_codes.REFERENCES_FIELD), made, LENGTH)
    f.store(f.load("i64", entry, guard_codes.TAG_FIELD), made, TAG)
    f.store(0, made, _OPEN, "i64")
    return made


def _visit_list() -> Function:
    """Runs the operations of each element; the list's buffers lie on top of the stack."""
    f = Function("visit_list", "i32", frame="ptr", list="ptr", table="ptr")
    frame, table, given = f["frame"], f["table"], f["list"]
    stack, buffers = f.address(frame, STACK), f.load("i64", table, guard_codes.LIST_BUFFERS)
    count = f.load("i64", stack, COUNT) - buffers
    f.store(count, stack, COUNT)
    places, data = f.words(buffers + 1), f.words(buffers + 1)
    with f.repeat(buffers) as number:
        buffer = f.load("ptr", f.address(f.load("ptr", stack), count << 3), number << 3)
        f.store(f.address(buffer, HEADER_BYTES), data, number << 3)
    f.store(places, frame, guard_codes.PLACES)
    length = f.load("i64", given, layout.VARIABLE_SIZE)
    with f.repeat(length) as index:
        with f.when(f.load("i64", given, layout.VARIABLE_SIZE).differs(length)):
            f.leave(DIFFERS)
        items = f.variable("ptr", f.address(given, layout.TUPLE_ITEMS))
        with f.when(f.load("i64", table, guard_codes.IS_LIST).differs(0)):
            items.set(f.load("ptr", given, layout.LIST_ITEMS))
        with f.repeat(buffers) as number:
            itemsize = f.variable("i64", f.load("i64", table, (number << 3) + guard_codes.LIST_BYTES))
            with f.when(itemsize.get().equals(0)):
                itemsize.set(8)
            here = f.address(f.load("ptr", data, number << 3), index * itemsize.get())
            f.store(here, places, number << 3)
        f.store(f.load("ptr", items.get(), index << 3), f.load("ptr", frame, guard_codes.REGISTERS))
        operations = f.load("ptr", table, guard_codes.LIST_OPERATIONS)
        status = f.call(
            "i32", "guard_element", operations, f.load("i64", table, guard_codes.LIST_OPERATION_COUNT), frame
        )
        with f.when(status.differs(MATCHES)):
            f.leave(status)
    f.leave(MATCHES)
    return f


def _hash(f: Function, node: Value, table: Value) -> Value:
    mixed = f.to_integer(node) ^ (f.to_integer(table) << 1)
    return (mixed * -7046029254386353131) >> 20


def _look_up() -> Function:
    """The entry of the map for an object and a table, a new one with a null box where there is none; null: failed."""
    f = Function("look_up", "ptr", frame="ptr", node="ptr", table="ptr")
    frame = f["frame"]
    capacity, used = f.load("i64", frame, MAP_CAPACITY), f.load("i64", frame, MAP_COUNT)
    with f.when((used << 1) >= capacity), f.when(f.call("i1", "grow_map", frame).equals(0)):
        f.leave(None)
    found = f.call("ptr", "probe", frame, f["node"], f["table"])
    with f.when(f.load("ptr", found, _OBJECT).equals(None)):
        f.store(f["node"], found, _OBJECT)
        f.store(f["table"], found, _TABLE)
        f.store(used + 1, frame, MAP_COUNT)
    f.leave(found)
    return f


def _probe() -> Function:
    """Where an object is in the map, or is to be put."""
    f = Function("probe", "ptr", frame="ptr", node="ptr", table="ptr")
    last = f.load("i64", f["frame"], MAP_CAPACITY) - 1
    position = f.variable("i64", _hash(f, f["node"], f["table"]) & last)
    with f.loop():
        entry = f.address(f.load("ptr", f["frame"], MAP), position.get() * _MAP_ENTRY_BYTES)
        there = f.load("ptr", entry, _OBJECT)
        same = there.equals(f["node"]) & f.load("ptr", entry, _TABLE).equals(f["table"])
        with f.when(same | there.equals(None)):
            f.leave(entry)
        position.set((position.get() + 1) & last)
    return f


def _grow_map() -> Function:
    """Doubles the map."""
    f = Function("grow_map", "i1", frame="ptr")
    frame = f["frame"]
    before, capacity = f.load("ptr", frame, MAP), f.load("i64", frame, MAP_CAPACITY)
    wanted = f.variable("i64", capacity << 1)
    with f.when(capacity.equals(0)):
        wanted.set(_SMALLEST_MAP)
    total = wanted.get() * _MAP_ENTRY_BYTES
    memory = f.call("ptr", imported(f, "aligned_alloc"), HEADER_BYTES, total)
    with f.when(memory.equals(None)):
        f.call("ptr", imported(f, "PyErr_NoMemory"))
        f.leave(0)
    f.call("ptr", imported(f, "memset"), memory, Value(f, "i32", "0"), total)
    f.store(memory, frame, MAP)
    f.store(wanted.get(), frame, MAP_CAPACITY)
    with f.repeat(capacity) as index:
        old = f.address(before, index * _MAP_ENTRY_BYTES)
        node, table = f.load("ptr", old, _OBJECT), f.load("ptr", old, _TABLE)
        with f.when(node.differs(None)):
            new = f.call("ptr", "probe", frame, node, table)
            for offset in (_OBJECT, _TABLE, _BOX):
                f.store(f.load("ptr", old, offset), new, offset)
    f.call("void", imported(f, "free"), before)
    f.leave(1)
    return f


def _end_frame() -> Function:
    """Drops what a call has kept: references to objects, and the memory of the frame's vectors and map."""
    f = Function("end_frame", "void", frame="ptr")
    owned = f.address(f["frame"], OWNED)
    with f.repeat(f.load("i64", owned, COUNT)) as index:
        f.call("void", "release_object", f.load("ptr", f.load("ptr", owned), index << 3))
    for vector in (owned, f.address(f["frame"], STACK)):
        with f.when(f.load("i64", vector, ON_HEAP).differs(0)):
            f.call("void", imported(f, "free"), f.load("ptr", vector))
    f.call("void", imported(f, "free"), f.load("ptr", f["frame"], MAP))
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [
        *(
            _append_word(),
            _push_item(),
            _grow(),
            _list_buffer(),
            _find_entry(),
            _visit_trees(),
            _visit_node(),
            _visit_list(),
        ),
        *(_look_up(), _probe(), _grow_map(), _end_frame()),
    ]
