"""What the compiler refuses: the class of the error, the user's line with a caret, a telling word."""

import pickle
import warnings

import pytest

import arignote as ag
from tests.errors import refused_syntax, refused_types
from tests.errors.expectation import Failure, marked_line, mentions

ALL = refused_syntax.FAILURES + refused_types.FAILURES
every_failure = pytest.mark.parametrize("failure", ALL, ids=[failure.name for failure in ALL])


@every_failure
def test_refused_at_its_line(failure: Failure) -> None:
    """The error is a compile error of the right kind that shows the line, marks the place and names the trouble."""
    arguments = failure.make()
    with pytest.raises(ag.CompileError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ag.jit(failure.function)(*arguments.positional, **arguments.keywords)
    error, text = caught.value, str(caught.value)
    assert getattr(ag, type(error).__name__, None) is type(error), "a class that users cannot name"
    assert failure.error in [kind.__name__ for kind in type(error).__mro__], f"{type(error).__name__}: {text}"
    assert failure.word.lower() in text.lower(), text
    place = marked_line(failure.function)
    if place is not None:
        assert mentions(text, *place), f"line {place[1]} of {place[0]} is not in the message:\n{text}"
        assert "^" in text, text


@every_failure
def test_refused_again(failure: Failure) -> None:
    """A refused call leaves nothing behind: the second one is refused as well."""
    function = ag.jit(failure.function)
    for _ in range(2):
        arguments = failure.make()
        with pytest.raises(ag.CompileError):
            function(*arguments.positional, **arguments.keywords)


def test_the_chain_of_calls_is_shown() -> None:
    """An error in a called function names the line of the call and the line of the trouble."""
    function = refused_syntax.error_in_a_called_function
    with pytest.raises(ag.UnsupportedSyntaxError) as caught:
        ag.jit(function)(1.0)
    text = str(caught.value)
    file = function.__code__.co_filename
    assert mentions(text, file, function.__code__.co_firstlineno + 2), text
    assert mentions(text, file, refused_syntax.with_try.__code__.co_firstlineno + 1), text


def test_types_are_shown() -> None:
    """A type error says what was found."""
    with pytest.raises(ag.CompileError) as caught:
        ag.jit(refused_types.adds_a_tuple_to_a_number)((1.0, 2.0))
    assert "tuple" in str(caught.value).lower() or "(" in str(caught.value).splitlines()[0], str(caught.value)


@pytest.mark.parametrize(("verify", "is_deep"), [("0", False), ("1", True)])
def test_the_compiler_stays_out_of_the_traceback(monkeypatch: pytest.MonkeyPatch, verify: str, is_deep: bool) -> None:
    """A user sees his call and the message; those who work on the compiler also see where it refused."""
    monkeypatch.setenv("ARIGNOTE_VERIFY", verify)
    with pytest.raises(ag.CompileError) as caught:
        ag.jit(refused_syntax.with_try)(1.0)
    files = [entry.path.name for entry in caught.traceback]
    assert ("fence.py" in files) is is_deep, files
    assert is_deep or len(files) == 2, files


def test_errors_are_named_as_users_can_catch_them() -> None:
    for kind in (ag.CompileError, *ag.CompileError.__subclasses__()):
        if getattr(ag, kind.__name__, None) is kind:
            assert kind.__module__ == "arignote", kind
            assert pickle.loads(pickle.dumps(kind)) is kind
