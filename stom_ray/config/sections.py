"""The sections of a run's configuration: frozen, every key known, every value checked where it stands."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from stom_ray.config.words import parse_bytes, parse_span, parse_weights
from stom_ray.engine.types import MAX_AVGTIME, MAX_BETTING
from stom_ray.metrics.objectives import OBJECTIVES, Limits, check_aims
from stom_ray.schema.costs import cost_model
from stom_ray.search.halving import Halving

Sampler = Literal[
    "tpe", "random", "qmc", "two_stage", "nsga2", "nsga3", "genetic", "structure", "cmaes", "grid", "coordinate", "optuna"
]
Objective = Literal["TP", "TPI", "TG", "CAGR", "PM", "P2M", "PAM", "PWM", "PTM", "GM", "GAM", "GWM", "GTM", "G2M"]
MAX_SEED = 2**32 - 1
ANY_DAY = 20240102  # a cost model is checked before the days are known


class Section(BaseModel):
    """A key left empty means its default; yes, no, true and false mean nothing anywhere here."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _as_yaml_gives_it(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        for key, value in content.items():
            if isinstance(value, bool):
                raise ValueError(
                    f"`{key}` is {str(value).lower()} (YAML reads yes, no, on and off so): expected a number or a text"
                )
        return {key: value for key, value in content.items() if value is not None or key not in cls.model_fields}


