"""while and for, over numbers and over things, with break, continue and else."""

import math

import numpy as np

from tests.corpus.program import call, program


@program(lambda: call(1.1, 5), lambda: call(0.9, 12), edges=[lambda: call(1.1, 0)], differentiable=(0,), tags="twice")
def power_by_multiplication(x, n):
    result = 1.0
    for _ in range(n):
        result = result * x
    return result


@program(lambda: call(10), edges=[lambda: call(0), lambda: call(-3)])
def sum_of_range(n):
    total = 0
    for i in range(n):
        total += i
    return total


@program(lambda: call(2, 17, 3), lambda: call(17, 2, -4), edges=[lambda: call(5, 5, 1), lambda: call(1, 2, 0)])
def range_with_step(start, stop, step):
    total = 0
    last = -1
    for i in range(start, stop, step):
        total += i * i
        last = i
    return total, last


@program(lambda: call(100.0), lambda: call(3.0), edges=[lambda: call(0.5)], differentiable=(0,))
def halve_until_small(x):
    while x > 1.0:
        x = x / 2.0
    return x


@program(lambda: call(100.0), lambda: call(0.5), differentiable=(0,))
def count_in_a_while(x):
    count = 0
    while x > 1.0:
        x = x * 0.7
        count += 1
    return x * count


@program(lambda: call(27), lambda: call(6), lambda: call(1))
def collatz(n):
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


@program(lambda: call(48, 18), lambda: call(17, 5), lambda: call(5, 0))
def greatest_common_divisor(a, b):
    while b:
        a, b = b, a % b
    return a


@program(lambda: call(2.0), lambda: call(50.0), differentiable=(0,), ulps=4)
def newton_square_root(x):
    guess = x
    for _ in range(30):
        following = 0.5 * (guess + x / guess)
        if abs(following - guess) < 1e-14:
            break
        guess = following
    return guess


@program(lambda: call(10, 4), lambda: call(10, 100), lambda: call(0, 1))
def break_out(n, limit):
    total = 0
    i = -1
    for i in range(n):
        if total > limit:
            break
        total += i
    return total, i


@program(lambda: call(0.5, 10), lambda: call(1.5, 3), differentiable=(0,))
def skip_some(x, n):
    total = 0.0
    for i in range(n):
        if i % 3 == 1:
            continue
        total = total + x * i
    return total


@program(lambda: call(10, 4), lambda: call(10, 40))
def for_else(n, wanted):
    for i in range(n):
        if i == wanted:
            found = True
            break
    else:
        found = False
    return found


@program(lambda: call(97), lambda: call(91), lambda: call(2))
def is_prime_while_else(n):
    k = 2
    while k * k <= n:
        if n % k == 0:
            answer = False
            break
        k += 1
    else:
        answer = True
    return answer


@program(lambda: call(4, 3), lambda: call(1, 5), edges=[lambda: call(0, 3)])
def nested_loops(n, m):
    total = 0
    for i in range(n):
        for j in range(i, m):
            total += i * j + 1
    return total


@program(lambda: call(np.array([0.5, 1.5, -2.0], np.float32)), lambda: call(np.array([0.25, -1.0], np.float32)))
def float32_added_to_a_python_zero(x):
    total = 0.0
    positive = 0
    for value in x:
        total += value * value
        if value > 0:
            positive += value
    return total, positive


@program(lambda: call(0.7, 4), lambda: call(-0.3, 3), differentiable=(0,))
def nested_loops_of_floats(x, n):
    total = 0.0
    for i in range(n):
        inner = 1.0
        for j in range(i + 1):
            inner = inner * (x + j)
        total = total + inner * x
    return total


@program(lambda: call(12, 5), lambda: call(6, 50))
def break_from_the_inner_loop(n, limit):
    total = 0
    for i in range(n):
        for j in range(n):
            if j > i:
                break
            if (i + j) % 2:
                continue
            total += i * j
        if total > limit:
            break
    return total


@program(lambda: call(9), lambda: call(16))
def return_from_nested_loops(n):
    for i in range(1, n):
        for j in range(i, n):
            if i * j == 12:
                return i, j
    return -1, -1


@program(lambda: call(3), lambda: call(0))
def while_true(n):
    count = 0
    while True:
        if count >= n:
            break
        count += 1
    return count


@program(
    lambda: call(np.array([1.0, -2.0, 3.5])), edges=[lambda: call(np.zeros(0))], differentiable=(0,),
    tags="shapes sum_from_zero",
)
def for_over_an_array(x):
    total = 0.0
    for value in x:
        total = total + value * value
    return total


@program(lambda: call(np.arange(6.0).reshape(2, 3)), differentiable=(0,), ulps=4, tags="shapes")
def for_over_the_rows(x):
    total = np.zeros(x.shape[1])
    for row in x:
        total = total + row * row
    return total


@program(lambda: call((1.0, 2.0, 4.0)), lambda: call((1.5,)), differentiable=(0,))
def for_over_a_tuple(values):
    total = 1.0
    for value in values:
        total = total * value
    return total


@program(lambda: call((1, 2.5, True)))
def for_over_a_mixed_tuple(values):
    total = 0.0
    for value in values:
        total = total + value
    return total


