"""Loop IR to machine code through LLVM."""

from .link import CompiledModule, compile_program, load_object

__all__ = ["CompiledModule", "compile_program", "load_object"]
