"""The native entry: what happens when a compiled function is called from Python.

A function's state holds a chain of specialisations. The entry tries their guards in turn; the first that matches is
called and its results are boxed. When none matches, the Python dispatcher gets the same arguments.
"""

from __future__ import annotations

from arignote.runtime import guard_codes, layout
from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import imported

# The state of a function: the chain, the Python dispatcher, a number that changes with the chain, and whether
# `disable_jit` concerns it and its dispatcher compiles (it does not where the state serves one specialisation).
FIRST, FALLBACK, VERSION, MAY_BE_OFF = 0, 8, 16, 24
STATE_WORDS = 4

# A specialisation for one way of calling the function, in words of 8 bytes.
FIELDS = (
    "next",
    "argument_count",
    "keyword_count",
    "keywords",
    "guards",
    "guard_count",
    "register_count",
    "slot_count",
    "owned_count",
    "buffer_slots",
    "buffer_count",
    "packed",
    "procedure",
    "result_count",
    "boxes",
    "box_count",
    "make_error",
    "release_bytes",
    "owner",
    "hits",
    "duration",
)
OFFSET = {name: 8 * position for position, name in enumerate(FIELDS)}

_TIMED_CALLS, _LONG = 32, 10_000
"""One call in so many is timed; one that takes so many nanoseconds releases Python's lock from then on."""

CONTEXT_WORDS = 13
SITE, SITE_ARGUMENTS, STACK_LIMIT, SHARED, NUMBER, CALLS_LEFT = 0, 8, 72, 80, 88, 96
"""Offsets in the context that a procedure gets. SHARED: of one of the calls that several threads share, what they have
in common, else null; NUMBER: which of them it is; see `parallel_map.py`. CALLS_LEFT: after how many calls of recursive
procedures to ask whether Ctrl-C was pressed."""

DEFINITIONS = ""

_OFFSET_FLAG_MASK = (1 << 63) - 1
_NO_MATCH = 1


def _matches_call() -> Function:
    """Whether the call has the form of the specialisation: so many positional arguments, and these keywords."""
    f = Function("matches_call", "i1", node="ptr", count="i64", keywords="ptr")
    expected = f.load("i64", f["node"], OFFSET["keyword_count"])
    no = Value(f, "i1", "false")
    with f.when(f["count"].differs(f.load("i64", f["node"], OFFSET["argument_count"]))):
        f.leave(no)
    with f.when(f["keywords"].equals(None)):
        f.leave(expected.equals(0))
    with f.when(f.load("i64", f["keywords"], layout.VARIABLE_SIZE).differs(expected)):
        f.leave(no)
    given, names = f.address(f["keywords"], layout.TUPLE_ITEMS), f.load("ptr", f["node"], OFFSET["keywords"])
    with f.repeat(expected) as index:
        left, right = f.load("ptr", given, index << 3), f.load("ptr", names, index << 3)
        with (
            f.when(left.differs(right)),
            f.when(f.call("i32", imported(f, "PyUnicode_Compare"), left, right).differs(0)),
        ):
            f.leave(no)
    f.leave(Value(f, "i1", "true"))
    return f


