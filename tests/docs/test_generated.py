"""Pages that are made from the compiler's own tables are up to date, and the index of errors is complete."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import arignote as ag
from arignote.frontend.fence import REFUSED
from arignote.tools import names_table, operations_table
from tests.docs.pages import ROOT


@pytest.mark.parametrize(("name", "page"), [("operations", operations_table.page), ("names", names_table.page)])
def test_generated_page_is_up_to_date(name: str, page: Callable[[], str]) -> None:
    committed = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page() == committed, f"run python -m arignote.tools.{name}_table docs/{name}.md"


def test_every_class_of_error_is_in_the_index() -> None:
    index = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    names = [kind.__name__ for kind in (ag.CompileError, *ag.CompileError.__subclasses__())]
    missing = [name for name in names if hasattr(ag, name) and f"## {name}" not in index]
    assert not missing


def test_every_refused_construct_is_in_the_index() -> None:
    index = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    missing = [row for row in REFUSED.values() if f"| {row[0]} | {row[1]} |" not in index]
    assert not missing, "\n".join(f"| {message} | {hint} |" for message, hint in missing)
