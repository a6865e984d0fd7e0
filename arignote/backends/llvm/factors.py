"""Factorisations and systems of equations, for stacks of matrices: procedures in loop IR, compiled once per process.

    ag_lu_f64(count, n, a, a_stack, a_row, a_column, lu)
    ag_lu_solve_f64(count, n, k, lu, lu_stack, x, transposed)
    ag_cholesky_f64(count, n, a)                                     in place; the first entry is -1 where there is none
    ag_cholesky_adjoint_f64(count, n, l, l_stack, l_row, x)          in place of the cotangent x
    ag_triangular_solve_f64(count, n, k, a, a_stack, a_row, a_column, x, lower, transposed, unit)     in place of x

and the same with _f32. `x`, `lu` and `a` of the factorisation in place are contiguous. Small systems are solved many at
a time, one in each lane of a vector (in registers up to side 4); larger ones one after the other, by LAPACK.
"""

from __future__ import annotations

from ...lower.loop_ir import Procedure, Type
from .emit_program import emit_procedure
from .factor_cholesky import cholesky, cholesky_adjoint
from .factor_lu import lu, lu_solve
from .factor_triangular import triangular_solve
from .lapack import add_wrappers
from .text import ModuleText, suffix

NAMES = ("lu", "lu_solve", "cholesky", "cholesky_adjoint", "triangular_solve")
MAKERS = {"lu": lu, "lu_solve": lu_solve, "cholesky": cholesky, "cholesky_adjoint": cholesky_adjoint,
          "triangular_solve": triangular_solve}  # fmt: skip
TYPES: dict[str, Type] = {"f32": "float32", "f64": "float64"}


def factor_of(symbol: str) -> tuple[str, Type] | None:
    """The name and the type of a factorisation by its symbol; None for other symbols."""
    name, _, ending = symbol.removeprefix("ag_").rpartition("_")
    return (name, TYPES[ending]) if name in NAMES and ending in TYPES else None


def factor_module(name: str, type: Type, vector_bytes: int, masks: bool, alone: bool = False) -> ModuleText:
    """The module of one factorisation.

    alone: those that are not large run on one thread of BLAS
    """
    module = ModuleText(vector_bytes, masks)
    procedure: Procedure = MAKERS[name](f"ag_{name}_{suffix(type)}", type)
    emit_procedure(module, procedure, recursive=False, is_entry=True)
    add_wrappers(module, type, alone)
    return module
