"""Lowering: an optimised graph becomes a loop-IR program.

    lower(function) -> Lowered(program, sites, prints)

Each function that is called becomes a procedure; the bodies of branches and loops are written in place. Values stay
lazy until they are needed (`lazy.py`, `fusion.py`), so that whole expressions become single loop nests. Afterwards
references are counted (`memory.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arignote.ir.errors import ErrorSite
from arignote.ir.graph import Function, function_in, functions_below, nodes_of
from arignote.ir.types import Array, Tuple, Type
from arignote.lower import (
    control,
    factor_rules,
    index_rules,
    linear_rules,
    list_rules,
    random_rules,
    scan_rules,
    shape_rules,
    union_rules,
)
from arignote.lower.checks_in_front import check_in_front
from arignote.lower.consumption import consumed_positions
from arignote.lower.context import Context, Unit, symbol_name
from arignote.lower.control import call, run_body
from arignote.lower.flatten import flatten, rebuild, types_of
from arignote.lower.forwarding import forward_stores
from arignote.lower.held_elements import hold_elements
from arignote.lower.loop_ir import BUFFER, INT64, Operand, Procedure, Program, pointer_to
from arignote.lower.memory import copy_procedure, insert_ownership
from arignote.lower.nests import GRAIN
from arignote.lower.parallel_loops import run_in_parallel
from arignote.lower.read_later import keep_in_caches
from arignote.lower.row_fusion import fuse_rows
from arignote.lower.small_arrays import keep_small_arrays
from arignote.lower.tiles import go_in_tiles
from arignote.lower.time_loops import move_into_kernels
from arignote.lower.values import AnyValue, Stored

RULE_FILES = (control, factor_rules, index_rules, linear_rules, list_rules, random_rules, scan_rules, shape_rules,
              union_rules)  # fmt: skip
"""The files whose rules `frame.RULES` holds."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program in loop IR. `sites` are numbered by RaiseIf, `prints` are the templates that `ag_print` is given
    numbers of (`template_number`)."""

    program: Program
    sites: tuple[ErrorSite, ...]
    prints: tuple[tuple[Any, ...], ...]


Written = tuple[Procedure, Context]
"""A procedure in which references are not yet counted, and what is known of it."""


def lower(function: Function) -> Lowered:
    """Lower a function and all that it calls. Its parameters and results follow the native calling convention."""
    unit = Unit()
    written = [_entry(unit, function)]
    while unit.waiting:
        written.append(_procedure(unit, unit.waiting.pop()))
    _count_references(unit, written)
    for dtype in sorted(unit.copies):
        _count_references(unit, [_copy_procedure(unit, dtype)])
    return Lowered(unit.program, tuple(unit.sites), tuple(unit.prints))


def _count_references(unit: Unit, written: list[Written]) -> None:
    for procedure, context in written:
        fuse_rows(procedure, context.build.var)
        move_into_kernels(procedure, context.build.var)
    consumed = consumed_positions([procedure for procedure, _ in written])
    for procedure, context in written:
        unit.copies |= insert_ownership(procedure, context.build.var, consumed)
        if context.has_parts:
            keep_in_caches(procedure)
        keep_small_arrays(procedure, context.build.var)
        check_in_front(procedure, context.build.var)
        forward_stores(procedure, context.build.var)
        hold_elements(procedure, context.build.var)
        run_in_parallel(procedure, context.build.var)
        go_in_tiles(procedure, context.build)
        unit.program.add(procedure)


def _entry(unit: Unit, function: Function) -> Written:
    """The entry: all sizes are passed, and results own memory that nothing else refers to. A function that calls itself
    is written once, as a procedure that the entry calls."""
    # With a number, like all procedures: a user's function may be called `sin` or `free`, as functions of C are.
    context = Context(unit, f"{symbol_name(function)}.0")
    arguments = _parameters(context, function, all_sizes=True)
    recursive = _calls_itself(function)
    result = call(context, function, arguments) if recursive else run_body(context, function, arguments)
    operands = _own_results(
        context, flatten(context, result, function.result_type, all_sizes=True), function.result_type
    )
    return context.build.finish(*operands), context


def _calls_itself(function: Function) -> bool:
    return any(function_in(node) is function for below in functions_below(function) for node in nodes_of(below))


def _procedure(unit: Unit, function: Function) -> Written:
    context = Context(unit, unit.procedures[function])
    context.calls_itself = _calls_itself(function)
    arguments = _parameters(context, function, all_sizes=False)
    result = run_body(context, function, arguments)
    return context.build.finish(*flatten(context, result, function.result_type)), context


def _copy_procedure(unit: Unit, dtype: str) -> Written:
    """(address, count) -> (buffer, address): a copy of elements. A placeholder has no memory to be copied."""
    context = Context(unit, copy_procedure(dtype))
    build = context.build
    source, count = build.parameter(pointer_to(dtype)), build.parameter(INT64)
    with build.branch(build.let("is_null", source)) as branch:
        branch.yields(build.let("null", dtype=BUFFER), source)
        branch.otherwise()
        buffer, target = build.alloc(dtype, count)
        with build.kernel([source], [target]), build.loop(count, vector=True, parallel=True, grain=GRAIN) as loop:
            build.store(target, loop.index, build.load(source, loop.index))
        branch.yields(buffer, target)
    return context.build.finish(*branch.results), context


def _parameters(context: Context, function: Function, all_sizes: bool) -> list[AnyValue]:
    found: list[AnyValue] = []
    for parameter in function.parameters:
        operands = [context.build.parameter(type_) for type_ in types_of(parameter.type, all_sizes)]
        context.given.update(operand.id for operand in operands if operand.type == BUFFER)
        found.append(rebuild(context, parameter.type, iter(operands), all_sizes))
    return found


def _own_results(context: Context, operands: list[Operand], type_: Type) -> list[Operand]:
    """A result that another result (or what one holds), or a parameter, may share memory with is copied."""
    result: list[Operand] = []
    rest = list(operands)
    for leaf in _leaves(type_):
        if isinstance(leaf, Array):
            width = 2 + leaf.rank
            result += _own_array(context, leaf, rest[:width])
        else:
            width = len(types_of(leaf, True))
            result += rest[:width]
        rest = rest[width:]
    return result


def _leaves(type_: Type) -> list[Type]:
    return [leaf for item in type_.items for leaf in _leaves(item)] if isinstance(type_, Tuple) else [type_]


def _own_array(context: Context, leaf: Array, operands: list[Operand]) -> list[Operand]:
    buffer, pointer, *sizes = operands
    shape = tuple(sizes)
    array = Stored(leaf.dtype, buffer, pointer, shape, context.strides(shape), contiguous=True)  # type: ignore[arg-type]
    own = context.own(array, is_result=True)
    return [own.buffer, own.pointer, *sizes]
