"""The text form of the loop IR: `show` prints a program, `read` gives it back.

procedure sum(%0: ptr[float64], %1: int64) {
  kernel reads(%0) writes() live() {
    for %4 in %1 carried(%2: float64 = 0.0:float64) vector reduction {
      %5: float64 = load %0 at %4
      %6: float64 = add(%2, %5)
      yield(%6)
    } -> (%3: float64)
    yield(%3)
  } -> (%7: float64)
  return(%7)
}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from .loop_ir import (
    BOOL,
    INTEGERS,
    Alloc,
    Box,
    Call,
    Const,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    ParallelMap,
    Procedure,
    Program,
    RaiseIf,
    Release,
    Retain,
    Scratch,
    Statement,
    Store,
    Tag,
    Type,
    Unbox,
    Unique,
    Var,
    While,
)


def show(program: Program) -> str:
    """The text of a program."""
    return "\n".join(line for procedure in program.procedures.values() for line in _procedure(procedure)) + "\n"


def _operand(operand: Operand) -> str:
    if isinstance(operand, Var):
        return f"%{operand.id}"
    value = repr(operand.value).lower() if operand.type == BOOL else repr(operand.value)
    return f"{value}:{operand.type}"


def _list(operands: Sequence[Operand]) -> str:
    return f"({', '.join(map(_operand, operands))})"


def _variables(variables: Sequence[Var]) -> str:
    return f"({', '.join(f'%{var.id}: {var.type}' for var in variables)})"


def _live(live: Sequence[Var]) -> str:
    return f" live{_list(live)}" if live else ""


def _carried(variables: Sequence[Var], initial: Sequence[Operand]) -> str:
    pairs = zip(variables, initial, strict=True)
    return f"({', '.join(f'%{var.id}: {var.type} = {_operand(value)}' for var, value in pairs)})"


def _nested(body: Sequence[Statement], yields: Sequence[Operand]) -> Iterator[str]:
    for statement in body:
        for line in _statement(statement):
            yield "  " + line
    yield f"  yield{_list(yields)}"


def _procedure(procedure: Procedure) -> Iterator[str]:
    consumed = f" consumes{_list(procedure.consumed)}" if procedure.consumed else ""
    yield f"procedure {procedure.name}{_variables(procedure.parameters)}{consumed} {{"
    for statement in procedure.body:
        for line in _statement(statement):
            yield "  " + line
    yield f"  return{_list(procedure.results)}"
    yield "}"


def _define(var: Var) -> str:
    return f"%{var.id}: {var.type}"


def _statement(statement: Statement) -> Iterator[str]:
    match statement:
        case Let():
            yield f"{_define(statement.var)} = {statement.op}{_list(statement.args)}"
        case Load():
            yield f"{_define(statement.var)} = load {_operand(statement.pointer)} at {_operand(statement.offset)}"
        case Store():
            place = f"{_operand(statement.pointer)} at {_operand(statement.offset)}"
            within = "" if statement.within is None else f" within {_operand(statement.within)}"
            yield f"store {place} = {_operand(statement.value)}{within}"
        case Alloc():
            count = _operand(statement.count)
            yield f"alloc {_define(statement.buffer)}, {_define(statement.pointer)} = {count}{_live(statement.live)}"
        case Scratch():
            yield f"scratch {_define(statement.pointer)} = {statement.count}"
        case Box():
            held = f"{statement.tag} {_list(statement.args)}{_live(statement.live)}"
            yield f"box {_define(statement.buffer)} = {held}"
        case Tag():
            yield f"{_define(statement.var)} = tag {_operand(statement.buffer)}"
        case Unbox():
            yield f"unbox {_variables(statement.results)} = {_operand(statement.buffer)} as {statement.tag}"
        case Retain():
            yield f"retain {_operand(statement.buffer)}"
        case Release():
            yield f"release {_operand(statement.buffer)}"
        case Unique():
            yield f"{_define(statement.var)} = unique {_operand(statement.buffer)}"
        case Call():
            call = f"{statement.procedure}{_list(statement.args)}{_live(statement.live)}"
            yield f"call {_variables(statement.results)} = {call}"
        case ParallelMap():
            calls = f"{statement.procedure}{_list(statement.args)} into{_list(statement.targets)}"
            yield f"parallel_map {_operand(statement.count)} of {calls}{_live(statement.live)}"
        case Extern():
            fails = " can_fail" if statement.can_fail else ""
            call = f"{statement.symbol}{_list(statement.args)}{fails}{_live(statement.live)}"
            yield f"extern {_variables(statement.results)} = {call}"
        case RaiseIf():
            head = f"raise_if {_operand(statement.condition)} site {statement.site}"
            yield f"{head} {_list(statement.args)}{_live(statement.live)}"
        case _:
            yield from _region(statement)


def _region(statement: Statement) -> Iterator[str]:
    match statement:
        case For():
            flags = "".join(f" {flag}" for flag in ("vector", "parallel", "reduction") if getattr(statement, flag))
            grain = "" if statement.grain is None else f" grain {_operand(statement.grain)}"
            head = f"for %{statement.index.id} in {_operand(statement.count)}"
            yield f"{head} carried{_carried(statement.carried, statement.initial)}{flags}{grain} {{"
            yield from _nested(statement.body, statement.yields)
        case While():
            yield f"while carried{_carried(statement.carried, statement.initial)} {{"
            for inner in statement.test_body:
                yield from ("  " + line for line in _statement(inner))
            yield f"  test {_operand(statement.test)}"
            yield from _nested(statement.body, statement.yields)
        case If():
            yield f"if {_operand(statement.condition)} {{"
            yield from _nested(statement.then_body, statement.then_yields)
            yield "} else {"
            yield from _nested(statement.else_body, statement.else_yields)
        case Kernel():
            lists = f"reads{_list(statement.reads)} writes{_list(statement.writes)} live{_list(statement.live)}"
            yield f"kernel {lists} {{"
            yield from _nested(statement.body, statement.yields)
    yield f"}} -> {_variables(statement.results)}"  # type: ignore[union-attr]


# Reading

TOKEN = re.compile(r"\s*(->|%\d+|[-+]?[\w.]+(?:[-+]\d+)?(?:\[[\w\[\]]+\])?|[(){}=:,])")


def read(text: str) -> Program:
    """The program of a text."""
    reader = _Reader(TOKEN.findall(text))
    program = Program()
    while reader.peek() is not None:
        program.add(reader.procedure())
    return program


class _Reader:
    """A cursor over tokens, and the variables of the procedure that is being read."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.place = tokens, 0
        self.variables: dict[int, Var] = {}

    def peek(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def next(self, expected: str | None = None) -> str:
        token = self.tokens[self.place]
        if expected is not None and token != expected:
            around = " ".join(self.tokens[max(self.place - 8, 0) : self.place + 1])
            raise ValueError(f"{expected!r} is expected after: {around}")
        self.place += 1
        return token

    def accept(self, token: str) -> bool:
        if self.peek() == token:
            self.place += 1
            return True
        return False

    def define(self) -> Var:
        name = self.next()
        self.next(":")
        var = Var(int(name[1:]), self.next())
        self.variables[var.id] = var
        return var

    def operand(self) -> Operand:
        token = self.next()
        if token[0] == "%":
            return self.variables[int(token[1:])]
        self.next(":")
        type = self.next()
        return Const(_number(token, type), type)

    def sequence(self, item: Callable[[], object]) -> tuple:
        self.next("(")
        items = []
        while not self.accept(")"):
            items.append(item())
            self.accept(",")
        return tuple(items)

    def operands(self) -> tuple[Operand, ...]:
        return self.sequence(self.operand)

    def live(self) -> tuple[Var, ...]:
        return self.operands() if self.accept("live") else ()  # type: ignore[return-value]

    def procedure(self) -> Procedure:
        self.variables = {}
        self.next("procedure")
        name, parameters = self.next(), self.sequence(self.define)
        consumed = self.operands() if self.accept("consumes") else ()
        self.next("{")
        body = self.body("return")
        results = self.operands()
        self.next("}")
        return Procedure(name, parameters, body, results, consumed)  # type: ignore[arg-type]

    def body(self, end: str) -> list[Statement]:
        body = []
        while not self.accept(end):
            body.append(self.statement())
        return body

    def nested(self) -> tuple[list[Statement], tuple[Operand, ...]]:
        body = self.body("yield")
        yields = self.operands()
        self.next("}")
        return body, yields

    def results(self) -> tuple[Var, ...]:
        self.next("->")
        return self.sequence(self.define)

    def statement(self) -> Statement:
        token = self.peek() or ""
        if token[0] == "%":
            return self.value()
        self.next()
        return getattr(self, f"_{token}")()

    def value(self) -> Statement:
        var = self.define()
        self.next("=")
        op = self.next()
        if op == "load":
            pointer = self.operand()
            self.next("at")
            return Load(var, pointer, self.operand())
        if op in ("unique", "tag"):
            return (Unique if op == "unique" else Tag)(var, self.operand())
        return Let(var, op, self.operands())

    def _store(self) -> Statement:
        pointer = self.operand()
        self.next("at")
        offset = self.operand()
        self.next("=")
        value = self.operand()
        if self.peek() != "within":
            return Store(pointer, offset, value)
        self.next()
        return Store(pointer, offset, value, self.operand())

    def _alloc(self) -> Statement:
        buffer = self.define()
        self.next(",")
        pointer = self.define()
        self.next("=")
        return Alloc(buffer, pointer, self.operand(), self.live())

    def _scratch(self) -> Statement:
        pointer = self.define()
        self.next("=")
        return Scratch(pointer, int(self.next()))

    def _box(self) -> Statement:
        buffer = self.define()
        self.next("=")
        return Box(buffer, int(self.next()), self.operands(), self.live())

    def _unbox(self) -> Statement:
        results = self.sequence(self.define)
        self.next("=")
        buffer = self.operand()
        self.next("as")
        return Unbox(results, buffer, int(self.next()))

    def _retain(self) -> Statement:
        return Retain(self.operand())

    def _release(self) -> Statement:
        return Release(self.operand())

    def _call(self) -> Statement:
        results = self.sequence(self.define)
        self.next("=")
        return Call(results, self.next(), self.operands(), self.live())

    def _parallel_map(self) -> Statement:
        count = self.operand()
        self.next("of")
        procedure, args = self.next(), self.operands()
        return ParallelMap(count, procedure, args, self._named("into"), self.live())

    def _extern(self) -> Statement:
        results = self.sequence(self.define)
        self.next("=")
        return Extern(results, self.next(), self.operands(), self.accept("can_fail"), self.live())

    def _raise_if(self) -> Statement:
        condition = self.operand()
        self.next("site")
        return RaiseIf(condition, int(self.next()), self.operands(), self.live())

    def carried(self) -> tuple[tuple[Var, ...], tuple[Operand, ...]]:
        def pair() -> tuple[Var, Operand]:
            var = self.define()
            self.next("=")
            return var, self.operand()

        self.next("carried")
        pairs = self.sequence(pair)
        return tuple(var for var, _ in pairs), tuple(value for _, value in pairs)

    def _for(self) -> Statement:
        index = Var(int(self.next()[1:]), "int64")
        self.variables[index.id] = index
        self.next("in")
        count = self.operand()
        carried, initial = self.carried()
        vector, parallel, reduction = (self.accept(flag) for flag in ("vector", "parallel", "reduction"))
        grain = self.operand() if self.accept("grain") else None
        self.next("{")
        body, yields = self.nested()
        return For(index, count, carried, initial, body, yields, self.results(), vector, parallel, reduction, grain)

    def _while(self) -> Statement:
        carried, initial = self.carried()
        self.next("{")
        test_body = self.body("test")
        test = self.operand()
        body, yields = self.nested()
        return While(carried, initial, test_body, test, body, yields, self.results())

    def _if(self) -> Statement:
        condition = self.operand()
        self.next("{")
        then_body, then_yields = self.nested()
        self.next("else")
        self.next("{")
        else_body, else_yields = self.nested()
        return If(condition, then_body, then_yields, else_body, else_yields, self.results())

    def _kernel(self) -> Statement:
        reads, writes, live = (self._named(name) for name in ("reads", "writes", "live"))
        self.next("{")
        body, yields = self.nested()
        return Kernel(reads, writes, body, yields, self.results(), live)

    def _named(self, name: str) -> tuple[Var, ...]:
        self.next(name)
        return self.operands()  # type: ignore[return-value]


def _number(token: str, type: Type) -> bool | int | float:
    if type == BOOL:
        return token == "true"
    return int(token) if type in INTEGERS else float(token)
