"""What a run is called."""

from pathlib import Path

import pytest

from stom_ray.config import RunConfig
from stom_ray.runs.subject import title_of


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("data/ticks", "ticks"),
        ("a/back.db,b/new.db", "back.db, new.db"),
        ("20240102.db, 20240103.db, 20240104.db", "20240102.db … 20240104.db"),
        (".", Path.cwd().name),
    ],
)
def test_a_run_without_a_title_is_called_by_its_files(path, shown):
    strategy = {"buy": "s/돌파_buy.txt", "sell": "s/돌파_sell.txt", "ranges": "s/vars.txt"}
    assert title_of(RunConfig(data={"path": path}, strategy=strategy)) == f"돌파_buy.txt + 돌파_sell.txt · {shown}"
    assert title_of(RunConfig(data={"path": path}, strategy=strategy, execution={"title": "mine"})) == "mine"
