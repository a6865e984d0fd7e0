"""Two one-line functions whose first calls are timed, each in a process of its own."""

import numpy as np

import arignote as ag


@ag.jit
def function(x):
    return np.sum(np.sin(x) * x)


@ag.jit
def warm(x):
    return x * x + 1.0
