"""Every page of the documentation: its code runs, and prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, PageProgram, blocks, matches, steps

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_page_prints_what_it_shows(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    program = PageProgram(page)
    for block, shown in steps(program.blocks):
        printed, failure = program.run(block)
        place = f"{program.name}:{block.line}"
        if failure is not None and (shown is None or type(failure).__name__ not in shown.text):
            raise AssertionError(f"{place} ends with an exception that the page does not show") from failure
        if shown is not None:
            assert matches(shown.text, printed), f"{place} shows\n{shown.text}\nand prints\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = "\n".join(re.split(r"^```.*?^```", text, flags=re.MULTILINE | re.DOTALL))
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", prose) if "://" not in link]
    missing = [link for link in links if link and not (page.parent / link).exists()]
    named = re.findall(r"`((?:arignote|docs|tests|examples|benchmarks)/[\w./]*)`", prose)
    missing += [name for name in named if not (ROOT / name).exists()]
    assert not missing, f"{page.name} names what does not exist: {missing}"


def test_a_wrong_output_is_noticed() -> None:
    first, second = blocks("```python\nprint(1 + 1)\n```\n\n```text output\n3\n```\n")
    assert [(a.text, b and b.text) for a, b in steps([first, second])] == [("print(1 + 1)", "3")]
    assert not matches("3", "2\n") and matches("2", "2\n") and matches("a ... z", "a b\nc z")
