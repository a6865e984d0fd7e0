"""Configuration: one object, read when it matters, initialised from the environment.

    ARIGNOTE_DISABLE_JIT=1   compiled functions run as plain Python
    ARIGNOTE_VERIFY=1        the checker runs between passes
    ARIGNOTE_NUM_THREADS=n   threads of a parallel loop; otherwise OMP_NUM_THREADS, or the number of processors
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from arignote.runtime.dispatch import set_disabled

_jit_disabled: ContextVar[bool] = ContextVar(
    "arignote_jit_disabled", default=os.environ.get("ARIGNOTE_DISABLE_JIT", "0") not in ("", "0")
)


class Config:
    """The settings in force. `ag.config.verify = True` checks the graph between passes."""

    @property
    def verify(self) -> bool:
        return os.environ.get("ARIGNOTE_VERIFY", "0") not in ("", "0")

    @verify.setter
    def verify(self, value: bool) -> None:
        os.environ["ARIGNOTE_VERIFY"] = "1" if value else "0"

    @property
    def jit_disabled(self) -> bool:
        return _jit_disabled.get()

    def __repr__(self) -> str:
        return f"Config(verify={self.verify}, jit_disabled={self.jit_disabled})"


config = Config()


@contextmanager
def disable_jit() -> Iterator[None]:
    """Within this context, functions made by `ag.jit` run as the plain Python that they are."""
    token = _jit_disabled.set(True)
    set_disabled(True)
    try:
        yield
    finally:
        set_disabled(False)
        _jit_disabled.reset(token)


if config.jit_disabled:
    set_disabled(True)
