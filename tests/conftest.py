"""Settings of the test suite."""

import gc
import os
from collections.abc import Iterator

import pytest

# Every pass is checked in the tests; set before anything imports the package.
os.environ.setdefault("ARIGNOTE_VERIFY", "1")


@pytest.fixture(scope="module", autouse=True)
def what_modules_leave_is_not_looked_through_again() -> Iterator[None]:
    """Compiled programs are many objects: a collection that looks through those of all modules before takes seconds."""
    yield
    gc.collect()
    gc.freeze()
