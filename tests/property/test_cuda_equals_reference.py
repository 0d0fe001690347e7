"""Random programs over random sessions on the emulated GPU: trades, faults, counts and sums are the reference simulator's.

The programs are those of test_kernel_equals_reference, with what a GPU refuses replaced: powers and angles of varying length.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stom_ray.conditions import ir
from stom_ray.conditions.emit_cuda import refusals
from stom_ray.conditions.traversal import rewrite_program
from stom_ray.engine import cuda_chunk
from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.reference import run_reference
from stom_ray.store.load import select

SPEC = importlib.util.spec_from_file_location("kernel_programs", Path(__file__).with_name("test_kernel_equals_reference.py"))
programs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(programs)


def exact(node: ir.Expr) -> ir.Expr:
    """The node, or one of the same shape that a GPU computes to the last bit."""
    if isinstance(node, ir.Binary) and node.op == "**":
        return replace(node, op="*")
    if isinstance(node, ir.Window) and node.function.endswith("각도"):
        return replace(node, function="체결강도평균")
    return node


def exact_strategy(seed: int, profile: str, hazard: float, size: int) -> ir.Strategy:
    strategy = programs.Writer(seed, profile, hazard, size).strategy()
    elapsed = tuple((name, rewrite_program(program, exact)) for name, program in strategy.elapsed)
    found = replace(
        strategy, buy=rewrite_program(strategy.buy, exact), sell=rewrite_program(strategy.sell, exact), elapsed=elapsed
    )
    assert refusals(found) == ()
    return found


def assert_totals(got: Totals, expected: Totals) -> None:
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(got, name), values, err_msg=name)


def check_program(make_panel, cuda_emulation, seed: int, profile: str, hazard: float, size: int = 6) -> int:
    """One program over several panels; returns how many trades were compared."""
    strategy = exact_strategy(seed, profile, hazard, size)
    compared = 0
    for part, (odd, calm) in enumerate(((0.0, True), (0.02, True), (0.15, False))):
        panel = programs.random_panel(make_panel, seed * 10 + part, odd)
        days = programs.DAYS[1:]
        selection = select(panel) if part != 1 else select(panel, days=days, time=(90_000, 90_028))
        config = programs.configuration(seed + part, profile)
        params = programs.random_rows(seed + part, 6, calm)
        expected = run_reference(strategy, selection, params, config)
        totals = Totals.of(expected, len(params), selection.selected.session_day).without(expected.faults)
        kernel = CudaBacktest(strategy, selection, config, device=cuda_emulation())
        for share in (0.0, np.inf):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(cuda_chunk, "OUTCOMES_A_WALK", share)
                programs.assert_equal(kernel.run(params), expected)
                assert_totals(kernel.totals(params), totals)
        streamed = CudaBacktest(strategy, selection, config, device=cuda_emulation(), memory_bytes=1)
        programs.assert_equal(streamed.run(params), expected)
        assert_totals(streamed.totals(params), totals)
        compared += len(expected.trades)
    return compared


# profile, hazard, seed: with trades, with faults, with divisions by zero, and elapsed-tick expressions of both kinds
PROGRAMS = [("stom", 0.0, 8), ("stom", 0.015, 10), ("corrected", 0.0, 6), ("corrected", 0.15, 3), ("corrected", 0.15, 8)]


@pytest.mark.parametrize(("profile", "hazard", "seed"), PROGRAMS)
def test_random_programs_trade_and_fault_as_in_the_reference(profile, hazard, seed, make_panel, cuda_emulation):
    assert check_program(make_panel, cuda_emulation, seed, profile, hazard, size=4) > 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_random_programs_trade_and_fault_as_in_the_reference(seed, make_panel, cuda_emulation):
    for profile, hazard, _ in programs.PROGRAMS:
        check_program(make_panel, cuda_emulation, seed, profile, hazard)


@pytest.mark.slow
def test_no_kernel_reads_outside_its_arrays():
    """The same programs with the C compiler's checks of addresses and undefined behaviour, in a process of their own."""
    found = [
        subprocess.run(
            [shutil.which("gcc") or "false", f"-print-file-name={name}"], capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so", "libstdc++.so")
    ]
    if not all(Path(path).is_absolute() for path in found):
        pytest.skip("gcc has no libasan and libubsan here")
    environment = os.environ | {
        "LD_PRELOAD": " ".join(found),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
        "CUDA_EMULATION_OPTIONS": "-fsanitize=address,undefined -fno-sanitize-recover=all",
    }
    name = f"{Path(__file__)}::{test_random_programs_trade_and_fault_as_in_the_reference.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("." * len(PROGRAMS))
