"""NumPy functions beyond those of tests/numpy_names: on arrays of several dtypes and ranks, empty ones and numbers."""

import numpy as np
import pytest

from tests.frontend.numpy_oracle import compare

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=(4, 3))
V, CUBE = RANDOM.normal(size=5), RANDOM.normal(size=(2, 3, 4))
INTEGERS = np.array([3, 1, 2])
WITH_NAN = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [2.0, 5.0, -1.0]])
OPERANDS = {
    "matrix": A, "vector": V, "cube": CUBE, "int64": INTEGERS, "int32": INTEGERS.astype(np.int32),
    "float32": A.astype(np.float32), "nan": WITH_NAN, "bool": A > 0, "empty": np.zeros((0, 3)), "none": np.zeros(0),
    "scalar": np.float64(2.5), "int": 3, "float": 2.5,
}  # fmt: skip

ELEMENTWISE = """
np.fabs(x) | np.cbrt(x) | np.exp2(x) | np.deg2rad(x) | np.rad2deg(x) | np.signbit(x) | np.nan_to_num(x) | np.fix(x)
np.heaviside(x, 0.5) | np.logaddexp(x, x) | np.logaddexp(x, 2 * x) | np.logaddexp2(x, 3.0) | np.fmod(x, 2)
np.fmod(x, -1.5) | np.float_power(x, 2) | np.copysign(x, -1) | np.divmod(x, 3) | np.modf(x) | np.isclose(x, x)
np.allclose(x, x + 1e-9) | np.isclose(x, x + 1e-7, equal_nan=True) | np.array_equal(x, x) | np.fmax(x, 1)
np.array_equal(x, x, equal_nan=True) | np.fmin(x, 1) | np.hypot(x, 3) | np.round(x, 2) | np.round(x, -1)
np.select([x > 0, x < -1], [x, 2 * x], 5) | np.select([x > 0], [x]) | np.where(x > 0) | np.real(x) | np.conj(x)
"""
REDUCTIONS = """
np.cumprod(x) | np.nansum(x) | np.nanprod(x) | np.nanmax(x) | np.nanmin(x, axis=0) | np.nanmean(x) | np.nanstd(x)
np.ptp(x) | np.ptp(x, axis=0) | np.average(x) | np.average(x, axis=0) | np.count_nonzero(x, axis=0) | np.diff(x)
np.diff(x, n=2, axis=0) | np.trace(x) | np.nancumsum(x) | np.sum(x, initial=3) | np.max(x, initial=0)
np.min(x, axis=0, initial=1) | np.max(x, axis=(0, 1), initial=0) | np.sum(x, where=x > 0) | np.any(x, where=x > 0)
np.prod(x, axis=0, initial=2) | np.cumprod(x, axis=0) | np.std(x, correction=1) | np.add.reduce(x)
np.add.reduce(x, axis=None) | np.maximum.reduce(x, axis=0) | np.logical_and.reduce(x) | np.add.accumulate(x)
np.linalg.norm(x) | np.linalg.norm(x, 1) | np.linalg.norm(x, -1) | np.linalg.norm(x, np.inf) | np.linalg.norm(x, 'fro')
np.linalg.norm(x, 3, axis=0) | np.linalg.norm(x, 0, axis=0, keepdims=True) | np.linalg.norm(x, -np.inf, axis=0)
"""
SHAPES = """
np.sort(x) | np.argsort(x) | np.sort(x, axis=0) | np.sort(x, axis=None) | np.roll(x, 1) | np.roll(x, -2)
np.roll(x, 1, axis=0) | np.roll(x, (1, 2), axis=(0, 1)) | np.rot90(x) | np.rot90(x, 2) | np.rot90(x, -1)
np.flipud(x) | np.fliplr(x) | np.atleast_2d(x) | np.atleast_3d(x) | np.diag(x) | np.diag(x, 1) | np.diag(x, -1)
np.diagonal(x, 1) | np.tril(x) | np.triu(x, 1) | np.tril(x, -1) | np.rollaxis(x, 1) | np.rollaxis(x, -1, 0)
np.column_stack((x, x)) | np.dstack((x, x)) | np.append(x, x) | np.append(x, x, axis=0) | np.array_split(x, 2)
np.array_split(x, 3, axis=-1) | np.hsplit(x, 2) | np.vsplit(x, 1) | np.repeat(x, [1, 0, 2], axis=0)
np.take(x, [0, 1], axis=0) | np.take(x, [7, -9], mode='wrap') | np.take(x, [7, -9], mode='clip')
np.take_along_axis(x, np.argsort(x, axis=0), axis=0) | np.pad(x, 1) | np.pad(x, (1, 2)) | np.meshgrid(x, x)
np.broadcast_arrays(x, 2) | np.meshgrid(x, x, indexing='ij') | np.meshgrid(x, x, sparse=True) | np.isin(x, [1, 2])
np.size(x, 0) | np.vander(x) | np.kron(x, x) | np.trapezoid(x * 1.0) | np.copy(x) | x.flatten() | x.item() | x.nbytes
np.nonzero(x) | x.nonzero() | np.squeeze(x, axis=0) | np.cross(x, x) | x.mT | np.matrix_transpose(x)
np.full_like(x, 7, shape=(2, 2)) | np.ones_like(x, shape=(3,)) | np.isscalar(x) | np.finfo(np.float32).eps
np.stack([x, x, x], 1) | np.multiply.outer(x, x) | np.array([x, x]) | np.tile(x, (2, 1)) | x.repeat(2)
"""
SPECIAL = """
scipy.special.erf(x) | scipy.special.erfc(x) | scipy.special.gammaln(x) | scipy.special.digamma(x)
scipy.special.expit(x) | scipy.special.logit(x) | scipy.special.xlogy(x, x) | scipy.special.xlogy(0, x)
scipy.special.xlog1py(x, x) | scipy.special.logsumexp(x) | scipy.special.logsumexp(x, axis=0)
scipy.special.softmax(x) | scipy.special.softmax(x, axis=0) | scipy.special.log_softmax(x, axis=-1)
scipy.special.entr(x) | scipy.special.ndtr(x) | scipy.special.log_expit(x)
"""


