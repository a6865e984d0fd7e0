"""The whole corpus, in one list."""

from tests.corpus import (
    algorithms,
    arrays,
    branches,
    effects,
    functions,
    indexing,
    lists,
    loops,
    matching,
    mutation,
    optional,
    records,
    recursion,
    scalars,
    structures,
    trees,
)
from tests.corpus.program import REGISTERED, Program

THEMES = (scalars, branches, loops, functions, recursion, structures, arrays, indexing, lists, mutation,
          effects, algorithms, optional, records, trees, matching)  # fmt: skip
PROGRAMS: list[Program] = list(REGISTERED)
