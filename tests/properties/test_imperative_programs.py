"""Random imperative programs: as plain Python, nothing leaks, arguments unchanged, gradients as finite differences."""

from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import native
from tests.properties.imperative_programs import Writer
from tests.source_text import function_from

COUNTS = (0, 1, 2, 5)
STEP = 1e-6


def check(seed: int) -> None:
    """One program; a refusal, of names that may share memory after a write, is an answer too."""
    source = "import numpy as np\n\n" + Writer(seed).text()
    program = function_from(source, "program", f"<imperative {seed}>")
    generator = np.random.default_rng(seed)
    x, y = generator.uniform(-1, 1, (2, 4))
    compiled = ag.jit(program)
    try:
        compiled(x, y, 0.4, 1)
    except ag.CompileError as refused:
        assert "may share memory" in str(refused), source
        return
    before = native.live_buffers()
    for n in COUNTS:
        kept = x.copy(), y.copy()
        for plain, found in zip(program(x, y, 0.4, n), compiled(x, y, 0.4, n), strict=True):
            assert np.allclose(plain, found, rtol=1e-9, atol=1e-11, equal_nan=True), (n, source)
        del found
        assert np.array_equal(kept[0], x) and np.array_equal(kept[1], y), source
        assert native.live_buffers() == before, source
    check_gradient(program, x, y, generator, source)


def check_gradient(program: Any, x: Any, y: Any, generator: np.random.Generator, source: str) -> None:
    """Along a random direction, where the differences agree on a slope."""

    def loss(x: Any, y: Any, s: float, n: int) -> Any:
        x, y, z, M, s, t = program(x, y, s, n)
        return np.sum(np.sin(x)) + np.sum(y * 0.3) + np.sum(np.cos(z)) + np.sum(np.sin(M)) + s * t

    derivative = ag.jit(ag.value_and_grad(loss, argnums=(0, 1, 2)))
    direction = generator.normal(size=4), generator.normal(size=4), generator.normal()
    for n in COUNTS:

        def along(distance: float, n: int = n) -> float:
            return float(loss(*(v + distance * d for v, d in zip((x, y, 0.4), direction)), n))

        slope = sum(np.sum(g * d) for g, d in zip(derivative(x, y, 0.4, n)[1], direction))
        numeric, near = ((along(h) - along(-h)) / (2 * h) for h in (STEP, STEP / 10))
        scale = max(1.0, abs(slope))
        is_smooth = np.isfinite(numeric) and abs(numeric - near) < 1e-4 * scale
        assert not is_smooth or abs(slope - numeric) < 2e-4 * scale, (n, slope, numeric, source)


@pytest.mark.parametrize("seed", range(16))
def test_some(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16, 400))
def test_many(seed: int) -> None:
    check(seed)
