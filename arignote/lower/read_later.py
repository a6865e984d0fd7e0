"""Which stores are to memory that is read when all of it is written: `Store.within`, checked when all code is there.

What an iteration of a loop pushes to a list goes to a block of all iterations, and the loop after it reads the block.
But other kernels of the same iteration may read what was pushed, for which it had better be in a cache.
"""

from __future__ import annotations

from arignote.lower.loop_ir import Kernel, Operand, Procedure, Statement, Store, Var, operands, walk


def keep_in_caches(procedure: Procedure) -> None:
    """Forget `within` where the same pointer is used for anything else."""
    stores: list[Store] = []
    others: set[int] = set()
    for statement in walk(procedure.body):
        if isinstance(statement, Store) and statement.within is not None:
            stores.append(statement)
        else:
            others.update(operand.id for operand in _reached(statement) if isinstance(operand, Var))
    for store in stores:
        if isinstance(store.pointer, Var) and store.pointer.id in others:
            store.within = None


def _reached(statement: Statement) -> tuple[Operand, ...]:
    """What a statement may read through, or hand on. That a kernel writes through a pointer is what its stores do."""
    if isinstance(statement, Kernel):
        return (*statement.reads, *statement.yields)
    return operands(statement)
