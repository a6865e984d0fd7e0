"""Putting operands in the place of variables, in loop nests."""

from __future__ import annotations

from arignote.lower.loop_ir import Extern, For, If, Let, Load, Operand, Scratch, Statement, Store, Var, While


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
