"""Arrays for a generated kernel: one block of instruments bound to the columns, windows and tables that its text numbers.

A block has one C-contiguous float64 matrix (n_columns, n_rows): first the columns named by the text, then window columns, each
made once for a (function, length) and kept for later batches. Columns named by the text are written to it when a kernel asks for
it: memory that nobody reads is never touched.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions import ir
from stom_ray.conditions.emit_cpu import PRICE_COLUMN, EmittedKernel
from stom_ray.conditions.emit_sites import WindowSite
from stom_ray.conditions.emit_values import LARGEST_INT
from stom_ray.conditions.emit_windows import EMPTY_WINDOW, FLOAT_WINDOW, loadable_lengths
from stom_ray.conditions.rows import Rows
from stom_ray.engine.bind import five_levels, weighting_criterion
from stom_ray.engine.kernel_runtime import entry_table, next_open
from stom_ray.engine.row_values_block import BlockValues
from stom_ray.engine.types import EngineConfig, Floats, Ints, ParamMatrix
from stom_ray.features.columns import WindowColumn, fill
from stom_ray.schema.costs import cost_model
from stom_ray.schema.ladder import tick_units, vi_below5s
from stom_ray.store.panel import Panel, Selection

Bools = NDArray[np.bool_]
Rows32 = NDArray[np.int32]
WindowKey = tuple[str, int]

BOOK = range(PRICE_COLUMN + 1)  # columns of bids and prices
PART_ROWS = 1 << 17  # of a block, for values that are read once: the memory of one part serves the next


@dataclass(frozen=True)
class BatchWindows:
    """Window sites of a batch of parameter rows, before columns are placed.

    lengths, faults: (n_candidates, n_windows) int64; a length is 0 where there is a fault.
    """

    lengths: Ints
    faults: Ints


def batch_windows(emitted: EmittedKernel, params: ParamMatrix, strict: bool) -> BatchWindows:
    sites = list(emitted.sites.windows)
    lengths = np.zeros((len(params), len(sites)), dtype=np.int64)
    faults = np.zeros((len(params), len(sites)), dtype=np.int64)
    for position, site in enumerate(sites):
        values, floats = _length_values(site.length, params)
        with np.errstate(invalid="ignore"):
            whole = ~floats if strict else ~floats | ((values == np.floor(values)) & (np.abs(values) <= LARGEST_INT))
            whole &= np.isfinite(values)  # int(nan) stops before its window is read
        faults[:, position] = np.where(~whole, FLOAT_WINDOW, np.where(values < 1, EMPTY_WINDOW, 0))
        legal = faults[:, position] == 0
        lengths[legal, position] = np.minimum(values[legal], LARGEST_INT).astype(np.int64)
    return BatchWindows(lengths, faults)


def _length_values(length: ir.Expr, params: ParamMatrix) -> tuple[Floats, Bools]:
    """A window length per candidate, and whether it is a Python float."""
    n = len(params)
    match length:
        case ir.Const(value=value) if not isinstance(value, str):
            return np.full(n, float(value)), np.full(n, isinstance(value, float))
        case ir.Var(index=index):
            return params.values[:, index], params.is_float[:, index]
        case ir.Call(function="int", arguments=(ir.Var(index=index),)):
            return np.trunc(params.values[:, index]), np.zeros(n, dtype=np.bool_)
    raise TypeError(f"a window length that changes from row to row is no site: {length}")


class Block:
    """Some instruments of a selection, bound for one kernel and one configuration.

    row_from, session_from: where the block begins in the whole selection. threads: how many may make window columns. room: memory
    for the matrix, at least of its size.
    """

    def __init__(
        self,
        selection: Selection,
        emitted: EmittedKernel,
        config: EngineConfig,
        row_from: int,
        session_from: int,
        room: Floats | None = None,
    ) -> None:
        self.threads = 1
        self.row_from = row_from
        self.session_from = session_from
        self.panel = selection.selected
        self.selection = selection
        self.emitted = emitted
        self.config = config
        self.rows = Rows(selection, config.loaded_lengths)
        self.longest_session = int(np.diff(self.panel.offsets).max(initial=0))
        costs = [cost_model(config.costs, int(day)) for day in self.panel.session_day]
        self.costs = np.array(
            [(cost.tax_rate, cost.fee_rate, float(cost.fee_rounding_krw)) for cost in costs], dtype=np.float64
        ).reshape(-1, 3)
        self.offsets = np.array(self.panel.offsets, dtype=np.int64)
        self.firsts = self.panel.instrument_offsets[self.panel.session_code].astype(np.int64)
        self.tests = self._tests()
        self._following: dict[bytes, Rows32] = {}
        self._places: dict[WindowKey, int] = {}
        self._parted = False
        self._writing = threading.RLock()  # threads of a run ask for the matrix
        self._named = {number: key for key, number in emitted.sites.columns.items()}  # that are not in the matrix yet
        self._made: dict[int, Floats] = {}
        self._fixed = len(emitted.sites.columns)
        # With room for a column a window, which is what most batches need: to grow is to copy all of it.
        shape = (self._fixed + len(emitted.sites.windows), self.panel.n_rows)
        self._matrix: Floats = np.empty(shape) if room is None else room[: shape[0] * shape[1]].reshape(shape)

    @property
    def matrix(self) -> Floats:
        """All columns of the text, and the windows that have a place."""
        return self._with(range(self._fixed))

    @property
    def book(self) -> Floats:
        """The matrix with bids and prices; its other rows may hold anything."""
        with self._writing:
            wanted = [number for number in BOOK if number in self._named]
            for selection, row, _ in split_selection(self.selection, PART_ROWS) if wanted else ():
                rows = Rows(selection, self.config.loaded_lengths)
                for number in wanted:
                    self._matrix[number, row : row + selection.selected.n_rows] = named_column(rows, self._named[number])
            for number in wanted:
                del self._named[number]
                self._made.pop(number, None)
        return self._matrix

    def column(self, number: int) -> Floats:
        """(n_rows,) one row of the matrix, wherever it is."""
        with self._writing:
            if number not in self._named:
                return np.asarray(self._matrix[number])
            if number not in self._made:
                self._made[number] = named_column(self.rows, self._named[number])
            return self._made[number]

    def _with(self, numbers: Iterable[int]) -> Floats:
        with self._writing:
            for number in numbers:
                if number in self._named:
                    self._matrix[number] = self.column(number)
                    del self._named[number], self._made[number]
        return self._matrix

    def parts(self, batch: BatchWindows) -> Iterator[tuple[Block, slice]]:
        """Blocks of some instruments with their rows of this one, whose columns are forgotten one after the other.

        From the second time on it is the block itself, which keeps the windows of the batch: more are likely to follow.
        """
        if self._parted or self.panel.n_rows <= PART_ROWS or self.needed_windows(batch) <= self._places.keys():
            yield self, slice(0, self.panel.n_rows)
            return
        self._parted = True
        parts = list(split_selection(self.selection, PART_ROWS))
        room = np.empty(len(self._matrix) * max(selection.selected.n_rows for selection, _, _ in parts))
        for selection, row, session in parts:
            at = (self.row_from + row, self.session_from + session)
            part = Block(selection, self.emitted, self.config, *at, room)
            part.threads = self.threads
            yield part, slice(row, row + part.panel.n_rows)

    def _tests(self) -> Bools:
        panel = self.panel
        tests = np.zeros((panel.n_sessions, max(1, len(self.emitted.sites.texts))), dtype=np.bool_)
        for test, number in self.emitted.sites.texts.items():
            names = panel.codes if test.name == "종목코드" else [panel.names.get(code, code) for code in panel.codes]
            holds = np.array([(name in test.choices) != test.negated for name in names], dtype=np.bool_)
            tests[:, number] = holds[panel.session_code]
        return tests

    @cached_property
    def entry(self) -> Floats:
        """(2, n_rows) shares and price of a buy on each row, price 0 where the book cannot fill it."""
        found = np.empty((2, self.panel.n_rows))
        for selection, row, _ in split_selection(self.selection, PART_ROWS):
            found[:, row : row + selection.selected.n_rows] = _entry_table(
                Rows(selection, self.config.loaded_lengths), self.config
            )
        return found

    @cached_property
    def watched(self) -> Bools:
        """(n_rows,) rows on which buying is allowed: 관심종목 above 0; NaN is not."""
        found: Bools = self.rows.column("관심종목") > 0
        return found

    # Window columns

    def window_table(self, batch: BatchWindows) -> Ints:
        """(n_candidates, 4, n_windows): column, rows needed, fault, precomputed. Places the columns that are missing."""
        sites = list(self.emitted.sites.windows)
        table = np.zeros((len(batch.lengths), 4, max(1, len(sites))), dtype=np.int64)
        self.place(self.needed_windows(batch))
        for position, site in enumerate(sites):
            for length in np.unique(batch.lengths[:, position]):
                loaded = self.rows.is_loaded(site.function, int(length))
                here = batch.lengths[:, position] == length
                table[here, 0, position] = self._places.get((site.function, int(length)), 0)
                table[here, 1, position] = 1 if loaded else length
                table[here, 3, position] = loaded
            table[:, 2, position] = batch.faults[:, position]
        return table

    def needed_windows(self, batch: BatchWindows) -> set[WindowKey]:
        """Windows with a column: those that some row can fill."""
        keys = {(name, length) for name in self.emitted.sites.varying_functions for length in self._loadable(name)}
        for position, site in enumerate(self.emitted.sites.windows):
            keys |= self._fillable(site, batch.lengths[:, position])
        return keys

    def _fillable(self, site: WindowSite, lengths: Ints) -> set[WindowKey]:
        found = {int(length) for length in np.unique(lengths) if length >= 1}
        is_loaded = self.rows.is_loaded
        return {(site.function, n) for n in found if n <= self.longest_session + 1 or is_loaded(site.function, n)}

    def _loadable(self, function: str) -> tuple[int, ...]:
        return loadable_lengths(function, tuple(sorted(self.rows.loaded_lengths)))

    def loaded_tables(self) -> tuple[Ints, Ints]:
        """(n_varying, n_lengths) each: precomputed lengths of windows whose length varies by row, and their columns."""
        functions = list(self.emitted.sites.varying_functions)
        width = max([1, *(len(self._loadable(function)) for function in functions)])
        lengths = np.zeros((max(1, len(functions)), width), dtype=np.int64)
        columns = np.zeros_like(lengths)
        for number, function in enumerate(functions):
            for j, length in enumerate(self._loadable(function)):
                lengths[number, j] = length
                columns[number, j] = self._places[function, length]
        return lengths, columns

    def following(self, buy: ir.Program, batch: BatchWindows, windows: Ints) -> Rows32:
        """(n_rows,) the first row from each on that some candidate may buy on, or that may fault or count; else the last.

        windows: as `window_table` gives them for the batch.
        """
        trouble = (batch.faults != 0).any(axis=0)
        key = trouble.tobytes()
        if key not in self._following:
            self._following[key] = next_open(self.offsets, self.open_rows(buy, windows[0], trouble))
        return self._following[key]

    def open_rows(self, buy: ir.Program, windows: Ints, trouble: Bools) -> Bools:
        """(n_rows,) watched rows that the buy text cannot be known to pass by."""
        watched = self.watched
        surely, unknown, effects = BlockValues(self, windows, trouble).decision(buy, watched)
        found: Bools = watched & (((surely | unknown) & (self.entry[1] > 0.0)) | effects)
        return found

    def place(self, keys: set[WindowKey]) -> None:
        """Gives every window a row of the matrix; columns that are no longer needed make room before the matrix grows."""
        missing = sorted(keys - self._places.keys())
        free = sorted(set(range(self._fixed, len(self._matrix))) - set(self._places.values()))
        if len(missing) > len(free):
            for key in [key for key in self._places if key not in keys]:
                free.append(self._places.pop(key))
        if len(missing) > len(free):
            old = len(self._matrix)
            grown = np.empty((old + len(missing) - len(free), self.panel.n_rows), dtype=np.float64)
            for number in (*(set(range(self._fixed)) - self._named.keys()), *self._places.values()):
                grown[number] = self._matrix[number]
            self._matrix = grown
            free.extend(range(old, len(grown)))
        places = dict(zip(missing, sorted(free), strict=False))
        columns = [WindowColumn(*key, self.rows.is_loaded(*key)) for key in places]
        fill(self.selection, columns, [self._matrix[place] for place in places.values()], self.threads)
        self._places |= places


def _entry_table(rows: Rows, config: EngineConfig) -> Floats:
    weighting, price = config.weighting, rows.column("현재가")
    criterion = weighting_criterion(rows, weighting.mode) if weighting.mode > 0 else price
    return entry_table(
        price,
        weighting.mode > 0,
        criterion,
        config.betting,
        weighting.limits,
        weighting.factors,
        config.ask_levels,
        five_levels(rows, "매도호가"),
        five_levels(rows, "매도잔량"),
    )


def named_column(rows: Rows, key: str) -> Floats:
    """A column of the text: a column of the table, or `@name` for what follows from others of the same row."""
    panel = rows.panel
    match key:
        case "@seconds":
            return rows.seconds
        case "@release_seconds":
            return rows.release_seconds
        case "@시분초":
            return (panel.clock % 1_000_000).astype(np.float64)
        case "@호가단위" if panel.layout == "tick_v1":
            return rows.column("매도호가2") - rows.column("매도호가1")
        case "@호가단위":
            return tick_units(rows.column("현재가"), _row_days(panel)).astype(np.float64)
        case "@VI아래5호가":
            return vi_below5s(rows.column("VI가격"), rows.column("VI호가단위"), _row_days(panel))
        case "@순매수금액":
            return rows.column("초당매수금액") - rows.column("초당매도금액")
    return rows.column(key)


def _row_days(panel: Panel) -> Ints:
    return np.repeat(panel.session_day, np.diff(panel.offsets)).astype(np.int64)


def gate_rows(params: ParamMatrix, config: EngineConfig) -> Ints:
    """(n_candidates,) 데이터길이 from which a candidate decides."""
    if not config.gate_var0:
        return np.full(len(params), config.avgtime, dtype=np.int64)
    return np.minimum(np.ceil(params.values[:, 0]), 2.0**31).astype(np.int64)


# Blocks of instruments


def split_selection(selection: Selection, rows_per_block: int) -> Iterator[tuple[Selection, int, int]]:
    """(part, first row, first session) of consecutive instruments: at least one, and no more than `rows_per_block` rows allow."""
    panel = selection.selected
    starts = panel.instrument_offsets
    if panel.n_rows <= rows_per_block:
        yield selection, 0, 0
        return
    cuts = [0]
    for code in range(1, len(panel.codes)):
        if starts[code + 1] - starts[cuts[-1]] > rows_per_block:
            cuts.append(code)
    for first, last in itertools.pairwise((*cuts, len(panel.codes))):
        session = int(np.searchsorted(panel.session_code, first))
        yield _part(selection, first, last), int(starts[first]), session


def _part(selection: Selection, first: int, last: int) -> Selection:
    selected = _panel_part(selection.selected, first, last)
    loaded = selection.loaded
    low = loaded.codes.index(selected.codes[0])
    high = loaded.codes.index(selected.codes[-1]) + 1
    start, stop = (int(selection.selected.instrument_offsets[code]) for code in (first, last))
    rows = selection.rows[start:stop] - loaded.instrument_offsets[low]
    return Selection(_panel_part(loaded, low, high), selected, rows)


def _panel_part(panel: Panel, first: int, last: int) -> Panel:
    sessions = slice(*np.searchsorted(panel.session_code, (first, last)))
    rows = slice(int(panel.instrument_offsets[first]), int(panel.instrument_offsets[last]))
    return Panel(
        codes=panel.codes[first:last],
        session_code=panel.session_code[sessions] - first,
        session_day=panel.session_day[sessions],
        offsets=panel.offsets[sessions.start : sessions.stop + 1] - rows.start,
        clock=panel.clock[rows],
        ranking_clock=panel.ranking_clock,
        layout=panel.layout,
        names=panel.names,
        load=lambda name: panel.part(name, rows),
    )
