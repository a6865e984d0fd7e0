"""Lists of run-time length: grown in loops, indexed, changed in place, nested, as stacks and queues, as arrays."""

import numpy as np

from tests.corpus.arrays import numbers
from tests.corpus.program import call, program


@program(lambda: call(numbers(4)), differentiable=(0,), ulps=8)
def append_in_a_loop(x):
    found = [1.0]
    for i in range(len(x)):
        found.append(found[-1] * 0.5 + x[i])
    total = 0.0
    for value in found:
        total = total + value * value
    return total


@program(lambda: call(5), lambda: call(1), edges=[lambda: call(0)])
def list_as_result(n):
    found = []
    for i in range(n):
        found.append(i * 0.5)
    return found


@program(lambda: call(4, 2), lambda: call(4, -1), edges=[lambda: call(3, 3), lambda: call(0, 0)])
def index_out_of_what_was_found(n, k):
    found = [i * i for i in range(n)]
    return found[k]


@program(lambda: call(numbers(4)), differentiable=(0,), ulps=8)
def stack_of_numbers(x):
    waiting = [x[0]]
    total, steps = 0.0, 0
    while waiting:
        value = waiting.pop()
        total = total + value * value
        steps += 1
        if steps < 6:
            waiting.append(value * 0.5)
            waiting.append(value + x[1])
    return total


@program(lambda: call(numbers(4), 5), differentiable=(0,), ulps=8)
def queue_of_numbers(x, n):
    waiting = [x[i] for i in range(len(x))]
    total = 0.0
    for _ in range(n):
        value = waiting.pop(0)
        waiting.append(value * 1.5)
        total = total + value * waiting[0]
    return total


@program(lambda: call(6), edges=[lambda: call(1)])
def breadth_first(n):
    near = [[] for _ in range(n)]
    for i in range(n - 1):
        near[i].append(i + 1)
        near[i + 1].append(i)
    seen = [False] * n
    order, waiting = [], [0]
    while waiting:
        place = waiting.pop(0)
        if seen[place]:
            continue
        seen[place] = True
        order.append(place)
        for other in near[place]:
            if not seen[other]:
                waiting.append(other)
    return np.array(order)


@program(lambda: call(7), edges=[lambda: call(0), lambda: call(1)])
def every_method(n):
    found = [i % 4 for i in range(n)]
    found.insert(1, 9)
    found.reverse()
    found.extend([7, 8])
    found += [i for i in range(2)]
    found.remove(9)
    first = found.pop(0)
    found.sort()
    return found, first, found.count(1), found.index(7), 8 in found, found == found[:], len(found), bool(found)


@program(lambda: call(6), lambda: call(1), edges=[lambda: call(0)])
def slices_of_a_list(n):
    found = [i for i in range(n)]
    return found[1:], found[:-1], found[::-1], found[::2], found[-2:], found * 2, found + found[:1], [9] + found


@program(lambda: call(numbers(4)), differentiable=(0,), ulps=8)
def sorted_values(x):
    found = sorted([value * value for value in x], reverse=True)
    return found[0] * 3.0 + found[-1] * 2.0 + max(found) + sum(found)


@program(lambda: call(numbers(5)), differentiable=(0,), ulps=8)
def pairs_that_pass_a_test(x):
    found = [(value, value * value) for value in x if value > 0.1]
    total = 0.0
    for a, b in found:
        total = total + a * b
    return total


@program(lambda: call(numbers(3)), differentiable=(0,), ulps=8)
def rows_of_different_lengths(x):
    rows = [[] for _ in range(len(x))]
    for i in range(len(x)):
        for j in range(i + 1):
            rows[i].append(x[i] * x[j])
    return sum([sum(row) for row in rows])


@program(lambda: call(numbers(3)), differentiable=(0,), ulps=8)
def grid_of_lists(x):
    grid = [[0.0] * 3 for _ in range(len(x))]
    for i in range(len(x)):
        for j in range(3):
            grid[i][j] += x[i] * j
            if i > 0:
                grid[i][j] += grid[i - 1][j]
    return np.sum(np.array(grid) ** 2)


