"""The demo: a generated market, a real-looking strategy, a search, a verdict card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stom_ray.config import RunConfig, checked, load_config
from stom_ray.errors import StoreError
from stom_ray.runs.conduct import RunOutcome, conduct
from stom_ray.runs.files import write_text
from stom_ray.runs.workplace import Say
from stom_ray.simulate import demo_config, demo_strategy, simulate
from stom_ray.store.ingest import ingest

WALK_FORWARD_DAYS = {"train_days": 8, "valid_days": 3, "test_days": 3}


def run_demo(folder: Path, *, evaluations: int, workers: int, seed: int, language: str, say: Say, progress: Say) -> RunOutcome:
    """Write everything under `folder` and run it: market.db, ticks/, buy.txt, sell.txt, vars.txt, run.yaml, run/.

    A market of the same folder is used again, and an interrupted run is gone on with.
    """
    checked(demo_settings(evaluations, workers, seed, language), Path("the demo's configuration"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}): choose another place with --out") from error
    database = folder / f"market-{seed}.db"
    if not database.exists():
        say(simulate(database, demo_config(seed=seed)).render())
    say(ingest([database], folder / f"ticks-{seed}", workers=workers).render())
    config = write_demo(folder, evaluations=evaluations, workers=workers, seed=seed, language=language)
    return conduct(config, resume=True, say=progress)


def write_demo(folder: Path, *, evaluations: int, workers: int, seed: int, language: str) -> RunConfig:
    """The scripts and the configuration, as files that a user may edit and run again."""
    strategy = demo_strategy()
    for name, text in (("buy", strategy.buy), ("sell", strategy.sell), ("vars", strategy.ranges)):
        write_text(folder / f"{name}.txt", text)
    config = checked(demo_settings(evaluations, workers, seed, language), folder / "run.yaml")
    write_text(folder / "run.yaml", config.to_yaml())
    return load_config(folder / "run.yaml")


def demo_settings(evaluations: int, workers: int, seed: int, language: str) -> dict[str, Any]:
    """The demo's configuration as plain data, file names relative to its folder."""
    return {
        "data": {"path": f"ticks-{seed}"},
        "strategy": {"buy": "buy.txt", "sell": "sell.txt", "ranges": "vars.txt"},
        "engine": {"costs": "krx"},
        "search": {"sampler": "tpe", "evaluations": evaluations, "islands": 2, "batch": 100, "seed": seed, "objective": "TG"},
        "walk_forward": WALK_FORWARD_DAYS,
        "account": {"cash": 10_000_000, "max_holdings": 5},
        "execution": {"folder": f"run-{seed}-{evaluations}", "workers": workers, "language": language},
    }
