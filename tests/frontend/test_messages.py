"""How values are named in messages."""

from arignote.frontend.spec import show_spec


def test_a_part_of_a_function_that_mentions_the_function():
    """What is shown may be a part of what a function captured, which refers back to that function."""
    number = ("scalar", "float64", True)
    assert show_spec(("tuple", None, (number, ("again", 1, ())))) == "(float, function)"
