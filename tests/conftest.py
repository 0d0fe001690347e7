"""Small panels made by hand, and the golden database."""

import gzip
import importlib.util
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from stom_ray.schema.columns import LAYOUTS, TICK_COLUMNS
from stom_ray.store.load import load_panel
from stom_ray.store.panel import Panel

GOLDEN = Path(__file__).parent / "golden"

# No test is a matter of time: the first example of many compiles a kernel.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell that starts the tests in the background has them ignore SIGINT, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def clocks(day, n, start=90_000):
    """n consecutive seconds of a day, yyyymmddhhmmss."""
    first = start // 10_000 * 3_600 + start // 100 % 100 * 60 + start % 100
    seconds = first + np.arange(n)
    return day * 1_000_000 + seconds // 3_600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60


def build_panel(sessions, *, layout="tick_v1", names=None, **columns):
    """A panel of consecutive seconds.

    sessions: (code, day, n_rows), ordered by code, then day. columns: name -> one value, or one per row. What is not given has
    a quiet market: 현재가 1000, asks 1001..1005 and bids 999..995 of 1000 shares each, 관심종목 1, everything else 0.
    """
    codes = tuple(sorted({code for code, _, _ in sessions}))
    lengths = [n for _, _, n in sessions]
    total = sum(lengths)
    quiet = {"현재가": 1000.0, "시가": 1000.0, "고가": 1000.0, "저가": 1000.0, "관심종목": 1.0, "시가총액": 500.0}
    for level in range(1, 6):
        quiet |= {f"매도호가{level}": 1000.0 + level, f"매수호가{level}": 1000.0 - level}
        quiet |= {f"매도잔량{level}": 1000.0, f"매수잔량{level}": 1000.0}
    known = LAYOUTS[layout].values if layout in LAYOUTS else TICK_COLUMNS[1:]
    data = {name: np.full(total, quiet.get(name, 0.0)) for name in known}
    for name, values in columns.items():
        assert name in data, name
        data[name] = np.broadcast_to(np.asarray(values, dtype=np.float64), (total,)).copy()
    clock = np.concatenate([clocks(day, n) for _, day, n in sessions]).astype(np.int64)
    return Panel(
        codes=codes,
        session_code=np.array([codes.index(code) for code, _, _ in sessions], dtype=np.int64),
        session_day=np.array([day for _, day, _ in sessions], dtype=np.int64),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        clock=clock,
        ranking_clock=np.unique(clock),
        layout=layout,
        names=names or {},
        columns=data,
    )


@pytest.fixture(scope="session")
def make_panel():
    return build_panel


@pytest.fixture(scope="session")
def cuda_emulation(tmp_path_factory):
    """Makes devices for the CUDA driver that are no GPU: `cuda_emulation(memory=...)` runs the generated source on the CPU."""
    spec = importlib.util.spec_from_file_location("cuda_emulation", Path(__file__).parent / "cuda_emulation" / "device.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.COMPILER is None:
        pytest.skip("no C compiler: gcc or clang compiles the CUDA source for the CPU")
    folder = tmp_path_factory.mktemp("cuda")
    return lambda **settings: module.EmulatedDevice(folder, **settings)


@pytest.fixture(scope="session")
def golden_folder():
    return GOLDEN


@pytest.fixture(scope="session")
def golden_db(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "golden.db"
    with gzip.open(GOLDEN / "golden.db.gz") as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


@pytest.fixture(scope="session")
def golden_panel(golden_db):
    """Everything in golden.db between 09:00:00 and 09:30:00."""
    return load_panel(golden_db, time=(90_000, 93_000))
