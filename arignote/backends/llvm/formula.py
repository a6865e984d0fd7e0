"""Scalar formulas as LLVM functions: the notation in which the vector math is written.

A formula is a Python function of `Lanes`; operators on lanes append instructions, so `x * x + 1.0` reads as
mathematics and the same text serves float32 and float64, a single value and any vector width. It is expanded once per
type and width, and kept as text.
"""

from __future__ import annotations

from collections.abc import Callable

from .text import ModuleText, Type, llvm_type, scalar_text, suffix

INTEGER_OF = {"float32": "int32", "float64": "int64"}
COMPARISONS = {
    "==": ("oeq", "eq"),
    "!=": ("une", "ne"),
    "<": ("olt", "slt"),
    "<=": ("ole", "sle"),
    ">": ("ogt", "sgt"),
    ">=": ("oge", "sge"),
}
Number = bool | int | float


class Lanes:
    """A value of a formula: a scalar, or one value per lane of a vector."""

    __slots__ = ("body", "text", "type")

    def __init__(self, body: FormulaBody, text: str, type: Type) -> None:
        self.body, self.text, self.type = body, text, type

    @property
    def is_float(self) -> bool:
        """Whether these are floating-point values."""
        return self.type in INTEGER_OF

    def _binary(self, float_opcode: str, integer_opcode: str, other: Lanes | Number) -> Lanes:
        opcode = float_opcode if self.is_float else integer_opcode
        right = self.body.lift(other, self.type)
        return self.body.emit(f"{opcode} {self.body.llvm(self.type)} {self.text}, {right.text}", self.type)

    def __add__(self, other: Lanes | Number) -> Lanes:
        return self._binary("fadd", "add", other)

    def __sub__(self, other: Lanes | Number) -> Lanes:
        return self._binary("fsub", "sub", other)

    def __mul__(self, other: Lanes | Number) -> Lanes:
        return self._binary("fmul", "mul", other)

    def __truediv__(self, other: Lanes | Number) -> Lanes:
        return self._binary("fdiv", "", other)

    def __radd__(self, other: Number) -> Lanes:
        return self + other

    def __rmul__(self, other: Number) -> Lanes:
        return self * other

    def __rsub__(self, other: Number) -> Lanes:
        return self.body.lift(other, self.type) - self

    def __rtruediv__(self, other: Number) -> Lanes:
        return self.body.lift(other, self.type) / self

    def __neg__(self) -> Lanes:
        if self.is_float:
            return self.body.emit(f"fneg {self.body.llvm(self.type)} {self.text}", self.type)
        return 0 - self

    def __and__(self, other: Lanes | Number) -> Lanes:
        return self._binary("", "and", other)

    def __or__(self, other: Lanes | Number) -> Lanes:
        return self._binary("", "or", other)

    def __xor__(self, other: Lanes | Number) -> Lanes:
        return self._binary("", "xor", other)

    def __invert__(self) -> Lanes:
        return self ^ (True if self.type == "bool" else -1)

    def __lshift__(self, other: Lanes | Number) -> Lanes:
        return self._binary("", "shl", other)

    def __rshift__(self, other: Lanes | Number) -> Lanes:
        return self._binary("", "ashr", other)

    def shift_right_unsigned(self, other: Lanes | Number) -> Lanes:
        """Right shift that brings in zeros."""
        return self._binary("", "lshr", other)

    def _compare(self, sign: str, other: Lanes | Number) -> Lanes:
        right = self.body.lift(other, self.type)
        ordered, signed = COMPARISONS[sign]
        head = f"fcmp {ordered}" if self.is_float else f"icmp {signed}"
        return self.body.emit(f"{head} {self.body.llvm(self.type)} {self.text}, {right.text}", "bool")

    def __eq__(self, other: Lanes | Number) -> Lanes:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: Lanes | Number) -> Lanes:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: Lanes | Number) -> Lanes:
        return self._compare("<", other)

    def __le__(self, other: Lanes | Number) -> Lanes:
        return self._compare("<=", other)

    def __gt__(self, other: Lanes | Number) -> Lanes:
        return self._compare(">", other)

    def __ge__(self, other: Lanes | Number) -> Lanes:
        return self._compare(">=", other)

    __hash__ = None  # type: ignore[assignment]

    def is_nan(self) -> Lanes:
        """Whether each lane is not a number."""
        return self.body.emit(f"fcmp uno {self.body.llvm(self.type)} {self.text}, {self.text}", "bool")


