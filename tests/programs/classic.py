"""Textbook algorithms: dynamic programming, geometry, graphs, integers."""

import math

import numpy as np

from tests.programs.whole_program import whole_program


@whole_program(lambda g: (g.integers(0, 4, size=int(g.integers(0, 15))), g.integers(0, 4, size=int(g.integers(0, 15)))))
def edit_distance(a, b):
    """Levenshtein, one row at a time."""
    row = np.arange(b.shape[0] + 1)
    for i in range(a.shape[0]):
        diagonal = row[0]
        row[0] = i + 1
        for j in range(b.shape[0]):
            above = row[j + 1]
            change = diagonal if a[i] == b[j] else diagonal + 1
            row[j + 1] = min(change, above + 1, row[j] + 1)
            diagonal = above
    return row[-1]


@whole_program(
    lambda g: (g.normal(size=(int(g.integers(1, 8)), 2)), g.normal(size=(int(g.integers(1, 8)), 2)), 0.5),
    wrt=(0, 1, 2),
    rtol=1e-10,
)
def soft_time_warping(x, y, temperature):
    """A differentiable alignment of two series."""
    n, m = x.shape[0], y.shape[0]
    r = np.full((n + 1, m + 1), 1e10)
    r[0, 0] = 0.0
    for i in range(n):
        for j in range(m):
            d = x[i] - y[j]
            options = np.array([r[i, j], r[i, j + 1], r[i + 1, j]]) / -temperature
            top = np.max(options)
            soft = -temperature * (top + np.log(np.sum(np.exp(options - top))))
            r[i + 1, j + 1] = np.sum(d * d) + soft
    return r[n, m]


@whole_program(lambda g: (6, int(g.integers(1, 60))))
def mandelbrot(size, limit):
    """How many iterations each point takes to leave; stops when it does."""
    counts = np.zeros((size, size), dtype=np.int64)
    for i in range(size):
        for j in range(size):
            cx, cy = -2.0 + 3.0 * j / size, -1.5 + 3.0 * i / size
            x, y = 0.0, 0.0
            for k in range(limit):
                if x * x + y * y > 4.0:
                    break
                x, y = x * x - y * y + cx, 2.0 * x * y + cy
                counts[i, j] = k + 1
    return counts


@whole_program(
    lambda g: (g.normal(size=(4, 3)) * 2 + np.array([0, 0, 6.0]), g.uniform(0.5, 1.5, size=4)),
    wrt=(0, 1),
    mapped=(1,),
    rtol=1e-10,
)
def ray_tracer(centres, radii):
    """Rays from the eye to a small picture; the nearest sphere, shaded."""
    light = np.array([0.5, 0.7, -0.5])
    total = 0.0
    for i in range(5):
        for j in range(5):
            d = np.array([(j - 2) * 0.3, (i - 2) * 0.3, 1.0])
            d = d / np.sqrt(np.sum(d * d))
            nearest, hit = 1e9, -1
            for k in range(radii.shape[0]):
                b = np.dot(centres[k], d)
                under = b * b - np.dot(centres[k], centres[k]) + radii[k] ** 2
                if under > 0.0:
                    t = b - np.sqrt(under)
                    if 0.0 < t < nearest:
                        nearest, hit = t, k
            if hit >= 0:
                normal = (nearest * d - centres[hit]) / radii[hit]
                total += max(0.0, np.dot(normal, light)) + 0.01 * nearest
    return float(total)


@whole_program(
    lambda g: (g.integers(1, 10, size=6), g.uniform(1, 5, size=6), int(g.integers(1, 30))), wrt=(1,), mapped=(1,)
)
def knapsack(weights, values, capacity):
    """The best value within a weight, item by item from the back."""
    best = np.zeros(capacity + 1)
    for i in range(weights.shape[0]):
        for w in range(capacity, weights[i] - 1, -1):
            best[w] = max(best[w], best[w - weights[i]] + values[i])
    return best[capacity]


@whole_program(lambda g: (np.where(g.random((7, 7)) < 0.4, g.uniform(1, 9, size=(7, 7)), np.inf),))
def shortest_paths(weights):
    """Floyd and Warshall."""
    d = weights.copy()
    n = d.shape[0]
    for i in range(n):
        d[i, i] = 0.0
    for k in range(n):
        for i in range(n):
            for j in range(n):
                if d[i, k] + d[k, j] < d[i, j]:
                    d[i, j] = d[i, k] + d[k, j]
    return d


