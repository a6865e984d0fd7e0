"""Lowering of random bits: a loop over blocks of four words, of which the last may be cut short."""

from __future__ import annotations

from arignote.ir.graph import Apply
from arignote.lower.context import Context
from arignote.lower.frame import Frame, rule
from arignote.lower.loop_ir import INT64, Const, Operand
from arignote.lower.nests import Nest
from arignote.lower.scan_rules import Indices, over
from arignote.lower.values import ONE, ZERO, AnyValue, Stored

MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
INCREMENTS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
"""Of Philox-4x64: what the counter's words are multiplied by, and what the key grows by in each round."""

ROUNDS = 10
BLOCK = 4
GRAIN = 4096
"""Fewest blocks that are worth a thread."""


def _signed(word: int) -> Const:
    word %= 2**64
    return Const(word - 2**64 if word >= 2**63 else word, INT64)


def _philox(context: Context, key: tuple[Operand, Operand], counter: Operand, stream: int) -> list[Operand]:
    """The four words of a block."""
    build = context.build
    a, b, c, d = counter, ZERO, ZERO, _signed(stream)
    first, second = key
    for number in range(ROUNDS):
        if number:
            first = build.let("add", first, _signed(INCREMENTS[0]))
            second = build.let("add", second, _signed(INCREMENTS[1]))
        high_a, low_a = _product(context, MULTIPLIERS[0], a)
        high_c, low_c = _product(context, MULTIPLIERS[1], c)
        a = build.let("bitwise_xor", build.let("bitwise_xor", high_c, b), first)
        c = build.let("bitwise_xor", build.let("bitwise_xor", high_a, d), second)
        b, d = low_c, low_a
    return [a, b, c, d]


def _product(context: Context, factor: int, word: Operand) -> tuple[Operand, Operand]:
    """The high and the low half of an unsigned product."""
    build = context.build
    return build.let("multiply_high", _signed(factor), word), build.let("multiply", _signed(factor), word)


@rule("random_words")
def _random_words(frame: Frame, node: Apply) -> AnyValue:
    context, build = frame.context, frame.context.build
    key = frame.stored(node.inputs[0])
    start = frame.stored(node.inputs[1]) if len(key.sizes) > 1 and frame.sizes(node.inputs[1]) else None
    single = ZERO if start is not None else frame.scalar(node.inputs[1])
    count = frame.scalar(node.inputs[2])
    if not context.is_count(count):
        count = build.let("maximum", count, ZERO)
        context.now_count(count)
    result = context.allocate(INT64, (*key.sizes[:-1], count))
    nest = Nest(context, result.sizes)
    indices: Indices = [ZERO] * len(result.sizes)
    whole = build.let("floor_divide", count, Const(BLOCK, INT64))
    rest = build.let("subtract", count, build.let("multiply", whole, Const(BLOCK, INT64)))
    some = build.let("minimum", rest, ONE)

    def words(block: Operand) -> tuple[list[Operand], Operand]:
        """A block, and where it goes."""
        before = indices[:-1]
        halves = [build.load(key.pointer, nest.offset(key, [*before, Const(n, INT64)])) for n in (0, 1)]
        position = single if start is None else build.load(start.pointer, nest.offset(start, before))
        counter = build.let("add", build.let("add", position, ONE), block)
        indices[-1] = build.let("multiply", block, Const(BLOCK, INT64))
        place = nest.offset(result, indices)
        indices[-1] = ZERO
        return _philox(context, (halves[0], halves[1]), counter, node["stream"]), place

    def row() -> None:
        """The rest goes first, as the loop that threads share has to be the kernel's last statement."""
        with build.loop(some), nest.scope():
            made, place = words(whole)
            for number, word in enumerate(made[: BLOCK - 1]):
                with build.branch(build.let("less", Const(number, INT64), rest)) as branch:
                    build.store(result.pointer, build.let("add", place, Const(number, INT64)), word)
                    branch.otherwise()
        alone = len(result.sizes) == 1
        with build.loop(whole, parallel=alone, grain=Const(GRAIN, INT64) if alone else None) as loop, nest.scope():
            made, place = words(loop.index)
            for number, word in enumerate(made):
                build.store(result.pointer, build.let("add", place, Const(number, INT64)), word)

    with build.kernel() as kernel:
        over(nest, result.sizes, list(range(len(result.sizes) - 1)), indices, row)
        kernel.statement.reads = tuple(_read(key, start))
        kernel.statement.writes = (result.pointer,)
    return result


def _read(key: Stored, start: Stored | None) -> list:
    return [key.pointer] if start is None else [key.pointer, start.pointer]
