import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.errors import ConfigError
from stom_ray.simulate import Edge, Term
from stom_ray.simulate.edge import QUANTITIES

SELL = "매도 = False\nif 보유시간 > 60:\n    매도 = True\nif 매도:\n    self.Sell()\n"
THREE = Edge((Term("strength", 108.0), Term("buy_ratio", 2.0), Term("rate_angle", 4.0, window=30)), 60.0, 120)


def test_the_condition_is_a_stom_expression() -> None:
    assert THREE.condition == ("데이터길이 >= 30 and 체결강도 > 108 and 초당매수수량 > 초당매도수량 * 2 and 등락율각도(30) > 4")


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_buy_text_of_every_quantity_compiles_without_a_warning(quantity: str) -> None:
    term = Term(quantity, 1.5, above=False, window=40 if QUANTITIES[quantity].windowed else 0)
    strategy = compile_strategy(Edge((term,), 10, 60).buy_text, SELL)
    assert strategy.warnings == ()


def test_the_short_form_reads_back() -> None:
    for form in ("steady", "episode"):
        edge = Edge((Term("book_ratio", 0.5, above=False), Term("value_burst", 2.25, window=20)), -35.5, 90, form)
        assert Edge.parse(edge.spec) == edge
    assert Edge.parse("60bp/120s strength>108 buy_ratio>2 rate_angle(30)>4") == THREE


def test_windows_longer_than_thirty_rows_delay_the_first_row() -> None:
    assert Edge((Term("rate_angle", 4.0, window=90),), 60, 120).first_row == 90
    assert THREE.first_row == 30


def test_the_schedule_sums_to_the_strength() -> None:
    for form in ("steady", "episode"):
        edge = Edge((Term("strength", 100),), -60, 37, form)
        assert edge.schedule().sum() == pytest.approx(-60e-4)
        assert len(edge.schedule()) == 37
    assert np.all(np.diff(Edge((Term("strength", 100),), 60, 37, "episode").schedule()) < 0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Term("momentum", 1), "unknown edge quantity 'momentum'"),
        (lambda: Term("strength", float("nan")), "expected a finite number"),
        (lambda: Term("rate_angle", 1), "window is 0, expected 2 to 300 rows"),
        (lambda: Term("strength", 1, window=30), "strength has no window"),
        (lambda: Edge((), 1, 1), "0 terms: expected 1 to 3"),
        (lambda: Edge((Term("strength", 1),) * 4, 1, 1), "4 terms: expected 1 to 3"),
        (lambda: Edge((Term("strength", 1),), 10, 0), "horizon_s is 0"),
        (lambda: Edge((Term("strength", 1),), 600, 100), "strength_bps is 600: expected at most ±500"),
        (lambda: Edge((Term("strength", 1),), 400, 4), "drifts 100.0 bp in a second, more than 50"),
        (lambda: Edge((Term("strength", 1),), 10, 60, "wavy"), "edge form is 'wavy'"),  # type: ignore[arg-type]
        (lambda: Edge.parse(""), "expected BPSbp/SECONDSs"),
        (lambda: Edge.parse("60/120 strength>1"), "expected BPSbp/SECONDSs"),
        (lambda: Edge.parse("60bp/120s/wavy strength>1"), "edge form is 'wavy'"),
        (lambda: Edge.parse("60bp/120s strength=1"), "edge term 'strength=1'"),
        (lambda: Edge.parse("60bp/120s strength>1-2"), "edge term 'strength>1-2'"),
        (lambda: Edge.parse("1-2bp/120s strength>1"), "edge '1-2bp/120s strength>1'"),
    ],
)
def test_an_edge_that_cannot_be_planted_is_named(build: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build()  # type: ignore[operator]
    assert message in str(caught.value)