@whole_program(lambda g: (g.integers(0, 2, size=(9, 9)), int(g.integers(0, 9))))
def breadth_first(walls, start):
    """Distances in a maze; the queue is a list that grows."""
    n, m = walls.shape
    distance = np.full((n, m), -1)
    queue = [(0, start)]
    distance[0, start] = 0
    head = 0
    while head < len(queue):
        i, j = queue[head]
        head += 1
        for di, dj in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            a, b = i + di, j + dj
            if 0 <= a < n and 0 <= b < m and walls[a, b] == 0 and distance[a, b] < 0:
                distance[a, b] = distance[i, j] + 1
                queue.append((a, b))
    return distance, len(queue)


@whole_program(lambda g: (g.normal(size=(int(g.integers(3, 25)), 2)),), wrt=(0,), order=2, rtol=1e-10)
def convex_hull_area(points):
    """Andrew's chain with a stack of indices, then the area of what is left."""
    order = np.argsort(points[:, 0])

    def cross(o, a, b):
        p, q, r = points[o], points[a], points[b]
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    hull = []
    for k in order:
        while len(hull) >= 2 and cross(hull[-2], hull[-1], k) <= 0.0:
            hull.pop()
        hull.append(k)
    floor = len(hull)
    for k in order[-2::-1]:
        while len(hull) > floor and cross(hull[-2], hull[-1], k) <= 0.0:
            hull.pop()
        hull.append(k)
    area = 0.0
    for i in range(len(hull) - 1):
        a, b = points[hull[i]], points[hull[i + 1]]
        area += 0.5 * (a[0] * b[1] - a[1] * b[0])
    return float(area)


@whole_program(lambda g: (int(g.integers(2, 200)),))
def prime_factors(n):
    """The factors as a list whose length only the run tells."""
    factors = []
    divisor = 2
    while divisor * divisor <= n:
        while n % divisor == 0:
            factors.append(divisor)
            n //= divisor
        divisor += 1
    if n > 1:
        factors.append(n)
    return factors


@whole_program(lambda g: (g.integers(0, 3, size=int(g.integers(1, 30))),))
def run_lengths(symbols):
    """Runs of equal symbols, as a list of pairs."""
    runs = []
    start = 0
    for i in range(1, symbols.shape[0] + 1):
        if i == symbols.shape[0] or symbols[i] != symbols[start]:
            runs.append((int(symbols[start]), i - start))
            start = i
    return runs


@whole_program(lambda g: (g.normal(size=int(g.integers(1, 30))), float(g.uniform(0.2, 0.8))), wrt=(0, 1), mapped=(0,))
def median_by_selection(x, smoothing):
    """Quickselect in place on a copy, then a smooth function of the median."""
    work = x.copy()
    low, high, k = 0, work.shape[0] - 1, work.shape[0] // 2
    while low < high:
        pivot = work[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while work[i] < pivot:
                i += 1
            while work[j] > pivot:
                j -= 1
            if i <= j:
                work[i], work[j] = work[j], work[i]
                i, j = i + 1, j - 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return work[k] ** 2 + smoothing * work[k]


@whole_program(lambda g: (g.integers(0, 4, size=12), g.integers(0, 4, size=10), g.normal(size=(4, 4)), 1.3), wrt=(2, 3))
def sequence_alignment(a, b, scores, gap):
    """Needleman and Wunsch; the derivative counts the pairs of the best alignment."""
    n, m = a.shape[0], b.shape[0]
    table = np.zeros((n + 1, m + 1))
    for i in range(1, n + 1):
        table[i, 0] = -gap * i
    for j in range(1, m + 1):
        table[0, j] = -gap * j
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            pair = table[i - 1, j - 1] + scores[a[i - 1], b[j - 1]]
            table[i, j] = max(pair, table[i - 1, j] - gap, table[i, j - 1] - gap)
    return table[n, m]


@whole_program(lambda g: (float(g.uniform(-3, 3)), int(g.integers(1, 30))), wrt=(0,), mapped=(0,))
def chebyshev_series(x, n):
    """A three-term recurrence, with coefficients from another function."""

    def coefficient(k):
        return math.exp(-0.3 * k) * (1.0 if k % 2 == 0 else -1.0)

    before, now = 1.0, x / 3.0
    total = coefficient(0) + coefficient(1) * now
    for k in range(2, n):
        before, now = now, 2.0 * x / 3.0 * now - before
        total += coefficient(k) * now
    return total
