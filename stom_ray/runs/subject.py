"""What a run is about: rows, scripts, engine settings and space, from its configuration; and its folder.

Folder of a run: config.yaml and copies of the scripts, search/ledger.bin, walk-forward/*/ledger.bin,
cross-validation/*/ledger.bin, result.json, report/. The ledgers are the truth; everything else can be made again from them, the
configuration and the data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.printer import strategy_hash
from stom_ray.conditions.ranges import Ranges, parse_ranges
from stom_ray.config import RunConfig, load_config, parse_span
from stom_ray.config.cross_validation import CrossValidationSection
from stom_ray.config.sections import WalkForwardSection
from stom_ray.engine.backtest import run_warnings
from stom_ray.engine.sweeps import loaded_lengths
from stom_ray.engine.types import EngineConfig, Ints, Weighting
from stom_ray.errors import ConfigError, LedgerError, StoreError
from stom_ray.metrics.batch import trading_days
from stom_ray.reports.data import Purge
from stom_ray.runs.choice import DataChoice, split_paths
from stom_ray.runs.files import write_text
from stom_ray.runs.scripts import ScriptFiles
from stom_ray.runs.structured import read_structure, structure_goal
from stom_ray.search.goal import SeveralGoals, StomGoal
from stom_ray.search.ledger import Ledger
from stom_ray.search.space import Choice, Space
from stom_ray.search.structure import Structure
from stom_ray.search.study import StudyConfig
from stom_ray.search.term_cut import Side
from stom_ray.search.time_windows import TimeWindows
from stom_ray.store.load import data_hash, select
from stom_ray.store.panel import Selection
from stom_ray.validation.purge import day_reach
from stom_ray.validation.splits import DayReach

CONFIG, END = "config.yaml", "...\n"  # the end as YAML has it

Days = tuple[int, int]


@dataclass(frozen=True)
class Subject:
    """What a run is about: rows, scripts, engine settings, and the space to search.

    texts, ranges: the user's own; with time windows or a structure, strategy and space are the generated ones.
    """

    config: RunConfig
    texts: dict[str, str]
    selection: Selection
    strategy: Strategy
    ranges: Ranges
    space: Space
    engine: EngineConfig
    goal: StomGoal
    warnings: tuple[str, ...]
    structure: Structure | None = None
    windows: TimeWindows | None = None

    @property
    def hashes(self) -> dict[str, str]:
        return {"data": data_hash(self.selection.selected), "strategy": strategy_hash(self.strategy)}

    @cached_property
    def reach(self) -> DayReach:
        """How far the decisions of a day read into the days before."""
        return day_reach(self.strategy, self.selection, self.engine, self.space)

    @property
    def purge(self) -> Purge | None:
        """Of the walk-forward; None without one, and for STOM's own split, which has none."""
        settings = self.config.walk_forward
        if settings is None or settings.scheme == "stom":
            return None
        return self.purge_of(settings)

    def purge_of(self, settings: WalkForwardSection | CrossValidationSection) -> Purge:
        """As many days as the settings say, else as the strategy needs."""
        needed, given = self.reach.purge_days, settings.purge_days
        return {"days": needed if given is None else given, "needed": needed, "reason": self.reach.reason}

    @property
    def days(self) -> Ints:
        """Trading days of the selection, yyyymmdd."""
        return trading_days(self.selection.selected)

    def on(self, days: Days) -> Selection:
        """The same rows, of these days only (yyyymmdd, inclusive)."""
        return select(self.selection.loaded, days=days, time=parse_span(self.config.data.time))

    def study_config(self) -> StudyConfig:
        """Raises ConfigError for combinations that cannot be searched."""
        search = self.config.search
        halving = None if search.halving is None else search.halving.settings()
        if halving is not None:
            halving.rungs(self.days)
        return StudyConfig(
            space=self.space,
            goal=self.goal,
            subject={**self.hashes, "engine": _identity(self.engine)},
            sampler=search.sampler,
            options=search.options,
            seed=search.seed,
            islands=search.islands,
            batch_size=search.batch,
            halving=halving,
            evaluations=search.evaluations,
            patience=search.patience,
            time_limit_s=search.time_limit_s,
        )


