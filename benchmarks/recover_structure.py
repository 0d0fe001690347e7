"""Whether a search over structure finds what was planted: `python -m benchmarks.recover_structure [--first N] [--seeds N]`.

A market with an edge of three terms, a library of more than 60 terms that has these three among many that move with them, a buy
script that says nothing. The search is told no more than the library, the market and a sell script that sells after the edge's
horizon. A seed is recovered when two of the planted terms are in the winner with their thresholds, and a third of the winner's
terms holds on the same rows as the planted third, correlation above 0.8. Seeds draw the market and the search.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.terms import NotCut
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.kernel_bind import batch_windows
from stom_ray.engine.planned.cut import cut
from stom_ray.engine.planned.prepared import prepare
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.library import parse_library
from stom_ray.search.space import Choice, Space
from stom_ray.search.structure import Structure, build_structure
from stom_ray.search.structure_goal import StructureGoal, trade_without_skill
from stom_ray.search.study import Study, StudyConfig
from stom_ray.simulate import Edge, SimulateConfig, simulate
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Selection

EDGE = "{strength}bp/30s/episode strength>110 buy_ratio>2.5 rate_angle(30)>6"
PLANTED = ("체결강도 > 110", "초당매수수량 > 초당매도수량 * 2.5", "등락율각도(30) > 6")
BUY = "매수 = True\nif 매수:\n    self.Buy()\n"
SELL = "매도 = False\nif 보유시간 > 30:\n    매도 = True\nif 매도:\n    self.Sell()\n"
LIBRARY = """
체결강도 > {80..140 by 5}
체결강도평균({30 | 60 | 120 | 300}) > {80..140 by 5}
최고체결강도({60 | 300}) > {80..140 by 5}
최저체결강도({60 | 300}) > {80..140 by 5}
체결강도 > 체결강도평균({30 | 60 | 300}) + {-10..20 by 2}
초당매수수량 > 초당매도수량 * {0.5..5 by 0.5}
누적초당매수수량({5 | 10 | 30 | 60}) > 누적초당매도수량({5 | 10 | 30 | 60}) * {0.5..5 by 0.5}
초당매수수량 > 최고초당매수수량({30 | 60}, 1) * {0.1..1 by 0.1}
초당매도수량 < 최고초당매도수량({30 | 60}, 1) * {0.1..1 by 0.1}
등락율각도({10 | 30 | 60 | 120}) > {-10..20 by 2}
당일거래대금각도({10 | 30 | 60}) > {0..80 by 10}
등락율 > {-6..20 by 2}
고저평균대비등락율 > {-3..3 by 0.5}
전일비 > {0..200 by 20}
회전율 > {0..5 by 0.5}
초당거래대금 > {0..40 by 4}
초당거래대금 > 초당거래대금평균({30 | 60 | 300}) * {0.5..4 by 0.5}
매수총잔량 > 매도총잔량 * {0.4..2 by 0.2}
현재가 > 이동평균({10 | 30 | 60 | 300}) * {0.98..1.02 by 0.005}
현재가 > 최고현재가({30 | 60 | 300}, 1) * {0.98..1.01 by 0.005}
현재가 > 최저현재가({30 | 60 | 300}, 1) * {1..1.03 by 0.005}
현재가 > 시가 * {0.96..1.06 by 0.01}
시가총액 > {500..5000 by 500}
시분초 > {90200..92800 by 200}
데이터길이 > {60..1500 by 120}
라운드피겨위5호가이내 == 0
현재가N(10) < 현재가 * {0.98..1.01 by 0.005}
"""


def structure_of(layout: str) -> Structure:
    terms = parse_library(LIBRARY, "library")
    return build_structure({"buy": BUY, "sell": SELL}, 1, terms={"buy": terms}, lines={}, layout=layout, profile="corrected")


def recover(seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One market, one search."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.db"
        edge = Edge.parse(EDGE.format(strength=options.strength))
        simulate(path, SimulateConfig(codes=options.codes, days=options.days, seed=seed, edge=edge))
        selection = select(load_panel(path))
        started = time.perf_counter()
        found = search(selection, seed, options, Path(folder) / "ledger.bin")
        seconds = time.perf_counter() - started
    return {"seed": seed, "seconds": round(seconds, 1), **found}


def search(selection: Selection, seed: int, options: argparse.Namespace, ledger: Path) -> dict[str, Any]:
    structure = structure_of(selection.loaded.layout)
    space = structure.space(Space((Choice((30,), 30),)))
    strategy = compile_strategy(structure.buy, structure.sell, layout=selection.loaded.layout)
    evaluator = SerialEvaluator(strategy, selection, EngineConfig(gate_var0=True), threads=options.threads)
    baseline, deviation = trade_without_skill(evaluator.evaluate(space.present), 0)
    goal = StructureGoal(space=space, price=options.price, guide="surplus", baseline=baseline, deviation=deviation)
    config = StudyConfig(
        space,
        goal,
        {"market": seed},
        sampler="structure",
        seed=seed,
        batch_size=options.batch,
        evaluations=options.evaluations,
        patience=options.patience,
        time_limit_s=options.limit,
    )
    result = Study(config, evaluator, ledger).run()
    best = int(result.table.best()[0])
    winner = structure.found(row_of(space, result.table.rows(np.array([best]))))
    return {
        **judged(selection, list(winner.rules)),
        "terms": len(structure.switches) // 2,
        "winner": winner.rules,
        "objective": round(float(result.table.objective[best]), 2),
        "evaluations": len(result.table),
        "ended": result.ended[0] or result.stopped_by,
        "kernel": round(result.kernel, 2),
        "sampler": round(result.sampler, 2),
    }


def row_of(space: Space, params: ParamMatrix) -> list[int | float]:
    return [float(value) if written else int(value) for value, written in zip(params.values[0], params.is_float[0], strict=True)]


def judged(selection: Selection, rules: list[str]) -> dict[str, Any]:
    """Which planted terms the rules have, and how the others correlate with what is missing. Rows of `PLANTED` by rules."""
    holds = truths(selection, [*PLANTED, *rules])
    planted, ours = holds[: len(PLANTED)], holds[len(PLANTED) :]
    table = [[correlation(one, other) for other in ours] for one in planted]
    exact = [any(np.array_equal(one, other) for other in ours) for one in planted]
    best = [max([-1.0, *row]) for row in table]
    recovered = any(
        all(exact[k] for k in pair) and min(best[k] for k in range(len(PLANTED)) if k not in pair) > 0.8
        for pair in itertools.combinations(range(len(PLANTED)), 2)
    )
    return {"recovered": recovered, "exact": sum(exact), "correlations": [round(value, 3) for value in best]}


def truths(selection: Selection, conditions: list[str]) -> NDArray[np.bool_]:
    """(n_conditions, n_rows): where a script with only this condition would buy, of the rows on which any might."""
    found = [open_rows(selection, condition) for condition in ("True", *conditions)]
    return np.stack(found[1:])[:, found[0]]


def open_rows(selection: Selection, condition: str) -> NDArray[np.bool_]:
    """(n_rows,) of the selection."""
    buy = BUY.replace("매수 = True", f"매수 = {condition}")
    strategy = compile_strategy(buy, SELL, layout=selection.loaded.layout)
    plan = cut(strategy, frozenset())
    assert not isinstance(plan, NotCut)
    kernel = CompiledKernel(strategy, selection, EngineConfig())
    (block,) = kernel.blocks(selection.selected.n_rows)
    windows = batch_windows(kernel.emitted, ParamMatrix.from_rows([[30]]), False)
    prepared = prepare(block, strategy, plan, {}, windows, 30, False)
    rows = np.zeros(selection.selected.n_rows, dtype=np.bool_)
    bits = np.unpackbits(prepared.gate.view(np.uint8), bitorder="little").astype(np.bool_)
    for start, end, word in zip(prepared.offsets, prepared.offsets[1:], prepared.words, strict=False):
        rows[start:end] = bits[64 * word : 64 * word + end - start]
    return rows


def correlation(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--codes", type=int, default=10)
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--strength", type=float, default=120.0)
    parser.add_argument("--price", type=float, default=0.5)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--evaluations", type=int, default=16_000)
    parser.add_argument("--patience", type=int, default=30)
    parser.add_argument("--limit", type=float, default=280.0)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    records = []
    for seed in range(asked.first, asked.first + asked.seeds):
        records.append(recover(seed, asked))
        print(json.dumps(records[-1], ensure_ascii=False), flush=True)
    print(f"{sum(record['recovered'] for record in records)} of {len(records)} recovered")


if __name__ == "__main__":
    main()
