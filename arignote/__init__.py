"""Arignote compiles ordinary Python array programs, and their exact derivatives, to native code.

    import arignote as ag

    @ag.jit
    def f(params, x): ...

Remove the decorator and the program still runs, on NumPy, with the same result.
"""

from __future__ import annotations

import gc

_was_enabled = gc.isenabled()
gc.disable()  # what is made here stays: looking through it, and through NumPy and SciPy, for garbage costs 30 ms
try:
    from arignote.api import random
    from arignote.api.check_grads import check_grads
    from arignote.api.checkpoint import checkpoint
    from arignote.api.config import config, disable_jit
    from arignote.api.custom import custom_jvp, custom_vjp
    from arignote.api.derivatives import hessian, hvp, jacfwd, jacrev
    from arignote.api.inspect import inspect
    from arignote.api.transforms import grad, jit, jvp, stop_gradient, value_and_grad, vjp
    from arignote.api.vmap import vmap
    from arignote.ir.errors import (
        AliasingError,
        CompileError,
        DifferentiationError,
        InternalError,
        ShapeError,
        TypeInferenceError,
        UndefinedNameError,
        UnsupportedSyntaxError,
    )
    from arignote.runtime import threadpool_control
    from arignote.runtime.dispatch import clear_cache
    from arignote.runtime.threads import get_num_threads, set_num_threads
finally:
    if _was_enabled:
        gc.enable()

__version__ = "0.1.0"

__all__ = [
    "AliasingError", "CompileError", "DifferentiationError", "InternalError", "ShapeError", "TypeInferenceError",
    "UndefinedNameError", "UnsupportedSyntaxError", "check_grads", "checkpoint", "clear_cache", "config", "custom_jvp",
    "custom_vjp", "disable_jit", "get_num_threads", "grad", "hessian", "hvp", "inspect", "jacfwd", "jacrev", "jit",
    "jvp", "random", "set_num_threads", "stop_gradient", "value_and_grad", "vjp", "vmap",
]  # fmt: skip

threadpool_control.install()

for _error in (AliasingError, CompileError, DifferentiationError, InternalError, ShapeError, TypeInferenceError,
               UndefinedNameError, UnsupportedSyntaxError):  # fmt: skip
    _error.__module__ = __name__  # a traceback shows the name under which users can catch it
