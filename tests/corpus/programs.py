"""The whole corpus, in one list."""

from tests.corpus import (
    algorithms,
    arrays,
    branches,
    effects,
    functions,
    indexing,
    loops,
    mutation,
    recursion,
    scalars,
    structures,
)
from tests.corpus.program import REGISTERED, Program

THEMES = (scalars, branches, loops, functions, recursion, structures, arrays, indexing, mutation, effects, algorithms)
PROGRAMS: list[Program] = list(REGISTERED)
