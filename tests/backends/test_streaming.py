"""Stores that pass the caches by: the same values, for every size and alignment; where they are used and where not."""

import numpy as np
import pytest

import arignote as ag
from arignote.backends.llvm import streaming

pytestmark = pytest.mark.skipif(not streaming.streamed_bytes(), reason="how this processor streams is not known")


@pytest.fixture
def always(monkeypatch):
    """Every result is worth streaming."""
    monkeypatch.setattr(streaming, "streamed_bytes", lambda: 1)


def short(x, y):
    return x * y + 1


def long(x, y):
    return np.tanh(x) * np.exp(-y * y)


def several(x, y):
    return x * y, x + y, x > y


def rows(x, y):
    return x - np.mean(x, axis=-1, keepdims=True) + y


def backwards(x, y):
    return x[..., ::-1] * y


def chosen(x, y):
    return np.where(x > y, x * 2, np.exp(y))


@pytest.mark.parametrize("program", [short, long, several, rows, backwards, chosen])
def test_values(always, program):
    rng = np.random.default_rng(0)
    compiled = ag.jit(program)
    for shape in [(0,), (7,), (64,), (1001,), (70_003,), (33, 65), (300, 331)]:
        dtype = "float64" if len(shape) == 1 else "float32"
        x, y = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
        x.reshape(-1)[3:4] = np.nan
        with np.errstate(all="ignore"):
            expected = np.zeros(0) if program is rows and not x.size else program(x, y)
        found = compiled(x, y)
        pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, rtol=2e-6 if dtype == "float32" else 1e-14, atol=1e-6)


def test_a_gradient_of_rows_is_the_same(always):
    x = np.random.default_rng(1).normal(size=(300, 331))
    loss = ag.value_and_grad(lambda v: np.sum(np.log(np.sum(np.exp(v), axis=1))))
    value, slope = ag.jit(loss)(x)
    exponentials = np.exp(x)
    np.testing.assert_allclose(slope, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-13)
    np.testing.assert_allclose(value, np.log(exponentials.sum(axis=1)).sum(), rtol=1e-13)


def text_of(program, *args):
    return ag.inspect(ag.jit(program))(*args).llvm


def test_whole_results_are_streamed():
    text = text_of(short, np.ones(5), np.ones(5))
    assert text.count("!nontemporal") == 1
    assert "sfence" in text


def test_what_is_read_in_the_same_kernel_is_not_streamed():
    def in_place(x):
        y = np.exp(x)
        y[1:4] += 1.0
        return y

    assert text_of(in_place, np.ones(5)).count("!nontemporal") == 1  # the exponentials, not what is added to them


def layer_norm(x, scale, weights):
    centred = x - np.mean(x, axis=1, keepdims=True)
    variance = np.mean(centred * centred, axis=1, keepdims=True)
    return np.sum(centred / np.sqrt(variance + 1e-5) * scale * weights)


def in_blocks(x, scale, weights):
    """A value and its gradient: rows are gone through in blocks, each with sums of its own for the scale."""
    return ag.value_and_grad(layer_norm, argnums=(0, 1))(x, scale, weights)


def test_results_that_are_written_in_blocks_of_rows_are_streamed():
    text = text_of(in_blocks, np.ones((3, 5)), np.ones(5), np.ones((3, 5)))
    kernels = [each for each in text.split("\ndefine ") if "call void @llvm.prefetch" in each]
    assert any("!nontemporal" in kernel for kernel in kernels)


def test_values_in_blocks_of_rows(always):
    rng = np.random.default_rng(3)
    for shape in [(1, 3), (5, 16), (70, 33), (130, 515)]:
        x, weights, step = (rng.normal(size=shape) for _ in range(3))
        scale = rng.normal(size=shape[1])
        value, (slopes, others) = ag.jit(in_blocks)(x, scale, weights)
        np.testing.assert_allclose(value, layer_norm(x, scale, weights), rtol=1e-11, atol=1e-11)
        ends = [layer_norm(x + h * step, scale, weights) for h in (1e-6, -1e-6)]
        np.testing.assert_allclose(np.sum(slopes * step), (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-5)
        centred = x - np.mean(x, axis=1, keepdims=True)
        normal = centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)
        np.testing.assert_allclose(others, np.sum(normal * weights, axis=0), rtol=1e-10, atol=1e-11)


def test_small_results_of_known_size_have_no_second_form():
    assert "!nontemporal" not in text_of(lambda x: np.arange(100) * 2.0 + x, 1.0)


def heat(u, rate):
    u = u.copy()
    for _ in range(6):
        inside = u[1:-1, 1:-1]
        u[1:-1, 1:-1] = inside + rate * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * inside)
    return np.sum(u * u)


def growth(u, rate):
    total = np.zeros_like(u)
    for _ in range(6):
        u = u + rate * np.sin(u) * u
        total = total + np.exp(u) * u
    return np.sum(total)


def read_again(u, rate):
    for _ in range(6):
        hidden = np.tanh(rate * u)
        u = u + hidden @ hidden.T @ hidden / 1000.0
    return np.sum(u)


@pytest.mark.parametrize("program", [heat, growth, read_again])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_a_loop_saves(always, monkeypatch, program, dtype):
    """Rows of parts begin at any alignment."""
    monkeypatch.setattr(streaming, "LEAST_PART_BYTES", 1)
    gradient = ag.jit(ag.value_and_grad(program, argnums=(0, 1)))
    rng = np.random.default_rng(2)
    for shape in [(3, 3), (5, 9), (19, 40), (37, 83)]:
        u, rate = rng.normal(size=shape).astype(dtype), np.dtype(dtype).type(0.1)
        value, (slopes, slope) = gradient(u, rate)
        exact, step, h = u.astype("float64"), rng.normal(size=shape), 1e-5
        difference = (program(exact + h * step, 0.1) - program(exact - h * step, 0.1)) / (2 * h)
        tolerance = 2e-3 if dtype == "float32" else 1e-6
        np.testing.assert_allclose(value, program(exact, 0.1), rtol=tolerance)
        scale = np.abs(slopes.astype("float64") * step).sum()
        assert abs(np.sum(slopes * step) - difference) <= tolerance * scale
        by_rate = (program(exact, 0.1 + 1e-6) - program(exact, 0.1 - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope, by_rate, rtol=tolerance * 5, atol=tolerance)


def test_parts_of_a_block_are_streamed_from_whole_lines_on():
    both = ag.inspect(ag.jit(ag.value_and_grad(heat, argnums=(0, 1))))(np.ones((5, 5)), 0.1)
    stores = [line for line in both.loops.splitlines() if " within " in line]
    assert len(stores) == 1
    forward = next(text for text in both.llvm.split("\ndefine ") if text.count("!nontemporal") == 2)
    assert "ptrtoint" in forward.split("masked.store")[0]  # a first vector under a mask, up to the line
