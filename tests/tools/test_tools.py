"""The command line, pages, bisection and reproducers."""

from __future__ import annotations

import ast
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import arignote as ag
from arignote import pipeline
from arignote.frontend import scope
from arignote.frontend.context import Context
from arignote.frontend.values import Value
from arignote.ir.describe import structure_of
from arignote.ir.structure import MANY, ArrayOf, DictOf, ListOf, NumpyScalarOf, PythonScalarOf, StaticOf, TupleOf
from arignote.opt.rewrite import fuel
from arignote.tools import bisect, reproduce
from arignote.tools.command_line import main
from arignote.tools.signature import SignatureError, parse


def subject(x, scale=2.0):
    return np.sum(np.sin(x) * x) * scale


SUBJECT = "tests.tools.test_tools:subject"

SIGNATURES = {
    "f64[3],f64": (ArrayOf("float64", (MANY,)), PythonScalarOf("float64")),
    "f32[n,1]": (ArrayOf("float32", (MANY, 1)),),
    "(i64, bool), [f64]": (
        TupleOf((PythonScalarOf("int64"), PythonScalarOf("bool"))), ListOf((PythonScalarOf("float64"),))),
    "{w: f64[n,n], 'b': f32}": (
        DictOf(("w", "b"), (ArrayOf("float64", (MANY, MANY)), NumpyScalarOf("float32"))),),
    "np.f64, 3, 'text', None, 0.5": (
        NumpyScalarOf("float64"), StaticOf(3), StaticOf("text"), StaticOf(None), StaticOf(0.5)),
    "": (),
}  # fmt: skip


@pytest.mark.parametrize("text", SIGNATURES)
def test_signatures(text: str) -> None:
    assert parse(text) == SIGNATURES[text]


def test_a_signature_is_what_values_give() -> None:
    value = {"w": np.zeros((3, 1)), "b": (1, 2.0, np.float32(1))}
    assert parse("{w: f64[3,1], b: (int, float, f32)}") == (structure_of(value),)


@pytest.mark.parametrize("text", ["f6", "f64[", "(f64", "{w f64}", "f64 f64", "$"])
def test_bad_signatures(text: str) -> None:
    with pytest.raises(SignatureError):
        parse(text)


def test_ir(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ir", SUBJECT, "--args", "f64[3]", "--llvm", "--asm"]) == 0
    text = capsys.readouterr().out
    for piece in (
        "=== source of subject",
        "graph after specialise",
        "graph after prune",
        "=== loops",
        "sin",
        "define i32",
    ):
        assert piece in text


def test_ir_after_one_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ir", SUBJECT, "--args", "f64[3],f64", "--after", "simplify"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("@") and "===" not in text


@pytest.mark.parametrize("arguments", [
    ["ir", SUBJECT, "--args", "f6[3]"], ["ir", SUBJECT, "--args", "f64,f64,f64"], ["ir", SUBJECT, "--after", "nothing",
    "--args", "f64"], ["ir", "no.such.module:f"], ["ir", "tests.tools.test_tools:missing"], ["ir", "f"],
    ["replay", "missing.ir"], ["bisect"],
])  # fmt: skip
def test_misuse(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("arignote ")


def test_a_refused_program_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ir", SUBJECT, "--args", "'text'"]) == 1
    assert "Error" in capsys.readouterr().err


def test_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["passes"]) == 0
    text = capsys.readouterr().out
    assert all(step.name in text for step in pipeline.PASSES)


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "llvmlite" in text and "right, first call" in text


class Balanced(HTMLParser):
    """Checks that elements are closed in order, and that nothing is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert main(["ir", SUBJECT, "--args", "f64[3]", "--html", str(path)]) == 0
    text = path.read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert "graph after" not in text and "simplify again" in text and "assembly" in text
    assert ag.inspect(subject)(np.ones(3)).html.startswith("<!doctype html>")


def test_bisection_in_process() -> None:
    structure = structure_of(np.ones(3))

    def is_good() -> bool:
        pipeline.run(ag.grad(subject), (structure,), {})
        return fuel().spent.total() < 5

    found = bisect.in_process(is_good)
    assert found.number == 5 and found.total > 5 and "->" in found.rewrite
    assert bisect.in_process(lambda: True).number is None
    assert bisect.in_process(lambda: False).number == 0


def test_bisection_of_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, arignote as ag\n"
        "from arignote.opt.rewrite import fuel\n"
        "def f(x):\n    return np.sum(x * 1.0) + 0.5 * x[0] ** 2\n"
        "ag.grad(f)(np.ones(3))\n"
        "assert fuel().spent.total() < 3\n"
    )
    found = bisect.of_command([str(script)])
    assert found.number == 3


def explode(graph: object) -> object:
    raise ValueError("a bug of the compiler")


def explode_at(context: Context, node: ast.expr) -> Value:
    context.at(node)
    raise AssertionError("a bug of the front end")


def test_reproducers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    structure = structure_of(np.ones(3))
    assert reproduce.report(subject, (structure,), {}, tmp_path) is None
    passes = list(pipeline.PASSES)
    broken = pipeline.Pass("explode", "it fails", explode)
    monkeypatch.setattr(pipeline, "PASSES", (*passes[:2], broken, *passes[2:]))
    path = reproduce.report(subject, (structure,), {}, tmp_path)
    assert path is not None and path.name.startswith("crash-")
    text = path.read_text()
    assert text.startswith(
        "# pass: explode\n# error: ValueError: a bug of the compiler\n# replay: arignote replay crash-"
    )
    assert main(["replay", str(path)]) == 1
    assert "still fails: pass 'explode'" in capsys.readouterr().err
    monkeypatch.setattr(pipeline, "PASSES", (*passes[:2], pipeline.Pass("explode", "mended", lambda g: g), *passes[2:]))
    assert main(["replay", str(path), "--after", "prune again"]) == 0
    assert "all passes run" in capsys.readouterr().out


def test_a_failing_compilation_says_where_its_reproducer_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARIGNOTE_CRASH_DIR", str(tmp_path))
    passes = list(pipeline.PASSES)
    monkeypatch.setattr(pipeline, "PASSES", (*passes[:2], pipeline.Pass("explode", "it fails", explode), *passes[2:]))
    with pytest.raises(ag.InternalError, match="the compiler failed: ValueError: a bug of the compiler") as caught:
        ag.jit(subject)(np.ones(3))
    (path,) = tmp_path.glob("crash-*.ir")
    assert path.name in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_failing_front_end_names_the_line_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of the front end is no refusal, and no bare exception: it says at which line, and in which calls."""
    monkeypatch.setitem(scope.EVALUATORS, ast.BinOp, explode_at)
    with pytest.raises(ag.InternalError) as caught:
        ag.jit(lambda x: subject(x))(np.ones(3))
    shown = str(caught.value)
    assert "the compiler failed: AssertionError" in shown and "bug of Arignote" in shown
    assert "in subject(f64[n]), called at" in shown
    assert caught.value.span is not None and caught.value.span.function == "subject"
    assert not isinstance(caught.value, ag.CompileError)


def test_the_module_runs_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arignote.tools.command_line", "passes"], capture_output=True, check=False
    )
    assert done.returncode == 0 and b"specialise" in done.stdout
