import pytest

from stom_ray.errors import ConfigError
from stom_ray.schema.costs import CostModel, cost_model


def test_stom_rates_hold_on_every_day():
    assert cost_model("stom", 19990101) == cost_model("stom", 20260101) == CostModel(0.0018, 0.00015, 10)


@pytest.mark.parametrize(
    ("day", "tax"),
    [(20210101, 0.0023), (20221231, 0.0023), (20230101, 0.0020), (20240102, 0.0018), (20251231, 0.0015), (20260101, 0.0020),
     (20300101, 0.0020)],
)  # fmt: skip
def test_krx_tax_is_that_of_the_day(day, tax):
    assert cost_model("krx", day).tax_rate == tax


def test_krx_before_its_table_is_refused_rather_than_guessed():
    with pytest.raises(ConfigError, match="starts on 20210101"):
        cost_model("krx", 20201231)


def test_custom_rates_are_percentages_and_exact():
    assert cost_model("custom:0.2,0.015", 20240102) == CostModel(0.002, 0.00015)


@pytest.mark.parametrize(
    "spec", ["", "kospi", "custom:", "custom:0.2", "custom:a,b", "custom:1,2,3", "custom:nan,0", "custom:-1,0", "custom:100,0"]
)
def test_other_models_are_refused(spec):
    with pytest.raises(ConfigError):
        cost_model(spec, 20240102)
