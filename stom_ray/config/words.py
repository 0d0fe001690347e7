"""What several places write as text or as a bare row of numbers: spans, sizes, betting weights."""

from __future__ import annotations

import math
import re

from stom_ray.engine.types import Weighting
from stom_ray.errors import ConfigError

LEAST_MEMORY = 1_000_000
SIZE = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([KMGT]?i?B)?\s*", re.IGNORECASE)
SPAN_PART = re.compile(r"\s*[0-9]{1,8}\s*")


def parse_span(text: str) -> tuple[int, int] | None:
    """`A-B` of whole numbers, A <= B; empty -> None. ConfigError otherwise."""
    if not text:
        return None
    parts = text.split("-")
    if len(parts) != 2 or not all(SPAN_PART.fullmatch(part) for part in parts):
        raise ConfigError(f"{text!r} is no span: expected FIRST-LAST, for days 20230118-20230126, for hours 90000-93000")
    low, high = int(parts[0]), int(parts[1])
    if low > high:
        raise ConfigError(f"span {text} ends before it starts: did you mean {high}-{low}?")
    return low, high


def parse_bytes(text: str | int) -> int | None:
    """`2GB`, `500 MB`, `1GiB` (2^30), or bare bytes; empty -> None. ConfigError otherwise, and for less than a megabyte."""
    if text == "":
        return None
    found = SIZE.fullmatch(str(text))
    if found is None or isinstance(text, bool):
        raise ConfigError(f"{text!r} is no size of memory: expected a number with a unit, 2GB or 500MB")
    unit = (found[2] or "B").upper()
    base = 1024 if "I" in unit else 1000
    size = int(float(found[1]) * base ** " KMGT".index(unit[0] if unit[0] != "B" else " "))
    if size < LEAST_MEMORY:
        raise ConfigError(f"{text!r} is too little memory for any run: expected at least 1MB")
    return size


def parse_weights(values: tuple[float, ...]) -> Weighting:
    """mode, 4 limits, 5 factors (spec: betting weights); empty = off."""
    if not values:
        return Weighting()
    if len(values) != 10:
        raise ConfigError(f"weights have {len(values)} numbers: expected 10, mode,limit1..4,factor1..5")
    if not all(math.isfinite(value) for value in values):
        raise ConfigError(f"weights are {', '.join(f'{value:g}' for value in values)}: expected finite numbers")
    if min(values[5:]) < 0:
        raise ConfigError(f"a weights factor is {min(values[5:]):g}: expected 0 or more times the betting")
    if values[0] != int(values[0]) or not 0 <= values[0] <= 6:
        raise ConfigError(f"weights mode is {values[0]:g}: expected 0 (off) to 6")
    limits = (values[1], values[2], values[3], values[4])
    factors = (values[5], values[6], values[7], values[8], values[9])
    return Weighting(int(values[0]), limits, factors)