@program(lambda: call(numbers(3)), differentiable=(0,), ulps=8)
def arrays_in_a_list(x):
    found = []
    for i in range(len(x)):
        found.append(x * x[i])
    return np.sum(np.stack(found) * np.concatenate(found).reshape(len(x), -1))


@program(lambda: call(numbers(3)), differentiable=(0,), ulps=8)
def arrays_in_a_list_are_written(x):
    found = [x * i for i in range(len(x))]
    for i in range(len(x)):
        found[i][0] = x[i]
        row = found[i]
        row[1] += x[0]
    for row in found:
        row *= 2.0
    return found[0] + found[1] * found[2]


@program(lambda: call(3), lambda: call(5))
def a_list_that_grows_while_it_is_gone_through(n):
    found = [0]
    for value in found:
        if value < n:
            found.append(value + 1)
    return found


@program(lambda: call(numbers(4), True), lambda: call(numbers(4), False), differentiable=(0,))
def longer_on_one_path(x, longer):
    found = [x[0], x[1]]
    if longer:
        found.append(x[2])
    return found[-1] * len(found)


def halves(n):
    if n == 0:
        return [1.0]
    rest = halves(n - 1)
    return rest + [rest[-1] * 0.5]


@program(lambda: call(4), edges=[lambda: call(0)])
def list_of_a_recursive_function(n):
    return halves(n)


@program(
    lambda: call(numbers(3), 1),
    lambda: call(numbers(3), -1),
    edges=[lambda: call(numbers(3), 3)],
    differentiable=(0,),
)
def one_of_several_arrays(x, k):
    return [x, x * 2.0, x * 3.0][k]


@program(lambda: call(2), lambda: call(-3), edges=[lambda: call(3), lambda: call(-4)])
def one_of_a_tuple(k):
    return (1.5, 2.5, 3.5)[k]


@program(lambda: call(6), edges=[lambda: call(0)])
def quantifiers_end_early(n):
    found = [i * i for i in range(n)]
    return any(found[i + 1] > 3 for i in range(n - 1) if i % 2), all(value < 20 for value in found)


@program(lambda: call(numbers(2, 3)), differentiable=(0,))
def rows_are_views(x):
    y = x.copy()
    for i in range(y.shape[0]):
        row = y[i]
        for j in range(y.shape[1]):
            row[j] = row[j] * 2.0 + i
    y[0][1] += 1.0
    first = y[0]
    y[0, 0] = 5.0
    return y, first


@program(lambda: call(numbers(2, 3), True), lambda: call(numbers(2, 3), False), differentiable=(0,))
def views_on_two_paths(x, first):
    y = x.copy()
    row, column = y[0], y[:, 1]
    if first:
        row[1] = 4.0
    else:
        column[0] = x[1, 1]
    column *= 2.0
    return y, row, column


@program(lambda: call(numbers(4), 5), lambda: call(numbers(4), 2), differentiable=(0,), ulps=8)
def double_buffer(x, n):
    old, new = x.copy(), np.zeros_like(x)
    for _ in range(n):
        for i in range(1, len(x)):
            new[i] = 0.5 * (old[i] + old[i - 1])
        old, new = new, old
    return old * 1.0


@program(lambda: call(np.int64(3)), lambda: call(np.int32(2)), edges=[lambda: call(np.int64(0))])
def repeated_by_a_number_of_numpy(n):
    """NumPy's integers repeat a list as Python's do; they multiply arrays only."""
    return np.array([1.0, 2.0] * n + n * [3.0] + [4.0])


@program(lambda: call(3), lambda: call(0), tags="prints")
def filter_is_lazy(n):
    def shown(k):
        print("looks at", k)
        return k > 1

    found = filter(shown, [1, 2, 3])
    print("made")
    kept = list(found)
    return kept, list(filter(lambda v: v < n, [1, 2, 3])), sum(filter(None, [0, 1, n]))


@program(lambda: call(3), lambda: call(0))
def generators_that_functions_return(n):
    def below(limit):
        return (v for v in [1, 2, 3] if v < limit)

    odd = all(v > 0 for v in (w for w in below(n) if w % 2))
    return list(below(n)), sum(v * 2 for v in below(n)), any(v > 1 for v in below(n)), odd