def _run() -> Function:
    """Tries one specialisation: the result, null with an exception set, or 1 where it does not match."""
    f = Function("run_specialisation", "ptr", node="ptr", args="ptr", count="i64", keywords="ptr")
    node = f["node"]
    no_match = Value(f, "ptr", f"inttoptr (i64 {_NO_MATCH} to ptr)")
    with f.when(f.call("i1", "matches_call", node, f["count"], f["keywords"]).equals(0)):
        f.leave(no_match)
    registers = f.words(f.load("i64", node, OFFSET["register_count"]))
    slots = f.words(f.load("i64", node, OFFSET["slot_count"]))
    owned = f.words(f.load("i64", node, OFFSET["owned_count"]))
    frame = f.local_words(guard_codes.FRAME_WORDS)
    for value, field in ((registers, guard_codes.REGISTERS), (slots, guard_codes.SLOTS), (owned, guard_codes.OWNED)):
        f.store(value, frame, field)
    for field in range(guard_codes.OWNED + guard_codes.COUNT, 8 * guard_codes.FRAME_WORDS, 8):
        f.store(0, frame, field, "i64")
    f.store(f.load("i64", node, OFFSET["owned_count"]), frame, guard_codes.OWNED + guard_codes.SPACE)
    f.store(0, frame, guard_codes.TOTAL_BYTES, "i64")
    buffer_slots = f.load("ptr", node, OFFSET["buffer_slots"])
    buffer_count = f.load("i64", node, OFFSET["buffer_count"])
    with f.repeat(buffer_count) as index:
        f.store(None, slots, f.load("i64", buffer_slots, index << 3) << 3, "ptr")
    with f.repeat(f["count"] + f.load("i64", node, OFFSET["keyword_count"])) as index:
        f.store(f.load("ptr", f["args"], index << 3), registers, index << 3)
    outcome = f.variable("ptr", no_match)
    owner = f.load("ptr", node, OFFSET["owner"])
    f.call("void", "retain_object", owner)
    guard_list, guard_count = f.load("ptr", node, OFFSET["guards"]), f.load("i64", node, OFFSET["guard_count"])
    answer = f.variable("i32", f.call("i32", "guard", guard_list, guard_count, frame))
    with f.when(buffer_count.differs(0) & answer.get().equals(guard_codes.MATCHES)):
        answer.set(f.call("i32", "visit_trees", frame))
    with f.when(answer.get().equals(guard_codes.MATCHES)):
        outcome.set(f.call("ptr", "run_matching", node, slots, f.load("i64", frame, guard_codes.TOTAL_BYTES)))
    with f.when(answer.get().equals(guard_codes.FAILS)):
        outcome.set(None)
    with f.repeat(buffer_count) as index:
        f.call("void", "ag_release", f.load("ptr", slots, f.load("i64", buffer_slots, index << 3) << 3))
    f.call("void", "end_frame", frame)
    f.call("void", "release_object", owner)
    f.leave(outcome.get())
    return f


def _run_matching() -> Function:
    """Calls the procedure, with Python's lock released when there is much to do, and boxes the results.

    Much to do means large arrays, or that a call took long: one call in some tens is timed.
    """
    f = Function("run_matching", "ptr", node="ptr", slots="ptr", bytes="i64")
    node, hits = f["node"], f.load("i64", f["node"], OFFSET["hits"])
    f.store(hits + 1, node, OFFSET["hits"])
    is_timed, begin = (hits & (_TIMED_CALLS - 1)).equals(0), f.variable("i64", 0)
    with f.when(is_timed):
        begin.set(f.call("i64", "nanoseconds"))
    context = f.local_words(CONTEXT_WORDS)
    f.store(f.call("i64", "ag_stack_limit"), context, STACK_LIMIT)
    f.store(None, context, SHARED, "ptr")
    f.store(0, context, CALLS_LEFT, "i64")
    results = f.words(f.load("i64", node, OFFSET["result_count"]))
    packed, procedure = f.load("ptr", node, OFFSET["packed"]), f.load("ptr", node, OFFSET["procedure"])
    has_many_bytes = f["bytes"] >= f.load("i64", node, OFFSET["release_bytes"])
    status, is_large = f.variable("i32"), has_many_bytes | (f.load("i64", node, OFFSET["duration"]) >= _LONG)
    with f.when(is_large):
        state = f.call("ptr", imported(f, "PyEval_SaveThread"))
        status.set(f.call("i32", packed, context, f["slots"], results, procedure))
        f.call("void", imported(f, "PyEval_RestoreThread"), state)
    with f.when(is_large.equals(0)):
        status.set(f.call("i32", packed, context, f["slots"], results, procedure))
    with f.when(is_timed):
        f.store(f.call("i64", "nanoseconds") - begin.get(), node, OFFSET["duration"])
    with f.when(status.get().differs(0)):
        f.call("void", "set_error", f.load("ptr", node, OFFSET["make_error"]), context)
        f.leave(None)
    stack = f.words(f.load("i64", node, OFFSET["box_count"]))
    boxes, box_count = f.load("ptr", node, OFFSET["boxes"]), f.load("i64", node, OFFSET["box_count"])
    f.leave(f.call("ptr", "box", boxes, box_count, results, stack))
    return f


