"""Unions: values, errors, sharing, no leaks."""

import numpy as np
import pytest

from arignote.ir.graph import Function
from arignote.ir.types import BOOL, FLOAT64, INT64, UNIT, List, Tuple, Union, UnionDefinition
from arignote.lower.lower import lower
from tests.ir import programs
from tests.lower.harness import Array, Emit, Parameter, Scalar, agree, main

N = -1
F, I, B = Scalar("float64"), Scalar("int64"), Scalar("bool")
V = Array("float64", (N,))
rng = np.random.default_rng(0)


def chain_type(payload):
    """() or (payload, the rest)."""
    definition = UnionDefinition("Chain")
    chain = Union(definition)
    return definition.define([UNIT, Tuple([payload, chain])])


def inject(e, type_, alternative, *items):
    return e.op("inject", e.tuple(items), type=type_, alternative=alternative)


def is_tag(e, union, number):
    return e.op("equal", e.op("tag", union), e.integer(number))


def fold(e, name, union_type, types, empty, step):
    """def f(u, *given): return empty if u is None else step(f, payload, *given)"""
    u, *given = [Parameter(f"p{n}", t) for n, t in enumerate([union_type, *types])]
    function = Function(name, [u, *given])
    sides = []
    result = None
    for build in (empty, step):
        v, *mine = [Parameter(f"q{n}", t) for n, t in enumerate([union_type, *types])]
        value = build(function, v, *mine)
        result = result or value.type
        if not sides:
            function.declare(result)
        sides.append(e.function(f"{name}/{len(sides)}", [v, *mine], value))
    closures = [e.closure(side, [u, *given]) for side in sides]
    return function.define(e.op("cond", is_tag(e, u, 0), *closures))


def chain_of(e, chain, count, payload):
    """A chain of `count` links made in a loop; payload(i) is what each holds."""
    i, rest = Parameter("i", INT64), Parameter("rest", chain)
    item = payload(i)
    body = e.function("link", [i, rest], e.tuple([inject(e, chain, 1, item, rest)]))
    return e.item(e.op("for_loop", count, e.closure(body), inject(e, chain, 0)), 0)


def chain_sum(e, chain):
    """The sum of a chain of numbers, by recursion."""

    def step(function, u):
        value, rest = e.items(e.op("project", u, alternative=1))
        return e.op("add", value, e.call(function, rest))

    return fold(e, "chain_sum", chain, [], lambda f, u: e.constant(0.0, "float64"), step)


def test_tree_of_three_nodes():
    e = Emit()
    x, a = Parameter("x", V), Parameter("a", F)
    made = e.item(e.call(programs.tree_made(), x, a), 0)
    tree = made.type
    summed = programs.tree_sum()
    # Two programs have two definitions of one name; the sum must be over this one.
    assert summed.parameters[0].type is not tree
    agree(main(e, [x, a], e.op("tag", made), e.item(e.op("project", made, alternative=1), 1)), rng.normal(size=3), 2.0)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_chain_made_in_a_loop_and_summed_by_recursion(count):
    e, n = Emit(), Parameter("n", I)
    chain = chain_type(FLOAT64)
    made = chain_of(e, chain, n, lambda i: e.cast(i, "float64"))
    agree(main(e, [n], e.call(chain_sum(e, chain), made), e.op("tag", made)), count)


ITEM = Tuple([V, INT64, BOOL, Scalar("float32"), Scalar("int32")])


def test_every_kind_of_word():
    e, x, n = Emit(), Parameter("x", V), Parameter("n", I)
    chain = chain_type(ITEM)
    small = e.cast(n, "int32")
    item = e.tuple([e.op("exp", x), n, e.op("greater", n, e.integer(0)), e.cast(n, "float32"), small])
    made = inject(e, chain, 1, item, inject(e, chain, 1, item, inject(e, chain, 0)))
    second = e.item(e.op("project", e.item(e.op("project", made, alternative=1), 1), alternative=1), 0)
    agree(main(e, [x, n], *e.items(second)), rng.normal(size=3), 7)
    agree(main(e, [x, n], *e.items(second)), rng.normal(size=0), -7)


