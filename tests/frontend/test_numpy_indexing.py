"""Reading and writing by index, beside plain NumPy."""

import numpy as np
import pytest

from tests.frontend.numpy_oracle import compare

RANDOM = np.random.default_rng(0)
A, CUBE = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=(2, 3, 4))
DTYPES = {"float64": A, "float32": A.astype(np.float32), "int64": (A * 10).astype(int), "bool": A > 0}

OF_MATRIX = """
1 | -1 | 5 | :,1:3 | ::-1,::2 | ...,0 | None | :,None,1 | 1,... | [0,2] | [0,2],1: | :,[0,2] | [[0],[2]],[1,3] | x>0
x[:,0]>0 | :,x[0]>0 | x[:,0]>0,1 | 1,[0,2] | [True,False,True] | np.array([0,1]),None,np.array([1,2]) | [] | -2:,-2:
1:-1 | 5: | -10:2 | 2:0:-1 | 2:0:-1,::-2 | () | ... | True | False | None,True | 0,0 | [0,5] | [0,-3] | [0,-4]
0,[True,False,True,False] | ...,[0,1] | [0,1],... | [1,0],...,[0,1] | :,:,0 | 1.5 | None,1:,None,::2 | y | y,y | y:
:y | y:,y | ::y | [y,0] | y:-y | -y:y:-1
"""
OF_CUBE = """
[0,1],:,[0,1] | 0,:,[0,1] | :,0,[0,1] | [0,1],1 | :,[0,1],[1,2] | :,x[0,:,0]>0 | x[:,:,0]>0 | [0,1],...,[0,1]
...,[0,1],[1,2] | None,[0],:,[1] | 0,...,[0,1] | :,None,[0,1] | 1:,[0,1],::2 | [[0,1],[1,0]] | 0,0,0 | 0,0
-1,:,-1 | ...,::2 | 1,None,...,None
"""
STORES = """
x[0] = 1.5 | x[:, 1] = y | x[1:, ::2] = 7 | x[0, 1] = y[0] | x[:, ::-1] = x | x[x > 0] = 0 | x[x > 0] = x[x > 0] * 2
x[[0, 2]] = 5 | x[[0, 0, 1]] = np.arange(3.0)[:, None] | x[[0, 2], [1, 1]] = [8, 9] | x[:, [0, 2]] = y[:, None]
x[1, [0, 2]] = 3 | x[...] = 2 | x[:] = y[:, None] | x[:] = y[:2] | x[x[:, 0] > 0] = 9 | x[x[:, 0] > 0] = np.arange(4)
x[x[:, 0] > 0, 1] = 5 | x[1:3, [0, 1]] = 4 | x[0] = np.ones((1, 4)) | x[None, 0] = 3 | x[1:, 1] = 6 | x[-1, 1:] = y[0]
x[7, 1:] = 1 | x[x > 0] = np.arange(3.0) | x[:, [True, False, True, False]] = 1 | x[[0, 9]] = 1 | x.fill(3)
x.sort(axis=0) | np.fill_diagonal(x, 7) | np.copyto(x, 2) | x[2:0:-1] = y[0]
x[0] = [1, 2, 3, 4] | x[0, 0] = float('nan') | x[-1] = x[0]
"""
TARGETS = """
0 | 0,1 | 1: | :,1 | 1:3,::2 | 1,1:3 | [0,2] | [0,0] | [0,1],[1,2] | x[:,0]>0 | x>0 | ... | :,[0,2] | : | None | 7
x[:,0]>0,1 | -1,-1 | -4,1:3
"""
VALUES = (
    "2", "1.5", "np.float32(2)", "np.int64(3)", "np.abs(y)", "True", "np.arange(4)", "z[:, None]", "np.ones((1, 1, 4))",
)  # fmt: skip


def parts(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


@pytest.mark.parametrize("index", parts(OF_MATRIX))
def test_read_matrix(index: str) -> None:
    compare(f"x[{index}]", A, 1)


@pytest.mark.parametrize("index", parts(OF_CUBE))
def test_read_cube(index: str) -> None:
    compare(f"x[{index}]", CUBE)


@pytest.mark.parametrize("store", parts(STORES))
def test_store(store: str) -> None:
    for x in DTYPES.values():
        compare(f"x = x.copy(); {store}; x", x, RANDOM.normal(size=3))


@pytest.mark.parametrize("target", parts(TARGETS))
@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "//=", "**="])
def test_augmented(operator: str, target: str) -> None:
    for x in DTYPES.values():
        for value in VALUES if operator in ("+=", "*=") else VALUES[:5]:
            code = f"x = x.copy(); x[{target}] {operator} {value}; x"
            if x.dtype == bool and operator in ("//=", "**="):
                continue  # int8 in between
            compare(code, x, RANDOM.normal(size=4), np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "//=", "**=", "@=", "&="])
def test_in_place(operator: str) -> None:
    for x in DTYPES.values():
        for value in (*VALUES, "np.eye(4)"):
            compare(f"x = x.copy(); x {operator} {value}; x", x, RANDOM.normal(size=4), np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("call", ["np.add.at(x, [0, 0, 1], 1)", "np.subtract.at(x, ([0, 0], [1, 1]), 2)"])
def test_repeated_indices_all_count(call: str) -> None:
    for x in (A, DTYPES["float32"], DTYPES["int64"]):
        compare(f"x = x.copy(); {call}; x", x)
