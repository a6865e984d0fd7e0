"""General random programs: value, gradient in both modes, second order, vmap; no leaks, and few refusals.

ARIGNOTE_TEST_PROFILE=slow (as in `make test-slow`) tries many more.
"""

import os
from collections import Counter
from collections.abc import Callable
from random import Random

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import arignote as ag
from tests.properties.general_checks import Program, Refused
from tests.properties.general_programs import Writer

SLOW = os.environ.get("ARIGNOTE_TEST_PROFILE") == "slow"
MOST_REFUSED = 0.1


def sized(quick: int, slow: int) -> settings:
    return settings(
        max_examples=slow if SLOW else quick,
        deadline=None,
        derandomize=not SLOW,  # the same programs at every run of the ordinary tests
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
        if SLOW
        else (Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


def check(text: str, seed: int, properties: tuple[Callable[[Program], None], ...]) -> Counter[str]:
    """Whether the program was checked, or refused."""
    program = Program(text, seed)
    smooth = len(properties) > 1 or properties[0] is not Program.check_value
    assume(program.is_smooth_enough() if smooth else program.is_usable())
    try:
        for has_property in properties:
            has_property(program)
    except Refused as refused:
        return Counter({"refused": 1, str(refused): 1})
    finally:
        ag.clear_cache()
    return Counter({"checked": 1})


def run(profile: settings, size: int, *properties: Callable[[Program], None], aliases: bool = False) -> None:
    """Draw programs and check them; at the end few may have been refused, where arrays do not have several names."""
    counts: Counter[str] = Counter()

    @profile
    @given(random=st.randoms(use_true_random=False), seed=st.integers(0, 9))
    def draw(random: Random, seed: int) -> None:
        counts.update(check(Writer(random, size, aliases).text(), seed, properties))

    draw()
    most = 1.0 if aliases else MOST_REFUSED
    assert counts["refused"] <= max(1, most * (counts["refused"] + counts["checked"])), counts.most_common()


def test_value() -> None:
    run(sized(5, 1500), 5, Program.check_value)


def test_value_where_arrays_have_several_names() -> None:
    run(sized(5, 1500), 6, Program.check_value, aliases=True)


def test_gradient() -> None:
    run(sized(4, 400), 3, Program.check_gradient)


def test_second_order() -> None:
    run(sized(2, 100), 2, Program.check_second)


def test_vmap() -> None:
    run(sized(2, 200), 2, Program.check_vmap)
