"""Everything outside the compiled subset of Python, with the reason and a way out. One place lists what is refused."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, NoReturn

from arignote.frontend.scope import EVALUATORS, EXECUTORS
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context

REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Try: (
        "`try` is not supported in compiled code",
        "test the condition with `if` instead of catching the exception",
    ),
    ast.TryStar: ("`try` is not supported in compiled code", "test the condition with `if` instead"),
    ast.With: ("`with` is not supported in compiled code", "enter the context outside of the compiled function"),
    ast.AsyncWith: (
        "`async with` is not supported in compiled code",
        "enter the context outside of the compiled function",
    ),
    ast.AsyncFor: ("`async for` is not supported in compiled code", "use a plain `for`"),
    ast.AsyncFunctionDef: ("`async def` is not supported in compiled code", "use a plain `def`"),
    ast.Await: (
        "`await` is not supported in compiled code",
        "await outside of the compiled function, and pass the result",
    ),
    ast.Yield: ("generators (`yield`) are not supported in compiled code", "return a tuple or an array"),
    ast.YieldFrom: ("generators (`yield from`) are not supported in compiled code", "return a tuple or an array"),
    ast.Global: ("assigning to a global variable is not supported in compiled code", "return the new value"),
    ast.Nonlocal: ("assigning to a variable of an enclosing function is not supported", "return the new value"),
    ast.Import: ("`import` inside compiled code is not supported", "import at the top of the module"),
    ast.ImportFrom: ("`import` inside compiled code is not supported", "import at the top of the module"),
    ast.ClassDef: ("classes cannot be defined inside compiled code", "define the class at the top of the module"),
    ast.Set: ("sets are not supported in compiled code", "use a tuple or a list"),
    ast.SetComp: ("sets are not supported in compiled code", "use a list comprehension"),
    ast.Starred: ("`*` is not supported here", "write out the items"),
    ast.Slice: ("a slice is not supported here", "use it as an index"),
}


NEWER = {
    "TypeAlias": ("`type` statements are not supported in compiled code", "define the alias at the top of the module"),
    "TemplateStr": ("template strings are not supported in compiled code", "use an f-string"),
    "Interpolation": ("template strings are not supported in compiled code", "use an f-string"),
}
"""What later versions of Python have."""

for _name, _reason in NEWER.items():
    if hasattr(ast, _name):
        REFUSED[getattr(ast, _name)] = _reason


def _refuse(context: Context, node: Any) -> NoReturn:
    context.at(node)
    message, hint = REFUSED[type(node)]
    context.error(message, UnsupportedSyntaxError, hint)


for _kind in REFUSED:
    (EXECUTORS if issubclass(_kind, ast.stmt) else EVALUATORS)[_kind] = _refuse
