"""The command line as a user has it, a small simulated market and a strategy with ranges."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from stom_ray.api import search
from stom_ray.cli.main import run
from stom_ray.config import load_config
from stom_ray.simulate import DEMO_EDGE, SimulateConfig, simulate

BUY = """\
매수 = True
if not (90100 <= 시분초 <= 90900):
    매수 = False
elif not (체결강도 > self.vars[1]):
    매수 = False
if 매수:
    self.Buy()
"""
SELL = """\
매도 = False
if 수익률 >= self.vars[3]:
    매도 = True
elif 보유시간 > self.vars[2]:
    매도 = True
if 매도:
    self.Sell()
"""
RANGES = """\
self.vars[0] = [[30, 30, 0], 30]        # 평균값계산틱수
self.vars[1] = [[90, 120, 2], 100]      # 체결강도
self.vars[2] = [[20, 120, 10], 60]      # 보유시간
self.vars[3] = [[0.4, 2.0, 0.1], 0.5]   # 익절
"""
RUN = """\
data: {{path: {market}}}
strategy: {{buy: buy.txt, sell: sell.txt, ranges: vars.txt}}
engine: {{costs: krx}}
search: {{sampler: {sampler}, evaluations: {evaluations}, islands: {islands}, batch: 10, seed: 1}}
{walk_forward}execution: {{backend: serial, workers: 1, folder: run}}
"""
WINDOWS = "walk_forward: {train_days: 4, valid_days: 2, test_days: 1}\n"


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def cli(monkeypatch, capfd):
    """`stom-ray ARGS` in this process, through the entry point that a shell calls."""

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["stom-ray", *map(str, args)])
        capfd.readouterr()
        code = 0
        try:
            run()
        except SystemExit as end:
            code = end.code or 0
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """A database of 3 instruments and 8 days, ten minutes each, with an edge."""
    path = tmp_path_factory.mktemp("market") / "market.db"
    simulate(path, SimulateConfig(codes=3, days=8, seed=5, end=91000, edge=DEMO_EDGE))
    return path


def write_strategy(folder: Path) -> None:
    for name, text in (("buy", BUY), ("sell", SELL), ("vars", RANGES)):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def strategy_files():
    """Writes the strategy's files into a folder."""
    return write_strategy


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the user stands: the strategy's files are here."""
    monkeypatch.chdir(tmp_path)
    write_strategy(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def write_run(market):
    """Writes run.yaml into a folder; returns its path."""

    def written(folder, *, evaluations=40, sampler="random", islands=2, walk_forward=WINDOWS, name="run.yaml"):
        settings = {"sampler": sampler, "evaluations": evaluations, "islands": islands, "walk_forward": walk_forward}
        (folder / name).write_text(RUN.format(market=market, **settings), encoding="utf-8")
        return folder / name

    return written


@pytest.fixture(scope="session")
def finished(tmp_path_factory, write_run):
    """A folder with run.yaml, its strategy, and the finished run in run/. To be looked at or copied, not changed."""
    folder = tmp_path_factory.mktemp("finished")
    write_strategy(folder)
    search(load_config(write_run(folder)))
    return folder
