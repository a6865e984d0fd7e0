"""einsum: operands are contracted from left to right, each pair by one (stacked) matrix product, or by multiplication
and summation where there is no matrix in it.

A dimension of an ellipsis gets a label of its own, numbered from the last one; a dimension known to be 1 loses its
label if another operand has it, which is broadcasting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import Known, Refused, numpy_function
from arignote.frontend.numpy_linalg import check_equal, numbers
from arignote.frontend.numpy_operand import cast, rank_of, refuse, refuse_shape
from arignote.frontend.numpy_reduce import reduced
from arignote.frontend.numpy_shape import permuted, reshaped
from arignote.frontend.values import Value
from arignote.ir.graph import Node
from arignote.ir.records import dataclass
from arignote.ir.types import dims_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Label = str
ELLIPSIS_LABELS = [chr(0x2460 + k) for k in range(32)]


@dataclass(slots=True)
class Term:
    """An operand and the label of each of its axes."""

    node: Node
    labels: list[Label]


@numpy_function("einsum")
def einsum(c: Context, subscripts: Known, /, *operands: Value, out: Refused = None, optimize: Known = False,
           dtype: Refused = None, order: Refused = "K", casting: Refused = "safe") -> Node:  # fmt: skip
    if not isinstance(subscripts, str):
        refuse(c, "np.einsum with subscripts as lists is not supported in compiled code", "write them as a string")
    result_dtype, nodes = numbers(c, *operands)
    inputs, output = parse(c, subscripts, nodes)
    terms = [_prepared(c, Term(node, labels)) for node, labels in zip(nodes, inputs, strict=True)]
    terms = _broadcast(c, terms)
    return cast(c, _contract_all(c, terms, output), result_dtype)


# Reading the subscripts --------------------------------------------------------------------------------------------


def _fail(c: Context, message: str) -> NoReturn:
    refuse_shape(c, message)


def parse(c: Context, subscripts: str, nodes: Sequence[Node]) -> tuple[list[list[Label]], list[Label]]:
    """The labels of each operand and those of the result."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    texts = left.split(",")
    if len(texts) != len(nodes):
        few = "fewer" if len(nodes) > len(texts) else "more"
        _fail(c, f"{few} operands subscripts than operands were given to np.einsum: {subscripts!r}")
    inputs = [_labels(c, text, rank_of(node)) for text, node in zip(texts, nodes, strict=True)]
    dotted = [label for label in ELLIPSIS_LABELS if any(label in labels for labels in inputs)][::-1]
    if arrow:
        output = _output_labels(c, right, dotted)
    else:
        counts = Counter(label for labels in inputs for label in labels)
        output = [*dotted, *sorted(x for x, count in counts.items() if count == 1 and x not in dotted)]
    _check_output(c, inputs, output)
    return inputs, output


def _labels(c: Context, text: str, rank: int) -> list[Label]:
    before, dots, after = text.partition("...")
    for label in before + after:
        if not label.isascii() or not label.isalpha():
            _fail(c, f"invalid subscript '{label}' in einstein sum subscripts string, subscripts must be letters")
    count = rank - len(before) - len(after)
    if count < 0:
        _fail(c, "einstein sum subscripts string contains too many subscripts for operand")
    if count > 0 and not dots:
        _fail(c, "operand has more dimensions than subscripts given in einstein sum, but no '...' ellipsis provided to "
              "broadcast the extra dimensions.")  # fmt: skip
    return [*before, *ELLIPSIS_LABELS[:count][::-1], *after]


def _output_labels(c: Context, text: str, dotted: Sequence[Label]) -> list[Label]:
    before, dots, after = text.partition("...")
    if dotted and not dots:
        _fail(c, "output has more dimensions than subscripts given in einstein sum, but no '...' ellipsis provided to "
              "broadcast the extra dimensions.")  # fmt: skip
    return [*before, *dotted, *after]


def _check_output(c: Context, inputs: Sequence[Sequence[Label]], output: Sequence[Label]) -> None:
    known = {label for labels in inputs for label in labels}
    for label, count in Counter(output).items():
        if count > 1:
            _fail(c, f"einstein sum subscripts string includes output subscript '{label}' multiple times")
        if label not in known:
            _fail(c, f"einstein sum subscripts string included output subscript '{label}' which never appeared in an "
                  "input")  # fmt: skip


# Operands ----------------------------------------------------------------------------------------------------------


def _prepared(c: Context, term: Term) -> Term:
    """Repeated labels become diagonals."""
    for label, count in Counter(term.labels).items():
        for _ in range(count - 1):
            term = _diagonal(c, term, label)
    return term


