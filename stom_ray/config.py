"""A search, written down: the YAML file of `stom-ray search` and `stom-ray walk-forward`.

Frozen; unknown keys are refused with their line and a suggestion. `execution` holds what cannot change a result (folder, workers,
threads); everything else is identity and gives the `config_id`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stom_ray.engine.types import EngineConfig, Weighting
from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import Limits

Sampler = Literal["tpe", "random", "grid", "coordinate", "optuna"]
Objective = Literal["TP", "TPI", "TG", "CAGR", "PM", "P2M", "PAM", "PWM", "PTM", "GM", "GAM", "GWM", "GTM", "G2M"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSection(Section):
    """Which ticks. `days` and `time` as `A-B` (yyyymmdd, hhmmss), empty = everything; `codes` empty = all."""

    path: str = Field(description="STOM database file, or a store made by `stom-ray ingest`; several files joined by commas")
    codes: tuple[str, ...] = Field(default=(), description="instruments; empty = all")
    days: str = Field(default="", description="first-last, yyyymmdd-yyyymmdd; empty = all")
    time: str = Field(default="", description="first-last, hhmmss-hhmmss; empty = all")
    load_days: str = Field(default="", description="days to load when more than `days`: rolling columns start there")
    load_time: str = Field(default="", description="hours to load when more than `time`")

    @field_validator("codes", mode="before")
    @classmethod
    def _codes_are_text(cls, value: Any) -> Any:
        # YAML reads 005930 as the octal number 3032: a code must be quoted.
        for code in value or ():
            if not isinstance(code, str):
                raise ValueError(f'code {code!r} was read as a number: write it in quotes, "005930"')
        return value

    @field_validator("days", "time", "load_days", "load_time")
    @classmethod
    def _is_span(cls, value: str) -> str:
        parse_span(value)
        return value


class StrategySection(Section):
    """Which scripts, as files. `ranges_form`: `step` is STOM's [[low, high, gap], best], `values` [[v1, v2, ...], best]."""

    buy: str = Field(description="file with the buy condition")
    sell: str = Field(description="file with the sell condition")
    ranges: str = Field(description="file with the self.vars ranges")
    ranges_form: Literal["step", "values"] = "step"
    continuous: dict[int, tuple[float, float]] = Field(
        default_factory=dict, description="variables searched freely between two bounds instead of on their grid: {3: [0.5, 4.0]}"
    )
    elapsed: str = Field(default="", description="elapsed-tick expressions: name1;name2;expr1;expr2")
    profile: Literal["stom", "corrected"] = "corrected"


class EngineSection(Section):
    betting: float = Field(default=1_000_000.0, gt=0, description="KRW per entry")
    avgtime: int = Field(default=30, ge=1, description="window length when the ranges have no self.vars[0]")
    ask_levels: int = Field(default=5, ge=1, le=5)
    bid_levels: int = Field(default=5, ge=1, le=5)
    weights: tuple[float, ...] = Field(default=(), description="mode, 4 limits, 5 factors; empty = off")
    costs: str = Field(default="stom", description="stom, krx (tax by date) or custom:TAX%,FEE%")


Bounds = tuple[float | None, float | None]


class LimitsSection(Section):
    """Low and high bound of seven figures, both inclusive, null = free; a violation makes a candidate ineligible."""

    mdd: Bounds = (None, None)
    mhct: Bounds = (None, None)
    wr: Bounds = (None, None)
    app: Bounds = (None, None)
    atc: Bounds = (None, None)
    cagr: Bounds = (None, None)
    tpi: Bounds = (None, None)

    def limits(self) -> Limits:
        """As the objectives take them."""
        pairs = {name: getattr(self, name) for name in type(self).model_fields}
        return Limits(
            **{
                name: (-math.inf if low is None else low, math.inf if high is None else high)
                for name, (low, high) in pairs.items()
            }
        )


