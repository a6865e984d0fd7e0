"""`ag.inspect(f)(*args)`: everything that the compiler did with a function for these arguments."""

from __future__ import annotations

import inspect as python_inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arignote.api.compiled import call_form, deep_programs
from arignote.ir.describe import structure_of
from arignote.ir.marks import TRANSFORM_ATTRIBUTE
from arignote.ir.records import dataclass
from arignote.ir.structure import StaticOf
from arignote.runtime.dispatch import Signature
from arignote.runtime.forms import Binder
from arignote.runtime.symbols import symbols

if TYPE_CHECKING:
    from arignote.backends.llvm import CompiledModule


@dataclass
class Inspection:
    """A compilation laid open.

    source:  the user's function
    stages:  (pass name, graph text after it) in order
    loops:   the loop nests
    llvm, asm: what the backend made of them
    seconds: time per step; `compile_seconds` their sum
    """

    name: str
    source: str
    stages: list[tuple[str, str]]
    loops: str
    seconds: dict[str, float]
    _module: CompiledModule

    @property
    def ir(self) -> dict[str, str]:
        """The graph after each pass, by the pass's name."""
        return dict(self.stages)

    @property
    def llvm(self) -> str:
        return self._module.llvm_ir

    @property
    def asm(self) -> str:
        return self._module.assembly()

    @property
    def html(self) -> str:
        """A page of its own with all stages side by side."""
        from arignote.tools.html import page

        return page(self)

    @property
    def cost(self) -> dict[str, int]:
        """Sizes: nodes of the last graph's text, loop statements, bytes of machine code."""
        return {
            "graph_lines": self.stages[-1][1].count("\n"),
            "loop_lines": self.loops.count("\n"),
            "object_bytes": self._module.object_bytes,
        }

    @property
    def compile_seconds(self) -> float:
        return sum(self.seconds.values())

    def __str__(self) -> str:
        parts = [f"=== source of {self.name} ===\n{self.source}"]
        parts += [f"=== graph after {name} ===\n{text}" for name, text in self.stages]
        parts.append(f"=== loops ===\n{self.loops}")
        times = "\n".join(f"{name:>24} {1e3 * seconds:8.2f} ms" for name, seconds in self.seconds.items())
        parts.append(f"=== time ===\n{times}\n{'in all':>24} {1e3 * self.compile_seconds:8.2f} ms")
        return "\n\n".join(parts)


def innermost(fun: Any) -> Callable[..., Any]:
    """The Python function below any transforms."""
    while hasattr(fun, TRANSFORM_ATTRIBUTE):
        fun = getattr(fun, TRANSFORM_ATTRIBUTE)[1]
    return fun


def inspect(fun: Callable[..., Any]) -> Callable[..., Inspection]:
    """A function of the same arguments as `fun` that compiles it for them and shows every step; nothing is run."""

    def inspected(*args: Any, **kwargs: Any) -> Inspection:
        python_function = innermost(fun)
        binder = Binder(python_function)
        static = fun.dispatcher.static if hasattr(fun, "dispatcher") else frozenset()
        values = binder.plan((len(args), tuple(kwargs))).values((*args, *kwargs.values()))
        structures = tuple(
            StaticOf(value) if name in static else structure_of(value, f"argument {name!r}")
            for name, value in zip(binder.names, values, strict=True)
        )
        return inspect_signature(fun, Signature(binder.names, structures))

    return inspected


def inspect_signature(fun: Callable[..., Any], signature: Signature) -> Inspection:
    """The compilation of `fun` for one signature."""
    from arignote import pipeline
    from arignote.backends.llvm import compile_program
    from arignote.lower.loop_ir_text import show as show_loops

    python_function = innermost(fun)
    with deep_programs(python_function.__qualname__):
        compilation = pipeline.run(fun, *call_form(python_function, signature), keep=True,
                                   assumes=signature.assumes)  # fmt: skip
        loops = show_loops(compilation.lowered.program)
        module = compile_program(compilation.lowered.program, symbols())
    seconds: dict[str, float] = {}
    for stage in compilation.stages:
        seconds[stage.name] = seconds.get(stage.name, 0.0) + stage.seconds
    seconds.update({f"llvm: {name}": value for name, value in module.timings.items()})
    stages = [(stage.name, stage.text()) for stage in compilation.stages if stage.function is not None]
    try:
        source = python_inspect.getsource(python_function)
    except OSError:
        source = "(source not available)"
    return Inspection(python_function.__name__, source, stages, loops, seconds, module)
