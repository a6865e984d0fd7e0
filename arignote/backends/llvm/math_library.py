"""The formulas by name, and their texts, which are expanded once per process for each type and width."""

from __future__ import annotations

from . import math_basic, math_exponential, math_logarithm, math_power, math_special, math_trigonometric
from .formula import Formula, define_formula
from .text import ModuleText, Type, suffix

TRANSCENDENTAL: dict[str, tuple[Formula, int]] = {
    **math_exponential.LIBRARY,
    **math_logarithm.LIBRARY,
    **math_power.LIBRARY,
    **math_trigonometric.LIBRARY,
    **math_special.LIBRARY,
}
LIBRARY: dict[str, tuple[Formula, int]] = {**math_basic.LIBRARY, **TRANSCENDENTAL}

# The formula that computes an operation, by class of the operands' type.
FORMULAS: dict[str, dict[str, str]] = {
    "float": {op: op for op in (*math_basic.FLOAT, *TRANSCENDENTAL)},
    "integer": math_basic.INTEGER,
    "bool": math_basic.BOOL,
}

_expanded: dict[tuple[str, Type, int, bool], ModuleText] = {}


def formula_reference(module: ModuleText, name: str, type: Type, width: int, apart: bool = False) -> str:
    """The reference to a formula for a type and width; what it needs becomes part of the module.

    Long formulas of scalars are inlined where they are used a few times: the time that LLVM takes for a function grows
    faster than its size, and a call costs little beside the formula. Vector formulas always are, for their loops.
    """
    symbol = f"ag_{name}_{suffix(type, width)}{'_apart' if apart else ''}"
    if width == 0 and name in TRANSCENDENTAL:
        module.uses[symbol] += 1
    if symbol in module.definitions:
        return f"@{symbol}"
    key = (name, type, width, apart)
    part = _expanded.get(key)
    if part is None:
        formula, arity = LIBRARY[name]
        part = ModuleText(module.vector_bytes, module.masks)
        part.definitions[symbol] = define_formula(
            part, symbol, formula, arity, type, width, "noinline cold" if apart else "alwaysinline"
        )
        _expanded[key] = part
    module.declarations.update(part.declarations)
    module.definitions.update(part.definitions)
    module.imported.update(part.imported)
    return f"@{symbol}"
