"""Reductions over all axes, one or several."""

from tests.numpy_names.cases import DTYPES, NUMBERS
from tests.numpy_names.table import over, special, unary

AXES = ("", "axis=None", "axis=0", "axis=-1", "axis=1", "axis=(0, 1)", "axis=(0, -1)", "axis=()")
KEEP = ("keepdims=True", "axis=0, keepdims=True", "axis=(0, 1), keepdims=True", "axis=-1, keepdims=True")


def calls(name: str, *arguments: str) -> list[str]:
    """A reduction called as a function and as a method."""
    functions = [f"np.{name}({', '.join(filter(None, ('x', text)))})" for text in arguments]
    return functions + [f"x.{name}({text})" for text in arguments[:4]]


unary(*calls("sum", *AXES, *KEEP), ulps=32, each=False)
unary(*calls("mean", *AXES, *KEEP), ulps=32, each=False)
unary(*calls("prod", *AXES, *KEEP), ulps=32, each=False, domain="unit")
unary(*calls("max", *AXES, *KEEP))
unary(*calls("min", *AXES, *KEEP))
unary(*calls("any", *AXES, *KEEP), *calls("all", *AXES, *KEEP))
unary(*calls("argmax", "", "axis=None", "axis=0", "axis=-1", "axis=1", "keepdims=True", "axis=1, keepdims=True"))
unary(*calls("argmin", "", "axis=None", "axis=0", "axis=-1", "axis=1", "keepdims=True", "axis=1, keepdims=True"))
unary(*calls("var", *AXES, *KEEP, "ddof=1"), ulps=64, each=False, dtypes=NUMBERS)
unary(*calls("std", *AXES, *KEEP, "ddof=1"), ulps=64, each=False, dtypes=NUMBERS)
unary(*calls("cumsum", "", "axis=None", "axis=0", "axis=-1", "axis=1"), ulps=32, each=False)
unary("np.sum(x, dtype=np.float32)", "np.sum(x, axis=0, dtype=np.float64)", "np.sum(x, dtype=int)", ulps=32, each=False)
unary(
    "np.mean(x, dtype=np.float64)",
    "np.prod(x, dtype=np.float64)",
    "np.cumsum(x, dtype=np.float64)",
    ulps=32,
    each=False,
)
unary("np.amax(x)", "np.amin(x, axis=0)", "np.count_nonzero(x)", "np.sum(x > 0)", "np.mean(x > 0)")
over(["np.sum(x, 0)", "np.max(x, 1)", "np.mean(x, (0, 1))", "x.sum(1, keepdims=True)"], (2, 3), (1, 4), (3, 5), ulps=32)
over("np.sum(x, axis=(0, 2, 3))", (2, 3, 1, 2), (2, 0, 1, 2), ulps=32, each=False, dtypes=DTYPES)
over(["np.max(x, axis=(1, 2))", "np.min(x, axis=(-1, 0))"], (2, 3, 4), (2, 1, 1), (0, 3, 4), (2, 3, 0))
special("np.max(x)", "np.min(x)", "np.argmax(x)", "np.argmin(x)", "np.any(x)", "np.all(x)", "np.sum(x)", "np.cumsum(x)")
special("np.max(x[:9])", "np.min(x[:9])", "np.argmax(x[:9])", "np.argmin(x[:9])", "np.prod(x[:8])")

# Longer than a vector register and than NumPy's blocks for pairwise summation.
over(["np.sum(x)", "np.mean(x)", "np.max(x)", "np.argmin(x)", "np.cumsum(x)"], (1000,), (30, 41), ulps=1000, each=False)
over(["np.sum(x, axis=0)", "np.max(x, axis=0)", "np.sum(x, axis=1)"], (100, 7), (7, 100), ulps=100, each=False)
