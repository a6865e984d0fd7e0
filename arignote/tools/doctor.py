"""`arignote doctor`: what this installation runs on, and whether it works."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from collections.abc import Iterator

Line = tuple[str, str]


def examine() -> Iterator[Line]:
    """(what, finding), one after the other."""
    yield "Python", f"{platform.python_version()} ({sys.executable})"
    yield "system", f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    for name in ("numpy", "scipy", "llvmlite"):
        yield name, importlib.import_module(name).__version__
    yield from _compiler()
    yield from _settings()
    yield "a compiled function", _trial()


def _compiler() -> Iterator[Line]:
    import llvmlite.binding as llvm

    from arignote.backends.llvm.generate import target_machine

    yield "LLVM", ".".join(map(str, llvm.llvm_version_info))
    yield "target", f"{target_machine().triple}, {llvm.get_host_cpu_name()}"
    wanted = ("avx2", "fma", "avx512f", "neon", "sve")
    features = llvm.get_host_cpu_features()
    yield "vector instructions", ", ".join(name for name in wanted if features.get(name)) or "the target's least"


def _settings() -> Iterator[Line]:
    from arignote.runtime.disk_cache import directory
    from arignote.runtime.threads import get_num_threads

    yield "threads", str(get_num_threads())
    folder = directory()
    yield "cache", "off" if folder is None else f"{folder}{'' if folder.exists() else ' (not made yet)'}"
    given = sorted(name for name in os.environ if name.startswith("ARIGNOTE_"))
    yield "environment", ", ".join(f"{name}={os.environ[name]}" for name in given) or "nothing set"


def _trial() -> str:
    """Compile a function and its gradient, and compare them with what they should give."""
    import numpy as np

    from arignote.api.transforms import value_and_grad

    def f(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return np.sum(np.sin(x) * x)

    x = np.linspace(0.0, 1.0, 5)
    started = time.perf_counter()
    value, gradient = value_and_grad(f)(x)
    seconds = time.perf_counter() - started
    right = np.isclose(value, f(x)) and np.allclose(gradient, np.cos(x) * x + np.sin(x))
    return f"{'right' if right else 'WRONG'}, first call {1e3 * seconds:.0f} ms"
