"""The journal: old states of what a program changes while it is interpreted, so that branches can be undone."""

from __future__ import annotations

from typing import Any

from arignote.frontend.values import Mutable, now


class Journal:
    """Old states of what has changed, one level for each branch that may have to be undone."""

    __slots__ = ("levels",)

    def __init__(self) -> None:
        self.levels: list[dict[Mutable, Any]] = [{}]

    def set(self, mutable: Mutable, state: Any) -> None:
        """Change a state."""
        level = self.levels[-1]
        if mutable not in level:
            level[mutable] = mutable.state
        mutable.state = state

    def open(self) -> int:
        """Start a level. What is born later than the time returned belongs to it."""
        self.levels.append({})
        return now()

    def keep(self) -> None:
        """End the innermost level; its changes stay."""
        changed = self.levels.pop()
        for mutable, state in changed.items():
            self.levels[-1].setdefault(mutable, state)

    def close(self) -> dict[Mutable, Any]:
        """Undo the innermost level; the new states of all that it changed, in the order of their first change."""
        changed = self.levels.pop()
        states = {mutable: mutable.state for mutable in changed}
        for mutable, state in changed.items():
            mutable.state = state
        return states
