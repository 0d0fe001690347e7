"""SIGKILL at random moments: `python -m benchmarks.kills [--kills N] [--seed N] [--json OUT.json] [serial] [ray]`.

`stom-ray search run.yaml`, a search and its walk-forward on a small simulated market, is killed and resumed until it ends; then
it is compared, bit by bit, with the same run undisturbed: the table, daily returns, trades and result (without times and places).
No batch and no key may stand in a ledger twice, and no batch of an island may be missing. Rounds go on, each in a folder of its
own, until N processes were killed, half of them under each backend. What is killed: the driver; over Ray also an island, and once
in a while any other process of Ray's that the run has started. Only processes that a run of this command started are touched.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from stom_ray.search.ledger import Ledger
from stom_ray.search.table import trial_table
from stom_ray.simulate import DEMO_EDGE, SimulateConfig, simulate

BUY = """매수 = True
if not (90100 <= 시분초 <= 90900):
    매수 = False
elif not (체결강도 > self.vars[1]):
    매수 = False
if 매수:
    self.Buy()
"""
SELL = """매도 = False
if 수익률 >= self.vars[3]:
    매도 = True
elif 보유시간 > self.vars[2]:
    매도 = True
if 매도:
    self.Sell()
"""
RANGES = """self.vars[0] = [[30, 30, 0], 30]
self.vars[1] = [[90, 120, 2], 100]
self.vars[2] = [[20, 120, 10], 60]
self.vars[3] = [[0.4, 2.0, 0.1], 0.5]
"""
RUN = """data: {{path: {market}}}
strategy: {{buy: buy.txt, sell: sell.txt, ranges: vars.txt}}
engine: {{costs: krx}}
search: {{sampler: genetic, evaluations: {evaluations}, islands: 2, batch: 10, seed: 1, options: {{population: 20}}}}
walk_forward: {{train_days: 4, valid_days: 2, test_days: 1, evaluations: {windows}}}
execution: {{backend: {backend}, workers: 2, folder: run}}
"""
BACKENDS = ("serial", "ray")
SIZES = {"serial": (2_000, 150), "ray": (600, 40)}  # rows of the search, and of each window of the walk-forward
VOLATILE = ("seconds", "folder", "report", "how", "created", "command")
PATIENCE_S = 600.0
ORPHANS_S = 30.0


@dataclass(frozen=True)
class Kill:
    """round and after_s: which run of the command it hit, and how long that had been running. rows: in its ledgers then."""

    backend: str
    round: int
    what: str
    after_s: float
    rows: int


@dataclass
class Tally:
    """differences: what a round's result and the undisturbed one do not share, in words. left_behind: children of a killed driver
    that lived on. failures: runs that ended by themselves with another code than 0, with what they said: after the loss of Ray
    itself a run may end, but a resume must go on.
    """

    kills: list[Kill] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    rounds: int = 0
    left_behind: list[str] = field(default_factory=list)


class Run:
    """One start of the command, and the processes it has started."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "stom_ray.cli.main", "search", "run.yaml", "--resume"]
        self._said = folder / "said.txt"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command, cwd=folder, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True, env=environment()
            )
        self._driver = psutil.Process(self._process.pid)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def wait(self, seconds: float) -> int | None:
        """The exit code, None when it is still running by then."""
        try:
            return self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return None

    def victims(self) -> dict[str, list[psutil.Process]]:
        """By what they are: driver, island, and Ray's other processes."""
        found: dict[str, list[psutil.Process]] = {"driver": [self._driver]}
        for child in self._children():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                title = " ".join(child.cmdline()) or child.name()
                kind = "island" if "IslandTrial" in title else Path(title.split()[0]).name.rstrip(":") or "other"
                found.setdefault(kind, []).append(child)
        return found

    def kill(self, victim: psutil.Process) -> list[str]:
        """SIGKILL; after the driver's, wait for its children to end, and end those that do not. Returns what those are."""
        family = self._children()
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
        return self._bury(family) if victim == self._driver else []

    def end(self) -> None:
        """Whatever happened, nothing of it runs on."""
        family = self._children()
        with contextlib.suppress(psutil.NoSuchProcess):
            self._driver.kill()
        self._bury(family)

    def said(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")[-600:].strip()

    def _children(self) -> list[psutil.Process]:
        try:
            return self._driver.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _bury(self, family: list[psutil.Process]) -> list[str]:
        self._process.wait()
        _, alive = psutil.wait_procs(family, ORPHANS_S)
        names = []
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                names.append(process.name())
                process.kill()
        return names


def environment() -> dict[str, str]:
    """This process's, with its own module path: the command runs what this one has imported."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def prepare(folder: Path, market: Path, backend: str) -> Path:
    """A folder to run in."""
    folder.mkdir(parents=True)
    evaluations, windows = SIZES[backend]
    text = RUN.format(market=market, evaluations=evaluations, windows=windows, backend=backend)
    for name, content in (("buy.txt", BUY), ("sell.txt", SELL), ("vars.txt", RANGES), ("run.yaml", text)):
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def undisturbed(folder: Path) -> tuple[dict[str, str], float]:
    """What the run leaves when nobody touches it, and how long it takes."""
    run = Run(folder)
    try:
        code = run.wait(PATIENCE_S)
        if code != 0:
            raise SystemExit(f"the undisturbed run ended with {code}: {run.said()}")
        return contents(folder / "run"), run.seconds
    finally:
        run.end()


def killed_and_resumed(folder: Path, backend: str, whole_s: float, chance: random.Random, tally: Tally, most: int) -> None:
    """One round: kill at random moments, at most `most` times, and resume until the command has ended well."""
    kills = 0
    while True:
        run = Run(folder)
        try:
            while kills < most and run.wait(chance.uniform(0.0, whole_s)) is None:
                what, victim = chosen(run.victims(), chance)
                kills += 1
                tally.kills.append(Kill(backend, tally.rounds, what, round(run.seconds, 3), rows_in(folder / "run")))
                print(f"{len(tally.kills):4} {tally.kills[-1]}", flush=True)
                tally.left_behind += run.kill(victim)
                if what == "driver":
                    break
            code = run.wait(PATIENCE_S)
            if code == 0:
                return
            if code is None:
                raise SystemExit(f"{folder}: nothing came of the run within {PATIENCE_S:.0f} s")
            if code != -signal.SIGKILL:
                tally.failures.append(f"round {tally.rounds}, after {tally.kills[-1].what}: code {code}: {run.said()}")
                if len(tally.failures) > 1 + len(tally.kills):
                    raise SystemExit(f"{folder}: a resume does not go on: {run.said()}")
        finally:
            run.end()


def chosen(victims: dict[str, list[psutil.Process]], chance: random.Random) -> tuple[str, psutil.Process]:
    """Four in ten each: driver and, where there is one, island; else another process."""
    others = [kind for kind in victims if kind not in ("driver", "island")]
    dice = chance.random()
    kind = "island" if dice < 0.4 and "island" in victims else chance.choice(others) if dice > 0.8 and others else "driver"
    return kind, chance.choice(victims[kind])


def rows_in(run: Path) -> int:
    return sum(len(Ledger.read(path)) for path in run.glob("*/**/ledger.bin"))


def contents(run: Path) -> dict[str, str]:
    """Everything a run leaves that must not depend on kills: by what it is, its SHA-256 or text."""
    found: dict[str, str] = {}
    for path in sorted(run.glob("*/**/ledger.bin")):
        for name, data in of_ledger(path):
            found[f"{path.parent.relative_to(run)}: {name}"] = hashlib.sha256(data).hexdigest()
    for name in ("trials.parquet", "trades.csv"):
        found[name] = hashlib.sha256((run / "report" / name).read_bytes()).hexdigest()
    record = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return found | dict(leaves("result.json", record))


def leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every number and text of a record, without when and where."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if key not in VOLATILE:
                yield from leaves(f"{name}.{key}", item)
    else:
        yield name, repr(value)


def of_ledger(path: Path) -> Iterator[tuple[str, bytes]]:
    """The table and the daily returns in its order, as bytes. ValueError where a row or batch stands twice or is missing."""
    ledger = Ledger.read(path)
    scored = Counter(batch.keys[row] for batch in ledger.batches for row in batch.scored)
    batches = Counter((batch.island, batch.number) for batch in ledger.batches)
    asked = {key for batch in ledger.batches for key in batch.keys}
    numbers: dict[int, list[int]] = {}
    for island, number in batches:
        numbers.setdefault(island, []).append(number)
    if max(scored.values()) > 1 or max(batches.values()) > 1:
        raise ValueError(f"{path}: a key or batch stands there twice")
    if asked != set(scored) or any(sorted(those) != list(range(len(those))) for those in numbers.values()):
        raise ValueError(f"{path}: a row or batch is missing")
    if len(ledger.daily) != len(scored):
        raise ValueError(f"{path}: {len(ledger.daily)} rows of daily returns for {len(scored)} scored rows")
    table = trial_table(ledger.batches, ledger.batches[0].params.values.shape[1])
    yield "keys", b"".join(table.keys)
    yield "values", table.params.values.tobytes()
    for name in ("figures", "objective", "sharpe", "failed", "island", "batch", "place"):
        yield name, np.ascontiguousarray(getattr(table, name)).tobytes()
    yield "source", "\n".join(table.source).encode()
    yield "daily returns", np.ascontiguousarray(ledger.daily[table.daily_row]).tobytes()


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """What is not the same, by its name."""
    names = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    return [f"{name}: {found.get(name)}, undisturbed {expected.get(name)}" for name in names]


def measure(kills: int, backends: list[str], seed: int, folder: Path) -> Tally:
    """Rounds until so many were killed, as many under each backend as the number divides to."""
    market, tally, chance = folder / "market.db", Tally(), random.Random(seed)
    simulate(market, SimulateConfig(codes=3, days=8, seed=5, end=91000, edge=DEMO_EDGE))
    undisturbed(prepare(folder / "warm-up", market, "serial"))
    for number, backend in enumerate(backends):
        expected, whole_s = undisturbed(prepare(folder / f"{backend}-undisturbed", market, backend))
        print(f"{backend}: {len(expected)} things to compare, {whole_s:.1f} s undisturbed", flush=True)
        wanted = len(tally.kills) + (kills - len(tally.kills)) // (len(backends) - number)
        while len(tally.kills) < wanted:
            tally.rounds += 1
            place = prepare(folder / f"{backend}-{tally.rounds}", market, backend)
            killed_and_resumed(place, backend, whole_s, chance, tally, wanted - len(tally.kills))
            tally.differences += [
                f"{backend} round {tally.rounds}: {name}" for name in differences(contents(place / "run"), expected)
            ]
    return tally


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("backends", nargs="*", metavar="BACKEND", help=f"of {', '.join(BACKENDS)}; none = both")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write every kill and what came of it there")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.backends if name not in BACKENDS]:
        parser.error(f"unknown backend {', '.join(unknown)}; known: {', '.join(BACKENDS)}")
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        tally = measure(options.kills, options.backends or list(BACKENDS), options.seed, Path(folder))
    what = Counter(f"{kill.backend} {kill.what}" for kill in tally.kills)
    print(f"{len(tally.kills)} kills in {tally.rounds} rounds: {dict(sorted(what.items()))}")
    print(f"runs that ended by themselves with an error: {len(tally.failures)}; processes left behind: {tally.left_behind}")
    for failure in tally.failures:
        print(f"  {failure}")
    print("every round equals the undisturbed run" if not tally.differences else "NOT EQUAL:")
    for difference in tally.differences:
        print(f"  {difference}")
    if options.json:
        options.json.write_text(json.dumps(asdict(tally), indent=1, ensure_ascii=False), encoding="utf-8")
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
