"""Routines of BLAS and LAPACK behind wrappers that take sizes and numbers by value.

Fortran wants everything by reference, and 32-bit integers. A wrapper `ag_trsm_f64` is described by one letter for each
argument: a capital letter is an option that is always the same, `c` one given as a number (its character), `i` a size,
`s` a scalar that is always 1, `p` an address, `o` where the routine tells whether it succeeded, which is the result.

Factorisations of matrices that are not large are computed by one thread of BLAS (`arignote/runtime/products.py` says
how): its other threads would first have to wake, and take the processors from ours, which are awake for the loops
around.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .blas_blocks import RUNTIME_PRODUCT, SETTINGS
from .task_words import loads
from .text import ModuleText, float_text, llvm_type, suffix

LETTERS = {"float32": "s", "float64": "d"}
ROUTINES = {
    # name: its arguments
    "trsm": "cccciispipi",  # side, triangle, transposed, unit, m, n, 1, a, lda, b, ldb
    "trsv": "cccipipi",  # triangle, transposed, unit, n, a, lda, x, increment
    "potrf": "Uipio",  # triangle, n, a, lda, info
    "getrf": "iipipo",  # m, n, a, lda, exchanges, info
}
FACTORISATIONS = ("potrf", "getrf")
LARGE = 512
"""Rows from which all threads of BLAS take part."""
LIBRARY = {"trsm": "blas", "trsv": "blas", "potrf": "lapack", "getrf": "lapack"}


def wrapper_symbol(routine: str, type: Type) -> str:
    """The name of a wrapper."""
    return f"ag_{routine}_{suffix(type)}"


def add_wrappers(module: ModuleText, type: Type, alone: bool = False) -> None:
    """The wrappers that a module has declared, because it calls them.

    alone: factorisations that are not large run on one thread of BLAS
    """
    for routine in ROUTINES:
        name = wrapper_symbol(routine, type)
        if name in module.imported:
            module.imported.remove(name)
            module.declarations[name] = _wrapper(module, routine, type, alone and routine in FACTORISATIONS)


def _wrapper(module: ModuleText, routine: str, type: Type, alone: bool) -> str:
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
    call = f"  call void {symbol}({', '.join(places)})"
    lines += _call_alone(module, wrapper_symbol(routine, type), call, places) if alone else [call]
    if letters.endswith("o"):
        last = len(letters) - 1
        lines += [f"  %status = load i32, ptr %p{last}", "  %info = sext i32 %status to i64", "  ret i64 %info"]
    else:
        lines.append("  ret void")
    result = "i64" if letters.endswith("o") else "void"
    body = "\n".join(lines)
    text = f"define internal {result} @{wrapper_symbol(routine, type)}({', '.join(heads)}) nounwind {{\n{body}\n}}\n"
    return text + (_task_text(wrapper_symbol(routine, type), symbol, len(letters)) if alone else "")


def _call_alone(module: ModuleText, name: str, call: str, places: list[str]) -> list[str]:
    """A call that is made as a product of one block where the matrix is not large; `%a1` is its side."""
    module.symbol(RUNTIME_PRODUCT, "void", "ptr, ptr, ptr, ptr")
    for setting, (result, parameters) in SETTINGS.items():
        module.symbol(setting, result, parameters)
    words = {"m": "i64 1", "n": "i64 1", "k": "i64 1", "rows": "", "columns": "", "across": "",
             **{f"place{i}": place for i, place in enumerate(places)}}  # fmt: skip
    lines = [f"  %task = alloca [{len(words)} x i64], align 16"]
    for position, (word, value) in enumerate(words.items()):
        if value:
            lines += [f"  %at_{word} = getelementptr i64, ptr %task, i64 {position}",
                      f"  store {value}, ptr %at_{word}"]  # fmt: skip
    given = ", ".join([f"ptr @{name}.alone", "ptr %task", *(f"ptr @{setting}" for setting in SETTINGS)])
    return [*lines, f"  %is_large = icmp sge i64 %a1, {LARGE}", "  br i1 %is_large, label %large, label %small",
            "large:", call, "  br label %done",
            "small:", f"  call void @{RUNTIME_PRODUCT}({given})", "  br label %done", "done:"]  # fmt: skip


def _task_text(name: str, symbol: str, count: int) -> str:
    """The call as the block of a product: its arguments are in the task."""
    places = {f"place{i}": "ptr" for i in range(count)}
    words = loads({**dict.fromkeys(("m", "n", "k", "rows", "columns", "across"), "i64"), **places})
    args = ", ".join(f"ptr %{place}" for place in places)
    return (f"define internal void @{name}.alone(ptr %task, i64 %begin, i64 %end) nounwind {{\nentry:\n{words}\n"
            f"  call void {symbol}({args})\n  ret void\n}}\n")  # fmt: skip
