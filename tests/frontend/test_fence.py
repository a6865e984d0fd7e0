"""Every construct of Python is either interpreted or refused by the fence, with a way out."""

import ast

import pytest

import arignote as ag
from arignote.frontend import specialise  # noqa: F401  everything registers itself
from arignote.frontend.fence import REFUSED
from arignote.frontend.scope import EVALUATORS, EXECUTORS

ELSEWHERE = {
    "FormattedValue",  # in JoinedStr
    "If",  # with what follows it, in a block
    "Bytes", "Ellipsis", "NameConstant", "Num", "Str",  # other names of Constant
    "Index", "ExtSlice", "AugLoad", "AugStore", "Param", "Suite",  # what Python 3.8 had
}  # fmt: skip


def kinds(base):
    return [k for k in vars(ast).values() if isinstance(k, type) and issubclass(k, base) and k is not base]


@pytest.mark.parametrize("kind", kinds(ast.stmt), ids=lambda k: k.__name__)
def test_statements(kind):
    assert kind in EXECUTORS or kind.__name__ in ELSEWHERE


@pytest.mark.parametrize("kind", kinds(ast.expr), ids=lambda k: k.__name__)
def test_expressions(kind):
    assert kind in EVALUATORS or kind.__name__ in ELSEWHERE


@pytest.mark.parametrize("kind", REFUSED, ids=lambda k: k.__name__)
def test_what_is_refused_says_why_and_what_to_do(kind):
    message, hint = REFUSED[kind]
    assert message and hint


def with_try(x):
    for _ in range(3):
        try:
            x = x + 1
        except ValueError:
            x = 0.0
    return x


def with_nonlocal(x):
    count = 0.0

    def increase():
        nonlocal count
        count = count + x

    increase()
    return count


def with_yield(x):
    yield x


def with_import(x):
    import math

    return math.sin(x)


def with_finally(x):
    try:
        y = x
    finally:
        print("done")
    return y


@pytest.mark.parametrize("function, said", [
    (with_try, "try:"), (with_finally, "try:"), (with_nonlocal, "nonlocal count"), (with_yield, "yield x"),
    (with_import, "import math"),
], ids=lambda x: getattr(x, "__name__", ""))  # fmt: skip
def test_the_line_is_shown_under_every_transform(function, said):
    for transformed in (ag.jit(function), ag.grad(function), lambda x: ag.jvp(function, (x,), (1.0,))):
        with pytest.raises(ag.UnsupportedSyntaxError) as caught:
            transformed(1.5)
        assert said in str(caught.value) and "hint:" in str(caught.value)
