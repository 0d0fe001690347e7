"""emit_cuda_runtime.cuh compiled for the CPU: each function has the bits of its namesake in the numba runtime."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stom_ray.conditions.emit_cuda import LAYOUT, runtime_source
from stom_ray.engine import costing, kernel_runtime
from stom_ray.features import slices
from stom_ray.features.rounding import round_decimal, round_tick

SHIM = Path(__file__).parents[2] / "cuda_emulation" / "shim.h"
WRAPPER = 'extern "C" {kind} c_{name}({declared}) {{ return {name}({passed}); }}'
SIGNATURES = {
    "round_tick": ("double", "whole"),
    "round_decimal": ("double", "whole"),
    "remainder_of": ("double", "double"),
    "floor_divide": ("double", "double"),
    "fee_of": ("double",) * 3,
    "net_amount": ("double",) * 5,
    "profit_pct": ("double", "double"),
    **dict.fromkeys(("total", "mean3", "whole_mean", "highest", "lowest"), ("Column", "whole", "whole")),
    "sale_price": ("const double *", "double", "int"),
    "forced_sale_price": ("const double *", "whole", "whole", "double", "int"),
}


class Column(ctypes.Structure):
    _fields_ = (("values", ctypes.c_void_p), ("stride", ctypes.c_longlong))


TYPES = {
    "double": ctypes.c_double,
    "whole": ctypes.c_longlong,
    "int": ctypes.c_int,
    "const double *": ctypes.c_void_p,
    "Column": Column,
}
ODD = (0.0, -0.0, 0.5, -0.5, 1.0, 2.5, -2.5, 2.675, 1e15, 2.0**52 + 0.5, 2.0**53, 1e300, -1e300, 5e-324, np.inf, -np.inf, np.nan)


@pytest.fixture(scope="module")
def runtime(cuda_emulation, tmp_path_factory):
    wrappers = []
    for name, kinds in SIGNATURES.items():
        declared = ", ".join(f"{kind} a{k}" for k, kind in enumerate(kinds))
        passed = ", ".join(f"a{k}" for k in range(len(kinds)))
        wrappers.append(WRAPPER.format(kind="double", name=name, declared=declared, passed=passed))
    path = tmp_path_factory.mktemp("runtime") / "runtime.so"
    source = "\n".join((f'#include "{SHIM}"', LAYOUT, runtime_source(), *wrappers))
    options = ("-x", "c++", "-std=c++14", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
    subprocess.run(["gcc", *options, "-o", path, "-"], input=source, text=True, check=True)
    library = ctypes.CDLL(str(path))

    def function(name):
        found = getattr(library, f"c_{name}")
        found.restype, found.argtypes = ctypes.c_double, [TYPES[kind] for kind in SIGNATURES[name]]
        return found

    return function


def same(left, right):
    """Equal bits, any NaN being one."""
    left, right = np.float64(left), np.float64(right)
    return (np.isnan(left) and np.isnan(right)) or left.view(np.int64) == right.view(np.int64)


def numbers(seed, count):
    rng = np.random.default_rng(seed)
    scales = rng.choice([1e-3, 1.0, 1e3, 1e9], count)
    return [*ODD, *(rng.integers(-5000, 5000, count) * scales / rng.choice([1, 2, 8, 1000], count)).tolist()]


@pytest.mark.parametrize(("name", "numba"), [("round_tick", round_tick), ("round_decimal", round_decimal)])
def test_rounding_has_the_same_bits(name, numba, runtime):
    rounded = runtime(name)
    for digits in (*range(-4, 7), -22, 22):
        for x in numbers(digits + 50, 300):
            assert same(rounded(x, digits), numba(x, digits)), (x, digits)


@pytest.mark.parametrize(
    ("name", "numba"), [("remainder_of", kernel_runtime.remainder), ("floor_divide", kernel_runtime.floor_divide)]
)
def test_division_has_the_same_bits(name, numba, runtime):
    divided = runtime(name)
    for a in numbers(1, 60):
        for b in numbers(2, 60):
            assert same(divided(a, b), numba(a, b)), (a, b)


@pytest.mark.parametrize("name", ["total", "mean3", "whole_mean", "highest", "lowest"])
@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 15, 127, 128, 129, 136, 256, 257, 300, 1200, 4099, 86_400])
def test_windows_have_the_same_bits(name, length, runtime):
    rng = np.random.default_rng(length)
    for values in (rng.normal(100.0, 30.0, length + 3), rng.choice([-0.0, 0.0, 1e16, 0.1], length + 3)):
        end = length + 1
        for _ in range(2):
            spread = np.full((length + 3, 3), np.inf)
            spread[:, 1] = values
            found = runtime(name)(Column(spread[:, 1:].ctypes.data, 3), end, length)
            assert same(found, getattr(slices, name)(values, end, length))
            values[end - length // 2] = np.nan


def test_costs_have_the_same_bits(runtime):
    rng = np.random.default_rng(5)
    fee, net, pct = runtime("fee_of"), runtime("net_amount"), runtime("profit_pct")
    for _ in range(500):
        bought, sold = float(rng.integers(1, 10**9)), float(rng.choice([rng.integers(0, 10**9), np.nan, 0.0]))
        rates = (float(rng.choice([0.0018, 0.0023])), 0.00015, 10.0)
        left = costing.net_amount(bought, sold, *rates)
        assert same(net(fee(bought, *rates[1:]), sold, *rates), left)
        assert same(pct(bought, left), costing.profit_pct(bought, left))


@pytest.mark.parametrize("name", ["sale_price", "forced_sale_price"])
def test_sales_have_the_same_price(name, runtime):
    rng = np.random.default_rng(9)
    n = 400
    cols = np.empty((12, n))
    cols[:5] = rng.choice([0.0, np.nan, -5.0, 990.0, 1000.0, 1005.0], (5, n), p=[0.1, 0.05, 0.05, 0.3, 0.3, 0.2])
    cols[5:10] = rng.choice([0.0, np.nan, 3.0, 50.0, 700.0], (5, n), p=[0.2, 0.1, 0.3, 0.3, 0.1])
    cols[10] = rng.choice([0.0, np.nan, 1001.0], n, p=[0.3, 0.1, 0.6])
    cols[10, 0] = 998.0
    rows = np.ascontiguousarray(cols.T)
    for row in range(n):
        for quantity, levels in ((1.0, 5), (60.0, 5), (60.0, 2), (2000.0, 5)):
            expected = getattr(kernel_runtime, name)(cols, row, quantity, levels)
            place = (rows[row].ctypes.data,) if name == "sale_price" else (rows.ctypes.data, 12, row)
            assert same(runtime(name)(*place, quantity, levels), expected), (row, quantity, levels)
