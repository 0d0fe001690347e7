"""Times of trading as variables: guards on 시분초 behind the user's scripts, with self.vars behind the user's own.

An edge that is open guards nothing, so that with all of them open the generated scripts mean exactly the user's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stom_ray.errors import ConfigError
from stom_ray.search.space import Choice, Number, Space
from stom_ray.search.structure import Found, extended, filled, plain_lines
from stom_ray.search.term_cut import Side

DAY_ENDS = 240_000  # behind the last second of a day
OPEN = {"entry_from": 0, "entry_until": DAY_ENDS, "exit_at": DAY_ENDS}
EDGES = tuple(OPEN)
GUARDS: dict[str, tuple[tuple[Side, str], ...]] = {
    "entry_from": (("buy", "시분초 >= {}"),),
    "entry_until": (("buy", "시분초 <= {}"),),
    "exit_at": (("buy", "시분초 < {}"), ("sell", "시분초 >= {}")),
}


@dataclass(frozen=True)
class TimeWindows:
    """first: the number of variables before these. times: edge -> its times, hhmmss, rising; edges without times stay open.

    Raises ConfigError for what is no time of day, times that do not rise, and edges between which no second is left, whichever
    of their times are chosen.
    """

    first: int
    times: Mapping[str, Sequence[int]]

    def __post_init__(self) -> None:
        for name in self.edges:
            _check(name, self.times[name])
        earliest = {name: self.times[name][0] for name in self.edges}
        latest = {name: self.times[name][-1] for name in self.edges}
        begin = earliest.get("entry_from", 0)
        if "entry_from" in latest and latest.get("entry_until", DAY_ENDS) < begin:
            raise ConfigError(
                f"every entry_from ({begin} and later) is later than every entry_until ({latest['entry_until']} and earlier): "
                "list an entry_until that is not earlier"
            )
        if "entry_from" in latest and latest.get("exit_at", DAY_ENDS) <= begin:
            raise ConfigError(
                f"every exit_at ({latest['exit_at']} and earlier) comes before anything is bought (entry_from {begin} and "
                "later): list a later exit_at"
            )

    @property
    def edges(self) -> tuple[str, ...]:
        """Those that are searched, in the order of their variables."""
        return tuple(name for name in EDGES if self.times.get(name))

    def space(self, base: Space) -> Space:
        """The user's own variables, then one an edge: its times and the open edge, which is the present one."""
        added = []
        for name in self.edges:
            times, open_ = tuple(self.times[name]), OPEN[name]
            added.append(Choice((open_, *times) if open_ == 0 else (*times, open_), open_))
        return Space((*base.variables, *added), (*base.names, *self.edges))

    def generated(self, texts: Mapping[Side, str]) -> dict[Side, str]:
        """The user's texts with a guard for every edge, compared with its variable."""
        return self._guarded(texts, {name: f"self.vars[{self.first + place}]" for place, name in enumerate(self.edges)})

    def plain(self, texts: Mapping[Side, str], row: Sequence[Number]) -> dict[Side, str]:
        """The user's texts with the guards of a row, times as numbers, none for an open edge. row: (n_vars,)."""
        return self._guarded(texts, self._closed(row))

    def conditions(self, row: Sequence[Number]) -> tuple[str, ...]:
        """The guards of a row, buy before sell."""
        lines = self._lines(self._closed(row))
        return (*lines["buy"], *lines["sell"])

    def found(self, texts: Mapping[Side, str], row: Sequence[Number]) -> Found:
        """A row as plain scripts, every variable of theirs a number. row: (n_vars,), ints and floats as in the space."""
        plain = {side: filled(text, row) for side, text in self.plain(texts, row).items()}
        return Found(plain["buy"], plain["sell"], self.conditions(row))

    def _closed(self, row: Sequence[Number]) -> dict[str, str]:
        chosen = {name: row[self.first + place] for place, name in enumerate(self.edges)}
        return {name: repr(int(time)) for name, time in chosen.items() if time != OPEN[name]}

    def _lines(self, edges: Mapping[str, str]) -> dict[Side, list[str]]:
        lines: dict[Side, list[str]] = {"buy": [], "sell": []}
        for name, time in edges.items():
            for side, guard in GUARDS[name]:
                lines[side].append(guard.format(time))
        return lines

    def _guarded(self, texts: Mapping[Side, str], edges: Mapping[str, str]) -> dict[Side, str]:
        lines = self._lines(edges)
        return {side: extended(texts[side], side, plain_lines(side, guards)) for side, guards in lines.items()}


def _check(name: str, times: Sequence[int]) -> None:
    for time in times:
        hours, minutes, seconds = time // 10_000, time // 100 % 100, time % 100
        if not (0 <= hours < 24 and minutes < 60 and seconds < 60):
            raise ConfigError(f"{name}: {time} is no time of day: expected hhmmss, 90000 for 09:00:00, with seconds up to 59")
        if time == OPEN[name]:
            raise ConfigError(f"{name}: {time} leaves it open, which always belongs to the times: leave it out")
    if list(times) != sorted(set(times)):
        raise ConfigError(f"{name}: {list(times)}: expected times that rise, each once: {sorted(set(times))}")
