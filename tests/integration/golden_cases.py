"""Reads a golden case as spec/engine.md, "Reading the files", says."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.ranges import parse_ranges
from stom_ray.engine.backtest import run
from stom_ray.engine.sweeps import explicit_rows, loaded_lengths, one_at_a_time
from stom_ray.engine.trades_io import trades_frame
from stom_ray.engine.types import EngineConfig, Fault, ParamMatrix, Weighting
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Panel, Selection

GOLDEN = Path(__file__).parents[1] / "golden"
COLUMNS = {
    "code": "code",
    "buy_time": "buy_time",
    "sell_time": "sell_time",
    "hold_sec": "hold_s",
    "buy_price": "buy_price",
    "sell_price": "sell_price",
    "buy_amount": "buy_amount",
    "sell_amount": "sell_amount",
    "profit_pct": "profit_pct",
    "profit_krw": "profit_krw",
    "sell_cond": "label",
    "market_cap": "market_cap",
}


def database(folder: Path) -> Path:
    """golden.db, unpacked into `folder` once."""
    path = folder / "golden.db"
    if not path.exists():
        with gzip.open(GOLDEN / "golden.db.gz") as packed, path.open("wb") as out:
            shutil.copyfileobj(packed, out)
    return path


def names() -> list[str]:
    return sorted(path.name for path in (GOLDEN / "cases").iterdir())


@dataclass(frozen=True)
class Run:
    """One call of the engine: a strategy, its parameter rows, and what STOM calls each row."""

    strategy: Strategy
    params: ParamMatrix
    config: EngineConfig
    vturn: list[int]
    vkey: list[int]


def params_of(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / "cases" / name / "params.json").read_text(encoding="utf-8"))


def selection_of(name: str, db: Path) -> Selection:
    """load_* restricts what is loaded; plain startday..endtime slices afterwards."""
    params = params_of(name)
    loaded = _panel(
        db,
        tuple(params.get("codes", ())),
        (params.get("load_startday", 0), params.get("load_endday", 99_999_999)),
        (params.get("load_starttime", 90_000), params.get("load_endtime", 93_000)),
    )
    days = (params.get("startday", 0), params.get("endday", 99_999_999))
    return select(loaded, days=days, time=(params.get("starttime", 90_000), params.get("endtime", 93_000)))


@cache
def _panel(db: Path, codes: tuple[str, ...], days: tuple[int, int], time: tuple[int, int]) -> Panel:
    return load_panel(db, codes=codes or None, days=days, time=time)


def runs_of(name: str, profile: str = "stom") -> list[Run]:
    params = params_of(name)
    settings = params.get("dict_set", {})
    elapsed = settings.get("주식경과틱수설정", "")
    if params["mode"] == "조건최적화":
        pairs = zip(params["buy_conds"], params["sell_conds"], strict=True)
        config = config_of(params, tuple(params["avg_list"]), False, profile)
        empty = ParamMatrix.from_rows([[]])
        return [
            Run(compile_conditions(buy, sell, profile=profile, elapsed=elapsed), empty, config, [0], [key])
            for key, (buy, sell) in enumerate(pairs)
        ]
    folder = GOLDEN / "cases" / name
    texts = [(folder / side).read_text(encoding="utf-8") for side in ("buy.txt", "sell.txt")]
    strategy = compile_strategy(*texts, profile=profile, elapsed=elapsed)
    if params["mode"] == "백테스트":
        config = config_of(params, tuple(params["avg_list"]), False, profile)
        return [Run(strategy, ParamMatrix.from_rows([[]]), config, [0], [0])]
    if params["mode"] == "GA최적화":
        plan = explicit_rows(params["vars_lists"])
        config = config_of(params, loaded_lengths(params["vars0"]), True, profile)
    elif params["opti_turn"] == 2:
        best = [best for _, best in params["vars_list"]]
        config = config_of(params, tuple(params["avg_list"]), True, profile)
        return [Run(strategy, ParamMatrix.from_rows([best]), config, [0], [0])]
    else:
        text = "\n".join(f"self.vars[{i}] = {json.dumps(entry)}" for i, entry in enumerate(params["vars_list"]))
        plan = one_at_a_time(parse_ranges(text, form="values"))
        config = config_of(params, plan.loaded_lengths, True, profile)
    return [Run(strategy, plan.params, config, plan.vturn.tolist(), plan.vkey.tolist())]


def config_of(params: dict[str, Any], lengths: tuple[int, ...], gate_var0: bool, profile: str) -> EngineConfig:
    settings = params.get("dict_set", {})
    weights = settings.get("주식비중조절", [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    return EngineConfig(
        betting=params["betting"],
        avgtime=params["avgtime"],
        gate_var0=gate_var0,
        loaded_lengths=lengths,
        ask_levels=settings.get("주식매수시장가잔량범위", 5),
        bid_levels=settings.get("주식매도시장가잔량범위", 5),
        weighting=Weighting(int(weights[0]), tuple(weights[1:5]), tuple(weights[5:])),
        profile=profile,
    )


def trades_of(name: str, db: Path, backend: str, profile: str = "stom") -> tuple[pd.DataFrame, tuple[Fault, ...]]:
    """The trades as STOM lists them, under our column names, and the faults."""
    selection = selection_of(name, db)
    frames, faults = [], []
    for one in runs_of(name, profile):
        result = run(one.strategy, selection, one.params, one.config, backend=backend)
        frames.append(trades_frame(result.trades, one.strategy, selection.selected, labels=(one.vturn, one.vkey)))
        faults += result.faults
    return pd.concat(frames, ignore_index=True), tuple(faults)


def expected_trades(name: str) -> pd.DataFrame:
    table = pd.read_csv(GOLDEN / "cases" / name / "trades.csv", dtype={"code": str, "sell_cond": str}, keep_default_na=False)
    return table[["vturn", "vkey", *COLUMNS]].rename(columns=COLUMNS)
