"""Parts of arrays and lists that show what is written into the whole: `row = x[i]`, then `row[j] = v`.

A linked cell keeps no state of its own that could differ: it is read from the whole whenever that has changed, and what
is written into it is written into the whole, so that writes agree with Python whichever name they go through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arignote.frontend.numpy_index import getitem
from arignote.frontend.numpy_set import setitem
from arignote.frontend.scope import HOOKS
from arignote.frontend.values import ArrayValue, Cell

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def contents(context: Context, cell: Cell) -> Any:
    """The state of a linked cell as it is now."""
    link = cell.link
    assert link is not None
    if not link.is_live:
        return cell.state
    whole = context.contents(link.parent)
    if whole is link.seen:
        return cell.state
    if isinstance(link.parent, ArrayValue):
        view = getitem(context, link.parent, link.index)
        assert isinstance(view, ArrayValue)
        return view.state
    if link.version is not None:
        return HOOKS["element_contents"](context, cell)
    return HOOKS["part_contents"](context, cell, whole)


def write_part(context: Context, cell: Cell, state: Any) -> None:
    """Write what a linked cell now holds into the whole."""
    link = cell.link
    assert link is not None
    if isinstance(link.parent, ArrayValue):
        setitem(context, link.parent, link.index, context.array(context.scope.bring(*state)))
    else:
        HOOKS["write_element" if link.version is not None else "write_inner"](context, cell, state)


HOOKS["contents"] = contents
HOOKS["write_part"] = write_part
