"""Settings of the test suite."""

import os

# Every pass is checked in the tests; set before anything imports the package.
os.environ.setdefault("ARIGNOTE_VERIFY", "1")
