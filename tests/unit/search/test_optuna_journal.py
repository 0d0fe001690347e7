"""A study's rows as Optuna sees them, read from a ledger that grows, is cut, or is damaged."""

import json
import warnings

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import load_study
from optuna.trial import TrialState

from stom_ray.errors import ConfigError, LedgerError
from stom_ray.search.ledger import Ledger
from stom_ray.search.ledger_format import scan
from stom_ray.search.ledger_tail import LedgerTail
from stom_ray.search.optuna_journal import BEST, OptunaJournal
from stom_ray.search.study import Study
from stom_ray.search.table import trial_table


def written(path, journal, *, dense=10_000, best=True):
    """The ledger's rows put into the journal by a new follower; its mirror."""
    tail, book = LedgerTail(path), OptunaJournal(journal)
    mirror = book.mirror("search", tail.header, dense=dense)
    for seen in tail.news():
        mirror.add(seen)
    if best:
        mirror.add_best()
    book.flush()
    return mirror


def trials(journal):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_study(study_name="search", storage=JournalStorage(JournalFileBackend(str(journal)))).get_trials()


@pytest.fixture
def ledger(tmp_path, config_of, spaces, evaluator):
    path = tmp_path / "ledger.bin"
    Study(config_of(space=spaces["mixed"](), evaluations=120, batch_size=10), evaluator, path).run()
    return path


@pytest.fixture
def table(ledger):
    return trial_table(Ledger.read(ledger).batches, 3)


def test_every_scored_row_is_a_trial_with_its_values_objective_and_source(ledger, table, tmp_path):
    written(ledger, tmp_path / "optuna.log")
    found = {trial.user_attrs["key"]: trial for trial in trials(tmp_path / "optuna.log")}
    assert set(found) == {key.hex() for key in table.keys}
    for row, key in enumerate(table.keys):
        trial = found[key.hex()]
        assert list(trial.params) == ["self.vars[0]", "self.vars[1]", "self.vars[2]"]
        assert list(trial.params.values()) == table.params.values[row].tolist()
        assert (trial.user_attrs["island"], trial.user_attrs["source"]) == (table.island[row], table.source[row])
        if table.failed[row]:
            assert trial.state == TrialState.FAIL
            assert trial.user_attrs["reason"] == table.reasons[row]
        else:
            assert trial.value == table.objective[row]
            assert trial.user_attrs["tsg"] == table.objective[row]
    assert any(table.failed)


def test_a_follower_that_comes_again_writes_nothing_twice(ledger, tmp_path):
    journal = tmp_path / "optuna.log"
    written(ledger, journal)
    before = journal.read_bytes()
    written(ledger, journal)
    assert journal.read_bytes() == before


def test_a_journal_cut_at_every_byte_is_continued_to_the_same_trials(tmp_path, config_of, evaluator):
    ledger, journal = tmp_path / "ledger.bin", tmp_path / "optuna.log"
    Study(config_of(evaluations=1, batch_size=1), evaluator, ledger).run()
    written(ledger, journal)
    whole = journal.read_bytes()
    for length in range(len(whole)):
        journal.write_bytes(whole[:length])
        OptunaJournal(journal)
        lines = whole[: whole.rfind(b"\n", 0, length) + 1]
        assert journal.read_bytes() == lines
        if len(lines) == length:  # what follows depends on the whole lines alone
            written(ledger, journal)
            assert told(journal.read_bytes()) == told(whole)


def told(journal):
    """Every line, without who wrote it and when."""
    lines = [json.loads(line) for line in journal.splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith(("worker", "datetime"))} for line in lines]


def test_of_many_rows_a_sample_the_records_and_the_best_are_shown(ledger, table, tmp_path):
    mirror = written(ledger, tmp_path / "some.log", dense=1, best=False)
    assert mirror.rows == len(table)
    assert mirror.shown < len(table) / 2
    shown = {trial.user_attrs["key"] for trial in trials(tmp_path / "some.log")}
    assert table.keys[int(table.best(1)[0])].hex() in shown
    written(ledger, tmp_path / "some.log", dense=1)
    shown = {trial.user_attrs["key"] for trial in trials(tmp_path / "some.log")}
    assert {table.keys[row].hex() for row in table.best(BEST // 2)} <= shown


def test_a_ledger_is_read_as_it_grows_and_a_torn_record_waits(ledger, tmp_path):
    whole, growing = ledger.read_bytes(), tmp_path / "growing.bin"
    growing.write_bytes(whole[: len(whole) // 2])
    tail = LedgerTail(growing)
    first = list(tail.news())
    assert list(tail.news()) == []
    growing.write_bytes(whole)
    keys = [key for seen in [*first, *tail.news()] for key in seen.keys]
    assert 0 < sum(len(seen.keys) for seen in first) < len(keys)
    assert sorted(keys) == sorted(Ledger.read(ledger).batches[n].keys[row] for n, row in scored_rows(ledger))


def scored_rows(path):
    return [(n, row) for n, batch in enumerate(Ledger.read(path).batches) for row in batch.scored]


def test_a_ledger_cut_at_every_byte_is_followed_up_to_the_cut_or_refused(tmp_path, config_of, evaluator):
    Study(config_of(evaluations=2, batch_size=1), evaluator, tmp_path / "small.bin").run()
    whole, cut = (tmp_path / "small.bin").read_bytes(), tmp_path / "cut.bin"
    ends = [frame.end for frame in scan(whole).intact]
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        if length < ends[0]:
            with pytest.raises(LedgerError, match=r"cut\.bin: offset \d"):
                LedgerTail(cut)
        else:
            assert len(list(LedgerTail(cut).news())) == sum(end <= length for end in ends) - 1


def test_a_ledger_damaged_in_the_middle_is_refused_with_the_offset(ledger):
    data = bytearray(ledger.read_bytes())
    data[len(data) // 2] ^= 1
    ledger.write_bytes(data)
    with pytest.raises(LedgerError, match=r"damaged at offset [0-9,]+"):
        list(LedgerTail(ledger).news())


def test_a_ledger_that_another_replaced_is_refused(ledger):
    tail = LedgerTail(ledger)
    list(tail.news())
    ledger.write_bytes(ledger.read_bytes()[:200])
    with pytest.raises(LedgerError, match="another ledger took its place"):
        list(tail.news())


def test_a_journal_of_another_study_or_of_no_study_is_refused(ledger, tmp_path):
    journal = tmp_path / "optuna.log"
    written(ledger, journal)
    tail, book = LedgerTail(ledger), OptunaJournal(journal)
    with pytest.raises(ConfigError, match="delete the journal"):
        book.mirror("search", {**tail.header, "study_id": "other"})
    journal.write_text("no journal\n")
    with pytest.raises(ConfigError, match="delete it"):
        OptunaJournal(journal)
