"""Tree-structured Parzen estimator: Optuna's, in batches."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.random_sampler import draw_unseen, unseen_rows
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Choice, Space, stack

STARTUP_ROWS = 100
HISTORY_ROWS = 512
BEST_ROWS = 64


class TpeSampler:
    """Random until `startup` rows were told, then Optuna's multivariate TPE with constant liar, lists as ordered integers.

    Every batch asks an Optuna study made afresh from what was told, with a sampler seeded for this batch: the study is a cache
    and never has to survive. An ask costs time in proportion to the trials in the study, so it sees at most `history` of them:
    the `BEST_ROWS` best and the rest evenly spaced over time. A row asked for before is replaced by a random new one.
    """

    source = "tpe"

    def __init__(self, space: Space, seed: int, island: int, startup: int = STARTUP_ROWS, history: int = HISTORY_ROWS) -> None:
        """ConfigError when `history` does not hold the best rows."""
        if history <= BEST_ROWS:
            raise ConfigError(f"tpe history is {history}: expected more than the {BEST_ROWS} best rows that are always kept")
        self._space, self._seed, self._island = space, seed, island
        self._startup, self._history = startup, history
        self._positions: list[Floats] = []
        self._objective: list[Floats] = []
        self._distributions = distributions(space)

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        rng = batch_rng(self._seed, self._island, batch)
        if not self._distributions or sum(map(len, self._objective)) < self._startup:
            return draw_unseen(self._space, rng, n, seen)
        fresh: set[bytes] = set()
        asked = unseen_rows(self._space.decode(self._propose(rng, n)), n, seen, fresh)
        filling = draw_unseen(self._space, rng, n - len(asked), seen, fresh)
        return stack([asked, filling], len(self._space.variables))

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        self.inform(params, objective)

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        positions = self._space.encode(params)
        listed = ~np.isnan(positions).any(axis=1)
        self._positions.append(positions[listed])
        self._objective.append(objective[listed])

    def _propose(self, rng: np.random.Generator, n: int) -> Floats:
        sampler = optuna.samplers.TPESampler(
            seed=int(rng.integers(2**31)), n_startup_trials=0, multivariate=True, constant_liar=True
        )
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(direction="maximize", sampler=sampler)
            study.add_trials(self._trials())
            asked = [study.ask(self._distributions).params for _ in range(n)]
        finally:
            optuna.logging.set_verbosity(verbosity)
        positions = np.zeros((n, len(self._space.variables)))
        for name in self._distributions:
            positions[:, int(name)] = [params[name] for params in asked]
        return positions

    def _trials(self) -> list[optuna.trial.FrozenTrial]:
        positions, objective = np.concatenate(self._positions), np.concatenate(self._objective)
        trials = []
        for row in kept_rows(objective, self._history):
            params: dict[str, int | float] = {
                name: float(positions[row, int(name)]) if isinstance(kind, FloatDistribution) else int(positions[row, int(name)])
                for name, kind in self._distributions.items()
            }
            failed = bool(np.isnan(objective[row]))
            trials.append(
                optuna.trial.create_trial(
                    params=params,
                    distributions=self._distributions,
                    value=None if failed else float(objective[row]),
                    state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
                )
            )
        return trials


def kept_rows(objective: Floats, history: int) -> Ints:
    """(<= history,) rows in order: the `BEST_ROWS` best and an even spread of the others."""
    if len(objective) <= history:
        return np.arange(len(objective))
    ranked = np.argsort(np.where(np.isnan(objective), np.inf, -objective), kind="stable")
    others = np.sort(ranked[BEST_ROWS:])
    spread = others[np.linspace(0, len(others) - 1, history - BEST_ROWS).astype(np.int64)]
    return np.sort(np.concatenate([ranked[:BEST_ROWS], spread]))


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Variable number -> Optuna's distribution of its positions; fixed variables are left out."""
    kinds: dict[str, BaseDistribution] = {}
    for column, variable in enumerate(space.variables):
        if not isinstance(variable, Choice):
            kinds[str(column)] = FloatDistribution(*variable.ends)
        elif len(variable.values) > 1:
            last = len(variable.values) - 1
            kinds[str(column)] = IntDistribution(0, last) if variable.ordered else CategoricalDistribution(range(last + 1))
    return kinds