def test_arrays_pass_through_boxes():
    """What is read from a box can be changed, and the box keeps what it holds."""
    e, x = Emit(), Parameter("x", V)
    chain = chain_type(V)
    made = inject(e, chain, 1, e.op("exp", x), inject(e, chain, 0))
    held = e.item(e.op("project", made, alternative=1), 0)
    changed = e.op("update_index", held, e.constant(5.0, "float64"), e.integer(0), axes=(0,), accumulate=False)
    agree(main(e, [x], held, changed, e.op("add", held, changed)), rng.normal(size=3))


def test_branches_give_unions():
    e, x, b = Emit(), Parameter("x", V), Parameter("b", B)
    chain = chain_type(V)
    y, z = Parameter("y", V), Parameter("z", V)
    some = e.function("some", [y], inject(e, chain, 1, e.op("exp", y), inject(e, chain, 1, y, inject(e, chain, 0))))
    none = e.function("none", [z], inject(e, chain, 0))
    made = e.op("cond", b, e.closure(some, [x]), e.closure(none, [x]))
    u, w, v = Parameter("u", chain), Parameter("w", V), Parameter("v", chain)
    second = e.item(e.op("project", u, alternative=1), 1)
    left = e.function("left", [u], e.item(e.op("project", second, alternative=1), 0))
    right = e.function("right", [w], e.op("sin", w))
    result = e.op("cond", is_tag(e, made, 1), e.closure(left, [made]), e.closure(right, [x]))
    again = e.function("again", [v], e.item(e.op("project", v, alternative=1), 1))
    keep = e.function("keep", [Parameter("v", chain)], inject(e, chain, 0))
    shorter = e.op("cond", is_tag(e, made, 1), e.closure(again, [made]), e.closure(keep, [made]))
    for flag in (True, False):
        agree(main(e, [x, b], result, e.op("tag", made), e.op("tag", shorter)), rng.normal(size=3), flag)


def reversed_chain(e, chain):
    """A loop that takes links off one chain and puts them on another."""
    rest, made = Parameter("rest", chain), Parameter("made", chain)
    test = e.function("more", [rest, made], e.op("not_equal", e.op("tag", rest), e.integer(0)))
    a, b = Parameter("a", chain), Parameter("b", chain)
    value, following = e.items(e.op("project", a, alternative=1))
    body = e.function("turn", [a, b], e.tuple([following, inject(e, chain, 1, value, b)]))
    return lambda start: e.item(e.op("while_loop", e.closure(test), e.closure(body), start, inject(e, chain, 0)), 1)


@pytest.mark.parametrize("count", [0, 1, 6])
def test_loops_carry_unions(count):
    e, x, n = Emit(), Parameter("x", V), Parameter("n", I)
    chain = chain_type(Tuple([V, FLOAT64]))
    k, y = Parameter("k", V), Parameter("y", V)

    def payload(i):
        return e.tuple([e.op("multiply", x, e.cast(i, "float64")), e.cast(i, "float64")])

    del k, y
    i, rest, c = Parameter("i", INT64), Parameter("rest", chain), Parameter("c", V)
    link = e.tuple([e.op("multiply", c, e.cast(i, "float64")), e.cast(i, "float64")])
    body = e.function("link", [c, i, rest], e.tuple([inject(e, chain, 1, link, rest)]))
    made = e.item(e.op("for_loop", n, e.closure(body, [x]), inject(e, chain, 0)), 0)
    turned = reversed_chain(e, chain)(made)

    def step(function, u, scale):
        (array, value), following = (
            e.items(e.item(e.op("project", u, alternative=1), 0)),
            e.item(e.op("project", u, alternative=1), 1),
        )
        here = e.op("multiply", e.op("sum", array, axes=(0,)), e.op("multiply", value, scale))
        return e.op("add", here, e.call(function, following, e.op("multiply", scale, e.constant(1.5, "float64"))))

    total = fold(e, "total", chain, [FLOAT64], lambda f, u, s: e.op("add", s, s), step)
    one = e.constant(1.0, "float64")
    agree(main(e, [x, n], e.call(total, made, one), e.call(total, turned, one)), rng.normal(size=3), count)


