"""One self-contained HTML page that shows the stages of a compilation side by side.

Columns can be hidden, a click on a value marks it wherever it stands in its column, and the box at the top keeps the
lines that contain a word.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Protocol

from arignote.ir.records import dataclass

_VALUE = re.compile(r"(%[A-Za-z0-9_.]+|@[A-Za-z0-9_.]+)")


class Shown(Protocol):
    """What a page is made of: `ag.inspect(f)(*args)` gives one."""

    name: str
    source: str
    stages: list[tuple[str, str]]
    loops: str
    seconds: dict[str, float]

    @property
    def llvm(self) -> str: ...

    @property
    def asm(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Column:
    """One stage: its name, what stands beside the name, and its text."""

    name: str
    note: str
    text: str
    is_open: bool = True


def page(shown: Shown) -> str:
    """The page of one compilation."""
    return render(f"Arignote: {shown.name}", columns_of(shown))


def columns_of(shown: Shown) -> list[Column]:
    """All stages, in the order in which the program passes through them. The bulky ones are hidden at first."""
    last = len(shown.stages) - 1
    columns = [Column("source", "", shown.source)]
    for position, (name, text) in enumerate(shown.stages):
        columns.append(Column(name, _time(shown.seconds.get(name)), text, position in (0, last)))
    columns.append(Column("loops", _time(shown.seconds.get("lower")), shown.loops))
    backend = sum(seconds for name, seconds in shown.seconds.items() if name.startswith("llvm"))
    columns.append(Column("LLVM", _time(backend), shown.llvm, False))
    columns.append(Column("assembly", "", shown.asm, False))
    return columns


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.2f} ms"


def render(title: str, columns: Sequence[Column]) -> str:
    """A page with one column per stage."""
    switches = "".join(
        f'<label><input type="checkbox" data-column="{n}"{" checked" if column.is_open else ""}>'
        f"{html.escape(column.name)} <small>{html.escape(column.note)}</small></label>"
        for n, column in enumerate(columns)
    )
    bodies = "".join(_column(n, column) for n, column in enumerate(columns))
    return _PAGE.format(title=html.escape(title), style=_STYLE, switches=switches, columns=bodies, script=_SCRIPT)


def _column(number: int, column: Column) -> str:
    lines = "\n".join(f"<span>{_marked(line)}</span>" for line in column.text.splitlines())
    hidden = "" if column.is_open else " hidden"
    heading = f"{html.escape(column.name)} <small>{html.escape(column.note)}</small>"
    return f'<section id="column{number}"{hidden}><h2>{heading}</h2><pre>{lines}</pre></section>'


def _marked(line: str) -> str:
    """A line with its values in elements of their own."""
    parts = _VALUE.split(line)
    return "".join(
        f'<b data-value="{html.escape(part)}">{html.escape(part)}</b>' if index % 2 else html.escape(part)
        for index, part in enumerate(parts)
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body><header><h1>{title}</h1><nav>{switches}</nav><input id="word" placeholder="lines with this word"></header>
<main>{columns}</main><script>{script}</script></body></html>
"""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --mark: #fc08; }
body { margin: 0; font: 14px/1.4 system-ui, sans-serif; display: flex; flex-direction: column; height: 100vh; }
header { display: flex; flex-wrap: wrap; gap: 1em; align-items: center; padding: .4em 1em;
         border-bottom: 1px solid var(--line); }
h1 { font-size: 1.1em; margin: 0; } h2 { font-size: 1em; margin: 0; padding: .4em .8em; }
nav label { margin-right: .8em; white-space: nowrap; } small { opacity: .6; }
main { display: flex; flex: 1; min-height: 0; overflow-x: auto; }
section { flex: 1 0 28em; display: flex; flex-direction: column; border-right: 1px solid var(--line); min-width: 0; }
section[hidden] { display: none; }
pre { margin: 0; padding: 0 .8em 1em; overflow: auto; flex: 1; font: 12px/1.5 ui-monospace, monospace; }
pre b { font-weight: inherit; cursor: pointer; } pre b.marked { background: var(--mark); }
span[hidden] { display: none; }
"""

_SCRIPT = """
for (const box of document.querySelectorAll('[data-column]'))
  box.onchange = () => { document.getElementById('column' + box.dataset.column).hidden = !box.checked; };
document.querySelector('main').onclick = event => {
  const value = event.target.dataset.value, column = event.target.closest('section');
  for (const other of document.querySelectorAll('b.marked')) other.classList.remove('marked');
  if (!value || !column) return;
  for (const other of column.querySelectorAll('b'))
    if (other.dataset.value === value) other.classList.add('marked');
};
document.getElementById('word').oninput = event => {
  for (const line of document.querySelectorAll('pre span'))
    line.hidden = !line.textContent.includes(event.target.value);
};
"""
