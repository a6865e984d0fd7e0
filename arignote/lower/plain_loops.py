"""Innermost loops that only compute, and read and write memory: what several passes rewrite."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from arignote.lower.loop_ir import (
    CHECK_SIGNALS,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Load,
    Procedure,
    RaiseIf,
    Statement,
    Store,
    bodies,
)

Around = tuple[list[Statement], list[Statement]]
"""What belongs in front of a loop, and after it."""


def rewrite_plain_loops(procedure: Procedure, rewrite: Callable[[For, list[Statement]], Around]) -> None:
    """Give each such loop, and all statements in it, to a function that may change it."""
    pending = [procedure.body]
    while pending:
        body = pending.pop()
        changed: list[Statement] = []
        for statement in body:
            if isinstance(statement, For) and not statement.vector and not statement.parallel:
                inner = list(statements_of(statement.body))
                if all(map(is_plain, inner)):
                    front, after = rewrite(statement, inner)
                    changed += [*front, statement, *after]
                    continue
            changed.append(statement)
            if not isinstance(statement, Kernel):
                pending += bodies(statement)
        body[:] = changed


def is_plain(statement: Statement) -> bool:
    """Whether a statement computes, reads, writes, checks, chooses, or asks for signals."""
    if isinstance(statement, Extern):
        return statement.symbol == CHECK_SIGNALS
    return isinstance(statement, Let | Load | Store | If | RaiseIf)


def statements_of(body: list[Statement]) -> Iterator[Statement]:
    """The statements of a body and of the branches in it."""
    for statement in body:
        yield statement
        if isinstance(statement, If):
            yield from statements_of(statement.then_body)
            yield from statements_of(statement.else_body)
