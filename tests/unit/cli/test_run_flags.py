"""The flags that backtest and sweep share."""

from dataclasses import asdict, fields

import pytest

from stom_ray.cli.run_flags import RunFlags
from stom_ray.errors import ConfigError
from stom_ray.runs.backtest import Settings
from stom_ray.runs.choice import DataChoice


def test_flags_left_out_mean_the_defaults_of_the_python_interface():
    told = RunFlags().arguments()
    assert told.pop("choice") == DataChoice()
    assert told == asdict(Settings())


def test_every_flag_reaches_the_run():
    changed = {
        "profile": "stom",
        "avgtime": 60,
        "betting": 2e6,
        "days": "20230109-20230110",
        "time": "90000-91000",
        "load_days": "20230101-20230110",
        "load_time": "90000-92000",
        "codes": "005930, 000660",
        "ask_levels": 3,
        "bid_levels": 4,
        "weights": "1,2.5",
        "elapsed": "급등;현재가",
        "costs": "krx",
        "backend": "reference",
        "threads": 2,
        "max_memory": "2GB",
    }
    assert set(changed) == {field.name for field in fields(RunFlags)}
    told = RunFlags(**changed).arguments()
    spans = [changed[name] for name in ("days", "time", "load_days", "load_time")]
    assert told.pop("choice") == DataChoice(*spans, ("005930", "000660"))
    assert told.pop("weights") == (1, 2.5)
    assert told == {name: changed[name] for name in told}
    assert set(told) == {field.name for field in fields(Settings)} - {"weights"}


def test_codes_of_commas_only_are_refused():
    with pytest.raises(ConfigError, match="--codes ', ' names no instrument"):
        RunFlags(codes=", ").arguments()
