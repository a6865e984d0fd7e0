"""threadpoolctl sees and limits our threads, whichever of the two is imported first; it is not imported for that."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("threadpoolctl")

PROGRAM = """
ag.set_num_threads(3)
(found,) = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "arignote"]
assert found["num_threads"] == 3 and found["version"] == ag.__version__
with threadpoolctl.threadpool_limits(1):
    assert ag.get_num_threads() == 1
with threadpoolctl.threadpool_limits({"arignote": 2}):
    assert ag.get_num_threads() == 2
with threadpoolctl.threadpool_limits(1, user_api="blas"):
    assert ag.get_num_threads() == 3
assert ag.get_num_threads() == 3
assert threadpoolctl.__spec__.name == "threadpoolctl"
"""
OURS_FIRST = "import sys, arignote as ag\nassert 'threadpoolctl' not in sys.modules\nimport threadpoolctl\n"
OURS_LAST = "import threadpoolctl\nimport arignote as ag\n"


@pytest.mark.parametrize("imports", [OURS_FIRST, OURS_LAST], ids=["ours first", "ours last"])
def test_seen_and_limited(imports):
    done = subprocess.run([sys.executable, "-c", imports + PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"ARIGNOTE_NUM_THREADS": "5", "OMP_NUM_THREADS": "2"}, 5),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "3,1"}, 3),
        ({"ARIGNOTE_NUM_THREADS": "0", "OMP_NUM_THREADS": "many"}, None),
    ],
)
def test_the_environment(variables, threads):
    program = "from arignote.runtime import threads; print(threads.get_num_threads(), threads.available_processors())"
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", program], env=kept | variables, capture_output=True, text=True)
    found, processors = map(int, done.stdout.split())
    assert found == (threads or processors)
