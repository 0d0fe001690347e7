"""Run by `against` in an interpreter that has vectorbt: signals in, seconds and trades out. Imports nothing of this project.

SIGNALS.npz: close (n,), entries (n, k) bool, last (n,) bool, size (n,), target and stop (k,) as fractions. One column a
candidate, over all sessions in a row: positions end on a session's last row, on which nothing is bought.
"""

import json
import statistics
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")

import vectorbt as vbt  # noqa: E402
from vectorbt.portfolio.enums import StopExitPrice  # noqa: E402


def simulate(data: dict[str, np.ndarray]) -> object:
    return vbt.Portfolio.from_signals(
        data["close"][:, None],
        entries=data["entries"],
        exits=data["last"][:, None],
        size=data["size"][:, None],
        tp_stop=data["target"][None, :],
        sl_stop=data["stop"][None, :],
        stop_exit_price=StopExitPrice.Price,
        init_cash=1e15,
        fees=0.0,
        slippage=0.0,
        freq="s",
    )


def main(path: str, repeats: int) -> None:
    data = dict(np.load(path))
    portfolio = simulate(data)
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        portfolio = simulate(data)
        seconds.append(time.process_time() - started)
    records = portfolio.trades.records
    trades = [[int(row[name]) for name in ("col", "entry_idx", "exit_idx")] for _, row in records.iterrows()]
    print(json.dumps({"version": vbt.__version__, "seconds": seconds, "trades": trades, "median": statistics.median(seconds)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
