"""The section of a search over the structure of conditions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stom_ray.config.sections import Section

STRUCTURE_FILES = ("library", "sell_library", "buy_lines", "sell_lines")


class StructureSection(Section):
    """Which terms a search may use beside the strategy's own text, and what each of them costs it."""

    library: str = Field(default="", description="file with terms to add to the buy script, one a line")
    sell_library: str = Field(default="", description="file with reasons to add to the sell script, one a line")
    buy_lines: str = Field(default="", description="stockbuyconds, one a line: each excludes, and may be left out")
    sell_lines: str = Field(default="", description="stocksellconds, one a line: each sells, and may be left out")
    guide: Literal["objective", "surplus"] = Field(
        default="objective",
        description="objective: search.objective; surplus: profit beyond trades without skill, standard errors",
    )
    price: float = Field(default=0.0, ge=0, description="subtracted for every term in use")
    unit: Literal["objective", "daily_error"] = Field(
        default="objective", description="of the price: the objective's own, or standard errors of the row's total profit"
    )

    @model_validator(mode="after")
    def _has_terms(self) -> StructureSection:
        if not any(self.files().values()):
            raise ValueError(f"no terms: name a file in one of {', '.join(STRUCTURE_FILES)}, or leave the section out")
        return self

    def files(self) -> dict[str, str]:
        """The file of each name, "" without one."""
        return {name: getattr(self, name) for name in STRUCTURE_FILES}