class DataSection(Section):
    """Which ticks. `days` and `time` as `A-B` (yyyymmdd, hhmmss), empty = everything; `codes` empty = all."""

    path: str = Field(
        min_length=1, description="STOM database file, or a store made by `stom-ray ingest`; several files joined by commas"
    )
    codes: tuple[str, ...] = Field(default=(), description="instruments; empty = all")
    days: str = Field(default="", description="first-last, yyyymmdd-yyyymmdd; empty = all")
    time: str = Field(default="", description="first-last, hhmmss-hhmmss; empty = all")
    load_days: str = Field(default="", description="days to load when more than `days`: rolling columns start there")
    load_time: str = Field(default="", description="hours to load when more than `time`")

    @field_validator("codes", mode="before")
    @classmethod
    def _codes_are_text(cls, value: Any) -> Any:
        # YAML reads 000660 as the octal number 432: a code must be quoted.
        if not isinstance(value, list | tuple):
            raise ValueError('expected a list of codes in quotes, ["005930", "000660"]')
        for code in value:
            if not isinstance(code, str):
                raise ValueError(f'code {code!r} was read as a number: write it in quotes, "000660"')
        return value

    @field_validator("days", "time", "load_days", "load_time", mode="before")
    @classmethod
    def _is_span(cls, value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError("is no span: expected FIRST-LAST, for days 20230118-20230126, for hours 90000-93000")
        parse_span(value)
        return value


class StrategySection(Section):
    """Which scripts, as files. `ranges_form`: `step` is STOM's [[low, high, gap], best], `values` [[v1, v2, ...], best]."""

    buy: str = Field(min_length=1, description="file with the buy condition")
    sell: str = Field(min_length=1, description="file with the sell condition")
    ranges: str = Field(min_length=1, description="file with the self.vars ranges")
    ranges_form: Literal["step", "values"] = "step"
    continuous: dict[int, tuple[float, float]] = Field(
        default_factory=dict, description="variables searched freely between two bounds instead of on their grid: {3: [0.5, 4.0]}"
    )
    elapsed: str = Field(default="", description="elapsed-tick expressions: name1;name2;expr1;expr2")
    profile: Literal["stom", "corrected"] = "corrected"

    @field_validator("continuous")
    @classmethod
    def _bounds_are_apart(cls, value: dict[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
        for index, (low, high) in value.items():
            if index < 1 or not low < high:
                raise ValueError(f"{index}: [{low:g}, {high:g}]: expected a variable from 1 on (0 is avgtime) and low < high")
        return value


class EngineSection(Section):
    betting: float = Field(default=1_000_000.0, gt=0, le=MAX_BETTING, description="KRW per entry")
    avgtime: int = Field(default=30, ge=1, le=MAX_AVGTIME, description="window length when the ranges have no self.vars[0]")
    ask_levels: int = Field(default=5, ge=1, le=5)
    bid_levels: int = Field(default=5, ge=1, le=5)
    weights: tuple[float, ...] = Field(default=(), description="mode, 4 limits, 5 factors; empty = off")
    costs: str = Field(default="stom", description="stom, krx (tax by date) or custom:TAX%,FEE%")

    @field_validator("weights")
    @classmethod
    def _are_weights(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        parse_weights(value)
        return value

    @field_validator("costs")
    @classmethod
    def _is_cost_model(cls, value: str) -> str:
        cost_model(value, ANY_DAY)
        return value


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

    @field_validator("*")
    @classmethod
    def _low_before_high(cls, value: Bounds) -> Bounds:
        low, high = value
        if low is not None and high is not None and low > high:
            raise ValueError(f"the low bound {low:g} is above the high bound {high:g}: did you mean [{high:g}, {low:g}]?")
        return value

    def limits(self) -> Limits:
        """As the objectives take them."""
        pairs = {name: getattr(self, name) for name in type(self).model_fields}
        return Limits(
            **{
                name: (-math.inf if low is None else low, math.inf if high is None else high)
                for name, (low, high) in pairs.items()
            }
        )


class HalvingSection(Section):
    """Rows of a batch are run on the first of `days`, the best of them on the next, and those that pass on all days."""

    keep: int = Field(default=3, ge=2, description="one of so many goes on from each rung")
    days: tuple[int, ...] = Field(default=(5, 15), description="trading days of each rung, rising, fewer than are searched")
    by: Literal["early", "spread"] = Field(default="early", description="early: the first days; spread: as many, evenly spread")
    controls: float = Field(default=0.05, ge=0, lt=1, description="share of those left behind that is run on all days, to check")

    @field_validator("days")
    @classmethod
    def _are_rungs(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return Halving(days=value).days

    def settings(self) -> Halving:
        """As the study takes them."""
        return Halving(self.keep, self.days, self.by, self.controls)


class SearchSection(Section):
    """How to search. islands × batch rows are asked at a time; both belong to the result, workers do not."""

    sampler: Sampler = "genetic"
    evaluations: int = Field(default=2_000, ge=1)
    islands: int = Field(default=2, ge=1, le=1024)
    batch: int = Field(default=200, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    objective: Objective = "TG"
    objectives: tuple[str, ...] = Field(
        default=(), description="several to weigh against each other, [TG, -MDD]: a minus = smaller is better, the first ranks"
    )
    limits: LimitsSection = Field(default_factory=LimitsSection)
    halving: HalvingSection | None = Field(default=None, description="prune each batch on some of the days; left out: never")
    patience: int | None = Field(default=None, ge=1, description="stop an island after so many batches without a better one")
    time_limit_s: float | None = Field(default=None, gt=0, description="stop at the first batch border after so many seconds")
    options: dict[str, int] = Field(
        default_factory=dict,
        description="of the sampler: tpe takes startup (random rows before it models) and history (rows modelled), two_stage "
        "wide (rows of its first stage in an island), survivors (best of them, around which it goes on) and modelled (rows of a "
        "batch asked of TPE then), genetic population and tournament, nsga2 and nsga3 population",
    )

    @model_validator(mode="before")
    @classmethod
    def _first_objective_ranks(cls, content: Any) -> Any:
        several = content.get("objectives") if isinstance(content, dict) else None
        if content and isinstance(several, list | tuple) and several and content.get("objective") is None:
            first = str(several[0]).upper()
            return {**content, "objective": first} if first in OBJECTIVES else content
        return content

    @field_validator("objectives", mode="before")
    @classmethod
    def _are_aims(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
            raise ValueError("expected a list of names, [TG, -MDD]")
        names = tuple(name.upper() for name in value)
        if names:
            check_aims(names)
        return names


class WalkForwardSection(Section):
    """Lengths in trading days. `stom` is STOM's own split, in `weeks` (train, valid, test), for comparison only: it leaks."""

    scheme: Literal["rolling", "anchored", "stom"] = "rolling"
    train_days: int = Field(default=10, ge=1)
    valid_days: int = Field(default=3, ge=1)
    test_days: int = Field(default=2, ge=1)
    purge_days: int | None = Field(
        default=None, ge=0, description="days dropped before what is evaluated; empty = as far as the strategy's windows reach"
    )
    embargo_days: int = Field(default=0, ge=0)
    step_days: int | None = Field(default=None, ge=1, description="days a window moves on; default test_days")
    weeks: tuple[int, int, int] = Field(default=(2, 1, 1), description="train, valid and test weeks of scheme stom")
    evaluations: int | None = Field(default=None, ge=1, description="rows to score in each window; default search.evaluations")
    top: int = Field(default=20, ge=1, description="best of train that are scored on valid; the best of them goes to test")


class AccountSection(Section):
    """One account whose way through the winner's trades the verdict looks at; without it capital is unlimited."""

    cash: float = Field(gt=0, description="KRW at the start")
    max_holdings: int = Field(ge=1, description="stocks held at once")


class ExecutionSection(Section):
    """What cannot change a result."""

    folder: str = Field(default="", description="where the run keeps ledger and report; empty = runs/CONFIG_ID")
    title: str = Field(default="", description="of the report; empty = the names of the scripts and of the data")
    backend: Literal["ray", "serial"] = "ray"
    workers: int = Field(default=2, ge=1, description="Ray workers, or threads of the serial backend")
    kernel: Literal["cpu", "cuda"] = Field(
        default="cpu",
        description="what a search runs on; cuda over Ray: every island has a GPU of its own, as long as there are any",
    )
    max_memory: str = Field(
        default="", description="memory that scoring may add to the program and its data, 2GB or 500MB; empty = no limit"
    )
    ray_address: str = Field(default="local", description="local, auto, or ray://HOST:PORT")
    language: Literal["en", "ko"] = "en"

    @field_validator("max_memory", mode="before")
    @classmethod
    def _is_size(cls, value: Any) -> Any:
        parse_bytes(value)
        return value if isinstance(value, str) else str(value)

    def memory(self, processes: int) -> int | None:
        """Bytes that each of so many processes may take; None without a limit."""
        limit = parse_bytes(self.max_memory)
        return None if limit is None else limit // processes