def open_subject(config: RunConfig) -> Subject:
    """Read data and scripts. Raises StomError for anything wrong with them."""
    texts, data = read_texts(config), config.data
    selection, notes = DataChoice(data.days, data.time, data.load_days, data.load_time, data.codes).open(data.path)
    return subject_of(config, texts, selection, notes)


def read_texts(config: RunConfig) -> dict[str, str]:
    """The scripts, ranges and libraries. Raises ConfigError."""
    texts = {name: _read(getattr(config.strategy, name), f"strategy.{name}") for name in ("buy", "sell", "ranges")}
    files = config.structure.files() if config.structure else {}
    return texts | {name: _read(file, f"structure.{name}") for name, file in files.items() if file}


def subject_of(config: RunConfig, texts: dict[str, str], selection: Selection, notes: Sequence[str] = ()) -> Subject:
    """Of rows that are there already. texts: as `read_texts`; notes: warnings about the rows. Raises StomError."""
    files = script_files(config)
    with files.in_errors():
        strategy = compile_strategy(
            texts["buy"],
            texts["sell"],
            profile=config.strategy.profile,
            elapsed=config.strategy.elapsed,
            layout=selection.loaded.layout,
        )
        ranges = parse_ranges(texts["ranges"], form=config.strategy.ranges_form)
        warnings = [*notes, *strategy.warnings, *ranges.warnings, *ranges.lint_against(strategy)]
        space = Space.from_ranges(ranges, config.strategy.continuous)
        first = ranges.variables[0]
        engine = config.engine_config(loaded_lengths((*first.values, first.best)), gate_var0=True)
        goal = _goal(config)
        times = {} if config.space is None else config.space.times()
        windows = TimeWindows(len(ranges.variables), times) if any(times.values()) else None
        searched: dict[Side, str] = {"buy": texts["buy"], "sell": texts["sell"]}
        if windows is not None:
            space, searched = windows.space(space), windows.generated(searched)
        structure = read_structure(
            config, texts | {"buy": searched["buy"], "sell": searched["sell"]}, len(space.variables), selection.loaded.layout
        )
        if structure is not None:
            space, searched = structure.space(space), {"buy": structure.buy, "sell": structure.sell}
        if structure is not None or windows is not None:
            strategy = compile_strategy(
                searched["buy"],
                searched["sell"],
                profile=config.strategy.profile,
                elapsed=config.strategy.elapsed,
                layout=selection.loaded.layout,
            )
        if config.space is not None and config.space.weights:
            engine = replace(engine, weightings=config.space.weightings(engine.weighting))
            space = _with_weights(space, engine.weightings)
        if structure is not None and config.structure is not None:
            goal = structure_goal(config.structure, goal, space, strategy, selection, engine)
        warnings += run_warnings(strategy, selection, space.present, engine)
    return Subject(config, texts, selection, strategy, ranges, space, engine, goal, files.name_all(warnings), structure, windows)


def _with_weights(space: Space, weightings: Sequence[Weighting]) -> Space:
    """The last variable: a place in the betting weights, none of which is nearer to another; the run's own are the first."""
    labels = [str(one) for one in weightings]
    return Space((*space.variables, Choice.named(labels, labels[0])), (*space.names, "weights"))


def _identity(engine: EngineConfig) -> dict[str, Any]:
    """As JSON data; weightings only where they are searched."""
    return {name: value for name, value in asdict(engine).items() if name != "weightings" or value}


def _goal(config: RunConfig) -> StomGoal:
    search, betting = config.search, config.engine.betting
    if search.objectives:
        return SeveralGoals(search.objective, search.limits.limits(), betting, objectives=search.objectives)
    return StomGoal(search.objective, search.limits.limits(), betting)


def title_of(config: RunConfig) -> str:
    """What the user calls the run, else the names of its files: `buy.txt + sell.txt · market.db`."""
    data = [Path(part).absolute().name for part in split_paths(config.data.path)]
    shown = ", ".join(data) if len(data) < 3 else f"{data[0]} … {data[-1]}"
    return config.execution.title or f"{Path(config.strategy.buy).name} + {Path(config.strategy.sell).name} · {shown}"


