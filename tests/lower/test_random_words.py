"""Random bits: the interpreters and the machine give the words of NumPy's Philox."""

import numpy as np
import pytest

from arignote.ir.graph import Parameter
from arignote.ir.structure import ANY
from arignote.ir.types import INT64, Array
from arignote.ops.emit import Emit
from tests.lower.harness import agree


def function_of(batch, mapped_start):
    key = Parameter("key", Array("int64", (*([ANY] * batch), 2)))
    start = Parameter("start", Array("int64", [ANY] * batch) if mapped_start else INT64)
    count = Parameter("count", INT64)
    emit = Emit()
    node = emit.op("random_words", key, start, count, stream=3, dim=ANY)
    return emit.function("words", [key, start, count], node)


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 3, 4, 5, 17])
@pytest.mark.parametrize(("batch", "mapped"), [(0, False), (1, False), (1, True), (2, True)])
def test_words(count, batch, mapped):
    generator = np.random.default_rng(count + 1 + 10 * batch)
    shape = (3, 2)[:batch]
    key = generator.integers(-(2**63), 2**63 - 1, size=(*shape, 2))
    start = generator.integers(0, 2**40, size=shape) if mapped else np.int64(7)
    agree(function_of(batch, mapped), key, start, np.int64(count))
