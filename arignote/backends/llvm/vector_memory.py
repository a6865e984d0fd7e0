"""Loads and stores of vectors: contiguous, backwards, strided, or anywhere, all or under a mask."""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import Load, Operand, Store, Type, Var
from .emit import address, load_scalar
from .function_text import FunctionText
from .next_rows import ask_for_next_row
from .streaming import may_stream, streaming_or
from .text import element_bytes, llvm_type, memory_type, pointee, suffix
from .vector_values import Progression, Value, Vector, value_of, vector_of


def memory_suffix(type: Type, width: int) -> str:
    """The overload suffix of a vector in memory."""
    return f"v{width}i8" if type == "bool" else suffix(type, width)


def emit_vector_load(function: FunctionText, statement: Load) -> None:
    """A load: of one element for all lanes, or of one per lane."""
    offset = value_of(function, statement.offset)
    var = statement.var
    if isinstance(offset, str):
        function.values[var.id] = load_scalar(function, statement.pointer, offset)
        return
    vector = memory_type(var.type, function.width)
    direction = contiguous(offset)
    if direction == 1:
        place = first_address(function, statement.pointer, offset)  # type: ignore[arg-type]
        value = load_contiguous(function, var.type, vector, place, function.mask)
        ask_for_next_row(function, statement, place)
    elif direction == -1:
        mask = function.mask and reverse(function, function.mask, llvm_type("bool", function.width))
        place = first_address(function, statement.pointer, offset, 1 - function.width)  # type: ignore[arg-type]
        value = reverse(function, load_contiguous(function, var.type, vector, place, mask), vector)
    else:
        value = picked(function, statement, offset, vector)
    if var.type == "bool":
        value = function.let(f"icmp ne {vector} {value}, zeroinitializer")
    single = direction == 1 and var.type == "int64" and function.mask is None and is_only_read(function, statement)
    function.values[var.id] = Vector(value, lane_in_memory(function, var.type, place) if single else None)


def is_only_read(function: FunctionText, statement: Load) -> bool:
    """Whether what is loaded will still be there later in the loop."""
    return isinstance(statement.pointer, Var) and statement.pointer.id in function.read_only


def lane_in_memory(function: FunctionText, type: Type, place: str) -> Callable[[int], str]:
    """Reads one of the neighbouring elements from this place on."""
    element = memory_type(type)

    def lane(number: int) -> str:
        right = f"getelementptr {element}, ptr {place}, i64 {number}"
        address = function.pure(("lane", place, number), right, (place,), movable=False)
        return function.pure(("load", element, address), f"load {element}, ptr {address}", (address,), movable=False)

    return lane


def picked(function: FunctionText, statement: Load, offset: Value, vector: str) -> str:
    """Elements from anywhere: one by one where the offsets of single lanes are known, else from a vector of
    addresses."""
    if isinstance(offset, Progression) and function.mask is None:
        return load_lanes(function, statement.pointer, offset, vector)
    lane = offset.lane if isinstance(offset, Vector) else None
    if lane is None or function.mask is not None:
        return gather(function, statement.var.type, vector, places(function, statement.pointer, offset))
    element, base = memory_type(pointee(statement.pointer.type)), function.text(statement.pointer)
    value = "poison"
    for number in range(function.width):
        place = function.let(f"getelementptr {element}, ptr {base}, i64 {lane(number)}")
        single = function.let(f"load {element}, ptr {place}")
        value = function.let(f"insertelement {vector} {value}, {element} {single}, i64 {number}")
    return value


def emit_vector_store(function: FunctionText, statement: Store) -> None:
    """A store of one element per lane."""
    offset, type = value_of(function, statement.offset), statement.value.type
    value = vector_of(function, value_of(function, statement.value), type)
    vector = memory_type(type, function.width)
    if type == "bool":
        value = function.let(f"zext {llvm_type(type, function.width)} {value} to {vector}")
    direction = contiguous(offset)
    if direction == 1:
        place = first_address(function, statement.pointer, offset)  # type: ignore[arg-type]
        if not may_stream(function, statement.pointer, type):
            store_contiguous(function, type, vector, value, place, function.mask)
            return
        end = function.label()
        streaming_or(function, statement.pointer, type, vector, value, place, end)
        store_contiguous(function, type, vector, value, place, function.mask)
        function.jump(end)
        function.begin(end)
    elif direction == -1:
        mask = function.mask and reverse(function, function.mask, llvm_type("bool", function.width))
        place = first_address(function, statement.pointer, offset, 1 - function.width)  # type: ignore[arg-type]
        store_contiguous(function, type, vector, reverse(function, value, vector), place, mask)
    elif isinstance(offset, Progression) and function.mask is None:
        store_lanes(function, statement.pointer, offset, vector, value)
    else:
        scatter(function, type, vector, value, places(function, statement.pointer, offset))


