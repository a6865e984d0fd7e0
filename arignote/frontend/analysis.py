"""What a function's syntax says: which names it binds and reads, which are live where, which statements leave a block.

Liveness decides what branches merge and what loops carry: a variable that nobody reads later need not have one type.
The results stand on the statements themselves: `live_after`, for loops also `live_head` and `live_exit`, and for `if`
`block_live`, the names live behind the block that it stands in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

Names = frozenset[str]
NONE: Names = frozenset()
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LOOPS = (ast.For, ast.While, ast.AsyncFor)


def names_of(function: ast.FunctionDef | ast.Lambda) -> tuple[Names, Names]:
    """(names bound in the function, names it or its inner functions read from outside)."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    bound = {argument.arg for argument in every}
    bound.update(argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument is not None)
    read: set[str] = set()
    body = function.body if isinstance(function.body, list) else [function.body]
    for statement in body:
        _collect(statement, bound, read)
    return frozenset(bound), frozenset(read - bound)


def _collect(node: ast.AST, bound: set[str], read: set[str]) -> None:
    if isinstance(node, ast.Name):
        (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
    elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.MatchMapping):
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        bound.update(() if name is None else (name,))
        for child in ast.iter_child_nodes(node):
            _collect(child, bound, read)
    elif isinstance(node, FUNCTIONS):
        if not isinstance(node, ast.Lambda):
            bound.add(node.name)
        read |= names_of(node)[1]  # type: ignore[arg-type]
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        for child in [*defaults, *getattr(node, "decorator_list", [])]:
            _collect(child, bound, read)
    elif isinstance(node, COMPREHENSIONS):
        inner: set[str] = set()
        inner_read: set[str] = set()
        for child in ast.iter_child_nodes(node):
            _collect(child, inner, inner_read)
        bound |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}  # type: ignore[union-attr]
        read |= inner_read - inner
    else:
        for child in ast.iter_child_nodes(node):
            _collect(child, bound, read)


def names_of_inner_functions(body: Iterable[ast.AST]) -> Names:
    """Names that functions defined in the body read: they may be called at any later time."""
    found: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, FUNCTIONS):
                found |= names_of(node)[1]  # type: ignore[arg-type]
    return frozenset(found)


def reads(node: ast.AST | None) -> Names:
    """Names that an expression may read."""
    if node is None:
        return NONE
    if isinstance(node, ast.Name):
        return frozenset((node.id,)) if isinstance(node.ctx, ast.Load) else NONE
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def stores(node: ast.AST) -> Names:
    """Names that an assignment target or a deletion binds."""
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load))


def written_bases(body: Iterable[ast.AST]) -> Names:
    """Names whose object is changed in place by a statement of the body: `x[i] = v`, `x.a = v`, `x += v`."""
    found: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
                base = node.value
                while isinstance(base, ast.Subscript | ast.Attribute):
                    base = base.value
                if isinstance(base, ast.Name):
                    found.add(base.id)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return frozenset(found)


def assigned(body: Iterable[ast.AST]) -> Names:
    """Names that a block rebinds, inner functions' own names apart; `x += 1` counts."""
    bound: set[str] = set()
    for statement in body:
        _collect(statement, bound, set())
    return frozenset(bound)


def rebound(body: Iterable[ast.AST]) -> Names:
    """Names that a block binds by a plain assignment, not only by `x += 1`."""
    found: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.AugAssign):
                continue
            if isinstance(node, ast.pattern):
                _collect(node, found, set())
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                    found.add(child.id)
    return frozenset(found)


def mark_liveness(body: list[ast.stmt], always: Names) -> None:
    """Write live sets on the statements of a function."""
    _block(body, always, always, always, always)


def _block(body: Sequence[ast.stmt], out: Names, always: Names, brk: Names, cont: Names) -> Names:
    block_live = out
    for statement in reversed(body):
        statement.live_after = out  # type: ignore[attr-defined]
        if isinstance(statement, ast.If):
            statement.block_live = block_live  # type: ignore[attr-defined]
        out = _statement(statement, out, always, brk, cont) | always
    return out