@program(lambda: call(np.array([1.0, 2.0]), np.array([3.0, 5.0])), differentiable=(0, 1), ulps=2)
def zip_of_arrays(x, y):
    total = 0.0
    for a, b in zip(x, y):
        total = total + a * b
    return total


@program(lambda: call((1.0, 2.0), (3.0, 5.0, 7.0)), differentiable=(0, 1))
def zip_of_tuples(x, y):
    total = 0.0
    for a, b in zip(x, y):
        total += a * b
    return total


@program(lambda: call(np.array([1.0, 2.0, -4.0])), differentiable=(0,))
def enumerate_an_array(x):
    total = 0.0
    for i, value in enumerate(x):
        total = total + i * value
    return total


@program(lambda: call((2.0, 3.0, 5.0)), differentiable=(0,))
def enumerate_a_tuple_from_one(values):
    total = 0.0
    for i, value in enumerate(values, 1):
        total += value**i
    return total


@program(lambda: call((2.0, 3.0), np.array([1.0, 4.0])), differentiable=(0, 1))
def enumerate_a_zip(values, x):
    total = 0.0
    for i, (a, b) in enumerate(zip(values, x)):
        total = total + a * b * (i + 1)
    return total


@program(lambda: call(3.2, 0.3, 6), lambda: call(2.5, 0.6, 50), differentiable=(0, 1))
def logistic_map(r, x, n):
    for _ in range(min(n, 20)):
        x = r * x * (1.0 - x)
    return x


@program(lambda: call(np.array([1.0, 0.5]), 0.05, 20), differentiable=(0, 1), ulps=4)
def oscillator(state, step, n):
    for _ in range(n):
        position, velocity = state[0], state[1]
        velocity = velocity - step * position
        position = position + step * velocity
        state = np.array([position, velocity])
    return state


@program(lambda: call(5), lambda: call(20))
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@program(lambda: call(3.0, 4), differentiable=(0,), ulps=4)
def loop_with_changing_branch(x, n):
    up = True
    for i in range(n):
        if up:
            x = math.sin(x)
        else:
            x = x * 1.5
        up = not up
    return x


@program(lambda: call(4), edges=[lambda: call(0)])
def loop_variable_survives(n):
    i = 100
    for i in range(n):
        pass
    return i


@program(lambda: call(3), edges=[lambda: call(0)], tags="may_be_refused")
def loop_variable_unbound(n):
    for i in range(n):
        pass
    return i


@program(lambda: call(5), lambda: call(2))
def reversed_range(n):
    total = 0
    for i in reversed(range(n)):
        total = total * 2 + i
    return total


@program(lambda: call(1.25, 3), differentiable=(0,))
def carried_tuple(x, n):
    pair = (x, 1.0)
    for _ in range(n):
        pair = (pair[0] * pair[1], pair[1] + x)
    return pair[0] + pair[1]


@program(lambda: call(1.5), tags="may_be_refused")
def int_becomes_float(x):
    total = 0
    for i in range(3):
        total = total + x
    return total


@program(lambda: call(1.5, 3), lambda: call(1.5, 0))
def int_becomes_float_at_run_time(x, n):
    total = 0.0
    for i in range(n):
        total += x if i > 0 else 1.0
    return total


@program(lambda: call(30))
def many_live_variables(n):
    a = b = c = d = 1
    for i in range(n):
        a, b, c, d = (b + i) % 101, (c * 2) % 101, (d - a) % 101, (a + b + c) % 101
    return a, b, c, d


@program(lambda: call(0.1, 2000), differentiable=(0,), ulps=0)
def long_loop(x, n):
    y = 0.0
    for _ in range(n):
        y = 0.5 * y + x
    return y


@program(lambda: call(1.1), lambda: call(-0.7), lambda: call(300.0), differentiable=(0,))
def endless_loop_returns(x):
    while True:
        if abs(x) > 10.0:
            return x * x
        x = x * 2.5


@program(lambda: call(1.5), lambda: call(2.6), lambda: call(30.0), differentiable=(0,))
def endless_loop_breaks_or_returns(x):
    steps = 0
    while True:
        if x > 20.0:
            return -x
        if steps == 3:
            break
        x = x * 2.0
        steps += 1
    else:
        x = 0.0
    return x * steps


@program(lambda: call(1), lambda: call(9))
def endless_loops_nested(n):
    while True:
        inner = 0
        while inner < n:
            if inner == 7:
                return n, inner
            inner += 1
        else:
            n += 1
            continue
        n += 100


@program(lambda: call(np.array([0.3, -0.2, 0.5, 0.1])), lambda: call(np.array([0.3])), differentiable=(0,))
def first_negative_product(x):
    i = 0
    while True:
        if i >= len(x):
            return x[0] * 0.0
        j = 0
        while j < i:
            if x[i] * x[j] < -0.05:
                return x[i] * x[j]
            j += 1
        i += 1


@program(lambda: call(3.0), lambda: call(-1.0), differentiable=(0,))
def condition_that_assigns(t):
    total = 0.0
    while (u := 2.0 * t) > 0.0:
        total += u * t
        t = t - 1.0
    return total
