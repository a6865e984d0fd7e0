"""The table of the LLVM target: scalar operation -> instruction.

An entry is the template of one instruction, or the name of a formula (a function that is inlined) where one
instruction does not do. The same entry serves a single value and any vector width.
"""

from __future__ import annotations

from .math_library import FORMULAS, formula_reference
from .math_power import formula_of_exponent
from .text import BYTES, ModuleText, Type, element_of, is_pointer, llvm_type, memory_type, scalar_text, suffix

FLOAT_INSTRUCTIONS = {
    "add": "fadd {T} {a}, {b}",
    "subtract": "fsub {T} {a}, {b}",
    "multiply": "fmul {T} {a}, {b}",
    "divide": "fdiv {T} {a}, {b}",
    "negative": "fneg {T} {a}",
    "equal": "fcmp oeq {T} {a}, {b}",
    "not_equal": "fcmp une {T} {a}, {b}",
    "less": "fcmp olt {T} {a}, {b}",
    "less_equal": "fcmp ole {T} {a}, {b}",
    "greater": "fcmp ogt {T} {a}, {b}",
    "greater_equal": "fcmp oge {T} {a}, {b}",
    "isnan": "fcmp uno {T} {a}, {a}",
}

INTEGER_INSTRUCTIONS = {
    "add": "add {T} {a}, {b}",
    "subtract": "sub {T} {a}, {b}",
    "multiply": "mul {T} {a}, {b}",
    "equal": "icmp eq {T} {a}, {b}",
    "not_equal": "icmp ne {T} {a}, {b}",
    "less": "icmp slt {T} {a}, {b}",
    "less_equal": "icmp sle {T} {a}, {b}",
    "greater": "icmp sgt {T} {a}, {b}",
    "greater_equal": "icmp sge {T} {a}, {b}",
    "bitwise_and": "and {T} {a}, {b}",
    "bitwise_or": "or {T} {a}, {b}",
    "bitwise_xor": "xor {T} {a}, {b}",
}

BOOL_INSTRUCTIONS = {
    "add": "or {T} {a}, {b}",
    "multiply": "and {T} {a}, {b}",
    "minimum": "and {T} {a}, {b}",
    "maximum": "or {T} {a}, {b}",
    "fmin": "and {T} {a}, {b}",
    "fmax": "or {T} {a}, {b}",
    "equal": "icmp eq {T} {a}, {b}",
    "not_equal": "xor {T} {a}, {b}",
    "less": "icmp ult {T} {a}, {b}",
    "less_equal": "icmp ule {T} {a}, {b}",
    "greater": "icmp ugt {T} {a}, {b}",
    "greater_equal": "icmp uge {T} {a}, {b}",
    "bitwise_and": "and {T} {a}, {b}",
    "bitwise_or": "or {T} {a}, {b}",
    "bitwise_xor": "xor {T} {a}, {b}",
    "logical_and": "and {T} {a}, {b}",
    "logical_or": "or {T} {a}, {b}",
    "logical_xor": "xor {T} {a}, {b}",
}

POINTER_INSTRUCTIONS = {
    "equal": "icmp eq {T} {a}, {b}",
    "not_equal": "icmp ne {T} {a}, {b}",
    "is_null": "icmp eq {T} {a}, null",
    "buffer_data": "getelementptr i8, {T} {a}, i64 64",
}

FLOAT_INTRINSICS = {
    "absolute": "fabs",
    "sqrt": "sqrt",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "round": "roundeven",
    "copysign": "copysign",
}
INTEGER_INTRINSICS = {"minimum": "smin", "maximum": "smax", "fmin": "smin", "fmax": "smax"}

# Operations that leave a value of the class as it is.
UNCHANGED = {
    "integer": frozenset(["floor", "ceil", "trunc", "round"]),
    "bool": frozenset(["floor", "ceil", "trunc", "round", "absolute"]),
}

CASTS = {
    ("bool", "integer"): "zext {S} {a} to {D}",
    ("bool", "float"): "uitofp {S} {a} to {D}",
    ("integer", "bool"): "icmp ne {S} {a}, zeroinitializer",
    ("float", "bool"): "fcmp une {S} {a}, zeroinitializer",
    ("integer", "float"): "sitofp {S} {a} to {D}",
}


def class_of(type: Type) -> str:
    """The class of types that share a row of the table."""
    if type in ("float32", "float64"):
        return "float"
    if type in ("int32", "int64"):
        return "integer"
    return "bool" if type == "bool" else "pointer"


INSTRUCTIONS = {
    "float": FLOAT_INSTRUCTIONS,
    "integer": INTEGER_INSTRUCTIONS,
    "bool": BOOL_INSTRUCTIONS,
    "pointer": POINTER_INSTRUCTIONS,
}
INTRINSICS: dict[str, dict[str, str]] = {"float": FLOAT_INTRINSICS, "integer": INTEGER_INTRINSICS}
ROWS = {type: INSTRUCTIONS[class_of(type)] for type in ("bool", "int32", "int64", "float32", "float64")}


