"""Values of a vector loop: the same for all lanes, an arithmetic progression over the lanes, or any vector."""

from __future__ import annotations

from collections.abc import Callable

from ...ir.records import dataclass
from ...lower.loop_ir import Const, Operand, Type
from .function_text import FunctionText
from .text import ModuleText, constant_text, llvm_type, scalar_text, suffix


@dataclass(slots=True, eq=False)
class Vector:
    """A vector with one value per lane.

    lane: writes the code for the value in one lane alone, where integers come straight from memory: places that are
    picked by an index array are read one by one, which is faster than taking a vector of addresses apart.
    """

    text: str
    lane: Callable[[int], str] | None = None


@dataclass(slots=True, eq=False)
class Progression:
    """int64 values that grow by `stride` from lane to lane; that of the first lane is base + offset + constant.

    The parts are kept apart because only `base` changes from one iteration to the next: the address of base 0 is
    computed in front of the loop, and copies of the body differ in the constant alone.
    """

    base: str
    stride: str
    offset: str = "0"
    constant: int = 0


Value = str | Vector | Progression


def value_of(function: FunctionText, operand: Operand) -> Value:
    """The value of an operand; a text is the same for all lanes."""
    if isinstance(operand, Const):
        return constant_text(operand)
    return function.values[operand.id]  # type: ignore[return-value]


def vector_of(function: FunctionText, value: Value, type: Type) -> str:
    """The vector of a value."""
    if isinstance(value, Vector):
        return value.text
    if isinstance(value, Progression):
        return _steps(function, value)
    return splat(function, value, type)


def lane_of(function: FunctionText, operation: str, values: list[Value], types: list[Type],
            result: Type) -> Callable[[int], str] | None:  # fmt: skip
    """One lane of an operation on values of which single lanes are known; None where they are not."""
    if not any(isinstance(value, Vector) and value.lane for value in values):
        return None
    if any(not isinstance(value, str) and getattr(value, "lane", None) is None for value in values):
        return None

    def lane(number: int) -> str:
        texts = [value if isinstance(value, str) else value.lane(number) for value in values]  # type: ignore
        return function.scalar_let(operation, texts, types, result)

    return lane


def splat(function: FunctionText, text: str, type: Type) -> str:
    """A vector with the same value in all lanes."""
    if text[0] != "%":
        return f"splat ({llvm_type(type)} {text})"
    scalar, vector = llvm_type(type), llvm_type(type, function.width)
    first = function.pure(("first", vector, text), f"insertelement {vector} poison, {scalar} {text}, i64 0", (text,))
    zeros = f"<{function.width} x i32> zeroinitializer"
    right = f"shufflevector {vector} {first}, {vector} poison, {zeros}"
    return function.pure(("splat", vector, text), right, (first,))


def first_lane(function: FunctionText, value: Progression) -> str:
    """The value in the first lane."""
    start = integer(function, "add", value.base, value.offset)
    return integer(function, "add", start, str(value.constant))


def integer(function: FunctionText, op: str, left: str, right: str) -> str:
    """Arithmetic on int64 that is the same for all lanes."""
    return function.scalar_let(op, [left, right], ["int64", "int64"], "int64")


def _steps(function: FunctionText, value: Progression) -> str:
    """The lanes of a progression."""
    vector = llvm_type("int64", function.width)
    if value.stride[0] != "%":
        steps = [wrapped(value.constant + int(value.stride) * lane) for lane in range(function.width)]
        offsets = f"<{', '.join(f'i64 {step}' for step in steps)}>"
        value = Progression(value.base, value.stride, value.offset)  # copies of a body share the vector of the rest
    else:
        lanes = f"<{', '.join(f'i64 {lane}' for lane in range(function.width))}>"
        stride = splat(function, value.stride, "int64")
        offsets = function.pure(("steps", vector, stride), f"mul {vector} {stride}, {lanes}", (stride,))
    base = splat(function, first_lane(function, value), "int64")
    return function.pure(("lanes", base, offsets), f"add {vector} {base}, {offsets}", (base, offsets))


def progression(function: FunctionText, op: str, a: Value, b: Value) -> Progression | str | None:
    """add, subtract or multiply of int64 as a progression again, where it is one."""
    if isinstance(a, Vector) or isinstance(b, Vector):
        return None
    if op == "multiply":
        if isinstance(a, Progression) and isinstance(b, Progression):
            return None
        return _scaled(function, a, b) if isinstance(a, Progression) else _scaled(function, b, a)  # type: ignore[arg-type]
    left, right = _parts(a), _parts(b)
    constant = left.constant + right.constant if op == "add" else left.constant - right.constant
    base, stride, offset = (
        integer(function, op, mine, other)
        for mine, other in (
            (left.base, right.base),
            (left.stride, right.stride),
            (left.offset, right.offset),
        )
    )
    return _moving(function, Progression(base, stride, offset, constant))


def _parts(value: Progression | str) -> Progression:
    """A value that is the same for all lanes as a progression that does not move."""
    if isinstance(value, Progression):
        return value
    return Progression("0", "0", value) if value[0] == "%" else Progression("0", "0", "0", int(value))


