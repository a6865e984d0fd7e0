"""Putting operands in the place of variables, in loop nests; and loop nests a second time."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from arignote.lower.loop_ir import (
    Extern,
    For,
    If,
    Let,
    Load,
    Operand,
    Scratch,
    Statement,
    Store,
    Type,
    Var,
    While,
    definitions,
    walk,
)


def copied(body: list[Statement], new_variable: Callable[[Type], Var]) -> list[Statement]:
    """The statements of a kernel once more, with variables of their own."""
    fresh = {var.id: new_variable(var.type) for each in walk(body) for var in definitions(each)}
    found = [_copied(each, fresh) for each in body]
    rename(found, dict(fresh))
    return found


def _copied(statement: Statement, fresh: dict[int, Var]) -> Statement:
    """A statement that defines fresh variables, and still uses the old ones."""

    def many(variables: tuple[Var, ...]) -> tuple[Var, ...]:
        return tuple([fresh[var.id] for var in variables])

    def inner(body: list[Statement]) -> list[Statement]:
        return [_copied(each, fresh) for each in body]

    twin = copy(statement)
    match twin:
        case Let() | Load():
            twin.var = fresh[twin.var.id]
        case Scratch():
            twin.pointer = fresh[twin.pointer.id]
        case For():
            twin.index, twin.carried, twin.results = fresh[twin.index.id], many(twin.carried), many(twin.results)
            twin.body = inner(twin.body)
        case While():
            twin.carried, twin.results = many(twin.carried), many(twin.results)
            twin.test_body, twin.body = inner(twin.test_body), inner(twin.body)
        case If():
            twin.results = many(twin.results)
            twin.then_body, twin.else_body = inner(twin.then_body), inner(twin.else_body)
        case Store() | Extern():
            pass
        case _:
            raise AssertionError(f"{type(twin).__name__} in a loop nest")
    return twin


def rename(body: list[Statement], operands: dict[int, Operand]) -> None:
    """Replace variables, by their numbers, in the statements of a kernel."""

    def one(operand: Operand) -> Operand:
        return operands.get(operand.id, operand) if isinstance(operand, Var) else operand

    def many(given: tuple[Operand, ...]) -> tuple[Operand, ...]:
        return tuple([one(operand) for operand in given])

    stack = [body]
    while stack:
        for statement in stack.pop():
            match statement:
                case Let():
                    statement.args = many(statement.args)
                case Load():
                    statement.pointer, statement.offset = one(statement.pointer), one(statement.offset)
                case Store():
                    statement.pointer, statement.offset = one(statement.pointer), one(statement.offset)
                    statement.value = one(statement.value)
                    statement.within = None if statement.within is None else one(statement.within)
                case For():
                    statement.count, statement.initial = one(statement.count), many(statement.initial)
                    statement.yields = many(statement.yields)
                    stack.append(statement.body)
                case While():
                    statement.initial, statement.test = many(statement.initial), one(statement.test)
                    statement.yields = many(statement.yields)
                    stack += [statement.test_body, statement.body]
                case If():
                    statement.condition = one(statement.condition)
                    statement.then_yields = many(statement.then_yields)
                    statement.else_yields = many(statement.else_yields)
                    stack += [statement.then_body, statement.else_body]
                case Scratch() | Extern():  # what asks for signals takes nothing
                    pass
                case _:
                    raise AssertionError(f"{type(statement).__name__} in a loop nest")