def load_lanes(function: FunctionText, pointer: Operand, offset: Progression, vector: str) -> str:
    """Elements at equal distances, one by one."""
    element, place = memory_type(pointee(pointer.type)), first_address(function, pointer, offset)
    value = "poison"
    for lane in range(function.width):
        single = function.let(f"load {element}, ptr {place}")
        value = function.let(f"insertelement {vector} {value}, {element} {single}, i64 {lane}")
        if lane < function.width - 1:
            place = function.let(f"getelementptr {element}, ptr {place}, i64 {offset.stride}")
    return value


def store_lanes(function: FunctionText, pointer: Operand, offset: Progression, vector: str, value: str) -> None:
    """Stores elements at equal distances one by one: for few, processors are faster at it than at a scatter."""
    element, place = memory_type(pointee(pointer.type)), first_address(function, pointer, offset)
    for lane in range(function.width):
        single = function.let(f"extractelement {vector} {value}, i64 {lane}")
        function.put(f"store {element} {single}, ptr {place}")
        if lane < function.width - 1:
            place = function.let(f"getelementptr {element}, ptr {place}, i64 {offset.stride}")


def contiguous(offset: Value) -> int:
    """1 for neighbouring elements, -1 for neighbours backwards, 0 for anything else."""
    if isinstance(offset, Progression) and offset.stride in ("1", "-1"):
        return int(offset.stride)
    return 0


def first_address(function: FunctionText, pointer: Operand, offset: Progression, more: int = 0) -> str:
    """The address of the first lane's element, or of the one `more` elements after it, in steps that loops share."""
    element = memory_type(pointee(pointer.type))
    place = address(function, pointer, offset.offset)
    for step in (offset.base, str(offset.constant + more)):
        if step != "0":
            key = ("step", element, place, step)
            place = function.pure(key, f"getelementptr {element}, ptr {place}, i64 {step}", (place, step))
    return place


def reverse(function: FunctionText, vector: str, type: str) -> str:
    """The lanes in the opposite order."""
    lanes = ", ".join(f"i32 {lane}" for lane in reversed(range(function.width)))
    return function.let(f"shufflevector {type} {vector}, {type} poison, <{function.width} x i32> <{lanes}>")


def load_contiguous(function: FunctionText, type: Type, vector: str, place: str, mask: str | None) -> str:
    """Loads neighbouring elements."""
    size, width = element_bytes(type), function.width
    if mask is None:
        return function.let(f"load {vector}, ptr {place}, align {size}")
    masks = llvm_type("bool", width)
    name = f"llvm.masked.load.{memory_suffix(type, width)}.p0"
    reference = function.module.intrinsic(name, vector, f"ptr, i32 immarg, {masks}, {vector}")
    return function.let(f"call {vector} {reference}(ptr {place}, i32 {size}, {masks} {mask}, {vector} zeroinitializer)")


def store_contiguous(function: FunctionText, type: Type, vector: str, value: str, place: str, mask: str | None) -> None:
    """Stores neighbouring elements."""
    size, width = element_bytes(type), function.width
    if mask is None:
        function.put(f"store {vector} {value}, ptr {place}, align {size}")
        return
    masks = llvm_type("bool", width)
    name = f"llvm.masked.store.{memory_suffix(type, width)}.p0"
    reference = function.module.intrinsic(name, "void", f"{vector}, ptr, i32 immarg, {masks}")
    function.put(f"call void {reference}({vector} {value}, ptr {place}, i32 {size}, {masks} {mask})")


def places(function: FunctionText, pointer: Operand, offset: Value) -> str:
    """The addresses of elements anywhere."""
    offsets = vector_of(function, offset, "int64")
    element = memory_type(pointee(pointer.type))
    return function.let(
        f"getelementptr {element}, ptr {function.text(pointer)}, {llvm_type('int64', function.width)} {offsets}"
    )


def gather(function: FunctionText, type: Type, vector: str, addresses: str) -> str:
    """Loads from one address per lane."""
    width = function.width
    masks, pointers = llvm_type("bool", width), f"<{width} x ptr>"
    name = f"llvm.masked.gather.{memory_suffix(type, width)}.v{width}p0"
    reference = function.module.intrinsic(name, vector, f"{pointers}, i32 immarg, {masks}, {vector}")
    mask = function.mask or "splat (i1 true)"
    return function.let(
        f"call {vector} {reference}({pointers} {addresses}, i32 {element_bytes(type)}, {masks} {mask}, "
        f"{vector} zeroinitializer)"
    )


def scatter(function: FunctionText, type: Type, vector: str, value: str, addresses: str) -> None:
    """Stores to one address per lane."""
    width = function.width
    masks, pointers = llvm_type("bool", width), f"<{width} x ptr>"
    name = f"llvm.masked.scatter.{memory_suffix(type, width)}.v{width}p0"
    reference = function.module.intrinsic(name, "void", f"{vector}, {pointers}, i32 immarg, {masks}")
    mask = function.mask or "splat (i1 true)"
    function.put(
        f"call void {reference}({vector} {value}, {pointers} {addresses}, i32 {element_bytes(type)}, {masks} {mask})"
    )