def _scaled(function: FunctionText, value: Progression, factor: str) -> Progression | str:
    """A progression times what is the same for all lanes."""
    offset, constant = value.offset, value.constant
    if factor[0] != "%":
        constant *= int(factor)
    else:
        offset, constant = integer(function, "add", offset, str(constant)), 0
    base, stride, offset = (integer(function, "multiply", part, factor) for part in (value.base, value.stride, offset))
    return _moving(function, Progression(base, stride, offset, constant))


def _moving(function: FunctionText, value: Progression) -> Progression | str:
    """A progression, or the one value of all lanes when it does not move."""
    value.constant = wrapped(value.constant)
    return first_lane(function, value) if value.stride == "0" else value


def wrapped(value: int) -> int:
    """A number as int64 wraps it."""
    return (value + 2**63) % 2**64 - 2**63


def both(function: FunctionText, a: str | None, b: str) -> str:
    """The lanes of two masks; None stands for all lanes."""
    if a is None:
        return b
    return function.let(f"and {llvm_type('bool', function.width)} {a}, {b}")


def any_lane(function: FunctionText, mask: str) -> str:
    """Whether some lane of a mask is set."""
    width = function.width
    reference = function.module.intrinsic(
        f"llvm.vector.reduce.or.{suffix('bool', width)}", "i1", llvm_type("bool", width)
    )
    return function.let(f"call i1 {reference}({llvm_type('bool', width)} {mask})")


def first_lanes(function: FunctionText, index: str, end: str) -> str:
    """The mask of the lanes that are left between `index` and `end`."""
    width = function.width
    left = function.let(f"sub i64 {end}, {index}")
    minimum = function.module.intrinsic("llvm.umin.i64", "i64", "i64, i64")
    count = function.let(f"call i64 {minimum}(i64 {left}, i64 {width})")
    if width == 64:
        empty = function.let(f"sub i64 64, {count}")
        bits = function.let(f"lshr i64 -1, {empty}")
    else:
        above = function.let(f"shl nuw i64 1, {count}")
        wide = function.let(f"sub i64 {above}, 1")
        bits = function.let(f"trunc i64 {wide} to i{width}")
    return function.let(f"bitcast i{width} {bits} to <{width} x i1>")


IDENTITIES: dict[str, dict[str, bool | int | float]] = {
    "add": {"float": -0.0, "integer": 0, "bool": False},
    "multiply": {"float": 1.0, "integer": 1, "bool": True},
    "minimum": {"float": float("inf"), "bool": True},
    "maximum": {"float": float("-inf"), "bool": False},
    "fmin": {"float": float("nan"), "bool": True},
    "fmax": {"float": float("nan"), "bool": False},
    "bitwise_and": {"integer": -1, "bool": True},
    "bitwise_or": {"integer": 0, "bool": False},
    "bitwise_xor": {"integer": 0, "bool": False},
    "logical_and": {"bool": True},
    "logical_or": {"bool": False},
    "logical_xor": {"bool": False},
}
HORIZONTAL = {
    "float": {
        "add": "fadd",
        "multiply": "fmul",
        "minimum": "fminimum",
        "maximum": "fmaximum",
        "fmin": "fmin",
        "fmax": "fmax",
    },  # fmt: skip
    "integer": {
        "add": "add",
        "multiply": "mul",
        "minimum": "smin",
        "maximum": "smax",
        "fmin": "smin",
        "fmax": "smax",
        "bitwise_and": "and",
        "bitwise_or": "or",
        "bitwise_xor": "xor",
    },  # fmt: skip
    "bool": {
        "add": "or",
        "multiply": "and",
        "minimum": "and",
        "maximum": "or",
        "fmin": "and",
        "fmax": "or",
        "bitwise_and": "and",
        "bitwise_or": "or",
        "bitwise_xor": "xor",
        "logical_and": "and",
        "logical_or": "or",
        "logical_xor": "xor",
    },  # fmt: skip
}


def identity(op: str, type: Type, kind: str) -> str:
    """The text of the value that an accumulation leaves alone."""
    if kind == "integer" and op in ("minimum", "fmin", "maximum", "fmax"):
        bits = 32 if type == "int32" else 64
        return str(2 ** (bits - 1) - 1 if op.endswith("min") or op == "minimum" else -(2 ** (bits - 1)))
    return scalar_text(IDENTITIES[op][kind], type)


def horizontal(module: ModuleText, op: str, type: Type, kind: str, vector: str, width: int) -> str:
    """The instruction that accumulates the lanes of a vector."""
    scalar, whole = llvm_type(type), llvm_type(type, width)
    name = HORIZONTAL[kind][op]
    full = f"llvm.vector.reduce.{name}.{suffix(type, width)}"
    if name in ("fadd", "fmul"):
        reference = module.intrinsic(full, scalar, f"{scalar}, {whole}")
        start = identity(op, type, kind)
        return f"call reassoc {scalar} {reference}({scalar} {start}, {whole} {vector})"
    return f"call {scalar} {module.intrinsic(full, scalar, whole)}({whole} {vector})"
