"""Whatever is handed in as a script: a strategy or a located refusal, never a traceback (design/reliability.md, 9)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.names import name_table
from stom_ray.conditions.ranges import parse_ranges
from stom_ray.errors import ConditionError, RangeError

CASES = Path(__file__).parents[1] / "golden" / "cases"
SCRIPTS = sorted({path.read_text(encoding="utf-8") for side in ("buy", "sell") for path in CASES.glob(f"*/{side}.txt")})
TABLE = name_table("tick_v1", "sell")
WORDS = (
    *sorted(TABLE.values),
    *sorted(TABLE.callables),
    "if",
    "elif",
    "else",
    "and",
    "or",
    "not",
    "in",
    "is",
    "pass",
    "True",
    "False",
    "None",
    "self.vars[1]",
    "self.vars[",
    "self",
    "매수 = ",
    "매도 = True",
    "매도 = False",
    "if 매수:",
    "if 매도:",
    "self.Buy()",
    "self.Sell()",
    "lambda",
    "import os",
    "now()",
    "timedelta_sec(3)",
    "경과틱수('a')",
    ".total_seconds()",
    "'005930'",
    "'",
    '"',
    "[",
    "]",
    "(",
    ")",
    ",",
    ":",
    "=",
    "==",
    "<",
    ">=",
    "!=",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "+=",
    "\\",
    "#",
    "`",
    ";",
    "0",
    "1",
    "30",
    "60.0",
    "1e400",
    "10억",
    "007",
    "1_0",
    ".5",
    "-1",
    "-2",
    "86401",
    "\n",
    "\n",
    "\n    ",
    "\n        ",
    "\n\t",
    "\r\n",
    "\r",
    "\x00",
    "\u200b",
    "\ufeff",
    "２",
    "（",
    "²",
    "ｘ",
    "한",
    "ㄱ",
    "😀",
)


def mutated(random_: random.Random) -> str:
    """A golden script with a few characters deleted, repeated, moved or replaced by words of the language."""
    text = random_.choice(SCRIPTS)
    for _ in range(random_.randint(1, 3)):
        start = random_.randrange(len(text) + 1)
        end = min(len(text), start + random_.randint(0, 6))
        replacement = random_.choice(
            ("", text[start:end] * 2, random_.choice(WORDS), random_.choice(WORDS) + " ", text[end : end + 20])
        )
        text = text[:start] + replacement + text[end:]
    return text


def soup(random_: random.Random) -> str:
    """Words of the language in any order."""
    return random_.choice(("", " ")).join(random_.choice(WORDS) for _ in range(random_.randint(0, 60)))


def noise(random_: random.Random) -> bytes:
    """Any bytes."""
    return random_.randbytes(random_.randint(0, 200))


def refusal(read: Callable[[], object]) -> str | None:
    """The message of the refusal, None when there is none; any other exception passes through."""
    try:
        read()
    except (ConditionError, RangeError) as error:
        return str(error)
    return None


def check(text: str | bytes, profile: str, layout: str) -> bool:
    """Whether the text compiles; fails unless a refusal names line and column."""
    messages = []
    for buy, sell in ((text, "매도 = True"), ("매수 = True", text)):
        messages.append(refusal(partial(compile_strategy, buy, sell, profile=profile, layout=layout)))
    for message in messages:
        assert message is None or re.match(r"(buy|sell) text, line \d+, column \d+: \S", message), message
    return None in messages


@pytest.mark.slow
def test_10000_random_scripts_compile_or_are_refused_with_line_and_column() -> None:
    random_ = random.Random(20_261_123)
    compiled = 0
    for number in range(10_000):
        text = (mutated, mutated, mutated, soup, noise)[number % 5](random_)
        compiled += check(text, ("stom", "corrected")[number % 2], ("tick_v1", "tick_v2", "minute_v1")[number % 3])
    # The mutations must stay close enough to the language to reach the later stages.
    assert 500 < compiled < 8_000


def test_random_settings_conditions_and_ranges_are_read_or_refused_with_line_and_column() -> None:
    random_ = random.Random(7)
    for _ in range(1_500):
        text = soup(random_)
        for read in (
            partial(compile_strategy, "매수 = True", "매도 = True", elapsed=text),
            partial(compile_conditions, [text], [text]),
            partial(parse_ranges, f"self.vars[0] = {text}"),
            partial(parse_ranges, text, "values"),
        ):
            message = refusal(read)
            assert message is None or re.search(r", line \d+, column \d+: ", message), message
