"""The section of a cross-validation: in every fold the whole search again, its choice scored once on days it had not seen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stom_ray.config.sections import Section

TEST_FOLDS = 2


class CrossValidationSection(Section):
    """Folds of consecutive trading days. `purged_kfold` tests each once; `cpcv` every choice of `test_folds` of them."""

    scheme: Literal["purged_kfold", "cpcv"] = "cpcv"
    folds: int = Field(default=6, ge=2, le=1_000)
    test_folds: int | None = Field(default=None, ge=1, description="of cpcv: folds that are tested at once; empty = 2")
    valid_days: int = Field(
        default=0, ge=0, description="last train days, on which the choice among the best is made; 0 = the best on train"
    )
    purge_days: int | None = Field(
        default=None,
        ge=0,
        description="days dropped on both sides of what is tested; empty = as far as the strategy's windows reach",
    )
    embargo_days: int = Field(default=0, ge=0, description="days dropped in addition behind what is tested")
    evaluations: int | None = Field(default=None, ge=1, description="rows to score in each fold; default search.evaluations")

    @model_validator(mode="after")
    def _has_splits(self) -> CrossValidationSection:
        if self.scheme == "purged_kfold" and self.test_folds is not None:
            raise ValueError(f"test_folds is {self.test_folds}, but scheme purged_kfold tests one fold at a time: leave it out")
        if self.scheme == "cpcv" and self.tested_at_once >= self.folds:
            raise ValueError(f"test_folds {self.tested_at_once} of folds {self.folds} leave none to train on: take fewer")
        return self

    @property
    def tested_at_once(self) -> int:
        """Folds that a split tests."""
        return 1 if self.scheme == "purged_kfold" else self.test_folds or TEST_FOLDS
