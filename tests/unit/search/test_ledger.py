import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stom_ray.engine.types import ParamMatrix
from stom_ray.errors import LedgerError
from stom_ray.search.daily_file import daily_path
from stom_ray.search.ledger import Ledger
from stom_ray.search.ledger_format import MAGIC, scan
from stom_ray.search.scoring import nothing_of
from stom_ray.search.space import parameter_keys

ROOT = Path(__file__).parents[3]
DAYS = np.array([20230118, 20230119])


def scores_for(params, reasons=None):
    profit = params.values.sum(axis=1)
    failed = np.zeros(len(params), dtype=np.bool_)
    failed[list(reasons or {})] = True
    figures = np.repeat(profit[:, None], 15, axis=1)
    daily = np.where(failed[:, None], np.nan, np.stack([profit, -profit], axis=1)).astype(np.float32)
    scored = nothing_of(len(params), aims=3, days=2, rungs=2)
    return replace(
        scored,
        figures=figures,
        objective=np.where(failed, np.nan, profit),
        aims=np.where(failed[:, None], np.nan, np.stack([profit, -profit, 0 * profit], axis=1)),
        sharpe=profit / 10,
        failed=failed,
        pruned=profit == 4.5,
        fell=np.where(profit == 4.5, 2, 0),
        early=np.stack([profit, profit / 2], axis=1),
        daily=daily,
        reasons=reasons or {},
    )


