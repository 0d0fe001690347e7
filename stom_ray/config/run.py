"""The whole configuration of a run.

`execution` holds what cannot change a result (folder, workers, threads); everything else is identity and gives the `config_id`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from stom_ray.config.cross_validation import CrossValidationSection
from stom_ray.config.sections import (
    AccountSection,
    DataSection,
    EngineSection,
    ExecutionSection,
    SearchSection,
    Section,
    StrategySection,
    WalkForwardSection,
)
from stom_ray.config.space import SpaceSection
from stom_ray.config.structure import STRUCTURE_FILES, StructureSection
from stom_ray.config.words import parse_weights
from stom_ray.engine.types import EngineConfig

ONE_SEQUENCE = ("coordinate", "grid", "optuna")
SEVERAL = ("nsga2", "nsga3")  # objectives


class RunConfig(Section):
    """The whole file."""

    data: DataSection
    strategy: StrategySection
    engine: EngineSection = Field(default_factory=EngineSection)
    search: SearchSection = Field(default_factory=SearchSection)
    walk_forward: WalkForwardSection | None = None
    cross_validation: CrossValidationSection | None = None
    account: AccountSection | None = None
    structure: StructureSection | None = None
    space: SpaceSection | None = None
    execution: ExecutionSection = Field(default_factory=ExecutionSection)

    @model_validator(mode="after")
    def _goes_together(self) -> RunConfig:
        search = self.search
        if search.sampler in ONE_SEQUENCE and search.islands != 1:
            raise ValueError(
                f"search.islands is {search.islands}, but sampler {search.sampler} is one sequence: set search.islands: 1"
            )
        if self.strategy.continuous and search.sampler in ("coordinate", "grid"):
            raise ValueError(f"strategy.continuous has no grid for sampler {search.sampler}: use tpe or random")
        if search.sampler == "optuna" and self.execution.backend == "serial":
            raise ValueError("sampler optuna asks one candidate a trial, over Ray only: set execution.backend: ray, or use tpe")
        parts = {"search": search, "walk_forward": self.walk_forward, "cross_validation": self.cross_validation}
        for name, planned in ((name, part.evaluations) for name, part in parts.items() if part):
            if planned is not None and planned < search.islands:
                raise ValueError(f"{name}.evaluations is {planned} for {search.islands} islands: every island needs at least one")
        return self

    @model_validator(mode="after")
    def _objectives_go_together(self) -> RunConfig:
        search = self.search
        if search.objectives and search.objectives[0] != search.objective:
            raise ValueError(
                f"search.objective is {search.objective}, but search.objectives begins with {search.objectives[0]}: "
                "leave search.objective out, the first of several ranks"
            )
        if search.sampler in SEVERAL and not search.objectives:
            raise ValueError(
                f"search.sampler {search.sampler} weighs objectives against each other, and there is one, {search.objective}: "
                f"set search.objectives: [{search.objective}, -MDD], or use another sampler"
            )
        if search.objectives and self.structure:
            raise ValueError(
                "search.objectives and structure do not go together: a structure's terms are priced in one objective"
            )
        if search.objectives and self.walk_forward and self.walk_forward.scheme == "stom":
            raise ValueError("walk_forward.scheme stom multiplies train by valid of one objective: leave search.objectives out")
        return self

    @model_validator(mode="after")
    def _halving_goes_together(self) -> RunConfig:
        halving, forward = self.search.halving, self.walk_forward
        if halving and self.search.objectives:
            raise ValueError("search.halving keeps the best by one objective: leave it out, or search.objectives")
        if halving and self.search.sampler == "optuna":
            raise ValueError("search.halving compares the rows of a batch, and sampler optuna asks for one: use another sampler")
        if halving and forward and forward.scheme != "stom" and halving.days[-1] >= forward.train_days:
            raise ValueError(
                f"search.halving.days end with {halving.days[-1]}, but walk_forward.train_days is {forward.train_days}: "
                "rungs have fewer days than a window searches"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """All that changes results, without the files' places (their contents are hashed by the run)."""
        places: dict[str, Any] = {"execution": True, "data": {"path"}, "strategy": {"buy", "sell", "ranges"}}
        without = {name: True for name in ("account", "structure", "space", "cross_validation") if getattr(self, name) is None}
        if self.structure:
            places["structure"] = set(STRUCTURE_FILES)
        search = {"objectives": bool(self.search.objectives), "halving": self.search.halving is not None}
        places["search"] = {name for name, used in search.items() if not used}
        return self.model_dump(mode="json", exclude=places | without)

    def config_id(self) -> str:
        """12 hex digits of the identity's SHA-256."""
        text = json.dumps(self.identity(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def relative_to(self, folder: Path) -> RunConfig:
        """The same run with its file names, written relative to `folder`, made good from here."""

        def place(name: str) -> str:
            return str(folder / name) if name else name

        path = self.data.path
        parts = [path] if (folder / path).exists() else [part.strip() for part in path.split(",")]
        data = self.data.model_copy(update={"path": ",".join(place(part) for part in parts)})
        scripts = {name: place(getattr(self.strategy, name)) for name in ("buy", "sell", "ranges")}
        execution = self.execution.model_copy(update={"folder": place(self.execution.folder)})
        strategy = self.strategy.model_copy(update=scripts)
        structure = self.structure
        if structure is not None:
            structure = structure.model_copy(update={name: place(file) for name, file in structure.files().items()})
        return self.model_copy(update={"data": data, "strategy": strategy, "structure": structure, "execution": execution})

    def absolute(self) -> RunConfig:
        """The same run with file names that hold wherever the configuration is written to."""
        return self.relative_to(Path.cwd())

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
