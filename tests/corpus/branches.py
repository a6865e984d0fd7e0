"""if, conditional expressions, and, or, not, early return."""

from tests.corpus.program import call, program


@program(lambda: call(1.5), lambda: call(-1.5), edges=[lambda: call(0.0)], differentiable=(0,), tags="twice")
def if_else(x):
    if x > 0.0:
        y = x * x
    else:
        y = -3.0 * x
    return y


@program(lambda: call(1.5), lambda: call(-1.5), edges=[lambda: call(0)], differentiable=(0,))
def if_without_else(x):
    y = x
    if x < 0.0:
        y = y * 2.0
    return y + 1.0


@program(lambda: call(-2.0), lambda: call(0.5), lambda: call(3.0), lambda: call(30.0), differentiable=(0,))
def elif_chain(x):
    if x < 0.0:
        return -x
    elif x < 1.0:
        return x * x
    elif x < 10.0:
        return x * 3.0
    return 7.0 * x


@program(lambda: call(1.5, 2.0), lambda: call(-1.5, 2.0), lambda: call(-1.5, -2.0), differentiable=(0, 1))
def nested_ifs(x, y):
    if x > 0.0:
        if y > 0.0:
            z = x * y
        else:
            z = x - y
    else:
        z = y
        if y > 0.0:
            z = z * x * x
    return z


@program(lambda: call(1.5), lambda: call(-1.5), differentiable=(0,))
def conditional_expression(x):
    return x * x if x > 0.0 else -x


@program(lambda: call(1.5), lambda: call(-1.5), lambda: call(0.2), differentiable=(0,))
def nested_conditional_expression(x):
    return (x if x > 1.0 else 2.0 * x) if x > 0.0 else 3.0 * x


@program(lambda: call(1, 0), lambda: call(0, 5), lambda: call(3, 4))
def and_or_give_operands(x, y):
    return x and y, x or y, not x


@program(lambda: call(0.0, 2.0), lambda: call(3.0, 2.0))
def short_circuit_saves(x, y):
    if x != 0.0 and y / x > 0.5:
        return 1
    return 0


@program(lambda: call(0.0, 2.0), lambda: call(3.0, 2.0), edges=[lambda: call(-3.0, 0.0)])
def or_short_circuit(x, y):
    return x == 0.0 or y / x > 0.5 or 1.0 / y > 0.0


@program(lambda: call(0.5, 2.0), lambda: call(5.0, 2.0), lambda: call(-1.0, 0.5), differentiable=(0, 1))
def mixed_conditions(x, y):
    if 0.0 < x < y or not (y > 1.0 or x > 0.0):
        return x * y
    return x + y


@program(lambda: call(0.5), lambda: call(5.0), lambda: call(-5.0), differentiable=(0,))
def early_return(x):
    if x < 0.0:
        return x * 2.0
    y = x * x
    if y > 4.0:
        return y
    y = y + 1.0
    return y * x


@program(lambda: call(0.53, 3), lambda: call(0.53, 30), lambda: call(-0.47, 3), differentiable=(0,))
def early_return_in_a_loop(x, n):
    total = 0.0
    for i in range(n):
        total = total + x
        if total > 4.0:
            return total * 2.0
        if total < -1.0:
            return total * 3.0
    return total


@program(lambda: call(0.5), lambda: call(5.0))
def only_one_branch_defines(x):
    if x > 1.0:
        y = x
    else:
        y = 1.0
        z = 2.0
        y = y + z
    return y


@program(lambda: call(5.0), edges=[lambda: call(0.5)], tags="may_be_refused")
def maybe_unbound(x):
    if x > 1.0:
        y = x
    return y


@program(lambda: call(0.5, True), lambda: call(0.5, False), differentiable=(0,))
def boolean_argument(x, flag):
    return x * 2.0 if flag else x


@program(lambda: call(0.5), lambda: call(0.5, None), lambda: call(0.5, 2.0), differentiable=(0,))
def none_or_number(x, scale=None):
    if scale is None:
        return x
    return x * scale


@program(lambda: call(2.0, "double"), lambda: call(2.0, "square"), edges=[lambda: call(2.0, "no")], differentiable=(0,))
def chosen_by_a_string(x, kind):
    if kind == "double":
        return x * 2.0
    elif kind == "square":
        return x * x
    raise ValueError("unknown kind")


@program(lambda: call(3), lambda: call(3.0), lambda: call(True))
def by_instance(x):
    if isinstance(x, bool):
        return 1
    if isinstance(x, int):
        return x * 2
    if isinstance(x, (float, complex)):
        return x / 2.0
    return 0


@program(lambda: call(0.3), lambda: call(-0.3), differentiable=(0,))
def branches_return_tuples(x):
    a, b = (x, x * 2.0) if x > 0.0 else (-x, x * x)
    return a + b


@program(lambda: call(0.3), lambda: call(3.0))
def assignment_expression(x):
    if (y := x * 2.0) > 1.0:
        return y
    return y + 10.0


@program(lambda: call(1.0), lambda: call(-1.0))
def only_pass(x):
    if x > 0.0:
        pass
    else:
        x = x * 2.0
    return x