class FormulaBody:
    """The instructions of one formula for one type and width."""

    def __init__(self, module: ModuleText, type: Type, width: int) -> None:
        self.module, self.type, self.width = module, type, width
        self.memory: list[str] = []
        self.lines: list[str] = []
        self.count = 0
        self.block = "entry"

    @property
    def double(self) -> bool:
        """Whether the formula is for float64."""
        return self.type == "float64"

    def llvm(self, type: Type) -> str:
        """The LLVM type of lanes of `type`."""
        return llvm_type(type, self.width)

    def emit(self, instruction: str, type: Type) -> Lanes:
        """Appends an instruction and names its result."""
        self.count += 1
        name = f"%t{self.count}"
        self.lines.append(f"  {name} = {instruction}")
        return Lanes(self, name, type)

    def lift(self, value: Lanes | Number, type: Type) -> Lanes:
        """Lanes as they are, a number as a constant in every lane."""
        if isinstance(value, Lanes):
            return value
        text = scalar_text(value, type)
        return Lanes(self, f"splat ({llvm_type(type)} {text})" if self.width else text, type)

    def constant(self, value: Number, type: Type | None = None) -> Lanes:
        """A constant of the formula's type, or of `type`."""
        return self.lift(value, type or self.type)

    def choose(self, double: Number, single: Number) -> Number:
        """The constant for float64 or that for float32."""
        return double if self.double else single

    def intrinsic(self, name: str, *args: Lanes) -> Lanes:
        """Calls an LLVM intrinsic overloaded on the type of its operands."""
        type = self.llvm(args[0].type)
        reference = self.module.intrinsic(
            f"llvm.{name}.{suffix(args[0].type, self.width)}", type, ", ".join([type] * len(args))
        )
        return self.emit(f"call {type} {reference}({', '.join(f'{type} {arg.text}' for arg in args)})", args[0].type)

    def call(self, formula: str, *args: Lanes, apart: bool = False) -> Lanes:
        """Calls another formula of the library; `apart`, as a function of its own, for what is rarely needed."""
        from .math_library import formula_reference

        type = args[0].type
        reference = formula_reference(self.module, formula, type, self.width, apart)
        passed = ", ".join(f"{self.llvm(arg.type)} {arg.text}" for arg in args)
        return self.emit(f"call {self.llvm(type)} {reference}({passed})", type)

    def fma(self, a: Lanes | Number, b: Lanes | Number, c: Lanes | Number) -> Lanes:
        """a * b + c with one rounding."""
        type = next(arg.type for arg in (a, b, c) if isinstance(arg, Lanes))
        return self.intrinsic("fma", self.lift(a, type), self.lift(b, type), self.lift(c, type))

    def select(self, condition: Lanes, a: Lanes | Number, b: Lanes | Number) -> Lanes:
        """a where the condition holds, b elsewhere."""
        type = next((arg.type for arg in (a, b) if isinstance(arg, Lanes)), self.type)
        a, b = self.lift(a, type), self.lift(b, type)
        llvm = self.llvm(type)
        return self.emit(f"select {self.llvm('bool')} {condition.text}, {llvm} {a.text}, {llvm} {b.text}", type)

    def bits(self, value: Lanes) -> Lanes:
        """The bits of a floating-point value as an integer."""
        integer = INTEGER_OF[value.type]
        return self.emit(f"bitcast {self.llvm(value.type)} {value.text} to {self.llvm(integer)}", integer)

    def from_bits(self, value: Lanes) -> Lanes:
        """The floating-point value with these bits."""
        real = "float32" if value.type == "int32" else "float64"
        return self.emit(f"bitcast {self.llvm(value.type)} {value.text} to {self.llvm(real)}", real)

    def to_integer(self, value: Lanes) -> Lanes:
        """A whole, small number as the integer of the same size."""
        integer = INTEGER_OF[value.type]
        return self.emit(f"fptosi {self.llvm(value.type)} {value.text} to {self.llvm(integer)}", integer)

    def to_float(self, value: Lanes) -> Lanes:
        """An integer as the floating-point number of the same size."""
        real = "float32" if value.type == "int32" else "float64"
        return self.emit(f"sitofp {self.llvm(value.type)} {value.text} to {self.llvm(real)}", real)

    def convert(self, value: Lanes, type: Type) -> Lanes:
        """A floating-point value in the other precision."""
        opcode = "fpext" if type == "float64" else "fptrunc"
        return self.emit(f"{opcode} {self.llvm(value.type)} {value.text} to {self.llvm(type)}", type)

    def absolute(self, value: Lanes) -> Lanes:
        """|value|."""
        return self.intrinsic("fabs", value)

    def copysign(self, value: Lanes | Number, sign: Lanes) -> Lanes:
        """|value| with the sign of `sign`."""
        return self.intrinsic("copysign", self.lift(value, sign.type), sign)

    def round(self, value: Lanes) -> Lanes:
        """Nearest whole number, halves to even."""
        return self.intrinsic("roundeven", value)

    def polynomial(self, x: Lanes, coefficients: list[float] | tuple[float, ...]) -> Lanes:
        """Horner's scheme with fma; the constant coefficient comes last."""
        result = self.constant(coefficients[0], x.type)
        for coefficient in coefficients[1:]:
            result = self.fma(result, x, coefficient)
        return result

    def any(self, condition: Lanes) -> str:
        """Text of one bool: whether the condition holds in some lane."""
        if not self.width:
            return condition.text
        name = f"llvm.vector.reduce.or.{suffix('bool', self.width)}"
        reference = self.module.intrinsic(name, "i1", self.llvm("bool"))
        return self.emit(f"call i1 {reference}({self.llvm('bool')} {condition.text})", "bool").text

    def rarely(self, condition: Lanes, usual: Lanes, repair: Callable[[], Lanes]) -> Lanes:
        """`usual`, but `repair()` in the lanes of `condition`; the repair is computed only if some lane needs it."""
        self.count += 1
        number, origin = self.count, self.block
        self.lines.append(f"  br i1 {self.any(condition)}, label %repair{number}, label %go{number}, !prof !0")
        self.lines.append(f"repair{number}:")
        self.block = f"repair{number}"
        repaired = self.select(condition, repair(), usual)
        self.lines.append(f"  br label %go{number}")
        self.lines.append(f"go{number}:")
        llvm = self.llvm(usual.type)
        last, self.block = self.block, f"go{number}"
        return self.emit(f"phi {llvm} [{usual.text}, %{origin}], [{repaired.text}, %{last}]", usual.type)

    def each_lane(self, symbol: str, *args: Lanes) -> Lanes:
        """Calls a C function of one value for every lane."""
        type = args[0].type
        scalar = llvm_type(type)
        reference = self.module.symbol(
            symbol, scalar, ", ".join([scalar] * len(args)), "nounwind willreturn memory(none)"
        )
        if not self.width:
            return self.emit(f"call {scalar} {reference}({', '.join(f'{scalar} {arg.text}' for arg in args)})", type)
        return self._lane_loop(reference, type, args)

    def _lane_loop(self, reference: str, type: Type, args: tuple[Lanes, ...]) -> Lanes:
        """A loop over the lanes, which pass through memory: a call for each would be much code for what is slow."""
        self.count += 1
        number, origin, vector, scalar = self.count, self.block, self.llvm(type), llvm_type(type)
        place = [f"%memory{number}.{position}" for position in range(len(args) + 1)]
        self.memory += [f"  {name} = alloca {vector}" for name in place]
        lines = self.lines
        lines += [f"  store {vector} {arg.text}, ptr {name}" for arg, name in zip(args, place[1:], strict=True)]
        lines += [f"  br label %lane{number}", f"lane{number}:"]
        lane = f"%lane{number}.i"
        lines.append(f"  {lane} = phi i32 [0, %{origin}], [{lane}.next, %lane{number}]")
        passed = []
        for name in place[1:]:
            lines.append(f"  {name}.at = getelementptr {scalar}, ptr {name}, i32 {lane}")
            lines.append(f"  {name}.value = load {scalar}, ptr {name}.at")
            passed.append(f"{scalar} {name}.value")
        value = self.emit(f"call {scalar} {reference}({', '.join(passed)})", type)
        lines.append(f"  {place[0]}.at = getelementptr {scalar}, ptr {place[0]}, i32 {lane}")
        lines.append(f"  store {scalar} {value.text}, ptr {place[0]}.at")
        lines.append(f"  {lane}.next = add i32 {lane}, 1")
        lines.append(f"  {lane}.more = icmp ult i32 {lane}.next, {self.width}")
        lines += [f"  br i1 {lane}.more, label %lane{number}, label %lanes{number}", f"lanes{number}:"]
        self.block = f"lanes{number}"
        return self.emit(f"load {vector}, ptr {place[0]}", type)


Formula = Callable[..., Lanes]


def define_formula(
    module: ModuleText, name: str, formula: Formula, arity: int, type: Type, width: int, attributes: str
) -> str:
    """The text of a formula as a function, with attributes that say whether it is inlined wherever it is used."""
    body = FormulaBody(module, type, width)
    args = [Lanes(body, f"%x{i}", type) for i in range(arity)]
    result = formula(body, *args)
    parameters = ", ".join(f"{body.llvm(type)} {arg.text}" for arg in args)
    head = f"define internal {body.llvm(result.type)} @{name}({parameters}) nounwind {attributes} {{\nentry:\n"
    return f"{head}{chr(10).join(body.memory + body.lines)}\n  ret {body.llvm(result.type)} {result.text}\n}}\n"