def _set_error() -> Function:
    """Raises what `make_error(address of the context)` returns, unless an exception is set already."""
    f = Function("set_error", "void", make_error="ptr", context="ptr")
    with f.when(f.call("ptr", imported(f, "PyErr_Occurred")).differs(None)):
        f.leave()
    number = f.call("ptr", imported(f, "PyLong_FromLongLong"), f.to_integer(f["context"]))
    with f.when(number.equals(None)):
        f.leave()
    args = f.local_words(1)
    f.store(number, args)
    error = f.call("ptr", imported(f, "PyObject_Vectorcall"), f["make_error"], args, 1, None)
    f.call("void", "release_object", number)
    with f.when(error.differs(None)):
        f.call("void", imported(f, "PyErr_SetObject"), f.load("ptr", error, layout.TYPE), error)
        f.call("void", "release_object", error)
    f.leave()
    return f


def _entry() -> Function:
    """The vectorcall function of every compiled function. The state's address is in the object."""
    f = Function("ag_call", "ptr", callable="ptr", args="ptr", flags="i64", keywords="ptr")
    state = f.load("ptr", f["callable"], STATE_IN_OBJECT)
    version, count = f.load("i64", state, VERSION), f["flags"] & _OFFSET_FLAG_MASK
    node = f.variable("ptr", f.load("ptr", state, FIRST))
    with f.when((imported(f, "jit_disabled", "i64") & f.load("i64", state, MAY_BE_OFF)).differs(0)):
        node.set(None)
    with f.loop() as end:
        with f.when(node.get().equals(None)):
            f.jump(end)
        result = f.call("ptr", "run_specialisation", node.get(), f["args"], count, f["keywords"])
        with f.when(f.call("i1", "is_refuted", result) & f.load("i64", state, MAY_BE_OFF).differs(0)):
            f.call("void", imported(f, "PyErr_Clear"))
            f.jump(end)
        with f.when(f.to_integer(result).differs(_NO_MATCH)):
            f.leave(result)
        # A guard may have run Python code that emptied the chain.
        with f.when(f.load("i64", state, VERSION).differs(version)):
            f.jump(end)
        node.set(f.load("ptr", node.get(), OFFSET["next"]))
    f.leave(f.call("ptr", "call_fallback", state, f["args"], count, f["keywords"]))
    return f


def _call_fallback() -> Function:
    """Asks the dispatcher what to call with which arguments, and calls it: so it leaves no frame in tracebacks."""
    f = Function("call_fallback", "ptr", state="ptr", args="ptr", count="i64", keywords="ptr")
    fallback = f.load("ptr", f["state"], FALLBACK)
    with f.loop():
        pair = f.call("ptr", imported(f, "PyObject_Vectorcall"), fallback, f["args"], f["count"], f["keywords"])
        with f.when(pair.equals(None)):
            f.leave(None)
        target, args = (f.load("ptr", pair, layout.TUPLE_ITEMS + offset) for offset in (0, 8))
        result = f.call("ptr", imported(f, "PyObject_CallObject"), target, args)
        f.call("void", "release_object", pair)
        with f.when(f.call("i1", "is_refuted", result).equals(0)):
            f.leave(result)
        f.call("void", imported(f, "PyErr_Clear"))
    f.leave(None)
    return f


def _is_refuted() -> Function:
    """Whether the result of a call says that the program was compiled on a wrong assumption. The dispatcher will give
    another."""
    f = Function("is_refuted", "i1", result="ptr")
    with f.when(f["result"].differs(None)):
        f.leave(Value(f, "i1", "false"))
    raised = f.call("ptr", imported(f, "PyErr_Occurred"))
    f.leave(raised.equals(imported(f, "WrongAssumption")))
    return f


STATE_IN_OBJECT = 24
"""Offset of the state's address in the callable object."""


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_matches_call(), _run(), _run_matching(), _set_error(), _is_refuted(), _call_fallback(), _entry()]
