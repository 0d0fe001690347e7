"""The section of what is searched beside the script's own variables."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from stom_ray.config.sections import Section
from stom_ray.config.words import parse_weights
from stom_ray.engine.types import MOST_WEIGHTINGS, Weighting
from stom_ray.errors import ConfigError
from stom_ray.search.time_windows import EDGES, TimeWindows


class SpaceSection(Section):
    """Times of day, hhmmss, and betting weights: variables of the search behind the script's own. What the run has without them
    always belongs to them."""

    entry_from: tuple[int, ...] = Field(default=(), description="first second of the day in which to buy: [90000, 90100, 90200]")
    entry_until: tuple[int, ...] = Field(default=(), description="last second in which to buy")
    exit_at: tuple[int, ...] = Field(default=(), description="from here on everything is sold and nothing bought")
    weights: tuple[tuple[float, ...], ...] = Field(
        default=(), description="betting weights to choose from, each mode, 4 limits, 5 factors, beside those of engine.weights"
    )

    @field_validator(*EDGES, mode="before")
    @classmethod
    def _are_times(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not all(isinstance(time, int) and not isinstance(time, bool) for time in value):
            raise ValueError("expected a list of times of day, hhmmss as whole numbers: [90000, 90100, 90200]")
        return value

    @field_validator("weights", mode="before")
    @classmethod
    def _are_weights(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not all(isinstance(one, list | tuple) for one in value):
            raise ValueError(
                "expected a list of betting weights, each a list of 10 numbers: [[1, 5, 10, 15, 20, 1, 1.5, 2, 1, 0.5]]"
            )
        if len(value) >= MOST_WEIGHTINGS:
            raise ValueError(f"{len(value)} betting weights: expected at most {MOST_WEIGHTINGS - 1}")
        seen: dict[Weighting, int] = {}
        for place, one in enumerate(value):
            first = seen.setdefault(_weighting(place, one), place)
            if first != place:
                raise ValueError(f"weights[{place}] bets as weights[{first}]: leave one of the two out")
        return value

    @model_validator(mode="after")
    def _make_windows(self) -> SpaceSection:
        if not any(self.times().values()) and not self.weights:
            raise ValueError(f"no times: list some for one of {', '.join(EDGES)}, or weights, or leave the section out")
        TimeWindows(0, self.times())
        return self

    def times(self) -> dict[str, tuple[int, ...]]:
        """The times of each edge, empty where it is not searched."""
        return {name: getattr(self, name) for name in EDGES}

    def weightings(self, present: Weighting) -> tuple[Weighting, ...]:
        """The run's own first, then those listed; empty where betting weights are not searched."""
        mine = _settled(present)
        listed = (_weighting(place, one) for place, one in enumerate(self.weights))
        return (mine, *(one for one in listed if one != mine)) if self.weights else ()


def _weighting(place: int, values: Any) -> Weighting:
    if not values or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise ValueError(f"weights[{place}] is {values}: expected 10 numbers, mode, 4 limits, 5 factors")
    try:
        return _settled(parse_weights(tuple(map(float, values))))
    except ConfigError as error:
        raise ValueError(f"weights[{place}]: {error}") from None


def _settled(weighting: Weighting) -> Weighting:
    """Off is off, whatever its limits and factors."""
    return weighting if weighting.mode > 0 else Weighting()
