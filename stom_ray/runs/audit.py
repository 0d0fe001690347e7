"""Looking for leaks in what a user brings: scripts, Python functions of the current folder, splits."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stom_ray.conditions.compile import compile_strategy
from stom_ray.config import parse_bytes, parse_span
from stom_ray.engine.backtest import run_warnings
from stom_ray.engine.sweeps import loaded_lengths
from stom_ray.engine.types import Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.runs.backtest import Settings
from stom_ray.runs.choice import DataChoice, Paths
from stom_ray.runs.files import plain
from stom_ray.store.load import select
from stom_ray.store.panel import Panel, Selection
from stom_ray.validation.audit.causality import Audit
from stom_ray.validation.audit.cuts import Effort
from stom_ray.validation.audit.findings import Checked, Finding
from stom_ray.validation.audit.fits import Fits
from stom_ray.validation.audit.splits import Split, checked, read_splits
from stom_ray.validation.audit.subjects import Decisions, Features, Function, Labels, Subject

FUNCTIONS: Mapping[str, Callable[[str, Function], Subject]] = {"features": Features, "labels": Labels}


@dataclass(frozen=True)
class AuditOutcome:
    """What was audited, and what leaks."""

    checks: tuple[Checked, ...]
    warnings: tuple[str, ...]
    seconds: float

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for check in self.checks for finding in check.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": not self.findings,
            "findings": [plain(finding.to_json()) for finding in self.findings],
            "checks": [check.to_json() for check in self.checks],
            "warnings": list(self.warnings),
            "seconds": {"run": self.seconds},
        }

    def render(self) -> str:
        lines = [line for check in self.checks for line in (str(check), *check.notes)]
        found = len(self.findings)
        told = (
            f"{found} leak{'s' if found != 1 else ''}"
            if found
            else "no leak found: what was tried moved nothing that was known before"
        )
        return "\n".join([*lines, *map(str, self.findings), *self.warnings, f"{told} ({self.seconds:.1f} s)"])


def audit(
    db: Paths | None = None,
    buy: str | bytes | None = None,
    sell: str | bytes | None = None,
    *,
    name: str = "strategy",
    vars: Sequence[int | float] = (),
    features: str | Function | None = None,
    labels: str | Function | None = None,
    fit: str | Function | None = None,
    split: Any = None,
    split_name: str = "split",
    choice: DataChoice | None = None,
    effort: Effort | None = None,
    **settings: Any,
) -> AuditOutcome:
    """Audit any of: a script pair, a function of features, one of labels, one that fits, a split (docs/audit.md).

    Functions are given themselves or as "module:function", imported from the current folder. split: what `read_splits` reads.
    name, split_name: what they are called in findings. settings: those of `Settings`. Raises StomError for anything wrong with
    data, scripts, functions or settings; what the functions raise on the rows as they are is told in a ConfigError.
    """
    started, effort = time.perf_counter(), effort or Effort()
    given = {"features": features, "labels": labels, "fit": fit}
    functions = {role: _function(one, role) for role, one in given.items() if one is not None}
    splits = read_splits(split, split_name) if split is not None else ()
    _check_asked(db, buy, sell, functions, splits)
    selection, warnings = (choice or DataChoice()).open(db) if db else (None, ())
    checks: list[Checked] = []
    known_at: Ints | None = None
    if selection is not None:
        if buy is not None and sell is not None:
            subject, told = _decisions(selection, buy, sell, name, vars, choice or DataChoice(), Settings(**settings))
            warnings = (*warnings, *told)
            checks.append(Audit(subject, selection.loaded, effort, selection.rows).run())
        for role, kind in FUNCTIONS.items():
            if role in functions:
                one = Audit(kind(*functions[role]), selection.loaded, effort, selection.rows)
                checks.append(one.run())
                known_at = one.known_at if role == "labels" else known_at
        if "fit" in functions:
            checks.append(Fits(*functions["fit"], selection.loaded, effort).run(splits))
    if splits:
        checks.append(checked(splits, split_name, selection.loaded if selection else None, known_at))
    return AuditOutcome(tuple(checks), warnings, time.perf_counter() - started)


def _check_asked(
    db: Paths | None, buy: Any, sell: Any, functions: Mapping[str, tuple[str, Function]], splits: tuple[Split, ...]
) -> None:
    if (buy is None) != (sell is None):
        raise ConfigError("a strategy is a buy and a sell condition: --buy and --sell go together")
    if buy is None and not functions and not splits:
        raise ConfigError("nothing to audit: give --buy and --sell, --features, --labels, --fit with --split, or --split")
    if "fit" in functions and not splits:
        raise ConfigError("--fit needs --split: what is learned from train is compared with rows outside of it changed")
    if not db and (buy is not None or functions):
        raise ConfigError("--db is missing: scripts and functions are run on rows; only --split goes without them")


def _decisions(
    selection: Selection,
    buy: str | bytes,
    sell: str | bytes,
    name: str,
    vars: Sequence[int | float],
    choice: DataChoice,
    how: Settings,
) -> tuple[Decisions, tuple[str, ...]]:
    config = how.engine(loaded_lengths(vars[:1]) or (how.avgtime,), gate_var0=bool(vars))
    strategy = compile_strategy(buy, sell, profile=how.profile, elapsed=how.elapsed, layout=selection.loaded.layout)
    params = ParamMatrix.from_rows([list(vars)])
    told = run_warnings(strategy, selection, params, config)
    days, hours = parse_span(choice.days), parse_span(choice.time)

    def narrow(panel: Panel) -> Selection:
        return select(panel, days=days, time=hours)

    subject = Decisions(name, strategy, params, config, narrow, how.backend, how.threads, parse_bytes(how.max_memory))
    return subject, (*strategy.warnings, *told)


def _function(given: str | Function, role: str) -> tuple[str, Function]:
    """(its name, the function). Raises ConfigError for what cannot be imported, or is no function."""
    if not isinstance(given, str):
        return getattr(given, "__name__", role), given
    module, _, attribute = given.partition(":")
    if not module or not attribute:
        raise ConfigError(f"--{role} {given!r}: expected MODULE:FUNCTION, such as my_features:build for build in my_features.py")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] and error.name != module:
            raise ConfigError(f"--{role} {given}: {module} needs {error.name}, which is not installed") from error
        raise ConfigError(f"--{role} {given}: there is no module {module} in {here} or among the installed ones") from error
    except Exception as error:
        raise ConfigError(f"--{role} {given}: {module} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(loaded, attribute, None)
    if not callable(found):
        have = ", ".join(sorted(key for key, one in vars(loaded).items() if callable(one) and not key.startswith("_"))[:8])
        raise ConfigError(f"--{role} {given}: {module} has no function {attribute}; it has: {have or 'none'}")
    return given, found