class NoInstruction(ValueError):
    """The target has no means for an operation on these types."""


def instruction(
    module: ModuleText, op: str, texts: list[str], types: list[Type], result: Type, width: int
) -> tuple[str, bool]:
    """The right-hand side for an operation, and whether it is a value by itself instead of an instruction."""
    first = types[0] if types else result
    template = ROWS.get(first, POINTER_INSTRUCTIONS).get(op)
    if template is not None:
        second = texts[1] if len(texts) > 1 else ""
        return template.format(T=llvm_type(first, width), a=texts[0], b=second), False
    kind = class_of(first)
    name = INTRINSICS.get(kind, {}).get(op)
    if name is not None:
        return intrinsic_call(module, name, texts, first, width), False
    if op == "power" and kind == "float":
        short = formula_of_exponent(texts[1], first)
        if short is not None:
            return formula_call(module, short, texts[:1], first, result, width), False
    if op in FORMULAS.get(kind, {}):
        return formula_call(module, FORMULAS[kind][op], texts, first, result, width), False
    if op in SPECIAL:
        return SPECIAL[op](module, texts, types, result, width)
    if op in UNCHANGED.get(kind, ()):
        return texts[0], True
    raise NoInstruction(f"no LLVM instruction for {op} of {', '.join(types)}")


def intrinsic_call(module: ModuleText, name: str, texts: list[str], type: Type, width: int) -> str:
    """A call of an intrinsic overloaded on the type of its operands."""
    llvm = llvm_type(type, width)
    reference = module.intrinsic(f"llvm.{name}.{suffix(type, width)}", llvm, ", ".join([llvm] * len(texts)))
    return f"call {llvm} {reference}({', '.join(f'{llvm} {text}' for text in texts)})"


def formula_call(module: ModuleText, name: str, texts: list[str], type: Type, result: Type, width: int) -> str:
    """A call of a formula, which is inlined later."""
    llvm = llvm_type(type, width)
    reference = formula_reference(module, name, type, width)
    return f"call {llvm_type(result, width)} {reference}({', '.join(f'{llvm} {text}' for text in texts)})"


def _cast(module: ModuleText, texts: list[str], types: list[Type], result: Type, width: int) -> tuple[str, bool]:
    source = types[0]
    if source == result:
        return texts[0], True
    kinds = class_of(source), class_of(result)
    names = {"S": llvm_type(source, width), "D": llvm_type(result, width), "a": texts[0]}
    if kinds == ("bool", "float") and width:  # one instruction, where a conversion goes through integers
        one = f"splat ({llvm_type(result)} {scalar_text(1, result)})"
        return "select {S} {a}, {D} {one}, {D} zeroinitializer".format(**names, one=one), False
    if kinds in CASTS:
        template = CASTS[kinds] if width else CASTS[kinds].replace("zeroinitializer", scalar_text(0, source))
        return template.format(**names), False
    wider = BYTES[result] > BYTES[source]
    if kinds == ("integer", "integer"):
        return ("sext" if wider else "trunc") + " {S} {a} to {D}".format(**names), False
    if kinds == ("float", "float"):
        return ("fpext" if wider else "fptrunc") + " {S} {a} to {D}".format(**names), False
    return formula_call(module, f"to_{result}", texts, source, result, width), False


def _select(module: ModuleText, texts: list[str], types: list[Type], result: Type, width: int) -> tuple[str, bool]:
    llvm = llvm_type(result, width)
    return f"select {llvm_type('bool', width)} {texts[0]}, {llvm} {texts[1]}, {llvm} {texts[2]}", False


def _pointer_offset(
    module: ModuleText, texts: list[str], types: list[Type], result: Type, width: int
) -> tuple[str, bool]:
    return f"getelementptr {memory_type(element_of(result))}, ptr {texts[0]}, i64 {texts[1]}", False


def _null(module: ModuleText, texts: list[str], types: list[Type], result: Type, width: int) -> tuple[str, bool]:
    return "null", True


def _reinterpret(module: ModuleText, texts: list[str], types: list[Type], result: Type, width: int) -> tuple[str, bool]:
    if llvm_type(types[0]) == llvm_type(result):
        return texts[0], True
    if is_pointer(result) or is_pointer(types[0]):
        raise NoInstruction(f"no reinterpretation of {types[0]} as {result}")
    return f"bitcast {llvm_type(types[0], width)} {texts[0]} to {llvm_type(result, width)}", False


SPECIAL = {
    "cast": _cast,
    "select": _select,
    "pointer_offset": _pointer_offset,
    "null": _null,
    "reinterpret": _reinterpret,
}
