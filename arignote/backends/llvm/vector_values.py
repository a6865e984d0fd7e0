"""Values of a vector loop: the same for all lanes, an arithmetic progression over the lanes, or any vector."""

from __future__ import annotations

from dataclasses import dataclass

from ...lower.loop_ir import Const, Operand, Type
from .function_text import FunctionText
from .text import ModuleText, constant_text, llvm_type, scalar_text, suffix


@dataclass(slots=True, eq=False)
class Vector:
    """A vector with one value per lane."""

    text: str


@dataclass(slots=True, eq=False)
class Progression:
    """int64 values base, base + stride, base + 2 stride ... over the lanes."""

    base: str
    stride: str


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


def splat(function: FunctionText, text: str, type: Type) -> str:
    """A vector with the same value in all lanes."""
    if text[0] != "%":
        return f"splat ({llvm_type(type)} {text})"
    scalar, vector = llvm_type(type), llvm_type(type, function.width)
    first = function.pure(("first", vector, text), f"insertelement {vector} poison, {scalar} {text}, i64 0", (text,))
    zeros = f"<{function.width} x i32> zeroinitializer"
    right = f"shufflevector {vector} {first}, {vector} poison, {zeros}"
    return function.pure(("splat", vector, text), right, (first,))


def _steps(function: FunctionText, value: Progression) -> str:
    """The lanes of a progression."""
    vector = llvm_type("int64", function.width)
    if value.stride[0] != "%":
        steps = [int(value.stride) * lane for lane in range(function.width)]
        offsets = f"<{', '.join(f'i64 {step}' for step in steps)}>"
    else:
        lanes = f"<{', '.join(f'i64 {lane}' for lane in range(function.width))}>"
        stride = splat(function, value.stride, "int64")
        offsets = function.pure(("steps", vector, stride), f"mul {vector} {stride}, {lanes}", (stride,))
    base = splat(function, value.base, "int64")
    return function.pure(("lanes", base, offsets), f"add {vector} {base}, {offsets}", (base, offsets))


def progression(function: FunctionText, op: str, a: Value, b: Value) -> Progression | str | None:
    """add, subtract or multiply of int64 as a progression again, where it is one."""
    if isinstance(a, Vector) or isinstance(b, Vector):
        return None

    def scalar(op: str, left: str, right: str) -> str:
        return function.scalar_let(op, [left, right], ["int64", "int64"], "int64")

    if op == "multiply":
        if isinstance(a, Progression) and isinstance(b, Progression):
            return None
        if isinstance(b, Progression):
            a, b = b, a
        assert isinstance(a, Progression) and isinstance(b, str)
        return _progression(scalar(op, a.base, b), scalar(op, a.stride, b))
    left = a if isinstance(a, Progression) else Progression(a, "0")
    right = b if isinstance(b, Progression) else Progression(b, "0")
    return _progression(scalar(op, left.base, right.base), scalar(op, left.stride, right.stride))


def _progression(base: str, stride: str) -> Progression | str:
    """A progression, or the one value of all lanes when it does not move."""
    return base if stride == "0" else Progression(base, stride)


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
