"""The four recorded searches of STOM, round by round, through engine, figures, objectives, sampler and ledger."""

import json
from pathlib import Path

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig
from stom_ray.metrics.objectives import Limits
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.ledger import Ledger
from stom_ray.search.space import Choice, Space
from stom_ray.search.study import Study, StudyConfig
from stom_ray.store.load import select
from stom_ray.validation.stom_splits import DayRange, StomSplit

STUDIES = json.loads((Path(__file__).parents[1] / "golden" / "optimize.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("recorded", STUDIES, ids=[study["name"] for study in STUDIES])
def test_coordinate_ascent_goes_the_way_stom_went(recorded, golden_panel, tmp_path):
    train, valid, test = (recorded["list_days"][0], recorded["list_days"][1] or [], recorded["list_days"][2])
    split = StomSplit(DayRange(*train), tuple(DayRange(*fold) for fold in valid), DayRange(*test, 1))
    evaluator = SerialEvaluator(
        compile_strategy(recorded["buy"], recorded["sell"], profile="stom", layout=golden_panel.layout),
        select(golden_panel, codes=recorded["codes"], days=(train[0], train[1])),
        EngineConfig(betting=recorded["betting"], gate_var0=True, loaded_lengths=(60,), profile="stom"),
        folds=[side for pair in split.folds() for side in pair],
    )
    config = StudyConfig(
        space=Space(tuple(Choice(tuple(values), best) for values, best in recorded["vars_list"])),
        goal=StomGoal(recorded["optistandard"], Limits.from_list(recorded["std_list"]), recorded["betting"], recorded["weight"]),
        subject={"case": recorded["name"]},
        sampler="coordinate",
        options={"passes": recorded["ccount"]},
        evaluations=10_000,
    )
    result = Study(config, evaluator, tmp_path / "ledger.bin").run()

    ledger = Ledger.read(tmp_path / "ledger.bin")
    ours = [batch.marks[:, 0].tolist() for batch in ledger.batches if batch.island == 0]
    theirs = [[score for _, _, score in entry["results"]] for entry in recorded["rounds"]]
    assert ours == theirs
    best = result.table.rows(result.table.best()).values[0].tolist()
    assert best == recorded["final_vars"] or result.table.objective.max() == max(theirs[-1])
