"""Products of vectors, matrices and stacks of them, einsum, norms."""

from collections.abc import Iterable

from tests.numpy_names import cases
from tests.numpy_names.cases import Case, Shape
from tests.numpy_names.table import over, row

PRODUCTS: tuple[tuple[Shape, Shape], ...] = (
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((2, 0), (0, 4)),
    ((0, 3), (3, 2)),
    ((0,), (0,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (1, 3, 4)),
    ((3,), (5, 3, 4)),
    ((2, 1, 2, 3), (5, 3, 2)),
    ((2, 3), (2, 3)),
    ((3,), (4,)),
    ((), (3,)),
    ((20, 33), (33, 17)),
)


def products(pairs: tuple[tuple[Shape, Shape], ...], *expressions: str, transposed: bool = True) -> None:
    """Rows over two arrays of matching shapes, also where one of them is a transposed view."""

    def make_cases() -> Iterable[Case]:
        yield from cases.two_arrays(pairs)
        for first, second in pairs if transposed else ():
            x = cases.laid_out(first, "float64", "any", 0, "transposed")
            y = cases.laid_out(second, "float64", "any", 1, "transposed")
            yield Case(f"transposed {first}, transposed {second}", (x, y))

    for expression in expressions:
        row(expression, "x, y", make_cases, ulps=200, each=False)


products(PRODUCTS, "x @ y", "np.matmul(x, y)", "np.dot(x, y)", "x.dot(y)")
products((((3,), (2,)), ((0,), (2,)), ((1,), (1,)), ((2, 2), (3,))), "np.outer(x, y)")
products((((3,), (3,)), ((2, 3), (2, 3)), ((4,), (3,))), "np.inner(x, y)", "np.vdot(x, y)")
products(
    (((2, 3), (3, 4)), ((1, 1), (1, 4)), ((0, 3), (3, 2))), "np.einsum('ij,jk->ik', x, y)", "np.einsum('ij,jk', x, y)"
)
products(
    (((2, 3), (3, 4)),), "np.einsum('ij,jk->ki', x, y)", "np.einsum('ij,jk->', x, y)", "np.einsum('ij,kl->ik', x, y)"
)
products(
    (((3,), (3,)), ((0,), (0,))), "np.einsum('i,i->', x, y)", "np.einsum('i,i->i', x, y)", "np.einsum('i,j->ij', x, y)"
)
products((((5, 2, 3), (5, 3, 4)),), "np.einsum('bij,bjk->bik', x, y)", "np.einsum('...ij,...jk->...ik', x, y)")
products((((2, 3, 4), (4, 3, 2)),), "np.tensordot(x, y, axes=1)", "np.tensordot(x, y, axes=([1, 2], [1, 0]))")
products(
    (((2, 3, 4), (3, 4, 5)), ((2, 3, 4), (4, 3, 2))),
    "np.tensordot(x, y)",
    "np.tensordot(x, y, 2)",
    "np.tensordot(x, y, axes=0)",
)

over(
    ["np.einsum('ij->ji', x)", "np.einsum('ij->', x)", "np.einsum('ij->i', x)"],
    (2, 3),
    (1, 1),
    (0, 3),
    ulps=64,
    each=False,
)
over(
    ["np.einsum('ii->', x)", "np.einsum('ii->i', x)", "np.trace(x)", "np.diagonal(x)"],
    (3, 3),
    (1, 1),
    (0, 0),
    ulps=64,
    each=False,
)
over(
    ["np.linalg.norm(x)", "np.linalg.norm(x, axis=0)", "np.linalg.norm(x, axis=-1, keepdims=True)"],
    (3,),
    (2, 3),
    (0,),
    ulps=64,
    each=False,
)
over(
    ["np.linalg.norm(x, 1)", "np.linalg.norm(x, np.inf)", "np.linalg.norm(x, ord=2, axis=0)"],
    (3,),
    (4,),
    ulps=64,
    each=False,
)
over(["x @ x.T", "x.T @ x", "x @ x.T @ x", "x[::-1] @ x.T[:, ::-1]"], (2, 3), (1, 4), (40, 30), ulps=2000, each=False)