def expressions(text: str) -> list[str]:
    return [code.strip() for line in text.strip().splitlines() for code in line.split(" | ")]


@pytest.mark.parametrize("code", expressions(ELEMENTWISE))
def test_elementwise(code: str) -> None:
    for operand in OPERANDS.values():
        compare(code, operand)


@pytest.mark.parametrize("code", expressions(REDUCTIONS))
def test_reductions(code: str) -> None:
    for operand in OPERANDS.values():
        compare(code, operand)


@pytest.mark.parametrize("code", expressions(SHAPES))
def test_shapes(code: str) -> None:
    for operand in OPERANDS.values():
        compare(code, operand)


@pytest.mark.parametrize("code", expressions(SPECIAL))
def test_scipy_special(code: str) -> None:
    for name in ("matrix", "vector", "int64", "float32", "nan", "scalar", "float"):
        compare(code, OPERANDS[name])


EINSUM = {
    "ij,jk->ik": (A, B), "ij,jk": (A, B), "ij,jk->": (A, B), "ij,jk->kij": (A, B), "ij,ji->i": (A, B), "ij,ji": (A, B),
    "ij,kl->likj": (A, B), "ij,ij->": (A, A), "ij,ij->i": (A, A), "bij,bjk->bik": (CUBE, CUBE.transpose(0, 2, 1)),
    "...ij,...jk->...ik": (CUBE, B), "bij,j->bi": (CUBE, A[0]), "...j,j": (CUBE, A[0]), "i...,i...": (CUBE, CUBE),
    "ij,jk,kl->il": (A, B, A), "i,i,i->i": (V, V, V), "i,j,k->kji": (V, V, INTEGERS), "ii": (A[:, :3],),
    "ii->i": (A[:, :3],), "...": (A,), "i...->...": (CUBE,), "ij,ij->ij": (A[:1], A), "ij,jk->ki": (A[:, :1], A),
    "...a,...a->...": (CUBE[:, :1], A), "ij->ji": (INTEGERS[None],),
    "ijk": (A,), "i,i": (A, A), "ij->k": (A,), "ij->ii": (A,), "iij->j": (RANDOM.normal(size=(3, 3, 2)),),
}  # fmt: skip


@pytest.mark.parametrize("subscripts", EINSUM)
def test_einsum(subscripts: str) -> None:
    operands = EINSUM[subscripts]
    compare(f"np.einsum('{subscripts}', {', '.join('xyz'[: len(operands)])})", *operands)


@pytest.mark.parametrize(
    "code",
    expressions("""
np.tensordot(x, y, ([1], [0])) | np.tensordot(x, y, 1) | np.tensordot(x, y, 0) | np.tensordot(x, y) | np.inner(x, x)
np.vdot(x, x) | np.outer(x, y) | np.kron(x, y) | np.linalg.multi_dot([x, y, x]) | np.dot(x, y) | x @ y | x.dot(y)
np.array_equal(x, y) | np.array_equal(x, y.T) | np.dot(2, x) | np.cross(x[:, :3], y[:3]) | np.vdot(x, y)
"""),
)
def test_products(code: str) -> None:
    for operands in ((A, B), (CUBE, B), (A, V[:4]), (V, V), (A, A), (INTEGERS, INTEGERS), (A > 0, B > 0)):
        compare(code, *operands)


@pytest.mark.parametrize(
    "code",
    expressions("""
np.arange(x, y) | np.arange(x, y, 2) | np.linspace(x, y, 5) | np.linspace(x, y, 5, retstep=True) | np.arange(x, y, -1)
np.linspace(x, y, 4, dtype=int) | np.linspace(x, x, 3) | np.eye(x, y) | np.tri(x, y, 1) | np.full((x, y), x)
np.zeros((x, y), dtype=np.int32) | np.identity(x) | np.eye(x, k=y) | np.arange(12.0).reshape(x, -1)
np.arange(12.0).reshape((-1, y)) | np.tile(np.arange(x), y) | np.repeat(np.arange(x), y) | np.arange(20)[x:y]
np.arange(20)[-x:] | np.arange(20)[y::-x] | np.arange(20)[::x] | np.roll(np.arange(7), x * y) | np.clip(x, 0, y)
np.array([[x, y], [y, x]], dtype=float) | np.array([x, 2.5]) | np.broadcast_to(x, (y, x)) | np.float64(x) / y
np.int64(x) | np.bool_(y) | np.float32(x) | np.arange(12.0).reshape(y, 3) | np.zeros((x, -1)) | np.ones((y, y)) * x
"""),
)
def test_creation(code: str) -> None:
    for numbers in ((3, 4), (1, 7), (-1, 2), (0, 3), (5, 1)):
        compare(code, *numbers)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2.7, -0.3])
@pytest.mark.parametrize("name", ["int64", "int32", "bool_", "float32"])
def test_conversion(name: str, number: float) -> None:
    if name != "int32" or np.isfinite(number):
        compare(f"np.{name}(x)", number)
