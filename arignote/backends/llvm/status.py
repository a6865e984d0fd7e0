"""Functions of the backend's own that may fail: they return a status before their results, all in one structure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...lower.loop_ir import Var
from .cleanup import leave_when
from .function_text import FunctionText
from .text import llvm_type


def structure(types: Sequence[str]) -> str:
    """The type of several values together."""
    return f"{{{', '.join(types)}}}"


def together(function: FunctionText, types: Sequence[str], values: Sequence[str]) -> str:
    """Several values as one."""
    whole = "poison"
    for position, (type, value) in enumerate(zip(types, values, strict=True)):
        whole = function.let(f"insertvalue {structure(types)} {whole}, {type} {value}, {position}")
    return whole


def begin_failing(function: FunctionText, types: Sequence[str]) -> str:
    """Says how a function that is written leaves where it fails, with results of these types; gives its own type."""
    result = structure(["i32", *types])
    zeros = [f"{type} zeroinitializer" for type in types]
    function.fails_with = f"ret {result} {structure(['i32 1', *zeros])}"
    return result


def leave_well(function: FunctionText, types: Sequence[str], values: Sequence[str]) -> None:
    """Returns the results of a function that has not failed."""
    all_types = ["i32", *types]
    function.put(f"ret {structure(all_types)} {together(function, all_types, ['0', *values])}")


def call_failing(
    function: FunctionText, callee: str, args: Iterable[str], results: Sequence[Var], live: Iterable[Var]
) -> None:
    """Calls such a function; leaves where it fails, and releases what is live."""
    result = structure(["i32", *(llvm_type(var.type) for var in results)])
    value = function.let(f"call {result} {callee}({', '.join(args)})")
    status = function.let(f"extractvalue {result} {value}, 0")
    leave_when(function, function.let(f"icmp ne i32 {status}, 0"), live)
    for position, var in enumerate(results):
        function.values[var.id] = function.let(f"extractvalue {result} {value}, {position + 1}")
