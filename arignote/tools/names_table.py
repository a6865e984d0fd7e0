"""The page of all names of Python, NumPy and SciPy that compiled code knows, from the tables of the front end.

python -m arignote.tools.names_table docs/names.md
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from arignote.frontend import numpy_scipy, scipy_linalg
from arignote.frontend.builtins_table import BUILTINS
from arignote.frontend.math_table import MATH
from arignote.frontend.numpy_binding import ATTRIBUTES, FUNCTIONS, METHODS, Declared
from arignote.frontend.numpy_method import HINTS
from arignote.frontend.numpy_table import FAMILIES
from arignote.ir.structure import SHORT_NAMES

HEADER = """\
# Names

What compiled code can call, beside functions written in Python. This page is generated from the front end's tables
(`python -m arignote.tools.names_table docs/names.md`), and a test compares the two. A name counts under any alias
(`import numpy as xp`, `from math import exp`), and so do other names of the same NumPy object (`np.abs` is
`np.absolute`). Each NumPy function takes NumPy's parameters under NumPy's names; the few that make no sense here
(`out`, `where`, `order`, `like` ...) only with their defaults. Arignote's own transforms (`ag.grad`,
`ag.vmap` ...) and `ag.random` may be called too, and so may the methods of lists, dicts, strings and tuples.
"""

REFUSING = "_refused"
"""The name of the handlers that only say no."""


def page() -> str:
    """The whole page."""
    for name in ("arignote.frontend.specialise", "arignote.frontend.numpy_lists", "scipy.special", "scipy.linalg"):
        importlib.import_module(name)
    assert numpy_scipy.special is not None and scipy_linalg.declared is not None
    handlers = {key: getattr(handler, "declared", handler) for key, handler in FUNCTIONS.items()}
    found = {key: handler for key, handler in handlers.items() if isinstance(handler, Declared) and _is_known(key)}
    parts = [HEADER, "\n## NumPy\n"]
    for family in FAMILIES:
        names = [_numpy_name(key, h) for key, h in found.items() if h.function.__module__ == family.__name__]
        parts.append(_entry(_title(family), names))
    parts.append("\n## Methods and attributes of arrays\n")
    parts += [_entry("methods", METHODS), _entry("attributes", ATTRIBUTES)]
    parts.append("\n## SciPy\n")
    for title, module in (("`scipy.special`", numpy_scipy), ("`scipy.linalg`", scipy_linalg)):
        names = [_numpy_name(key, h) for key, h in found.items() if h.function.__module__ == module.__name__]
        parts.append(_entry(title, names))
    parts.append("\n## Python\n")
    answered = [function for function, handler in BUILTINS.items() if _answers(handler) and not _is_ours(function)]
    modules = {"builtins": "", "_operator": "operator.", "_functools": "functools."}
    parts.append(_entry("builtins and the standard library", [_python_name(f, modules) for f in answered]))
    parts.append(_entry("`math`", [f"math.{function.__name__}" for function in MATH]))
    parts.append("\n## Refused, with another way\n\n| name | instead |\n|---|---|\n")
    parts += [f"| `np.{name}` | {hint} |\n" for name, hint in sorted(HINTS.items()) if hint]
    return "".join(parts)


def _is_known(function: Any) -> bool:
    """Dtypes that compiled code does not have are in the table so that they can be named in questions and errors."""
    is_dtype = isinstance(function, type) and issubclass(function, np.generic)
    return not is_dtype or np.dtype(function).name in SHORT_NAMES


def _answers(handler: Any) -> bool:
    return getattr(handler, "__name__", "") != REFUSING


def _is_ours(function: Any) -> bool:
    """Whether only the compiler's own programs mention the function."""
    return (getattr(function, "__module__", None) or "").startswith("arignote.")


def _title(family: Any) -> str:
    """What a family of functions is about, in its module's own words."""
    first = family.__doc__.strip().replace("\n", " ").split(": ")[0].split(". ")[0]
    return first.rstrip(".")


def _entry(title: str, names: Iterable[str]) -> str:
    return f"\n**{title}**: {', '.join(f'`{name}`' for name in sorted(set(names), key=str.lower))}\n"


def _numpy_name(function: Any, handler: Declared) -> str:
    """The function's name as a program writes it, also where several names share one handler."""
    home = handler.name.rpartition(".")[0]
    return f"{home}.{function.__name__}"


def _python_name(function: Any, modules: dict[str, str]) -> str:
    if not hasattr(function, "__module__"):  # a method of a builtin class
        return function.__qualname__
    return modules.get(function.__module__, f"{function.__module__}.") + function.__name__


def main(arguments: list[str]) -> int:
    """Write the page to the file that is named."""
    Path(arguments[0]).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
