"""Every golden case that a GPU may run, on the emulated GPU: STOM's own trades, row for row."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest

from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.kernel import run_kernel
from stom_ray.engine.trades_io import trades_frame
from stom_ray.errors import ConfigError

SPEC = importlib.util.spec_from_file_location("golden_parity", Path(__file__).with_name("test_golden_parity.py"))
golden = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = golden  # dataclasses look their module up
SPEC.loader.exec_module(golden)

POWERS = ["c08_arithmetic"]
OTHERS = ["c23_temp_leak_grid", "c24_name_error_stop"]


def cuda_runs(name, db, cuda_emulation):
    """(run, selection, result on the emulated GPU) of each run of a case."""
    selection = golden.selection_of(name, db)
    for one in golden.runs_of(name):
        yield one, selection, CudaBacktest(one.strategy, selection, one.config, device=cuda_emulation()).run(one.params)


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
        expected = run_kernel(one.strategy, selection, one.params, one.config)
        assert result.faults == expected.faults
        for field, values in vars(expected.trades).items():
            assert getattr(result.trades, field).tobytes() == values.tobytes(), field


@pytest.mark.parametrize("name", POWERS)
def test_a_case_with_a_power_is_refused(name, golden_db, cuda_emulation):
    with pytest.raises(ConfigError, match=r"buy text, line 20, column 6: `\*\*`"):
        list(cuda_runs(name, golden_db, cuda_emulation))