@pytest.mark.parametrize("count", [0, 5])
def test_lists_of_unions_and_unions_of_lists(count):
    e, x, n = Emit(), Parameter("x", V), Parameter("n", I)
    definition = UnionDefinition("Rose")
    rose = Union(definition)
    definition.define([FLOAT64, Tuple([V, List(rose)])])
    leaf = e.op("inject", e.constant(2.0, "float64"), type=rose, alternative=0)
    i, c, children = Parameter("i", INT64), Parameter("c", V), Parameter("children", List(rose))
    scaled = e.op("multiply", c, e.cast(i, "float64"))
    some = e.op("list_push", e.op("list_new", e.integer(0), element=rose), leaf)
    child = inject(e, rose, 1, scaled, e.op("list_push", some, leaf))
    body = e.function("grow", [c, i, children], e.tuple([e.op("list_push", children, child)]))
    empty = e.op("list_new", e.integer(0), element=rose)
    made = inject(e, rose, 1, x, e.item(e.op("for_loop", n, e.closure(body, [x]), empty), 0))

    t = Parameter("t", rose)
    total = Function("total", [t])
    total.declare(FLOAT64)
    j, s, k = Parameter("j", INT64), Parameter("s", FLOAT64), Parameter("k", List(rose))
    add = e.function("add", [k, j, s], e.tuple([e.op("add", s, e.call(total, e.op("list_get", k, j)))]))
    u, v = Parameter("u", rose), Parameter("v", rose)
    number = e.function("number", [u], e.op("project", u, alternative=0))
    array, below = e.items(e.op("project", v, alternative=1))
    start = e.op("sum", array, axes=(0,))
    sums = e.op("for_loop", e.op("list_length", below), e.closure(add, [below]), start)
    branch = e.function("branch", [v], e.item(sums, 0))
    total.define(e.op("cond", is_tag(e, t, 0), e.closure(number, [t]), e.closure(branch, [t])))

    # A list read from a box, changed: the box still holds the old one.
    held = e.item(e.op("project", made, alternative=1), 1)
    longer = e.op("list_push", held, leaf)
    lengths = [e.op("list_length", held), e.op("list_length", longer)]
    agree(main(e, [x, n], e.call(total, made), *lengths, e.call(total, leaf)), rng.normal(size=3), count)


def test_placeholders_of_unions():
    """The tag of a placeholder is 0, and what it holds may be taken apart."""
    e, n = Emit(), Parameter("n", I)
    definition = UnionDefinition("Either")
    either = Union(definition)
    definition.define([Tuple([FLOAT64, List(either), V]), FLOAT64])
    nothing = e.op("undefined", type=either)
    _, list_, array = e.items(e.op("project", nothing, alternative=0))
    agree(main(e, [n], e.op("tag", nothing), e.op("list_length", list_), e.size(array, 0), n), 3)


def test_shared_parts_are_counted():
    """A chain of trees whose two sides are one: 2 ** n leaves in n boxes."""
    e, n = Emit(), Parameter("n", I)
    definition = UnionDefinition("Tree")
    tree = Union(definition)
    definition.define([UNIT, Tuple([tree, FLOAT64, tree])])
    i, below = Parameter("i", INT64), Parameter("below", tree)
    body = e.function("double", [i, below], e.tuple([inject(e, tree, 1, below, e.cast(i, "float64"), below)]))
    made = e.item(e.op("for_loop", n, e.closure(body), inject(e, tree, 0)), 0)

    def step(function, u):
        left, value, right = e.items(e.op("project", u, alternative=1))
        return e.op("add", e.op("add", e.call(function, left), value), e.call(function, right))

    total = fold(e, "total", tree, [], lambda f, u: e.constant(1.0, "float64"), step)
    for count in (0, 1, 6):
        agree(main(e, [n], e.call(total, made)), count)


