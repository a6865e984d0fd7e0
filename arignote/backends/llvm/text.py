"""LLVM assembly as text: names of types, constants, and a module that declares what is used in it.

Text and not a tree of builder objects: for a loop nest it is about ten times faster to produce from Python, and LLVM
parses a function in a tenth of a millisecond.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable

from ...lower.loop_ir import Const, Type, element_of, is_pointer

SCALAR_TYPES = {"bool": "i1", "int32": "i32", "int64": "i64", "float32": "float", "float64": "double"}
MEMORY_TYPES = SCALAR_TYPES | {"bool": "i8"}
SUFFIXES = {"bool": "i1", "int32": "i32", "int64": "i64", "float32": "f32", "float64": "f64"}
BYTES = {"bool": 1, "int32": 4, "int64": 8, "float32": 4, "float64": 8}

PLAIN_NAME = re.compile(r"[A-Za-z_.$][A-Za-z0-9_.$]*")
UNUSUAL = re.compile(r"[^ !#-\[\]-~]")
INLINED = " alwaysinline"
FEW_USES = 8
METADATA = '!0 = !{!"branch_weights", i32 1, i32 4000}\n!1 = !{i32 1}\n'
"""Of a branch that is rare, and of a store that passes the caches by."""


def llvm_type(type: Type, width: int = 0) -> str:
    """The LLVM type of a value: a scalar, or with a width the vector of its lanes."""
    scalar = SCALAR_TYPES.get(type, "ptr")
    return f"<{width} x {scalar}>" if width else scalar


def memory_type(type: Type, width: int = 0) -> str:
    """The LLVM type of an element in memory (a bool is a byte there)."""
    scalar = MEMORY_TYPES.get(type, "ptr")
    return f"<{width} x {scalar}>" if width else scalar


def suffix(type: Type, width: int = 0) -> str:
    """The overload suffix of an intrinsic for a type, such as f32 or v16f32."""
    scalar = SUFFIXES.get(type, "p0")
    return f"v{width}{scalar}" if width else scalar


def element_bytes(type: Type) -> int:
    """Bytes of one element in memory; pointers and buffers take 8."""
    return BYTES.get(type, 8)


def pointee(type: Type) -> Type:
    """The element type of a pointer; that of a buffer counts as bytes."""
    return element_of(type) if is_pointer(type) else "bool"


def float_text(value: float, type: Type) -> str:
    """A floating-point constant, exactly: LLVM writes both precisions as the bits of a double."""
    if type == "float32":
        value = round_to_float32(value)
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def round_to_float32(value: float) -> float:
    """The nearest float32, infinity on overflow."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def global_name(name: str) -> str:
    """The reference to a function; names of users' functions such as <lambda> are quoted."""
    return f"@{name}" if PLAIN_NAME.fullmatch(name) else f'@"{UNUSUAL.sub(_escaped, name)}"'


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\{byte:02X}" for byte in match[0].encode())


def constant_text(constant: Const) -> str:
    """The text of a scalar constant."""
    return scalar_text(constant.value, constant.type)


def scalar_text(value: bool | int | float, type: Type) -> str:
    """The text of a number as a constant of a type."""
    if type == "bool":
        return "true" if value else "false"
    if type in ("float32", "float64"):
        return float_text(float(value), type)
    return str(int(value))


class ModuleText:
    """The text of a module: declarations and helper functions appear when they are first asked for."""

    def __init__(self, vector_bytes: int = 64, masks: bool = True) -> None:
        self.vector_bytes, self.masks = vector_bytes, masks
        self.declarations: dict[str, str] = {}
        self.definitions: dict[str, str] = {}
        self.functions: list[str] = []
        self.straight: list[str] = []  # of functions that are translated without optimisation, in a tenth of the time
        self.rare: list[str] = []  # of functions that take little time wherever they are called
        self.kernels: dict[tuple[str, str], str] = {}  # by result and text, as many kernels of a program are the same
        self.imported: set[str] = set()
        self.is_recursive = False  # whether a procedure may call itself
        self.counts_together = False  # whether several threads count references to the same buffers
        self.uses: Counter[str] = Counter()  # of functions that are inlined only where they are used a few times

    def intrinsic(self, name: str, result: str, parameters: str) -> str:
        """The reference to an intrinsic, declared on first use."""
        if name not in self.declarations:
            self.declarations[name] = f"declare {result} @{name}({parameters})"
        return f"@{name}"

    def symbol(self, name: str, result: str, parameters: str, attributes: str = "nounwind") -> str:
        """The reference to a C function that is bound by address when the module is linked."""
        self.imported.add(name)
        if name not in self.declarations:
            self.declarations[name] = f"declare {result} @{name}({parameters}) {attributes}"
        return f"@{name}"

    def helper(self, name: str, define: Callable[[ModuleText], str]) -> str:
        """The reference to a function of our own, defined on first use by `define`."""
        if name not in self.definitions:
            self.definitions[name] = ""
            self.definitions[name] = define(self)
        return f"@{name}"

    def constant(self, name: str, type: str, value: str) -> str:
        """The reference to a constant of this module."""
        reference = global_name(name)
        self.declarations[name] = f"{reference} = private unnamed_addr constant {type} {value}"
        return reference

    def render(self) -> str:
        """The text of the whole module, as it is shown."""
        return self._rendered([*self.functions, *self.straight, *self.rare])

    def levels(self) -> tuple[list[str], list[str]]:
        """The functions that are optimised, which takes some milliseconds for the smallest, and those that are
        translated straight."""
        return self.functions, self.straight + self.rare

    @staticmethod
    def groups(functions: list[str], count: int) -> list[list[str]]:
        """Functions in so many groups, of about the same length."""
        groups: list[list[str]] = [[] for _ in range(max(1, min(count, len(functions))))]
        lengths = [0] * len(groups)
        for function in sorted(functions, key=len, reverse=True):
            lightest = lengths.index(min(lengths))
            groups[lightest].append(function)
            lengths[lightest] += len(function)
        return groups

    def parts(self, count: int = 1) -> tuple[list[str], str]:
        """Texts of parts that are translated on their own and linked: those that are optimised, in so many parts, and
        that of what is translated straight, which may be empty."""
        functions, straight = self.levels()
        if count <= 1 and not straight:
            return [self._rendered(functions)], ""
        visible = {text: text.replace("define internal ", "define ", 1) for text in (*functions, *straight)}
        declarations = {text: declaration(visible[text]) for text in visible}

        def part(own: list[str]) -> str:
            inside = set(own)
            others = [declared for text, declared in declarations.items() if text not in inside]
            return self._rendered([*others, *(visible[text] for text in own)])

        return [part(group) for group in self.groups(functions, count)], part(straight) if straight else ""

    def _rendered(self, functions: list[str]) -> str:
        definitions = self.definitions | {
            name: self.definitions[name].replace(INLINED, "", 1) for name, uses in self.uses.items() if uses > FEW_USES
        }
        return "\n".join((*self.declarations.values(), *definitions.values(), *functions, METADATA))


def declaration(function: str) -> str:
    """The declaration of a function that is defined in another module."""
    return function[: function.index(" {\n")].replace("define ", "declare ", 1) + "\n"