def script_files(config: RunConfig) -> ScriptFiles:
    """The strategy's files, for messages."""
    return ScriptFiles(config.strategy.buy, config.strategy.sell, config.strategy.ranges)


def _read(path: str, what: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{what}: {path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: {path}: byte {error.start} is not UTF-8. Save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{what}: {path}: cannot be read ({error.strerror})") from error


def free_folder(config: RunConfig, *, resume: bool) -> Path:
    """The run's folder. Raises ConfigError when a run is in it already and `resume` was not asked for."""
    folder = Path(config.execution.folder or Path("runs") / config.config_id())
    if (folder / CONFIG).exists() and not resume:
        raise ConfigError(f"{folder}: a run is in there already. Go on with --resume, or set execution.folder to another one")
    return folder


def run_folder(subject: Subject, *, resume: bool) -> Path:
    """Make the run's folder, with the configuration and copies of the scripts, so that it can be repeated from there.

    Raises ConfigError when a run is in it already and `resume` was not asked for, LedgerError when that run is about something
    else (nothing is touched then), StoreError when it cannot be written.
    """
    config = subject.config
    folder = free_folder(config, resume=resume)
    refuse_others(subject, folder)
    names = {"buy": "buy.txt", "sell": "sell.txt", "ranges": "vars.txt"}
    files = config.structure.files() if config.structure else {}
    kept_structure = {name: f"{name}.txt" for name, file in files.items() if file}
    data = config.data.model_copy(update={"path": ",".join(str(Path(part).absolute()) for part in split_paths(config.data.path))})
    kept = config.model_copy(
        update={
            "data": data,
            "strategy": config.strategy.model_copy(update=names),
            "structure": config.structure and config.structure.model_copy(update=kept_structure),
            "execution": config.execution.model_copy(update={"folder": ".", "title": title_of(config)}),
        }
    )
    try:
        for place in (folder / "search", folder / "walk-forward", folder / "report"):
            place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}): set execution.folder to a place with room") from error
    for name, file in (names | kept_structure).items():
        write_text(folder / file, subject.texts[name])
    write_text(folder / CONFIG, kept.to_yaml() + END)
    return folder


def kept_config(folder: Path) -> RunConfig:
    """The configuration that a run has left in its folder. ConfigError: it was cut off, or cannot be run."""
    path = folder / CONFIG
    text = _read(str(path), "the run's configuration")
    if not text.rstrip().endswith(f"\n{END.rstrip()}"):
        # Most sections may be left out, so that half of it may be the configuration of another run.
        line = text.count("\n") + 1
        raise ConfigError(
            f"{path}:{line}: cut off here, the last line, {END.rstrip()}, is missing: restore a copy, or delete it and search "
            "again with --resume, which writes it anew"
        )
    return load_config(path)


def refuse_others(subject: Subject, folder: Path) -> None:
    """LedgerError when a ledger in the folder belongs to another data, strategy, space or search; budgets may differ."""
    ours = json.loads(json.dumps(subject.study_config().identity()))
    for path in sorted(folder.glob("*/**/ledger.bin")):
        theirs = Ledger.read(path).header["identity"]
        apart = [name for name in ours if name != "subject" and ours[name] != theirs.get(name)]
        apart += [name for name in ours["subject"] if ours["subject"][name] != theirs["subject"].get(name)]
        if apart:
            raise LedgerError(
                f"{path}: this run is about something else: its {', '.join(apart)} differ from the configuration's. "
                "Set execution.folder to another one, or go back to the settings of that run"
            )
    if not (folder / CONFIG).exists():
        return
    kept = kept_config(folder)
    for what, parts, before, now in (
        ("walk-forward", "windows", kept.walk_forward, subject.config.walk_forward),
        ("cross-validation", "folds", kept.cross_validation, subject.config.cross_validation),
    ):
        begun = any(folder.glob(f"{what}/**/ledger.bin"))
        free = {"evaluations", "top"}
        if begun and before and now and before.model_dump(exclude=free) != now.model_dump(exclude=free):
            raise ConfigError(
                f"{folder}: its {what} has other {parts} than the configuration's {what.replace('-', '_')} section. "
                "Set execution.folder to another one, or go back to the settings of that run"
            )