def test_errors_release_what_is_held():
    """An error deep in a recursion over a chain, while chains, arrays and lists are alive."""
    e, x, n, bad = Emit(), Parameter("x", V), Parameter("n", I), Parameter("bad", I)
    chain = chain_type(Tuple([V, INT64]))
    i, rest, c = Parameter("i", INT64), Parameter("rest", chain), Parameter("c", V)
    link = e.tuple([e.op("multiply", c, e.cast(i, "float64")), i])
    body = e.function("link", [c, i, rest], e.tuple([inject(e, chain, 1, link, rest)]))
    made = e.item(e.op("for_loop", n, e.closure(body, [x]), inject(e, chain, 0)), 0)

    def step(function, u, wrong, list_):
        item, following = e.items(e.op("project", u, alternative=1))
        array, number = e.items(item)
        place = e.op("select", e.op("equal", number, wrong), e.integer(9), e.integer(0))
        value = e.op("index", array, place, axes=(0,))
        longer = e.op("list_push", list_, inject(e, chain, 1, item, u))
        return e.op("add", value, e.call(function, following, wrong, longer))

    def empty(function, u, wrong, list_):
        last = e.op("list_get", list_, e.op("negative", wrong))
        return e.op("index", e.item(e.item(e.op("project", last, alternative=1), 0), 0), e.integer(0), axes=(0,))

    total = fold(e, "total", chain, [INT64, List(chain)], empty, step)
    made = reversed_chain(e, chain)(made)
    function = main(e, [x, n, bad], e.call(total, made, bad, e.op("list_new", e.integer(0), element=chain)))
    for wrong in (-1, 0, 2, 4, -9):
        agree(function, rng.normal(size=3), 5, wrong)


def long_chain(e, n, turn):
    chain = chain_type(FLOAT64)
    made = chain_of(e, chain, n, lambda i: e.cast(i, "float64"))
    if turn:
        made = reversed_chain(e, chain)(made)
    rest, s = Parameter("rest", chain), Parameter("s", FLOAT64)
    more = e.function("more", [rest, s], e.op("not_equal", e.op("tag", rest), e.integer(0)))
    a, t = Parameter("a", chain), Parameter("t", FLOAT64)
    value, following = e.items(e.op("project", a, alternative=1))
    add = e.function("add", [a, t], e.tuple([following, e.op("add", t, value)]))
    return e.item(e.op("while_loop", e.closure(more), e.closure(add), made, e.constant(0.0, "float64")), 1)


@pytest.mark.parametrize("turn", [False, True])
def test_a_million_links(turn):
    """Made, walked and freed without a deep stack."""
    e, n = Emit(), Parameter("n", I)
    function = main(e, [n], long_chain(e, n, turn))
    from tests.lower.native import run_native

    count = 1_000_000
    assert run_native(lower(function), function, count) == (None, count * (count - 1) / 2)


def test_a_walk_over_a_borrowed_tree_counts_nothing():
    from arignote.lower.loop_ir import Release, Retain
    from tests.lower.harness import count as statements

    e = Emit()
    definition = UnionDefinition("Tree")
    tree = Union(definition)
    definition.define([UNIT, Tuple([tree, FLOAT64, tree])])

    def step(function, u):
        left, value, right = e.items(e.op("project", u, alternative=1))
        return e.op("add", e.op("add", e.call(function, left), value), e.call(function, right))

    program = lower(fold(e, "total", tree, [], lambda f, u: e.constant(0.0, "float64"), step)).program
    assert statements(program, Retain) == statements(program, Release) == 0


def tree_value(depth, seed):
    """A random tree as the interpreters hold it."""
    here = np.random.default_rng(seed)
    if depth == 0 or here.random() < 0.2:
        return 0, ()
    below = [tree_value(depth - 1, 2 * seed + k) for k in (1, 2)]
    return 1, (below[0], here.normal(size=here.choice([0, 2, 3])), here.normal(), below[1])