class SearchSection(Section):
    """How to search. islands × batch rows are asked at a time; both belong to the result, workers do not."""

    sampler: Sampler = "tpe"
    evaluations: int = Field(default=2_000, ge=1)
    islands: int = Field(default=2, ge=1, le=1024)
    batch: int = Field(default=200, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)
    objective: Objective = "TG"
    limits: LimitsSection = Field(default_factory=LimitsSection)
    patience: int | None = Field(default=None, ge=1, description="stop an island after so many batches without a better one")
    time_limit_s: float | None = Field(default=None, gt=0, description="stop at the first batch border after so many seconds")


class WalkForwardSection(Section):
    """Lengths in trading days. `stom` is STOM's own split, in `weeks` (train, valid, test), for comparison only: it leaks."""

    scheme: Literal["rolling", "anchored", "stom"] = "rolling"
    train_days: int = Field(default=10, ge=1)
    valid_days: int = Field(default=3, ge=1)
    test_days: int = Field(default=2, ge=1)
    purge_days: int = Field(default=0, ge=0)
    embargo_days: int = Field(default=0, ge=0)
    step_days: int | None = Field(default=None, ge=1, description="days a window moves on; default test_days")
    weeks: tuple[int, int, int] = Field(default=(2, 1, 1), description="train, valid and test weeks of scheme stom")
    evaluations: int | None = Field(default=None, ge=1, description="rows to score in each window; default search.evaluations")
    top: int = Field(default=20, ge=1, description="best of train that are scored on valid; the best of them goes to test")


class ExecutionSection(Section):
    """What cannot change a result."""

    folder: str = Field(default="", description="where the run keeps ledger and report; empty = runs/CONFIG_ID")
    backend: Literal["ray", "serial"] = "ray"
    workers: int = Field(default=2, ge=1, description="Ray workers, or threads of the serial backend")
    ray_address: str = Field(default="local", description="local, auto, or ray://HOST:PORT")
    language: Literal["en", "ko"] = "en"


class RunConfig(Section):
    """The whole file."""

    data: DataSection
    strategy: StrategySection
    engine: EngineSection = Field(default_factory=EngineSection)
    search: SearchSection = Field(default_factory=SearchSection)
    walk_forward: WalkForwardSection | None = None
    execution: ExecutionSection = Field(default_factory=ExecutionSection)

    @model_validator(mode="after")
    def _coordinate_needs_one_island(self) -> RunConfig:
        if self.search.sampler in ("coordinate", "grid") and self.search.islands != 1:
            raise ValueError(
                f"search.islands is {self.search.islands}, but sampler {self.search.sampler} is one sequence: "
                "set search.islands: 1"
            )
        if self.strategy.continuous and self.search.sampler in ("coordinate", "grid"):
            raise ValueError(f"strategy.continuous has no grid for sampler {self.search.sampler}: use tpe or random")
        return self

    def identity(self) -> dict[str, Any]:
        """All that changes results, without the files' places (their contents are hashed by the run)."""
        places: dict[str, Any] = {"execution": True, "data": {"path"}, "strategy": {"buy", "sell", "ranges"}}
        return self.model_dump(mode="json", exclude=places)

    def config_id(self) -> str:
        """12 hex digits of the identity's SHA-256."""
        text = json.dumps(self.identity(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def relative_to(self, folder: Path) -> RunConfig:
        """The same run with its file names, written relative to `folder`, made good from here."""

        def place(name: str) -> str:
            return str(folder / name) if name else name

        data = self.data.model_copy(update={"path": ",".join(place(part) for part in self.data.path.split(","))})
        scripts = {name: place(getattr(self.strategy, name)) for name in ("buy", "sell", "ranges")}
        execution = self.execution.model_copy(update={"folder": place(self.execution.folder)})
        strategy = self.strategy.model_copy(update=scripts)
        return self.model_copy(update={"data": data, "strategy": strategy, "execution": execution})

    def engine_config(self, loaded_lengths: tuple[int, ...], gate_var0: bool) -> EngineConfig:
        return EngineConfig(
            betting=self.engine.betting,
            avgtime=self.engine.avgtime,
            gate_var0=gate_var0,
            loaded_lengths=loaded_lengths,
            ask_levels=self.engine.ask_levels,
            bid_levels=self.engine.bid_levels,
            weighting=parse_weights(self.engine.weights),
            costs=self.engine.costs,
            profile=self.strategy.profile,
        )

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), allow_unicode=True, sort_keys=False)


