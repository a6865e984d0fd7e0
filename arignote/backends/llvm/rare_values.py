"""Selections that hardly ever choose: those of loops over single values, by conditions that hold only where something
is not finite, become branches. (That something is NaN is no such condition: programs mark what is missing so.)

The derivative of a quotient asks of each product whether a zero met an infinite partial. The processor foresees the
answer, so that nobody waits for it; a selection makes all that follows wait, and takes room in its queues.
"""

from __future__ import annotations

from ...lower.loop_ir import Let, Type
from .function_text import FunctionText
from .text import llvm_type

TELLING = frozenset(("isfinite", "logical_not", "logical_and"))


def note(function: FunctionText, statement: Let, texts: list[str], value: str) -> None:
    """Note which truth values are hardly ever true."""
    usual, rare = function.usual, function.rare
    match statement.op:
        case "isfinite":
            usual.add(value)
        case "logical_not" if texts[0] in usual:
            rare[value] = value, ""
        case "logical_and":
            first, second = texts if texts[0] in rare else reversed(texts)
            if first in rare and not rare[first][1]:
                rare[value] = first, second


def hardly_chooses(function: FunctionText, texts: list[str]) -> bool:
    """Whether a selection is by two questions, the first of which has mostly one answer, in a loop in which it may
    change from iteration to iteration."""
    depth = len(function.regions) - 1
    return bool(depth and function.rare.get(texts[0], ("", ""))[1]) and max(map(function.depth, texts)) == depth


def chosen_by_branch(function: FunctionText, texts: list[str], type: Type) -> str:
    """The selection as a branch."""
    (unlikely, besides), yes, no = function.rare[texts[0]], texts[1], texts[2]
    before, rare, after, llvm = function.block, function.label(), function.label(), llvm_type(type)
    function.branch(unlikely, rare, after, unlikely=True)
    function.begin(rare)
    chosen = function.let(f"select i1 {besides}, {llvm} {yes}, {llvm} {no}")
    function.jump(after)
    function.begin(after)
    return function.let(f"phi {llvm} [{no}, %{before}], [{chosen}, %{rare}]")
