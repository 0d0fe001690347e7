"""The section of what is searched beside the script's own variables."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from stom_ray.config.sections import Section
from stom_ray.search.time_windows import EDGES, TimeWindows


class SpaceSection(Section):
    """Times of day, hhmmss, each a variable of the search behind the script's own. The script as it is always belongs to them."""

    entry_from: tuple[int, ...] = Field(default=(), description="first second of the day in which to buy: [90000, 90100, 90200]")
    entry_until: tuple[int, ...] = Field(default=(), description="last second in which to buy")
    exit_at: tuple[int, ...] = Field(default=(), description="from here on everything is sold and nothing bought")

    @field_validator(*EDGES, mode="before")
    @classmethod
    def _are_times(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not all(isinstance(time, int) and not isinstance(time, bool) for time in value):
            raise ValueError("expected a list of times of day, hhmmss as whole numbers: [90000, 90100, 90200]")
        return value

    @model_validator(mode="after")
    def _make_windows(self) -> SpaceSection:
        if not any(self.times().values()):
            raise ValueError(f"no times: list some for one of {', '.join(EDGES)}, or leave the section out")
        TimeWindows(0, self.times())
        return self

    def times(self) -> dict[str, tuple[int, ...]]:
        """The times of each edge, empty where it is not searched."""
        return {name: getattr(self, name) for name in EDGES}
