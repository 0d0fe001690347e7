"""What a run leaves in its folder besides the ledgers, cut off anywhere, is never taken for the whole."""

import pytest

from stom_ray.config import RunConfig
from stom_ray.errors import ConfigError
from stom_ray.runs.conduct import read_result
from stom_ray.runs.files import as_json
from stom_ray.runs.subject import CONFIG, END, kept_config

RECORD = {"stopped_by": "done", "seconds": {"search": 1.5}, "walk_forward": [{"train": [1, 2]}], "best": {"values": [1.0, None]}}


@pytest.fixture
def config():
    strategy = {"buy": "buy.txt", "sell": "sell.txt", "ranges": "vars.txt"}
    record = {"data": {"path": "/data/장.db"}, "strategy": strategy, "execution": {"folder": ".", "title": "돌파"}}
    return RunConfig.model_validate(record)


def test_a_configuration_cut_at_every_byte_is_told_with_file_and_place(config, tmp_path):
    path = tmp_path / CONFIG
    whole = (config.to_yaml() + END).encode()
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError) as caught:
            kept_config(tmp_path)
        said = str(caught.value)
        line = whole[:length].count(b"\n") + 1
        assert f"{path}:{line}: cut off here" in said or f"{path}: byte" in said
    for rest in (whole.rstrip(), whole):
        path.write_bytes(rest)
        assert kept_config(tmp_path) == config.relative_to(tmp_path)


def test_a_result_cut_at_every_byte_is_told_with_file_and_place(tmp_path):
    path = tmp_path / "result.json"
    whole = as_json(RECORD).encode()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match=r"result\.json: damaged or cut off \(.*line \d+ column \d+"):
            read_result(path)
    path.write_bytes(whole)
    assert read_result(path) == RECORD
