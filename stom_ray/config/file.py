"""The YAML file: read with the line of every key, refused with a suggestion."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from stom_ray.config.run import RunConfig
from stom_ray.errors import ConfigError

Lines = dict[tuple[str, ...], int]
DOTTED = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")


def load_config(path: str | Path) -> RunConfig:
    """Read and check a YAML file. ConfigError names file, line and key, and suggests the key that was meant."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. `stom-ray search --print-config` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    content, lines = _parse(path, text)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected sections data, strategy, engine, search, walk_forward, cross_validation, account, "
            f"execution; found {content!r}"
        )
    return checked(content, path, lines).relative_to(path.parent)


def checked(content: dict[str, Any], path: Path, lines: Lines | None = None) -> RunConfig:
    """A configuration from plain data. ConfigError names the key, and the line where `lines` knows it."""
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_explain(path, error, lines or {})) from None


def _parse(path: Path, text: str) -> tuple[Any, Lines]:
    """Content, and the line of every key. Raises ConfigError; a key that stands twice would win silently, so it is refused."""
    try:
        alias = next((token for token in yaml.scan(text) if isinstance(token, yaml.AliasToken)), None)
        if alias is not None:
            raise ConfigError(
                f"{path}:{alias.start_mark.line + 1}: *{alias.value}: aliases are not read here. Write the value out"
            )
        lines = _lines_of_keys(path, yaml.compose(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text), lines
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    except RecursionError:
        raise ConfigError(f"{path}: brackets are nested too deep. `stom-ray search --print-config` shows the form") from None
    except ValueError as error:  # a date such as 2023-02-30
        raise ConfigError(f"{path}: not valid YAML: {error}") from error


def _lines_of_keys(path: Path, node: yaml.Node | None, prefix: tuple[str, ...] = ()) -> Lines:
    lines: Lines = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place, line = (*prefix, str(key.value)), key.start_mark.line + 1
            if place in lines:
                raise ConfigError(
                    f"{path}:{line}: {'.'.join(place)} stands here again (first in line {lines[place]}). Delete one"
                )
            lines[place] = line
            lines.update(_lines_of_keys(path, value, place))
    return lines


def _explain(path: Path, error: ValidationError, lines: Lines) -> str:
    found = sorted((_said(dict(item), lines) for item in error.errors()), key=lambda said: said[0])
    return "\n".join(f"{path}:{line}: {message}" for line, message in found)


def _said(item: dict[str, Any], lines: Lines) -> tuple[int, str]:
    """One mistake: its line; key, what is wrong, what was expected."""
    place = tuple(str(part) for part in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    named = DOTTED.match(message)
    at = place or (tuple(named[0].split(".")) if named else ())
    line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), 1)
    if not place:
        return line, message
    where = ".".join(place)
    if item["type"] == "extra_forbidden":
        known = list(_section(place[:-1]).model_fields)
        close = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known keys here: {', '.join(known)}"
        return line, f"{where}: unknown key. {hint}"
    if item["type"] == "missing":
        return line, f"{where}: missing. {_expected(place)}"
    return line, f"{where}: {message} (found {item['input']!r:.80})"


def _section(place: tuple[str, ...]) -> type[BaseModel]:
    model: type[BaseModel] = RunConfig
    for part in place:
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return model


def _expected(place: tuple[str, ...]) -> str:
    if place[-1].isdecimal():
        return "There are too few numbers in this list"
    field = _section(place[:-1]).model_fields[place[-1]]
    return (
        f"expected: {field.description}"
        if field.description
        else f"expected a section with {', '.join(_section(place).model_fields)}"
    )


EXAMPLE = """\
# A search of one strategy over one database. File names are relative to this file.
data:
  path: market.db              # STOM database, or a store made by `stom-ray ingest`; several joined by commas
  codes: []                    # ["005930", "000660"]: in quotes; empty = all
  days: ""                     # 20240102-20240229; empty = all
  time: ""                     # 90000-93000; empty = all

strategy:
  buy: buy.txt                 # STOM's texts, unchanged
  sell: sell.txt
  ranges: vars.txt             # self.vars[i] = [[low, high, gap], best]
  ranges_form: step            # or values: self.vars[i] = [[v1, v2, ...], best]
  profile: corrected           # or stom: STOM's quirks included (docs/parity.md)

engine:
  betting: 1000000             # KRW an entry
  ask_levels: 5                # a fresh STOM walks 3 ask levels
  bid_levels: 5
  costs: krx                   # tax by date; stom: STOM's own 0.18%; custom:TAX%,FEE%

search:
  sampler: tpe                 # tpe, two_stage, genetic, cmaes, random, qmc, grid, coordinate (STOM's own), optuna (one a trial)
                               # nsga2 and nsga3 weigh several objectives: objectives: [TG, -MDD] in the place of objective
  evaluations: 2000
  islands: 2                   # independent searches; part of the result, unlike workers
  batch: 200
  seed: 0
  objective: TG                # TP TPI TG CAGR PM P2M PAM PWM PTM GM GAM GWM GTM G2M
  limits:
    atc: [1, null]             # at least one trade a day
  # halving:                   # run a batch's rows on few days first (docs/search-and-ledger.md)
  #   keep: 3                  # one in three goes on
  #   days: [5, 15]            # days of the first and the second rung
  #   by: early                # the first days; spread: evenly spread ones
  #   controls: 0.05           # of those left behind that are run on all days, to check

walk_forward:                  # leave the section out to search only
  scheme: rolling              # or anchored; stom: STOM's own split, for comparison
  train_days: 10
  valid_days: 3
  test_days: 2
  purge_days:                  # empty: as many as the strategy's windows reach back over days
  embargo_days: 0

# cross_validation:            # the whole search again in every fold, tested on days before and after (docs/validation.md)
#   scheme: cpcv               # every choice of test_folds of the folds, with paths; or purged_kfold: every fold once
#   folds: 6
#   test_folds: 2
#   purge_days:                # as above
#   embargo_days: 0

# space:                       # times of day, hhmmss, and betting weights to choose from beside the run's own (docs/spaces.md)
#   entry_from: [90000, 90100, 90200]
#   entry_until: [91000, 92000]
#   exit_at: [92500, 93000]    # everything is sold then, nothing bought
#   weights: [[1, 5, 10, 15, 20, 0.5, 1, 1.5, 1, 0.5]]    # each as engine.weights

# account:                     # one account's way through the winner's trades; without it capital is unlimited
#   cash: 10000000
#   max_holdings: 5

execution:                     # cannot change a result
  backend: ray                 # or serial
  workers: 2
  max_memory: ""               # of all workers together, beyond the program and its data: 2GB, 500MB; empty = no limit
  title: ""                    # of the report; empty = the names of the scripts and of the data
"""
