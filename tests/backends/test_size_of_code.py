"""How much text a program becomes: linear in its size, and long formulas are not repeated without end."""

import numpy as np

import arignote as ag
from arignote.backends.llvm import emit_apart
from arignote.backends.llvm.math_library import formula_reference
from arignote.backends.llvm.text import FEW_USES, ModuleText


def module_with(uses):
    module = ModuleText()
    for _ in range(uses):
        formula_reference(module, "sin", "float64", 0)
        formula_reference(module, "sin", "float64", 8)
    return module.render()


def test_a_formula_is_inlined_where_it_is_used_a_few_times():
    few, many = module_with(FEW_USES), module_with(FEW_USES + 1)
    assert "double @ag_sin_f64(double %x0) nounwind alwaysinline" in few
    assert "double @ag_sin_f64(double %x0) nounwind {" in many
    assert "@ag_sin_v8f64(<8 x double> %x0) nounwind alwaysinline" in many


def chain(steps):
    """Each step makes an array that its gradient needs, so all of them stay alive until the backward pass."""

    def f(x):
        for k in range_of_steps:
            x = np.sin(x) * np.sum(x) + k
        return np.sum(x)

    range_of_steps = tuple(float(k) for k in range(steps))
    return f


def lines_of_entry(steps):
    text = ag.inspect(ag.grad(chain(steps)))(np.linspace(0.0, 1.0, 5)).llvm
    return len(text.splitlines())


def test_the_text_of_a_gradient_grows_with_the_program():
    assert lines_of_entry(64) < 2.5 * lines_of_entry(32)


def test_large_procedures_are_right(monkeypatch, capfd):
    monkeypatch.setattr(emit_apart, "LARGE_PROCEDURE", 0)
    x = np.linspace(0.0, 1.0, 5)
    f = chain(3)
    assert np.isclose(ag.jit(f)(x), f(x))
    compiled = ag.jit(ag.grad(f))
    step = 1e-6 * np.eye(5)
    slope = np.array([(f(x + d) - f(x - d)) / 2e-6 for d in step])
    assert np.allclose(compiled(x), slope, rtol=1e-5)
    assert capfd.readouterr().err == ""  # LLVM tells of each pass that it leaves out


def test_kernels_that_are_the_same_exist_once():
    def f(x, y):
        a = np.cumsum(np.cumsum(x))
        b = np.cumsum(np.cumsum(y))
        return np.max(a) + np.max(b)

    x, y = np.linspace(0.0, 1.0, 5), np.linspace(-1.0, 3.0, 7)
    text = ag.inspect(f)(x, y).llvm
    kernels = [line for line in text.splitlines() if line.startswith("define") and ".kernel" in line]
    calls = [line for line in text.splitlines() if " call " in line and ".kernel" in line]
    assert 0 < len(kernels) < len(calls)
    assert ag.jit(f)(x, y) == f(x, y)