def _diagonal(c: Context, term: Term, label: Label) -> Term:
    """The first two axes of this label become one, at the end."""
    first = term.labels.index(label)
    second = term.labels.index(label, first + 1)
    node = term.node
    count = s.size(c, node, first)
    text = (f"dimensions in operand for collapsing index '{label}' don't match",)
    check_equal(c, count, s.size(c, node, second), text)
    others = [axis for axis in range(rank_of(node)) if axis not in (first, second)]
    node = permuted(c, node, [*others, first, second])
    i = c.emit("iota", count, dtype="int64", dim=s.dim_of(count))
    node = c.emit("gather", node, i, i, axis=len(others))
    return Term(node, [*[term.labels[axis] for axis in others], label])


def _broadcast(c: Context, terms: list[Term]) -> list[Term]:
    """Axes of size 1 are dropped where another operand has the label. That the other sizes of a label agree is checked
    by the products."""
    counts = Counter(label for term in terms for label in term.labels)
    result = []
    for term in terms:
        dims = dims_of(term.node.type)
        ones = [axis for axis, label in enumerate(term.labels) if dims[axis] == 1 and counts[label] > 1]
        for axis in ones:
            counts[term.labels[axis]] -= 1
        if ones:
            node = c.emit("squeeze", term.node, axes=tuple(ones))
            term = Term(node, [label for axis, label in enumerate(term.labels) if axis not in ones])
        result.append(term)
    return result


# Contracting -------------------------------------------------------------------------------------------------------


def _contract_all(c: Context, terms: list[Term], output: list[Label]) -> Node:
    current = _summed(c, terms[0], {*output, *_labels_of(terms[1:])})
    for position, term in enumerate(terms[1:], start=1):
        wanted = {*output, *_labels_of(terms[position + 1 :])}
        term = _summed(c, term, wanted | set(current.labels))
        current = _pair(c, _summed(c, current, wanted | set(term.labels)), term, wanted)
    current = _summed(c, current, set(output))
    return permuted(c, current.node, [current.labels.index(label) for label in output])


def _labels_of(terms: Iterable[Term]) -> set[Label]:
    return {label for term in terms for label in term.labels}


def _summed(c: Context, term: Term, wanted: set[Label]) -> Term:
    """Without the axes that nobody wants any more."""
    axes = tuple(axis for axis, label in enumerate(term.labels) if label not in wanted)
    if not axes:
        return term
    return Term(reduced(c, "sum", term.node, axes), [label for label in term.labels if label in wanted])


def _ordered(c: Context, term: Term, labels: Sequence[Label]) -> Node:
    return permuted(c, term.node, [term.labels.index(label) for label in labels])


def _pair(c: Context, a: Term, b: Term, wanted: set[Label]) -> Term:
    shared = [label for label in a.labels if label in b.labels]
    stack = [label for label in shared if label in wanted]
    inside = [label for label in shared if label not in wanted]
    rows = [label for label in a.labels if label not in shared]
    columns = [label for label in b.labels if label not in shared]
    if not inside or not (rows or columns):
        return _multiplied(c, a, b, stack, inside, rows, columns)
    left = _as_matrices(c, _ordered(c, a, [*stack, *rows, *inside]), len(stack), len(rows))
    right = _as_matrices(c, _ordered(c, b, [*stack, *inside, *columns]), len(stack), len(inside))
    product = c.emit("matmul", left, right)
    whole = s.shape(c, product)
    shape = [*whole[: len(stack)], *_sizes_of(c, a, rows, whole[-2]), *_sizes_of(c, b, columns, whole[-1])]
    return Term(reshaped(c, product, shape), [*stack, *rows, *columns])


def _sizes_of(c: Context, term: Term, labels: Sequence[Label], joined: Node) -> list[Node]:
    """The sizes of labels that were made one axis of a matrix, of size `joined`."""
    return [joined] if len(labels) == 1 else [s.size(c, term.node, term.labels.index(label)) for label in labels]


def _as_matrices(c: Context, node: Node, stack: int, rows: int) -> Node:
    sizes = s.shape(c, node)
    flat = [s.product(c, sizes[stack : stack + rows]), s.product(c, sizes[stack + rows :])]
    return reshaped(c, node, [*sizes[:stack], *flat])


def _multiplied(c: Context, a: Term, b: Term, stack: list[Label], inside: list[Label], rows: list[Label],
                columns: list[Label]) -> Term:  # fmt: skip
    """Products of entries, axes side by side, then summed over those inside."""
    labels = [*stack, *rows, *columns, *inside]
    product = c.emit("multiply", _spread(c, a, labels), _spread(c, b, labels))
    axes = tuple(range(len(labels) - len(inside), len(labels)))
    return Term(reduced(c, "sum", product, axes), [*stack, *rows, *columns])


def _spread(c: Context, term: Term, labels: Sequence[Label]) -> Node:
    node = _ordered(c, term, [label for label in labels if label in term.labels])
    missing = tuple(axis for axis, label in enumerate(labels) if label not in term.labels)
    return c.emit("expand_dims", node, axes=missing) if missing else node
