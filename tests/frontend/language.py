"""Small programs over the whole language, each with the arguments of one call."""

import dataclasses
import enum
import functools
import math
import operator
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

import arignote as ag

CASES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []


def case(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append((function, arguments))
        return function

    return register


K = 3
ARR = np.arange(5.0)
CFG = {"a": 2.0, "b": (1, 2)}
NAMES = ("p", "q")


class Point(typing.NamedTuple):
    x: float
    y: float = 2.0

    def norm(self):
        return math.sqrt(self.x**2 + self.y**2)


@dataclasses.dataclass
class Acc:
    total: float = 0.0
    items: list = dataclasses.field(default_factory=list)

    def add(self, v):
        self.total += v
        self.items.append(v)


@dataclasses.dataclass(frozen=True)
class P2:
    a: float
    b: typing.Any = 1.0

    @property
    def s(self):
        return self.a + self.b

    def __add__(self, o):
        return P2(self.a + o.a, self.b + o.b)

    def scale(self, k):
        return dataclasses.replace(self, a=self.a * k)


@case(2.0)
def g1(x):
    return x * K + ARR[2] + CFG["a"] * CFG["b"][1]


@case(np.ones(4))
def g2(x):
    return np.reshape(x, (K - 1, 2))


@case(2)
def g3(n):
    return ARR.sum() + (1, 2, 3)[K - 1] + n


@case(5)
def swap(n):
    a = np.zeros(4)
    b = np.ones(4)
    for i in range(n):
        b[1:-1] = a[2:] + a[:-2] + b[1:-1]
        b[0] = i
        a, b = b, a
    return a, b


@case(3.0)
def acc1(x):
    a = Acc()
    a.add(x)
    a.add(2 * x)
    return a.total, len(a.items), a.items[1]


@case(3.0, 4)
def acc2(x, n):
    a = Acc()
    for i in range(n):
        a.total += x * i
    return a.total


@case(3.0)
def nt(x):
    p = Point(x)
    q = p._replace(y=x)
    a, b = q
    return p.norm() + q.norm() + a * b


@case(3.0)
def dc(x):
    p = P2(x, 2.0) + P2(1.0)
    q = p.scale(2)
    return p.s, q.s, q


@case([1.0, 2.0, 3.0])
def lst(v):
    v = list(v)
    v.append(4.0)
    w = v
    w[0] = 9.0
    return v, w[1:], len(v), v.pop()


@case({"a": 1.0, "b": 2.0})
def dic(d):
    e = {k: v * 2 for k, v in d.items()}
    e["c"] = 3.0
    t = 0.0
    for k in e:
        t = t + e[k] * len(k)
    return e, t, "a" in e


@case(7)
def collatz(n):
    c = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        c += 1
    return c


@case(np.array([3.0, -1.0, 2.0]))
def brk(x):
    for i, v in enumerate(x):
        if v < 0:
            break
    else:
        return -1, 0.0
    return i, v


@case(np.array([3.0, 1.0, 2.0]))
def brk2(x):
    for i, v in enumerate(x):
        if v < 0:
            break
    else:
        return -1, 0.0
    return i, v


@case(5, 3)
def nest(n, m):
    t = 0
    for i in range(n):
        for j in range(m):
            if (i + j) % 2:
                continue
            if j > i:
                break
            t += i * j
        else:
            t += 100
    return t


@case(4)
def late(n):
    fs = []
    for i in range(3):
        fs.append(lambda x: x + i)
    return fs[0](n)


@case(4)
def clos(n):
    def make(k):
        def inner(x):
            return x * k + n

        return inner

    return make(2)(3) + make(n)(1)


@case(10)
def fib(n):
    def f(k):
        return k if k < 2 else f(k - 1) + f(k - 2)

    return f(n)


@case(6)
def mutual(n):
    def even(k):
        return True if k == 0 else odd(k - 1)

    def odd(k):
        return False if k == 0 else even(k - 1)

    return even(n), odd(n)


@case(3)
def kw(n):
    def f(a, *b, c=2, **d):
        return a + sum(b) * c + d.get("z", 0)

    return f(n), f(n, 1, 2), f(n, 1, c=5, z=7), f(*(1, 2), **{"c": 3})


@case(2.5)
def conds(x):
    if x > 2:
        y = 1
    else:
        y = 2.5
    z = 3 if x < 0 else y
    return y, z, (x > 1 and x < 3), (x > 5 or x), not x


@case(2)
def chain(n):
    return 0 < n <= 2 < 3, n == 2 != 3


@case(np.arange(6.0).reshape(2, 3))
def rows(x):
    t = 0.0
    for r in x:
        for v in r:
            t += v
    return t


@case(np.arange(4.0))
def views(x):
    y = x.copy()
    y[1:3] *= 2
    y += 1
    z = y[::-1]
    return z.sum(), y


@case(3)
def ints(n):
    return (
        n**2,
        n // 2,
        -n // 2,
        -n % 5,
        n << 3,
        n & 1,
        ~n,
        n / 2,
        divmod(-n, 2),
        abs(-n),
        round(n * 1.5),
        int(2.7 * n),
        float(n),
        bool(n),
        min(n, 2),
    )


@case(0.7)
def mth(x):
    return (
        math.sin(x),
        math.exp(x),
        math.log(x),
        math.sqrt(x),
        math.atan2(x, 1.0),
        math.floor(x),
        math.ceil(x),
        math.pi * x,
        math.hypot(x, 1),
        math.pow(x, 2),
        math.isnan(x),
        math.fmod(-x, 0.3),
        math.lgamma(x + 1),
    )


@case(np.arange(5.0))
def gen(x):
    return (
        sum(v * v for v in (1.0, 2.0, x[1])),
        max(x),
        min(x),
        sum(x),
        any(v > 3 for v in (1, 2, 4)),
        list(zip((1, 2), (x[0], x[1]))),
    )


@case(3)
def early(n):
    if n < 0:
        return 0
    for i in range(n):
        if i == 2:
            return i * 10
    if n > 100:
        return 5
    return -1


@case(1)
def early2(n):
    if n > 0:
        if n > 1:
            return 1
        n = n + 5
    else:
        n = n - 5
    return n


@case(3)
def wtrue(n):
    i = 0
    while True:
        i += 1
        if i > n:
            break
        if i == 100:
            return -1
    return i


@case(np.arange(3))
def mix(x):
    s = 0
    for v in x:
        s += v
    return s


@case(4)
def unroll(n):
    ps = (1.0, 2.0, 3.0)
    t = 0.0
    for i in range(len(ps)):
        t += ps[i] * n
    return t


@case(4.0)
def listcomp(x):
    return [x * i for i in range(3) if i != 1], {k: x for k in NAMES}, tuple(x + i for i in range(2))


@case(3)
def aftervar(n):
    for i in range(n):
        pass
    return i


@case(2.0)
def lamdef(x):
    f = lambda a, b=x: a + b
    return f(1.0) + f(1.0, 2.0)


@case(2.0)
def part(x):
    return functools.partial(operator.add, x)(3.0), functools.reduce(operator.mul, (1.0, 2.0, x))


@case(2.0, True)
def isin(x, f):
    return (
        isinstance(x, float),
        isinstance(f, bool),
        isinstance(f, int),
        type(x) is float,
        isinstance(x, (int, np.ndarray)),
    )


@case(np.ones((2, 2)))
def attr(x):
    return x.shape, x.ndim, x.T.sum(), x.dtype == np.float64, x.size, len(x)


@case(2.0)
def star(x):
    a, *b, c = (x, 1.0, 2.0, 3.0)
    (d, e), f = (1, 2), 3
    return a, b, c, d, e, f


@case(2.0)
def walrus(x):
    if (y := x * 2) > 3:
        return y
    return 0.0


@case(np.array([1.0, 2.0]))
def gradin(x):
    return ag.grad(lambda v: np.sum(v**3))(x), ag.value_and_grad(lambda v: (v * v).sum())(x)


@case(2.0)
def gg(x):
    return ag.grad(ag.grad(lambda v: v**3))(x)


@case(2.0)
def vj(x):
    v, pb = ag.vjp(lambda a, b: (a * b, a + b), x, 3.0)
    return v, pb((1.0, 2.0))


@case({"w": np.ones(2), "b": 1.0})
def gtree(p):
    return ag.grad(lambda q: np.sum(q["w"]) * q["b"])(p)


@case(3.0, 2)
def gaux(x, n):
    return ag.value_and_grad(lambda a: (a * a, (a, n)), has_aux=True)(x)


@case(4)
def wr(n):
    x = np.zeros(n)
    i = 0
    while i < n and x[i] == 0:
        x[i] = i + 1.0
        i += 1
    return x


@case(np.zeros((3, 3)))
def nested_store(x):
    y = x.copy()
    for i in range(3):
        y[i][i] = 2.0
    return y


@case(3)
def fillarg(n):
    def fill(a, v):
        a[:] = v
        return None

    z = np.zeros(3)
    fill(z, n)
    return z


@case(3)
def appendarg(n):
    def push(l, v):
        l.append(v)

    l = []
    push(l, n)
    push(l, 2)
    return l


@case(5)
def loopswap(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@case(3)
def tupcarry(n):
    s = (0, 1.0)
    for i in range(n):
        s = (s[0] + i, s[1] * 2)
    return s


@case(3.0)
def strs(x):
    mode = "fast"
    if mode == "fast" and not mode.startswith("s"):
        return x
    return -x


@case(4)
def ifexp_chain(n):
    return "never" and (1 if n > 3 else 2 if n > 2 else 3)


@case(3, -2)
def fl(a, b):
    return a // b, a % b, (a + 0.5) // b, (a + 0.5) % b


@case(2**62)
def big(n):
    return n - 1 + n // 2


@case(np.float32(1.5), np.int32(3))
def prom(a, b):
    return a * 2, a + b, b + 1, b / 2, a * 1.5, b * 2.5, -b, a**2, b**2


@case(3)
def dfl(n):
    def f(x, acc=[]):
        return x + len(acc)

    return f(n)


class Cfg:
    rate = 0.5
    table = np.arange(3.0)

    def __init__(self, k):
        self.k = k
        self.w = np.ones(3)

    def apply(self, x):
        return x * self.k + self.w.sum() + self.rate


cfg = Cfg(2.0)


class Mode(enum.Enum):
    A = 1
    B = 2


JF = ag.jit(lambda x: x * 2)
GR = ag.grad(lambda x: x * x * x)
JG = ag.jit(ag.grad(lambda x: x**2))


@case(2.0)
def obj(x):
    return cfg.apply(x) + cfg.k + Cfg.rate + Cfg.table[1] + cfg.table[2]


@case(2.0)
def en(x):
    m = Mode.A
    if m is Mode.A:
        return x
    return -x


@case(2.0)
def jits(x):
    return JF(x) + GR(x) + JG(x)


@case(2.0)
def localjit(x):
    @ag.jit
    def f(y):
        return y + x

    return f(x)


@case(5, 1)
def multi(n, k):
    r = 0
    for i in range(n):
        if i == k:
            r += 1
            continue
        if i == 4:
            r += 10
            break
        for j in range(i):
            if j == 2:
                return r * 100
            r += j
    else:
        r = -1
    return r


@case(5)
def whel(n):
    i = 0
    while i < n:
        if i == 7:
            break
        i += 2
    else:
        i = -i
    return i


@case(0)
def unb(n):
    for i in range(n):
        y = i
    return y


@case(3)
def unb2(n):
    for i in range(n):
        y = i
    return y


@case(-1.0)
def rai(x):
    if x < 0:
        raise ValueError(f"neg {x}")
    return x


@case(-1.0)
def asr(x):
    assert x > 0, ("bad", x)
    return x


@case(0)
def dz(n):
    return 1 / n


@case(0.0)
def dz2(x):
    return 1.0 // x


@case(-1.0)
def dom(x):
    return math.sqrt(x)


@case(1000.0)
def ovf(x):
    return math.exp(x)


@case(np.arange(5.0))
def stale(x):
    y = x.copy()
    v = y[1:]
    y[0] = 5.0
    return y, y[1:]


@case(np.arange(5.0))
def viewok(x):
    y = x.copy()
    v = y[1:].copy()
    y[1] = 5.0
    return v, y


@case(np.arange(5.0), 3)
def helper_loop(x, n):
    def setk(a, k):
        a[k] = k * 2.0

    y = x.copy()
    for k in range(n):
        setk(y, k)
    return y


@case(np.arange(6.0))
def rec_arr(x):
    def s(a):
        if len(a) == 0:
            return 0.0
        return a[0] + s(a[1:])

    return s(x) + 0.0


@case(np.arange(8.0))
def rec_half(x):
    def s(a):
        n = len(a)
        if n == 1:
            return a[0]
        h = n // 2
        return s(a[:h]) + s(a[h:])

    return s(x)


@case(5)
def ack(n):
    def a(m, k):
        if m == 0:
            return k + 1
        if k == 0:
            return a(m - 1, 1)
        return a(m - 1, a(m, k - 1))

    return a(2, n)


@case(3)
def growing(n):
    x = np.ones(1)
    for i in range(n):
        x = np.concatenate((x, x))
    return x


@case(3)
def statrec(n):
    def p(x, k):
        return 1.0 if k == 0 else x * p(x, k - 1)

    return p(2.0, 5), p(float(n), 40)


@case(np.arange(3.0))
def iadd_alias(x):
    y = x * 1
    z = y
    z += 1
    return y, z


@case([np.ones(2), np.zeros(2)])
def listarr(l):
    m = [a * 2 for a in l]
    m[0][1] = 7.0
    return m


@case(3.0)
def condarr(x):
    a = np.zeros(3)
    if x > 2:
        a[1] = x
    else:
        a[2] = x
    return a


@case(3.0)
def condbind(x):
    a = np.zeros(3)
    b = np.ones(3)
    c = a if x > 2 else b
    return c + 1


@case(4)
def condlist(n):
    l = [1, 2]
    if n > 3:
        l[0] = n
    return l


@case(4)
def dictloop(n):
    d = {"s": 0.0, "c": 0}
    for i in range(n):
        d["s"] += i * 0.5
        d["c"] += 1
    return d


@case(4)
def listloop(n):
    l = [0, 0.0]
    for i in range(n):
        l[0] += i
        l[1] += 0.5
    return l


@case(4)
def recloop(n):
    p = P2(0.0, 1.0)
    for i in range(n):
        p = P2(p.a + i, p.b * 2)
    return p


@case(4)
def closloop(n):
    t = 0.0
    for i in range(n):

        def f(x):
            return x * i

        t += f(2.0)
    return t


@case(4)
def temps(n):
    t = 0.0
    for i in range(n):
        if i % 2:
            tmp = (i, i * 1.0)
            t += tmp[1]
        else:
            tmp = "none"
            t += 1
    return t


@case(3)
def nestedtup(n):
    (a, b), c = (n, n + 1), [n]
    for i, (j, k) in zip((1, 2), ((3, 4), (5, 6))):
        a += i * j * k
    return a, b, c


@case(np.arange(4.0), np.arange(4))
def zips(x, y):
    t = 0.0
    for a, (i, b) in zip(x, enumerate(y, start=2)):
        t += a * b * i
    return t


@case(6)
def revs(n):
    t = ()
    for i in reversed((1, 2, 3)):
        t = t + (i * n,)
    s = 0
    for i in range(n, 0, -2):
        s = s * 10 + i
    return t, s


@case(4)
def prints(n):
    print("n", n, (n, 1.5), [n], {"a": n}, sep="-", end="!\n")
    for i in range(n):
        if i % 2:
            print(i, end=" ")
    print()
    return n


@case(np.arange(4.0))
def wcond(x):
    i = len(x) - 1
    while i >= 0 and x[i] > 1:
        i -= 1
    return i


@case(3, 4)
def whnest(n, m):
    i = 0
    c = 0
    while i < n:
        j = 0
        while j < m:
            if i == j:
                j += 1
                continue
            if i + j == 5:
                break
            c += i * j
            j += 1
        i += 1
    return c


@case(True, False)
def bools(a, b):
    return a and b, a or b, a and 1.5, (a and b) or 2, a ^ b, a & b, a + b, not (a and not b), a < b, sum((a, b, a))


@case(2.0)
def boolval(x):
    y = x and 3.0
    z = (x - 2.0) or 5.0
    return y, z


@case(1)
def intfloat(n):
    x = 0
    for i in range(n):
        x = x + 0.5
    return x


@case(3)
def longif(n):
    if n == 1:
        r = "a"
    elif n == 2:
        r = "b"
    else:
        r = "c"
    return n


@case(np.ones((2, 3)))
def neststore2(x):
    y = x.copy()
    y[0][1:] = 5.0
    return y


@case(np.arange(3.0))
def ext(x):
    def f(*a, **k):
        return a[0] + k["z"]

    g = lambda *a: f(*a, z=x)
    return g(1.0)


@case(np.float64(2.0))
def npz(x):
    return x / 0.0 * 0 + 1 if x > 3 else x // 1


@case(3)
def nested_func_loop(n):
    def outer(k):
        t = 0
        for i in range(k):

            def inner(j):
                return i + j

            for j in range(i):
                t += inner(j)
        return t

    return outer(n) + outer(n + 1)


@case(3.0)
def defaultglobal(x, k=K):
    return x * k


@case(2.0)
def mapf(x):
    return list(map(lambda a, b: a * b + x, (1.0, 2.0), (3.0, 4.0))), sorted((3, 1, 2)), [*range(3)]


@case(7)
def isprime(n):
    if n < 2:
        return False
    for d in range(2, n):
        if d * d > n:
            break
        if n % d == 0:
            return False
    return True


@case(np.array([1.0, 4.0]))
def normal(x):
    total = 0.0
    for v in x:
        if v < 0:
            raise ValueError("neg")
        total = total + math.sqrt(v)
    return total


@case(np.arange(3.0))
def swap_elems(x):
    y = x.copy()
    y[0], y[2] = y[2], y[0]
    return y


@case(3)
def lambdas(n):
    fs = {"a": lambda x: x + 1, "b": lambda x: x * 2}
    return fs["a"](n) + fs["b"](n), [f(n) for f in fs.values()]


@case(
    (1.0, (2.0, 3.0)),
)
def trees(t):
    a, (b, c) = t

    def walk(s):
        return sum(walk(v) for v in s) if isinstance(s, tuple) else s

    return walk(t) + a * b * c


@case(3)
def livelist(n):
    l = [1, 2, 3]
    for i, v in enumerate(l):
        l[i] = v * n
        if i + 1 < len(l):
            l[i + 1] += v
    return l


@case(3)
def growl(n):
    l = [1]
    for v in l:
        if len(l) < 4:
            l.append(v + n)
    return l


@case(3)
def dview(n):
    d = {"a": 1, "b": 2}
    v = d.items()
    d["b"] = n
    for k, x in v:
        d[k] = x + 1
    return d, list(d.values()), list(d.keys()), len(v)


@case(3.0)
def mapprint(x):
    def f(a):
        print("f", a)
        return a

    t = 0.0
    for v in map(f, (1.0, x)):
        print("body")
        t += v
    return t


@dataclasses.dataclass(eq=False)
class NE:
    a: float


@dataclasses.dataclass(order=True)
class OR:
    a: float
    b: float


@case(1.0)
def noeq(x):
    p = NE(x)
    return p == NE(x), p == p, OR(x, 2.0) < OR(x, 3.0), OR(x, 1.0) == OR(x, 1.0)


@case(2)
def dfl2(n):
    def f(x, acc=[]):
        acc.append(x)
        return len(acc)

    return f(n) + f(n)


@case(3)
def strz(n):
    z = list(zip((1, 2), (n, n)))
    return z, sum(a * b for a, b in z)


@case(-1.0)
def condmsg(x):
    if x < 0:
        raise ValueError(f"bad {x} {1.0 / x}")
    return x


@case(np.arange(3.0), 5)
def idxerr(x, i):
    if x[0] > 0:
        return x[i]
    return x[0]
