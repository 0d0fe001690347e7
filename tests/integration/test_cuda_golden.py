"""Every golden case that a GPU may run, on the emulated GPU: STOM's own trades, row for row, and what they add up to."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.trades_io import trades_frame
from stom_ray.errors import ConfigError

SPEC = importlib.util.spec_from_file_location("golden_parity", Path(__file__).with_name("test_golden_parity.py"))
golden = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = golden  # dataclasses look their module up
SPEC.loader.exec_module(golden)

POWERS = ["c08_arithmetic"]
OTHERS = ["c23_temp_leak_grid", "c24_name_error_stop"]


def cuda_runs(name, db, cuda_emulation):
    """(run, selection, result on the emulated GPU) of each run of a case. Sums of the first few are those of their trades."""
    selection = golden.selection_of(name, db)
    for number, one in enumerate(golden.runs_of(name)):
        kernel = CudaBacktest(one.strategy, selection, one.config, device=cuda_emulation())
        result = kernel.run(one.params)
        if number < 3:
            expected = Totals.of(result, len(one.params), selection.selected.session_day).without(result.faults)
            totals = kernel.totals(one.params)
            for field, values in vars(expected).items():
                np.testing.assert_array_equal(getattr(totals, field), values, err_msg=field)
        yield one, selection, result


@pytest.mark.parametrize("name", [name for name in golden.EQUAL if name not in POWERS])
def test_trades_are_stoms_row_for_row(name, golden_db, cuda_emulation):
    frames = []
    for one, selection, result in cuda_runs(name, golden_db, cuda_emulation):
        assert result.faults == ()
        frames.append(trades_frame(result.trades, one.strategy, selection.selected, labels=(one.vturn, one.vkey)))
    golden.assert_same_trades(pd.concat(frames, ignore_index=True), golden.expected_trades(name))


@pytest.mark.parametrize("name", [*golden.SEVERAL_LENGTHS, *OTHERS])
def test_where_stom_differs_the_gpu_does_as_the_cpu(name, golden_db, cuda_emulation):
    for one, selection, result in cuda_runs(name, golden_db, cuda_emulation):
        expected = CompiledKernel(one.strategy, selection, one.config).run(one.params)
        assert result.faults == expected.faults
        for field, values in vars(expected.trades).items():
            assert getattr(result.trades, field).tobytes() == values.tobytes(), field


@pytest.mark.parametrize("name", POWERS)
def test_a_case_with_a_power_is_refused(name, golden_db, cuda_emulation):
    with pytest.raises(ConfigError, match=r"buy text, line 20, column 6: `\*\*`"):
        list(cuda_runs(name, golden_db, cuda_emulation))