def put(ledger, number, rows, island=0, reasons=None):
    params = ParamMatrix.from_rows(rows)
    scores = scores_for(params, reasons)
    return ledger.append(
        island, number, "random", params, parameter_keys(params), scores.marks, np.arange(len(params)), scores, 0.5
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "ledger.bin"


@pytest.fixture
def filled(path):
    """Three batches of two rows: keys 1 … 6."""
    with Ledger.create(path, "abc", {"seed": 1}, DAYS, 3) as ledger:
        for number in range(3):
            put(ledger, number, [[2 * number + 1, 0.5], [2 * number + 2, 0.5]])
    return path


def test_what_was_appended_is_read_back_bit_for_bit(path):
    with Ledger.create(path, "abc", {"seed": 1}, DAYS, 3) as ledger:
        put(ledger, 0, [[60, 1.1], [60.0, -2.5]], reasons={1: "현재가: 나누기 0"})
    again = Ledger.read(path)
    batch = again.batches[0]
    assert again.header["identity"] == {"seed": 1}
    assert batch.params.values.tolist() == [[60.0, 1.1], [60.0, -2.5]]
    assert batch.params.is_float.tolist() == [[False, True], [True, True]]
    assert batch.scores.failed.tolist() == [False, True]
    assert batch.scores.reasons == {1: "현재가: 나누기 0"}
    np.testing.assert_array_equal(batch.scores.figures[:, 0], [61.1, 57.5])
    np.testing.assert_array_equal(batch.scores.objective, [61.1, np.nan])
    np.testing.assert_array_equal(batch.scores.early[0], [61.1, 61.1 / 2])
    np.testing.assert_array_equal(batch.scores.aims, [[61.1, -61.1, 0], [np.nan] * 3])
    np.testing.assert_array_equal(batch.marks, [[61.1, 61.1, -61.1, 0], [np.nan] * 4])
    assert (batch.island, batch.number, batch.source, batch.wall_s) == (0, 0, "random", 0.5)
    np.testing.assert_array_equal(again.days, DAYS)
    np.testing.assert_array_equal(again.daily, np.array([[61.1, -61.1], [np.nan, np.nan]], dtype=np.float32))
    np.testing.assert_array_equal(batch.scores.daily, again.daily)


def test_a_key_is_scored_once_however_often_it_comes(path):
    with Ledger.create(path, "abc", {}, DAYS, 3) as ledger:
        put(ledger, 0, [[1], [2], [1]])
        put(ledger, 0, [[3], [4]], island=1)
        second = put(ledger, 1, [[2], [5], [3]])
        assert [len(batch.scores) for batch in ledger.batches] == [2, 2, 1]
        assert second.scored.tolist() == [1]
        assert len(ledger) == 5
        np.testing.assert_array_equal(ledger.marks(second.keys), [[2, 2, -2, 0], [5, 5, -5, 0], [3, 3, -3, 0]])
        np.testing.assert_array_equal(Ledger.read(path).batches[2].marks, second.marks)
        assert ledger.daily[:, 0].tolist() == [1, 2, 3, 4, 5]


def test_a_batch_that_is_recorded_already_is_not_recorded_again(path):
    with Ledger.create(path, "abc", {}, DAYS, 3) as ledger:
        put(ledger, 0, [[1]])
        size = path.stat().st_size
        assert put(ledger, 0, [[1]]) is None
        assert path.stat().st_size == size


def test_a_row_without_scores_that_nobody_knows_is_a_mistake(path):
    with Ledger.create(path, "abc", {}, DAYS, 3) as ledger:
        params = ParamMatrix.from_rows([[1], [2]])
        first = scores_for(params).pick(np.array([0]))
        with pytest.raises(ValueError, match="row 1 has no scores"):
            ledger.append(0, 0, "x", params, parameter_keys(params), first.marks, np.array([0]), first, 0.0)


def test_cut_at_every_byte_it_keeps_all_whole_records_or_says_that_the_header_is_gone(filled):
    data, daily = filled.read_bytes(), daily_path(filled).read_bytes()
    ends = [frame.end for frame in scan(data).intact]
    for length in range(len(data)):
        filled.write_bytes(data[:length])
        daily_path(filled).write_bytes(daily)
        if length < ends[0]:
            with pytest.raises(LedgerError, match=r"ledger\.bin.*offset"):
                Ledger.open(filled)
            continue
        with Ledger.open(filled, "abc") as ledger:
            whole = sum(end <= length for end in ends) - 1
            assert len(ledger.batches) == whole
            assert (ledger.cut_bytes > 0) == (length not in ends)
            if length % 16 == 0:
                put(ledger, 9, [[99, 0.5]])
        with Ledger.open(filled, "abc") as ledger:
            assert len(ledger) == len(ledger.daily) == 2 * whole + (length % 16 == 0)
            assert ledger.cut_bytes == 0


def test_a_torn_record_takes_its_daily_returns_with_it(filled):
    data = filled.read_bytes()
    filled.write_bytes(data[:-1])
    with Ledger.open(filled) as ledger:
        assert ledger.daily[:, 0].tolist() == [1.5, 2.5, 3.5, 4.5]
        put(ledger, 9, [[99, 0.5]])
        assert ledger.daily[:, 0].tolist() == [1.5, 2.5, 3.5, 4.5, 99.5]
    assert daily_path(filled).stat().st_size == 5 * 2 * 4


def test_daily_returns_cut_at_every_byte_are_refused_with_file_and_offset(filled):
    path = daily_path(filled)
    data = path.read_bytes()
    assert len(data) == 6 * 2 * 4
    for length in range(len(data)):
        path.write_bytes(data[:length])
        for opening in (Ledger.open, Ledger.read):
            with pytest.raises(LedgerError, match=rf"ledger\.bin\.daily: ends at offset {length}, .*restore") as caught:
                opening(filled)
            assert "start the study anew" in str(caught.value)
        assert path.read_bytes() == data[:length], "a damaged file must be left as it is"
    path.unlink()
    with pytest.raises(LedgerError, match=r"ledger\.bin\.daily: offset 0: cannot be read"):
        Ledger.open(filled)


def test_daily_returns_whose_record_was_never_written_are_dropped(filled):
    path = daily_path(filled)
    data = path.read_bytes()
    for extra in (1, 7, 8, 16, 5_000):
        path.write_bytes(data + bytes(extra))
        assert len(Ledger.read(filled).daily) == 6
        with Ledger.open(filled) as ledger:
            assert len(ledger.daily) == 6
        assert path.read_bytes() == data


def test_every_flipped_byte_of_daily_returns_is_noticed(filled):
    path = daily_path(filled)
    data = path.read_bytes()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        block = at // 16 * 16
        with pytest.raises(LedgerError, match=rf"ledger\.bin\.daily: damaged between offsets {block} and {block + 16}"):
            Ledger.open(filled)


def test_daily_returns_without_their_ledger_are_not_written_over(filled):
    filled.unlink()
    with pytest.raises(LedgerError, match=r"their ledger ledger\.bin is gone"):
        Ledger.create(filled, "abc", {}, DAYS, 3)


def test_a_zero_filled_tail_is_cut_off(filled):
    data, daily = filled.read_bytes(), daily_path(filled).read_bytes()
    last = scan(data).intact[-1]
    for keep in (last.start, last.start + 1, last.start + 30, last.end - 1, last.end):
        daily_path(filled).write_bytes(daily)
        filled.write_bytes(data[:keep] + bytes(5_000))
        with Ledger.open(filled) as ledger:
            assert len(ledger.batches) == (3 if keep == last.end else 2)
            assert ledger.cut_at == (last.end if keep == last.end else last.start)


def test_every_flipped_byte_is_noticed_and_damage_in_the_middle_names_file_and_offset(filled):
    data, daily = filled.read_bytes(), daily_path(filled).read_bytes()
    frames = scan(data).intact
    for at, mask in itertools.product(range(0, len(data), 3), (0x01, 0x80)):
        damaged = bytearray(data)
        damaged[at] ^= mask
        daily_path(filled).write_bytes(daily)
        filled.write_bytes(damaged)
        if at >= frames[-1].start:
            with Ledger.open(filled) as ledger:
                assert len(ledger.batches) == 2
                assert ledger.cut_at == frames[-1].start
        else:
            with pytest.raises(LedgerError, match=r"ledger\.bin.*offset [\d,]+") as caught:
                Ledger.open(filled)
            assert "copy" in str(caught.value)
            assert filled.read_bytes() == bytes(damaged), "a damaged ledger must be left as it is"


def test_a_lost_or_repeated_record_is_damage(filled):
    data = filled.read_bytes()
    frames = scan(data).intact
    for damaged in (data[: frames[1].start] + data[frames[1].end :], data[: frames[2].end] + data[frames[2].start :]):
        filled.write_bytes(damaged)
        with pytest.raises(LedgerError, match="offset"):
            Ledger.open(filled)


def test_reading_while_a_record_is_being_written_leaves_it_out_and_touches_nothing(filled):
    data = filled.read_bytes()[:-20]
    filled.write_bytes(data)
    assert len(Ledger.read(filled).batches) == 2
    assert filled.read_bytes() == data


def test_two_writers_are_refused_and_a_reader_is_not(path):
    with Ledger.create(path, "abc", {}, DAYS, 3) as ledger:
        put(ledger, 0, [[1]])
        with pytest.raises(LedgerError, match="another process is writing"):
            Ledger.open(path)
        assert len(Ledger.read(path)) == 1
    Ledger.open(path).close()


def test_a_ledger_of_another_study_is_refused_and_says_what_differs(filled):
    with pytest.raises(LedgerError, match="seed was 1, is 2"):
        Ledger.open(filled, "other", {"seed": 2})
    with pytest.raises(LedgerError, match="there is a ledger already"):
        Ledger.create(filled, "abc", {}, DAYS, 3)


def test_other_files_and_missing_ones_are_refused_with_a_remedy(path):
    with pytest.raises(LedgerError, match="no ledger here"):
        Ledger.open(path)
    path.parent.mkdir()
    path.write_bytes(b"SQLite format 3\0")
    with pytest.raises(LedgerError, match="not a ledger"):
        Ledger.open(path)
    path.write_bytes(MAGIC)
    with pytest.raises(LedgerError, match="header"):
        Ledger.open(path)


def test_a_disk_that_is_full_costs_the_batch_and_nothing_else(path, monkeypatch):
    with Ledger.create(path, "abc", {}, DAYS, 3) as ledger:
        put(ledger, 0, [[1]])
        real = os.write

        def full_after_ten_bytes(descriptor, data, filling):
            if len(filling) == 1:
                return real(descriptor, bytes(data[:10]))
            raise OSError(28, "No space left on device")

        sizes = path.stat().st_size, daily_path(path).stat().st_size
        # First the disk is full when the record comes, which is long, then already for the daily returns.
        for is_full in (lambda data: len(data) > 100, lambda data: True):
            filling = []

            def write(descriptor, data, is_full=is_full, filling=filling):
                if filling or is_full(data):
                    filling.append(len(data))
                    return full_after_ten_bytes(descriptor, data, filling)
                return real(descriptor, data)

            monkeypatch.setattr(os, "write", write)
            with pytest.raises(LedgerError, match=r"free .* bytes and resume"):
                put(ledger, 1, [[2], [3]])
            monkeypatch.undo()
            assert (path.stat().st_size, daily_path(path).stat().st_size) == sizes
        put(ledger, 1, [[2], [3]])
    with Ledger.open(path) as ledger:
        assert len(ledger) == 3
        assert ledger.cut_bytes == 0


WRITER = """
import itertools, sys
import numpy as np
from stom_ray.engine.types import ParamMatrix
from stom_ray.search.ledger import Ledger
from stom_ray.search.scoring import nothing_of
from stom_ray.search.space import parameter_keys
from pathlib import Path
path = Path(sys.argv[1])
ledger = Ledger.open(path) if path.exists() else Ledger.create(path, "abc", {}, np.arange(3))
for number in itertools.count(len(ledger.batches)):
    params = ParamMatrix.from_rows([[number, k] for k in range(300)])
    scores = nothing_of(300, 0, 3, 0)
    scores.daily[:], scores.objective[:] = number, 0
    ledger.append(0, number, "random", params, parameter_keys(params), scores.marks, np.arange(300), scores, 0.0)
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_loses_nothing_that_it_had_confirmed(path):
    confirmed = -1
    for delay in (0.0, 0.003, 0.011, 0.03):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        with writer:
            confirmed = max(confirmed, int(writer.stdout.readline()))
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
            confirmed = max([confirmed, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
        with Ledger.open(path) as ledger:
            assert [batch.number for batch in ledger.batches] == list(range(len(ledger.batches)))
            assert len(ledger.batches) > confirmed
            assert len(ledger) == 300 * len(ledger.batches)
            np.testing.assert_array_equal(ledger.daily[:, 2], np.repeat(np.arange(len(ledger.batches)), 300))