@pytest.mark.parametrize("seed", range(5))
def test_trees_come_and_go(seed):
    """A tree is taken, summed, and given back with other values."""
    e = Emit()
    summed = programs.tree_sum()
    tree = summed.parameters[0].type

    def step(function, u):
        left, value, weight, right = e.items(e.op("project", u, alternative=1))
        return inject(e, tree, 1, e.call(function, right), e.op("exp", value), weight, e.call(function, left))

    mirror = fold(e, "mirror", tree, [], lambda f, u: u, step)
    t = Parameter("t", tree)
    agree(main(e, [t], e.call(summed, t), e.call(mirror, t), t), tree_value(4, seed))


def test_text_of_boxes_reads_back():
    from arignote.lower.loop_ir_check import check
    from arignote.lower.loop_ir_text import read, show

    for make in (programs.tree_sum, programs.tree_made):
        program = lower(make()).program
        text = show(program)
        again = read(text)
        check(again)
        assert show(again) == text
        assert "box %" in text or "unbox (" in text


def test_a_test_may_look_into_a_box():
    """while chain is not None and chain.value < bound: chain = chain.rest"""
    e, n, bound = Emit(), Parameter("n", I), Parameter("bound", F)
    chain = chain_type(FLOAT64)
    made = chain_of(e, chain, n, lambda i: e.op("negative", e.cast(i, "float64")))
    rest, b = Parameter("rest", chain), Parameter("b", FLOAT64)
    u, v, w = Parameter("u", chain), Parameter("v", FLOAT64), Parameter("w", chain)
    look = e.function("look", [u, v], e.op("less", e.item(e.op("project", u, alternative=1), 0), v))
    never = e.function("never", [], e.constant(False, "bool"))
    more = e.op("cond", is_tag(e, rest, 1), e.closure(look, [rest, b]), e.closure(never))
    test = e.function("go_on", [b, rest], more)
    body = e.function("next", [w], e.tuple([e.item(e.op("project", w, alternative=1), 1)]))
    found = e.item(e.op("while_loop", e.closure(test, [bound]), e.closure(body), made), 0)
    for limit in (-3.0, 5.0, -100.0):
        agree(main(e, [n, bound], found, made), 6, limit)


def test_no_memory_for_a_box():
    """At each allocation that fails, everything is given back."""
    from arignote.lower.loop_ir_evaluate import Evaluation, SiteRaised, call

    class Scarce(Evaluation):
        """Fails at one allocation: `memory` is asked once for each."""

        left = 0

        @property
        def memory(self):
            self.left -= 1
            return -1 if self.left < 0 else 1 << 40

        @memory.setter
        def memory(self, value):
            pass

    e, x, n = Emit(), Parameter("x", V), Parameter("n", I)
    chain = chain_type(Tuple([V, List(FLOAT64)]))

    i, rest, c = Parameter("i", INT64), Parameter("rest", chain), Parameter("c", V)
    numbers = e.op("list_push", e.op("list_new", e.integer(2), element=FLOAT64), e.cast(i, "float64"))
    item = e.tuple([e.op("multiply", c, e.cast(i, "float64")), numbers])
    twice = inject(e, chain, 1, item, inject(e, chain, 1, item, rest))
    body = e.function("link", [c, i, rest], e.tuple([twice]))
    made = e.item(e.op("for_loop", n, e.closure(body, [x]), inject(e, chain, 0)), 0)
    turned = reversed_chain(e, chain)(made)
    program = lower(main(e, [x, n], made, turned)).program
    from tests.lower.harness import flat_arguments

    failures = 0
    for allowed in range(200):
        evaluation = Scarce(program)
        evaluation.left = allowed
        try:
            call(evaluation, program.entry, flat_arguments([rng.normal(size=3), 3], [V, I]))
        except SiteRaised as raised:
            failures += 1
            assert raised.site == 0 and evaluation.live_buffers() == 0
        else:
            break
    assert failures > 10


def test_functions_in_boxes():
    """A chain of closures, made in a loop and applied one after the other, with and without the optimiser."""
    from arignote.opt import optimise
    from tests.opt.test_program import chain_of_closures

    function = chain_of_closures()
    e, n, x = Emit(), Parameter("n", I), Parameter("x", F)
    whole = main(e, [n, x], e.call(function, n, x))
    for each in (whole, optimise(whole)):
        for count in (0, 1, 5):
            agree(each, count, 1.5)
