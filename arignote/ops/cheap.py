"""Operations whose results are computed again rather than kept for a derivative: reading them back from memory would
cost as much."""

from __future__ import annotations

_ARITHMETIC = frozenset(
    "add subtract multiply divide negative square absolute sign sqrt maximum minimum fmax fmin copysign floor ceil "
    "round trunc floor_divide remainder isnan isfinite isinf signbit equal not_equal less less_equal greater "
    "greater_equal logical_and logical_or logical_xor logical_not add_overflows subtract_overflows multiply_overflows "
    "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift select cast stop_gradient".split()
)
_VIEWS = frozenset(
    "size broadcast_to reshape transpose expand_dims squeeze slice index iota item tuple closure captured list_length "
    "list_get tag project".split()
)
CHEAP = _ARITHMETIC | _VIEWS