def parse_span(text: str) -> tuple[int, int] | None:
    """`A-B` of whole numbers, A <= B; empty -> None. ConfigError otherwise."""
    if not text:
        return None
    parts = text.split("-")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ConfigError(f"{text!r} is no span: expected FIRST-LAST, for days 20230118-20230126, for hours 90000-93000")
    low, high = int(parts[0]), int(parts[1])
    if low > high:
        raise ConfigError(f"span {text} ends before it starts: did you mean {high}-{low}?")
    return low, high


def parse_weights(values: tuple[float, ...]) -> Weighting:
    """mode, 4 limits, 5 factors (spec: betting weights); empty = off."""
    if not values:
        return Weighting()
    if len(values) != 10:
        raise ConfigError(f"weights have {len(values)} numbers: expected 10, mode,limit1..4,factor1..5")
    if values[0] != int(values[0]) or not 0 <= values[0] <= 6:
        raise ConfigError(f"weights mode is {values[0]:g}: expected 0 (off) to 6")
    limits = (values[1], values[2], values[3], values[4])
    factors = (values[5], values[6], values[7], values[8], values[9])
    return Weighting(int(values[0]), limits, factors)


def load_config(path: str | Path) -> RunConfig:
    """Read and check a YAML file. ConfigError names file, line and key, and suggests the key that was meant."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. `stom-ray search --print-config` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    try:
        content = yaml.safe_load(text)
        lines = _lines_of_keys(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected sections data, strategy, engine, search, walk_forward, execution; found {content!r}")
    try:
        config = RunConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_explain(path, error, lines)) from None
    return config.relative_to(path.parent)


def _lines_of_keys(node: yaml.Node | None, prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*prefix, str(key.value))
            lines[place] = key.start_mark.line + 1
            lines.update(_lines_of_keys(value, place))
    return lines


def _explain(path: Path, error: ValidationError, lines: dict[tuple[str, ...], int]) -> str:
    parts = []
    for item in error.errors():
        place = tuple(str(part) for part in item["loc"])
        line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), 1)
        where = f"{path}:{line}: {'.'.join(place)}"
        if item["type"] == "extra_forbidden":
            known = _known_keys(place[:-1])
            close = difflib.get_close_matches(place[-1], known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known keys here: {', '.join(known)}"
            parts.append(f"{where}: unknown key. {hint}")
        elif item["type"] == "missing":
            parts.append(f"{where}: missing. {_description(place)}")
        else:
            parts.append(f"{where}: {item['msg'].removeprefix('Value error, ')} (found {item['input']!r:.80})")
    return "\n".join(parts)


def _section(place: tuple[str, ...]) -> type[BaseModel]:
    model: type[BaseModel] = RunConfig
    for part in place:
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return model


def _known_keys(place: tuple[str, ...]) -> list[str]:
    return list(_section(place).model_fields)


def _description(place: tuple[str, ...]) -> str:
    field = _section(place[:-1]).model_fields[place[-1]]
    return f"expected: {field.description}" if field.description else f"expected a section with {', '.join(_known_keys(place))}"


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
  sampler: tpe                 # tpe, random, grid, coordinate (STOM's own), optuna (one candidate a trial)
  evaluations: 2000
  islands: 2                   # independent searches; part of the result, unlike workers
  batch: 200
  seed: 0
  objective: TG                # TP TPI TG CAGR PM P2M PAM PWM PTM GM GAM GWM GTM G2M
  limits:
    atc: [1, null]             # at least one trade a day

walk_forward:                  # leave the section out to search only
  scheme: rolling              # or anchored; stom: STOM's own split, for comparison
  train_days: 10
  valid_days: 3
  test_days: 2
  purge_days: 0
  embargo_days: 0

execution:                     # cannot change a result
  backend: ray                 # or serial
  workers: 2
"""
