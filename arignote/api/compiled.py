"""Compiled callables: from a function, or a transformation of one, to a native callable that compiles when first called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from arignote import pipeline
from arignote.api.config import config
from arignote.backends.llvm import compile_program
from arignote.backends.llvm.text import global_name
from arignote.frontend.values import TRANSFORM_ATTRIBUTE
from arignote.ir.structure import Structure
from arignote.lower.loop_ir import Procedure
from arignote.runtime.dispatch import Dispatcher, Signature
from arignote.runtime.encode import Capture
from arignote.runtime.entry import CompiledSpecialisation, packed_text
from arignote.runtime.symbols import symbols

Form = tuple[tuple[Structure, ...], dict[str, Structure]]


def call_form(function: Callable[..., Any], signature: Signature) -> Form:
    """The structures of a call as (positional, keyword) ones: `*args` and `**kwargs` spread out again."""
    positional: list[Structure] = []
    keywords: dict[str, Structure] = {}
    parameters = inspect.signature(function).parameters.values()
    for parameter, structure in zip(parameters, signature.structures, strict=True):
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(structure.children())
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords.update(zip(structure.keys, structure.children(), strict=True))  # type: ignore[attr-defined]
        elif parameter.kind is parameter.KEYWORD_ONLY:
            keywords[parameter.name] = structure
        else:
            positional.append(structure)
    return tuple(positional), keywords


def compile_specialisation(target: Any, function: Callable[..., Any], signature: Signature) -> CompiledSpecialisation:
    """Take the target (a function, or a transformed one) through the whole compiler for one signature."""
    compilation = pipeline.run(target, *call_form(function, signature))
    lowered, specialised = compilation.lowered, compilation.specialised
    captures = tuple(Capture(c.container, c.key, c.structure) for c in specialised.captures)
    program = lowered.program
    packed = packed_text(PACKED, global_name(program.entry.name), _native_types(program.entry))
    module = compile_program(program, symbols(), {PACKED: packed})
    return CompiledSpecialisation(module.address(), specialised.result, captures, lowered.sites, lowered.prints,
                                  packed=module.address(PACKED), keep_alive=module)  # fmt: skip


PACKED = "packed_entry"
"""The function through which the native entry calls the procedure, with its parameters in 8-byte slots."""

_NATIVE_TYPES = {"bool": "i8", "int32": "i32", "int64": "i64", "float32": "float", "float64": "double"}


def _native_types(procedure: Procedure) -> list[str]:
    """The LLVM types of a procedure's parameters."""
    return [_NATIVE_TYPES.get(var.type, "ptr") for var in procedure.parameters]


def make_compiled(target: Any, function: Callable[..., Any], transform: tuple[Any, ...], plain: bool,
                  static_argnums: Sequence[int] = (), static_argnames: Sequence[str] = ()) -> Any:  # fmt: skip
    """A native callable for `target`, with the parameters of `function`.

    transform: what the callable is, for compiled code that meets it as a value
    plain:     whether `disable_jit` may run `function` in its place
    """

    def compile_(signature: Signature) -> CompiledSpecialisation:
        return compile_specialisation(target, function, signature)

    is_off = (lambda: config.jit_disabled) if plain else (lambda: False)
    dispatcher = Dispatcher(function, compile_, static_argnums, static_argnames, is_off)
    setattr(dispatcher.callable, TRANSFORM_ATTRIBUTE, transform)
    return dispatcher.callable
