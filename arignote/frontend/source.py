"""From a function object to its syntax tree.

A file is parsed once, as a whole, so that lines and columns are the file's own; the function is found in it by the
position that its code object carries. Lambdas are told apart by the exact range of their bodies.
"""

from __future__ import annotations

import ast
import linecache
import weakref
from collections.abc import Iterator
from types import CodeType
from typing import Any

from arignote.frontend import analysis
from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.graph import Span

FunctionNode = ast.FunctionDef | ast.Lambda


class Definition:
    """A function's syntax: parameters, body, and which names it binds and reads."""

    __slots__ = ("node", "name", "file", "locals", "free", "body", "always_live", "__weakref__")

    def __init__(self, node: FunctionNode, file: str) -> None:
        self.node = node
        self.file = file
        self.name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
        self.body = _body_of(node)
        self.locals, self.free = analysis.names_of(node)
        self.always_live = analysis.names_of_inner_functions(self.body)
        analysis.mark_liveness(self.body, self.always_live)

    @property
    def arguments(self) -> ast.arguments:
        return self.node.args

    def span_of(self, node: ast.AST) -> tuple[Span, frozenset[Span]]:
        """The place of a piece of this function, alone and as the set that builders want."""
        span = Span(self.file, self.name, node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)  # type: ignore[attr-defined]
        return span, frozenset((span,))


def _body_of(node: FunctionNode) -> list[ast.stmt]:
    if isinstance(node, ast.FunctionDef):
        return node.body
    return [ast.copy_location(ast.Return(value=node.body), node.body)]


_trees: dict[str, tuple[list[str], ast.Module]] = {}
_definitions: weakref.WeakKeyDictionary[CodeType, Definition] = weakref.WeakKeyDictionary()
_inner: weakref.WeakKeyDictionary[ast.AST, Definition] = weakref.WeakKeyDictionary()


def definition_of(function: Any) -> Definition:
    """The definition of a Python function."""
    code = function.__code__
    known = _definitions.get(code)
    if known is None:
        node = _find(code, function.__globals__)
        known = _definitions[code] = Definition(node, code.co_filename)
    return known


def inner_definition(node: FunctionNode, file: str) -> Definition:
    """The definition of a function written inside another one."""
    known = _inner.get(node)
    if known is None:
        known = _inner[node] = Definition(node, file)
    return known


def _find(code: CodeType, namespace: dict[str, Any]) -> FunctionNode:
    tree = _tree(code, namespace)
    candidates = list(_functions_at(tree, code))
    if code.co_name == "<lambda>" and len(candidates) > 1:
        candidates = _innermost_around(code, candidates) or candidates
    if len(candidates) != 1:
        what = "no source" if not candidates else "several functions that could be the one"
        raise UnsupportedSyntaxError(
            f"cannot compile {code.co_qualname}: {what} found at {code.co_filename}:{code.co_firstlineno}",
            hint="define the function with `def` in a file or a notebook cell, on a line of its own",
        )
    found = candidates[0]
    if isinstance(found, ast.AsyncFunctionDef):
        span = Span(code.co_filename, code.co_name, found.lineno, found.col_offset, found.lineno)
        raise UnsupportedSyntaxError("`async def` is not supported in compiled code", span, "use a plain `def`")
    return found


def _innermost_around(code: CodeType, nodes: list[FunctionNode]) -> list[FunctionNode]:
    """Of the lambdas on one line the one whose body all of the code was written in, and no smaller one."""
    known = [place for place in code.co_positions() if None not in place]
    places = [((line, column), (end_line, end))
              for line, end_line, column, end in known if (line, column) != (end_line, end)]  # fmt: skip
    if not places:  # columns are not recorded
        return []
    first, last = min(place[0] for place in places), max(place[1] for place in places)
    bodies = {node: _range(node.body) for node in nodes}  # type: ignore[arg-type]
    around = [node for node, (line, end_line, column, end_column) in bodies.items()
              if (line, column) <= first and last <= (end_line, end_column)]  # fmt: skip
    start = max((bodies[node][0], bodies[node][2]) for node in around) if around else None
    return [node for node in around if (bodies[node][0], bodies[node][2]) == start]


def _tree(code: CodeType, namespace: dict[str, Any]) -> ast.Module:
    """The syntax tree of the file that holds the code; parsed again when the text has changed."""
    file = code.co_filename
    lines = linecache.getlines(file, namespace)
    if not lines:
        raise UnsupportedSyntaxError(
            f"cannot compile {code.co_qualname}: the source of {file} is not available",
            hint="compiled functions must be defined in a file, a notebook cell, or with their text in linecache",
        )
    known = _trees.get(file)
    if known is None or known[0] is not lines and known[0] != lines:
        try:
            known = _trees[file] = (lines, ast.parse("".join(lines), file))
        except SyntaxError as error:
            raise UnsupportedSyntaxError(f"cannot parse {file}: {error}") from None
    return known[1]


def _functions_at(tree: ast.AST, code: CodeType) -> Iterator[FunctionNode]:
    """The functions that start on the code's first line and have its name."""
    line, name = code.co_firstlineno, code.co_name
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name and _first_line(node) == line:
            yield node  # type: ignore[misc]
        elif isinstance(node, ast.Lambda) and name == "<lambda>" and node.lineno == line:
            yield node
        for child in ast.iter_child_nodes(node):
            last = getattr(child, "end_lineno", None)
            if last is None or _first_line(child) <= line <= last:
                stack.append(child)


def _first_line(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", None)
    return decorators[0].lineno if decorators else node.lineno  # type: ignore[attr-defined]


def _range(node: ast.AST) -> tuple[int, int, int, int]:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
