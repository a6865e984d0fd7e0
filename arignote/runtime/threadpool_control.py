"""What lets `threadpoolctl` see and limit our threads, wherever it is installed; it is never imported for that.

threadpoolctl asks each shared library of the process whose it is, by the name of its file. Ours is in no file, so its
controller claims NumPy's, which is loaded wherever we are, and which no other controller claims.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from arignote.runtime import threads

NAME = "threadpoolctl"


def register(threadpoolctl: ModuleType) -> None:
    """Makes our pool one of those that `threadpool_info` shows and `threadpool_limits` limits."""

    class ArignoteController(threadpoolctl.LibController):  # type: ignore[name-defined, misc]
        """The pool of Arignote."""

        user_api = "arignote"
        internal_api = "arignote"
        filename_prefixes = ("_multiarray_umath",)
        check_symbols = ("PyInit__multiarray_umath",)

        def get_num_threads(self) -> int:
            """How many threads a loop may use."""
            return threads.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            """Lets loops use so many threads."""
            threads.set_num_threads(max(1, num_threads))

        def get_version(self) -> str:
            """The version of Arignote."""
            return sys.modules["arignote"].__version__

    threadpoolctl.register(ArignoteController)


class _Loader(importlib.abc.Loader):
    """Loads threadpoolctl as its own loader does, and registers our controller then."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.inner.exec_module(module)
        register(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Is asked once for threadpoolctl, and is gone then."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def install() -> None:
    """Registers with threadpoolctl, now or when it is imported."""
    if NAME in sys.modules:
        register(sys.modules[NAME])
    else:
        sys.meta_path.insert(0, _Finder())
