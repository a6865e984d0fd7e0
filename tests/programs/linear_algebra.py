"""Matrix algorithms written as loops with item assignment."""

import math

import numpy as np

from tests.programs.whole_program import whole_program


def positive(generator, n):
    a = generator.normal(size=(n, n))
    return a @ a.T + n * np.eye(n)


def cholesky(a):
    n = a.shape[0]
    lower = np.zeros_like(a)
    for j in range(n):
        s = a[j, j]
        for k in range(j):
            s -= lower[j, k] ** 2
        lower[j, j] = math.sqrt(s)
        for i in range(j + 1, n):
            s = a[i, j]
            for k in range(j):
                s -= lower[i, k] * lower[j, k]
            lower[i, j] = s / lower[j, j]
    return lower


@whole_program(lambda g: (positive(g, int(g.integers(1, 8))),), wrt=(0,), mapped=(0,), rtol=1e-10)
def log_determinant(a):
    """By Cholesky's factor, entry by entry."""
    lower = cholesky(a)
    return 2.0 * np.sum(np.log(np.diag(lower)))


def kernel(x, scale):
    d = x[:, None] - x[None, :]
    return np.exp(-0.5 * (d / scale) ** 2)


@whole_program(lambda g: (np.sort(g.normal(size=8)), g.normal(size=8), 0.7, 0.3), wrt=(1, 2, 3), mapped=(1,), rtol=1e-9)
def gaussian_process(x, y, scale, noise):
    """The marginal likelihood with a factorisation and two substitutions of our own."""
    n = x.shape[0]
    lower = cholesky(kernel(x, scale) + noise**2 * np.eye(n))
    z = np.zeros(n)
    for i in range(n):
        z[i] = (y[i] - np.dot(lower[i, :i], z[:i])) / lower[i, i]
    return 0.5 * np.dot(z, z) + np.sum(np.log(np.diag(lower))) + 0.5 * n * math.log(2.0 * math.pi)


@whole_program(lambda g: (g.normal(size=(6, int(g.integers(1, 6)))),), wrt=(0,), mapped=(0,), rtol=1e-9)
def householder(a):
    """QR by reflections; the sum of the logarithms of R's diagonal and of the squares above it."""
    r = a.copy()
    m, n = r.shape
    for j in range(n):
        x = r[j:, j].copy()
        alpha = -math.copysign(1.0, x[0]) * np.sqrt(np.sum(x * x))
        x[0] -= alpha
        scale = 2.0 / np.sum(x * x)
        r[j:, j:] -= scale * np.outer(x, x @ r[j:, j:])
    total = 0.0
    for j in range(n):
        total += np.log(np.abs(r[j, j])) + np.sum(r[j, j + 1 :] ** 2)
    return total


@whole_program(lambda g: (g.normal(size=(5, 5)) + 3 * np.eye(5), g.normal(size=5)), wrt=(0, 1), mapped=(1,), rtol=1e-9)
def gaussian_elimination(a, b):
    """With row exchanges and back substitution."""
    a, b = a.copy(), b.copy()
    n = b.shape[0]
    for k in range(n):
        pivot = k + int(np.argmax(np.abs(a[k:, k])))
        if pivot != k:
            row = a[k].copy()
            a[k] = a[pivot]
            a[pivot] = row
            b[k], b[pivot] = b[pivot], b[k]
        for i in range(k + 1, n):
            factor = a[i, k] / a[k, k]
            a[i, k:] -= factor * a[k, k:]
            b[i] -= factor * b[k]
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - np.dot(a[i, i + 1 :], x[i + 1 :])) / a[i, i]
    return np.sum(x * x)


@whole_program(lambda g: (g.uniform(2, 3, size=9), g.normal(size=8), g.normal(size=9)), wrt=(0, 1, 2), mapped=(2,))
def tridiagonal(diagonal, off, b):
    """Thomas's algorithm for a symmetric band."""
    n = diagonal.shape[0]
    d, y = diagonal.copy(), b.copy()
    for i in range(1, n):
        m = off[i - 1] / d[i - 1]
        d[i] -= m * off[i - 1]
        y[i] -= m * y[i - 1]
    y[n - 1] /= d[n - 1]
    for i in range(n - 2, -1, -1):
        y[i] = (y[i] - off[i] * y[i + 1]) / d[i]
    return np.dot(y, b)


@whole_program(lambda g: (g.normal(size=(4, 4)),), wrt=(0,), mapped=(0,), rtol=1e-9)
def jacobi_eigenvalues(a):
    """Cyclic rotations until the matrix is diagonal; a smooth function of the eigenvalues."""
    s = a + a.T
    n = s.shape[0]
    for _ in range(8):
        for p in range(n):
            for q in range(p + 1, n):
                if abs(s[p, q]) < 1e-14:
                    continue
                theta = (s[q, q] - s[p, p]) / (2.0 * s[p, q])
                t = math.copysign(1.0, theta) / (abs(theta) + math.sqrt(theta * theta + 1.0))
                c = 1.0 / math.sqrt(t * t + 1.0)
                d = t * c
                for k in range(n):
                    x, y = s[k, p], s[k, q]
                    s[k, p], s[k, q] = c * x - d * y, d * x + c * y
                for k in range(n):
                    x, y = s[p, k], s[q, k]
                    s[p, k], s[q, k] = c * x - d * y, d * x + c * y
    return np.sum(np.exp(-0.1 * np.diag(s)))


@whole_program(
    lambda g: (g.normal(size=12), g.integers(0, 5, size=12), np.array([0, 3, 3, 7, 10, 12]), g.normal(size=5)),
    wrt=(0, 3),
    mapped=(3,),
)
def compressed_rows(data, columns, starts, x):
    """Sparse matrix times vector by index arrays, three times."""
    for _ in range(3):
        y = np.zeros(starts.shape[0] - 1)
        for row in range(y.shape[0]):
            for k in range(starts[row], starts[row + 1]):
                y[row] += data[k] * x[columns[k]]
        x = np.tanh(y)
    return np.sum(x**2)


@whole_program(lambda g: (0.3 * g.normal(size=(3, 3)),), wrt=(0,), mapped=(0,), rtol=1e-10)
def matrix_exponential(a):
    """Scaling, Taylor's series until it stands still, squaring."""
    squarings = 0
    while np.max(np.abs(a)) > 0.1:
        a = a * 0.5
        squarings += 1
    term = np.eye(a.shape[0])
    total = term.copy()
    for k in range(1, 40):
        term = term @ a / k
        total = total + term
        if np.max(np.abs(term)) < 1e-17:
            break
    for _ in range(squarings):
        total = total @ total
    return np.trace(total)


@whole_program(lambda g: (g.normal(size=(5, 3)),), wrt=(0,), mapped=(0,), rtol=1e-9)
def gram_schmidt(a):
    """The modified process; how far the first column is from the span of the last."""
    q = a.copy()
    for j in range(q.shape[1]):
        q[:, j] = q[:, j] / np.sqrt(np.sum(q[:, j] ** 2))
        for k in range(j + 1, q.shape[1]):
            q[:, k] -= np.dot(q[:, j], q[:, k]) * q[:, j]
    return np.sum(q[:, -1] * np.arange(q.shape[0])) + q[0, 0]
