"""Programs of any length, to see how compile time grows: numbers and arrays, sums, branches and loops in between."""

import importlib.util
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FORMULAS = ("{a} * 0.5 + {b}", "np.sin({a}) * {b}", "np.tanh({a} - {b})", "{a} / (1.0 + {b} * {b})")


def text_of(lines: int, seed: int = 0) -> str:
    """The source of `f(x, a, n)`: an array, a number, and how often the loops run."""
    pick = random.Random(seed)
    text, numbers, arrays = ["import numpy as np", "", "", "def f(x, a, n):"], ["a"], ["x"]
    while len(text) < lines + 3:
        name = f"v{len(text)}"
        kind, a, b = pick.random(), pick.choice(numbers[-6:]), pick.choice(numbers[-6:])
        if kind < 0.45:
            text.append(f"    {name} = {pick.choice(FORMULAS).format(a=a, b=b)}")
        elif kind < 0.85:
            one, other = pick.choice(arrays[-4:]), pick.choice([*arrays[-4:], a])
            text.append(f"    {name} = {pick.choice(FORMULAS).format(a=one, b=other)}")
        elif kind < 0.9:
            text.append(f"    {name} = np.sum({pick.choice(arrays[-3:])}) / 100.0")
        elif kind < 0.95:
            text += [f"    if {a} > {b}:", f"        {name} = {a} * 0.9", "    else:", f"        {name} = np.cos({b})"]
        else:
            text += [f"    {name} = {a}", "    for _ in range(n):", f"        {name} = np.sin({name}) * 0.5 + {b}"]
        (arrays if 0.45 <= kind < 0.85 else numbers).append(name)
    text.append(f"    return {' + '.join(numbers[-3:])} + np.sum({arrays[-1]})")
    return "\n".join(text) + "\n"


def function_of(lines: int, folder: Path | None = None) -> Callable[..., Any]:
    """That function, read in from a file, because the compiler reads its source."""
    folder = folder or Path(tempfile.mkdtemp())
    path = folder / f"generated_{lines}.py"
    path.write_text(text_of(lines))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f
