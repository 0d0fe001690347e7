"""On a machine with a GPU: golden cases and random programs on the card itself, equal to the reference bit for bit."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.cuda_device import CupyDevice, why_no_gpu
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.planned.totals import Totals

MISSING = why_no_gpu()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no GPU: {MISSING}")
TESTS = Path(__file__).parents[1]


def module(path):
    spec = importlib.util.spec_from_file_location(f"on_gpu_{path.stem}", path)
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def test_golden_cases_trade_on_the_card_as_on_the_cpu(golden_db):
    golden = module(TESTS / "integration" / "test_golden_parity.py")
    compared = 0
    for name in (name for name in [*golden.EQUAL, *golden.SEVERAL_LENGTHS, "c23_temp_leak_grid"] if name != "c08_arithmetic"):
        selection = golden.selection_of(name, golden_db)
        for one in golden.runs_of(name):
            kernel = CudaBacktest(one.strategy, selection, one.config, device=CupyDevice())
            result, totals = kernel.run(one.params), kernel.totals(one.params)
            expected = CompiledKernel(one.strategy, selection, one.config).run(one.params)
            assert result.faults == expected.faults, name
            for field, values in vars(expected.trades).items():
                assert getattr(result.trades, field).tobytes() == values.tobytes(), (name, field)
            sums = Totals.of(expected, len(one.params), selection.selected.session_day).without(expected.faults)
            for field, values in vars(sums).items():
                np.testing.assert_array_equal(getattr(totals, field), values, err_msg=f"{name} {field}")
            compared += len(expected.trades)
    assert compared > 10_000


@pytest.mark.parametrize("seed", range(100, 110))
def test_random_programs_trade_on_the_card_as_in_the_reference(seed, make_panel):
    programs = module(TESTS / "property" / "test_cuda_equals_reference.py")
    for profile, hazard, _ in programs.PROGRAMS:
        programs.check_program(make_panel, CupyDevice, seed, profile, hazard)
