"""The face of the transform: a whole mapped function."""

from __future__ import annotations

from arignote.batching import control, data, elements, stack
from arignote.batching.convert import leading
from arignote.batching.elements import STACKERS, Given, each
from arignote.batching.masks import Mask, batched_type, parts, uniform
from arignote.batching.transform import PER_ELEMENT, STRUCTURAL, Batcher, prints
from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.graph import Function, Node, Parameter
from arignote.ir.records import dataclass
from arignote.ir.types import INT64, TOKEN, Tuple
from arignote.ops.batching import Batch, CannotBatch
from arignote.ops.emit import Emit

STACKERS.update(stack.BY_TYPE)
STRUCTURAL.update(data.STEPS)
STRUCTURAL.update(control.STEPS)
PER_ELEMENT.append(elements.apply_per_element)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapped function. `mask` says which parts of its result differ from element to element; with `token`, a token is
    its first parameter, and its result is the pair of a token and the result; with `counted`, the number of elements is
    the next parameter."""

    function: Function
    mask: Mask
    token: bool
    counted: bool


def batch(batcher: Batcher, function: Function, masks: tuple[Mask, ...], dim: int,
          whole: tuple[bool, ...] | None = None) -> Mapped:  # fmt: skip
    """The function of many elements.

    masks: of the parameters, False where nothing of one is mapped; something is mapped
    dim:   what is known of the number of elements
    whole: the items of the result, a tuple, all of whose parts are to be mapped even if they are the same
    """
    masks = tuple([uniform(p.type, False) if mask is False else mask
                   for p, mask in zip(function.parameters, masks, strict=True)])  # fmt: skip
    wanted = None
    if whole is not None and any(whole):
        items = parts(function.result_type) or ()
        wanted = tuple([uniform(item, flag) for item, flag in zip(items, whole, strict=True)])
    if not prints(function):
        try:
            made = batcher.batch(function, masks, dim, wanted)
            return Mapped(made.function, made.mask, False, made.counted)
        except CannotBatch:
            pass  # some array's shape may differ from element to element: the whole function goes one by one
    try:
        return one_by_one(function, masks, dim)
    except CannotBatch as error:
        raise UnsupportedSyntaxError(f"vmap cannot stack {error}") from None


def one_by_one(function: Function, masks: tuple[Mask, ...], dim: int) -> Mapped:
    """The function called for each element in turn."""
    emit = Emit()
    types = [p.type for p in function.parameters]
    parameters = [Parameter(p.name, batched_type(p.type, m, dim))
                  for p, m in zip(function.parameters, masks, strict=True)]  # fmt: skip
    count = leading(emit, parameters, types, masks)
    given = [Given(*x) for x in zip(parameters, types, masks, strict=True)]
    counted, own_token = count is None, TOKEN not in types
    if count is None:
        count = Parameter("count", INT64)
        parameters.insert(0, count)
    result = function.result_type
    if own_token:
        token = Parameter("token", TOKEN)
        parameters.insert(0, token)
        given.insert(0, Given(token, TOKEN, False))
        result = Tuple([TOKEN, result])

    def make(inner: Emit, operands: list[Node]) -> Node:
        if not own_token:
            return inner.call(function, *operands)
        return inner.tuple([operands[0], inner.call(function, *operands[1:])])

    whole = each(Batch(emit, count, dim), f"each_{function.name}", given, result, make, compare=True)
    made = emit.function(f"{function.name}_each", parameters, whole)
    return Mapped(made, uniform(function.result_type, True), own_token, counted)