def _statement(node: ast.stmt, out: Names, always: Names, brk: Names, cont: Names) -> Names:
    match node:
        case ast.If():
            if leaves(node):
                node.live_after = node.live_after | brk | cont  # type: ignore[attr-defined]
                node.block_live = node.block_live | brk | cont  # type: ignore[attr-defined]
            branches = _block(node.body, out, always, brk, cont) | _block(node.orelse, out, always, brk, cont)
            return branches | reads(node.test)
        case ast.Match():
            return _match(node, out, always, brk, cont)
        case ast.For() | ast.While():
            return _loop(node, out, always, brk, cont)
        case ast.Return() | ast.Raise():
            return reads(node)
        case ast.Break():
            return brk
        case ast.Continue():
            return cont
        case ast.Assign() | ast.AnnAssign():
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            kills = frozenset().union(*map(stores, targets)) if node.value is not None else NONE
            return (out - kills) | reads(node.value) | frozenset().union(*map(reads, targets))
        case ast.FunctionDef():
            inner = names_of(node)[1] | frozenset().union(*map(reads, node.args.defaults), NONE)
            return (out - {node.name}) | inner
        case ast.AugAssign() if isinstance(node.target, ast.Name):
            return out | {node.target.id} | reads(node.value)
        case ast.Delete():
            return out - stores(node)
    return out | reads(node)


def _match(node: ast.Match, out: Names, always: Names, brk: Names, cont: Names) -> Names:
    if leaves(node):
        node.live_after = node.live_after | brk | cont  # type: ignore[attr-defined]
    found = out | reads(node.subject)
    for case in node.cases:
        found |= _block(case.body, out, always, brk, cont) | reads(case.guard) | reads(case.pattern)
    return found


def _loop(node: ast.For | ast.While, out: Names, always: Names, brk: Names, cont: Names) -> Names:
    exit_live = _block(node.orelse, out, always, brk, cont) | out | always
    if leaves(node):
        exit_live |= brk | cont
    target = stores(node.target) if isinstance(node, ast.For) else NONE
    own = reads(node.test) if isinstance(node, ast.While) else NONE
    # What an earlier pass of the loop around this one has found stays true: each of nested loops is walked few times.
    head = exit_live | own | getattr(node, "live_head", NONE)
    while True:
        before, head = head, head | (_block(node.body, head, always, out | always, head) - target)
        if head == before:
            break
    node.live_exit, node.live_head = exit_live, head  # type: ignore[union-attr]
    return head | (reads(node.iter) if isinstance(node, ast.For) else NONE)


def leaves(node: ast.AST) -> bool:
    """Whether a statement may leave the block that it stands in: by return, or by a break or continue of an outer
    loop."""
    found = getattr(node, "arignote_leaves", None)
    if found is None:
        found = node.arignote_leaves = _leaves(node, False)  # type: ignore[attr-defined]
    return found


def _leaves(node: ast.AST, in_loop: bool) -> bool:
    if isinstance(node, ast.Return):
        return True
    if isinstance(node, ast.Break | ast.Continue):
        return not in_loop
    if isinstance(node, ast.expr | ast.FunctionDef):
        return False
    if isinstance(node, LOOPS):
        return any(_leaves(s, True) for s in node.body) or any(_leaves(s, in_loop) for s in node.orelse)
    inner = (ast.stmt, ast.match_case)
    return any(_leaves(child, in_loop) for child in ast.iter_child_nodes(node) if isinstance(child, inner))


def breaks(loop: ast.For | ast.While) -> bool:
    """Whether a loop may be left before its end: by break or return."""
    found = getattr(loop, "arignote_breaks", None)
    if found is None:
        found = loop.arignote_breaks = any(_breaks(s) for s in loop.body)  # type: ignore[union-attr]
    return found


def _breaks(node: ast.AST, in_loop: bool = False) -> bool:
    if isinstance(node, ast.Return):
        return True
    if isinstance(node, ast.Break):
        return not in_loop
    if isinstance(node, ast.expr | ast.FunctionDef):
        return False
    inside = in_loop or isinstance(node, LOOPS)
    inner = (ast.stmt, ast.match_case)
    return any(_breaks(child, inside) for child in ast.iter_child_nodes(node) if isinstance(child, inner))


def always_leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether control certainly does not reach the end of the block."""
    if not block:
        return False
    last = block[-1]
    if isinstance(last, ast.Return | ast.Raise | ast.Break | ast.Continue):
        return True
    if isinstance(last, ast.Match):
        return _is_exhaustive(last) and all(always_leaves(case.body) for case in last.cases)
    return isinstance(last, ast.If) and always_leaves(last.body) and always_leaves(last.orelse)


def _is_exhaustive(node: ast.Match) -> bool:
    """Whether the last case matches everything."""
    last = node.cases[-1]
    return last.guard is None and isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
