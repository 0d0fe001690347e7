"""A selection made fit to travel: only the columns that a run reads, no loaders, cut into shards of whole instruments."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.passes import reads
from stom_ray.engine.bind import bind
from stom_ray.engine.types import EngineConfig, Floats
from stom_ray.features.windows import SOURCE
from stom_ray.store.panel import Panel, Selection


def portable(selection: Selection, strategy: Strategy, config: EngineConfig) -> Selection:
    """The same selection with nothing but what this strategy and the engine may read; arrays can be shared between processes.

    Columns behind windows always go along: the kernel looks at some of them whatever the scripts read. Raises SchemaError when
    the data lacks a column that is read.
    """
    names = sorted({*reads(strategy).columns, *_engine_columns(selection, config), *SOURCE.values()})
    loaded = replace(selection.loaded, columns={name: selection.loaded.column(name) for name in names}, load=None)
    if selection.selected is selection.loaded:
        return Selection(loaded, loaded, selection.rows)
    selected = replace(selection.selected, columns={name: selection.selected.column(name) for name in names}, load=None)
    return Selection(loaded, selected, selection.rows)


def shards(selection: Selection, n: int) -> list[Selection]:
    """At most n parts of consecutive whole instruments with about equally many selected rows, in the order of their codes.

    Sessions and rows of the parts, one after the other, are those of the whole. Needs a `portable` selection.
    """
    codes = selection.selected.codes
    ends = selection.selected.instrument_offsets[1:]
    targets = selection.selected.n_rows * np.arange(1, n) / n
    cuts = np.unique(np.concatenate([[0], np.searchsorted(ends, targets) + 1, [len(codes)]]))
    cuts = cuts[cuts <= len(codes)]
    return [_part(selection, codes[low:high]) for low, high in itertools.pairwise(cuts)]


def _part(selection: Selection, codes: tuple[str, ...]) -> Selection:
    selected = _instruments(selection.selected, codes[0], codes[-1])
    first = int(selection.selected.instrument_offsets[selection.selected.codes.index(codes[0])])
    rows = selection.rows[first : first + selected.n_rows]
    loaded = _instruments(selection.loaded, codes[0], codes[-1])
    start = int(selection.loaded.instrument_offsets[selection.loaded.codes.index(loaded.codes[0])])
    return Selection(loaded, selected, rows - start)


def _instruments(panel: Panel, first: str, last: str) -> Panel:
    """Every instrument of a panel from one code to another, both included; columns are views."""
    inside = [at for at, code in enumerate(panel.codes) if first <= code <= last]
    low, high = inside[0], inside[-1] + 1
    sessions = slice(*np.searchsorted(panel.session_code, [low, high]))
    rows = slice(int(panel.offsets[sessions.start]), int(panel.offsets[sessions.stop]))
    return Panel(
        codes=panel.codes[low:high],
        session_code=panel.session_code[sessions] - low,
        session_day=panel.session_day[sessions],
        offsets=panel.offsets[sessions.start : sessions.stop + 1] - rows.start,
        clock=panel.clock[rows],
        ranking_clock=panel.ranking_clock,
        layout=panel.layout,
        names={code: panel.names[code] for code in panel.codes[low:high] if code in panel.names},
        columns={name: column[rows] for name, column in panel.columns.items()},
    )


def _engine_columns(selection: Selection, config: EngineConfig) -> set[str]:
    """What the engine itself reads, found by letting it bind."""
    read: set[str] = set()

    def recording(panel: Panel) -> Panel:
        def load(name: str) -> Floats:
            read.add(name)
            return panel.column(name)

        return replace(panel, columns={}, load=load)

    # The mode alone decides which columns betting weights go by.
    for own in {one.weighting.mode: one for one in config.alone}.values():
        bind(Selection(recording(selection.loaded), recording(selection.selected), selection.rows), own)
    return read
