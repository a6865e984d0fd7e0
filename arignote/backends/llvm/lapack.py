"""Routines of BLAS and LAPACK behind wrappers that take sizes and numbers by value.

Fortran wants everything by reference, and 32-bit integers. A wrapper `ag_trsm_f64` is described by one letter for each
argument: a capital letter is an option that is always the same, `c` one given as a number (its character), `i` a size,
`s` a scalar that is always 1, `p` an address, `o` where the routine tells whether it succeeded, which is the result.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .text import ModuleText, float_text, llvm_type, suffix

LETTERS = {"float32": "s", "float64": "d"}
ROUTINES = {
    # name: its arguments
    "trsm": "cccciispipi",  # side, triangle, transposed, unit, m, n, 1, a, lda, b, ldb
    "trsv": "cccipipi",  # triangle, transposed, unit, n, a, lda, x, increment
    "potrf": "Uipio",  # triangle, n, a, lda, info
    "getrf": "iipipo",  # m, n, a, lda, exchanges, info
}
LIBRARY = {"trsm": "blas", "trsv": "blas", "potrf": "lapack", "getrf": "lapack"}


def wrapper_symbol(routine: str, type: Type) -> str:
    """The name of a wrapper."""
    return f"ag_{routine}_{suffix(type)}"


def add_wrappers(module: ModuleText, type: Type) -> None:
    """The wrappers that a module has declared, because it calls them."""
    for routine in ROUTINES:
        name = wrapper_symbol(routine, type)
        if name in module.imported:
            module.imported.remove(name)
            module.declarations[name] = _wrapper(module, routine, type)


def _wrapper(module: ModuleText, routine: str, type: Type) -> str:
    """The text of one wrapper."""
    letters = ROUTINES[routine]
    symbol = module.symbol(f"ag_{LIBRARY[routine]}_{LETTERS[type]}{routine}", "void", ", ".join(["ptr"] * len(letters)))
    heads, lines, places = [], [], []
    for position, letter in enumerate(letters):
        if letter == "p":
            heads.append(f"ptr %a{position}")
            places.append(f"ptr %a{position}")
            continue
        memory = "i8" if letter in "cU" else llvm_type(type) if letter == "s" else "i32"
        lines.append(f"  %p{position} = alloca {memory}")
        places.append(f"ptr %p{position}")
        if letter in "ci":
            heads.append(f"i64 %a{position}")
            lines.append(f"  %v{position} = trunc i64 %a{position} to {memory}")
            lines.append(f"  store {memory} %v{position}, ptr %p{position}")
        else:
            value = str(ord(letter)) if letter == "U" else float_text(1.0, type) if letter == "s" else "0"
            lines.append(f"  store {memory} {value}, ptr %p{position}")
    lines.append(f"  call void {symbol}({', '.join(places)})")
    if letters.endswith("o"):
        last = len(letters) - 1
        lines += [f"  %status = load i32, ptr %p{last}", "  %info = sext i32 %status to i64", "  ret i64 %info"]
    else:
        lines.append("  ret void")
    result = "i64" if letters.endswith("o") else "void"
    body = "\n".join(lines)
    return f"define internal {result} @{wrapper_symbol(routine, type)}({', '.join(heads)}) nounwind {{\n{body}\n}}\n"
