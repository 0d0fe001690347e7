"""Messages that name the user's files."""

from pathlib import Path

import pytest

from stom_ray.errors import ConditionError, ConfigError, RangeError
from stom_ray.runs.check import check
from stom_ray.runs.scripts import ScriptFiles

BUY = "매수 = True\nif 현재까 > 1:\n    매수 = False\n"
SELL = "매도 = False\nif 수익률 > 1:\n    매도 = True\n"
FILES = ScriptFiles("buy.txt", Path("strategies") / "sell.txt")


def test_a_mistake_in_a_script_names_its_file_and_keeps_the_rest():
    with pytest.raises(ConditionError) as plain:
        check(BUY, SELL)
    with pytest.raises(ConditionError) as named, FILES.in_errors():
        check(BUY, SELL)
    assert str(plain.value).startswith("buy text, line 2, column 4: unknown name")
    assert str(named.value) == str(plain.value).replace("buy text", "buy.txt")
    assert (named.value.line, named.value.column) == (2, 4)


def test_a_mistake_in_the_ranges_names_their_file():
    with pytest.raises(RangeError, match=r"^vars\.txt, line 1, column \d+: "), ScriptFiles(ranges="vars.txt").in_errors():
        check("매수 = True\n", SELL, ranges="self.vars[0] = [[30, 60, 0], 30]\n")


def test_a_folder_is_part_of_the_name():
    warning = "sell text: `매도` is never set, so nothing sells before the day's last row"
    assert FILES.name(warning) == f"{Path('strategies/sell.txt')}{warning.removeprefix('sell text')}"


@pytest.mark.parametrize(
    "message",
    [
        "ranges, line 1, column 1: no range",
        "elapsed-tick settings, line 1, column 1: 3 parts between `;`",
        "pair 1: buy condition, line 2, column 1: unknown name `현재까`",
        "several window lengths are loaded (30, 60): STOM would read other columns",
        "sell.txt, line 2, column 4: not a name\n    # buy text, line 3: a comment of the user\n    ^",
        "buy texts, line 1: no role",
    ],
)
def test_what_comes_from_no_named_file_is_left_as_it_is(message):
    assert FILES.name(message) == message


def test_warnings_are_named_one_by_one():
    told = FILES.name_all(["buy text, line 6, column 31: `표식` is not set", "no moneytop for 1 of the days"])
    assert told == ("buy.txt, line 6, column 31: `표식` is not set", "no moneytop for 1 of the days")


def test_other_errors_pass_through_untouched():
    with pytest.raises(ConfigError, match=r"^ranges: no"), ScriptFiles(ranges="vars.txt").in_errors():
        raise ConfigError("ranges: no")
