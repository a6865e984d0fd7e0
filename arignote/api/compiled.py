"""Compiled callables: from a function, or a transformed one, to a native callable that compiles when first called."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from arignote.api.config import config
from arignote.ir.errors import CompileError, InternalError, UnsupportedSyntaxError
from arignote.ir.marks import RECURSION_LIMIT, TRANSFORM_ATTRIBUTE
from arignote.ir.structure import Structure, leaf_structures
from arignote.runtime import kept_programs
from arignote.runtime.collector import without_collections
from arignote.runtime.dispatch import Dispatcher, NeedsNumbers, Signature
from arignote.runtime.encode import Capture
from arignote.runtime.entry import CompiledSpecialisation, packed_text, parameter_types
from arignote.runtime.kept_modules import matrix_functions
from arignote.runtime.kept_programs import Compiled
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


@contextmanager
def deep_programs(name: str) -> Iterator[None]:
    """Room for programs nested so deeply that Python's own limit of recursion would end their compilation."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        yield
    except RecursionError:
        raise UnsupportedSyntaxError(f"{name} is nested too deeply to be compiled",
                                     hint="move inner blocks into functions of their own") from None  # fmt: skip
    finally:
        sys.setrecursionlimit(limit)


def compile_specialisation(target: Any, function: Callable[..., Any], signature: Signature) -> CompiledSpecialisation:
    """Take the target (a function, or a transformed one) through the whole compiler for one signature."""
    with deep_programs(getattr(function, "__qualname__", repr(function))):
        form = call_form(function, signature)
        with failures_reported(target, form):
            return _compile(target, form, signature).specialisation


def find_or_compile(target: Any, function: Callable[..., Any], signature: Signature) -> CompiledSpecialisation:
    """The same from the disk, if this program has been compiled before; otherwise it is kept there."""
    if not kept_programs.is_on():
        return compile_specialisation(target, function, signature)
    with deep_programs(getattr(function, "__qualname__", repr(function))):
        program = kept_programs.identify(target, function, signature.names, signature.structures, signature.assumes)
        if program is None:
            return compile_specialisation(target, function, signature)
        found = kept_programs.find(program)
        if found is not None:
            return found
        if not signature.anew and (needed := kept_programs.needs(program)):
            raise needs_numbers(needed)
        form = call_form(function, signature)
        try:
            with failures_reported(target, form):
                compiled = _compile(target, form, signature)
        except CompileError as error:
            kept_programs.keep_needs(program, error.needs)
            raise
        kept_programs.keep(program, compiled)
        return compiled.specialisation


def needs_numbers(needed: frozenset[int | str]) -> NeedsNumbers:
    """The refusal of an earlier process, of which only the reason is known."""
    error = NeedsNumbers("numbers must be known at compile time")
    error.needs = needed
    return error


@contextmanager
def failures_reported(target: Any, form: Form) -> Iterator[None]:
    """Where a pass fails, the graph that it failed on is written to a file, and the error says so."""
    try:
        yield
    except (CompileError, InternalError, RecursionError, MemoryError):
        raise
    except Exception as error:
        from arignote.tools.reproduce import report

        path = report(target, *form)
        raise InternalError(error, replay=f"arignote replay {path}" if path else "") from error


@without_collections()
def _compile(target: Any, form: Form, signature: Signature) -> Compiled:
    # The compiler is imported when there is something to compile, which takes as long as importing all the rest.
    from arignote.backends.read_ahead import load_library_ahead

    load_library_ahead()
    from arignote import pipeline
    from arignote.backends.llvm import compile_program
    from arignote.backends.llvm.text import ModuleText, global_name

    compilation = pipeline.run(target, *form, assumes=signature.assumes)
    lowered, specialised = compilation.lowered, compilation.specialised
    captures = tuple(Capture(c.container, c.key, c.structure) for c in specialised.captures)
    program = lowered.program
    inputs = [*signature.structures, *(c.structure for c in captures if c.structure is not None)]
    leaves = [leaf for structure in inputs for leaf in leaf_structures(structure)]

    def packed(module: ModuleText) -> str:
        """A program that may call itself runs on a large stack."""
        large = module.symbol("ag_on_large_stack", "i32", "ptr, ptr, ptr, ptr") if module.is_recursive else ""
        return packed_text(PACKED, global_name(program.entry.name), parameter_types(leaves), large)

    module = compile_program(program, symbols(), {PACKED: packed}, matrix_functions)
    made = CompiledSpecialisation(module.address(), specialised.result, captures, lowered.sites, lowered.prints,
                                  packed=module.address(PACKED), keep_alive=module)  # fmt: skip
    return Compiled(made, module, program.entry.name, PACKED, specialised.looked_at)


PACKED = "packed_entry"
"""The function through which the native entry calls the procedure, with its parameters in 8-byte slots."""

def make_compiled(target: Any, function: Callable[..., Any], transform: tuple[Any, ...], plain: bool,
                  static_argnums: Sequence[int] = (), static_argnames: Sequence[str] = (),
                  cache: bool = True) -> Any:  # fmt: skip
    """A native callable for `target`, with the parameters of `function`.

    transform: what the callable is, for compiled code that meets it as a value
    plain:     whether `disable_jit` may run `function` in its place
    cache:     whether its machine code may be kept on disk
    """

    def compile_(signature: Signature) -> CompiledSpecialisation:
        return (find_or_compile if cache else compile_specialisation)(target, function, signature)

    is_off = (lambda: config.jit_disabled) if plain else (lambda: False)
    dispatcher = Dispatcher(function, compile_, static_argnums, static_argnames, is_off)
    setattr(dispatcher.callable, TRANSFORM_ATTRIBUTE, transform)
    return dispatcher.callable
