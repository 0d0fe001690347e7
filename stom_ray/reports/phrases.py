"""Words and numbers as a reader of either language expects them."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from stom_ray.errors import ConfigError

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")
NONE = "–"
_MINUS = "\N{MINUS SIGN}"
_UNITS = {"en": ((1e9, "B"), (1e6, "M"), (1e3, "k")), "ko": ((1e8, "억"), (1e4, "만"))}


@lru_cache
def texts(lang: str) -> dict[str, str]:
    """All texts of a language by key. Raises ConfigError for a language there is none for."""
    if lang not in LANGUAGES:
        raise ConfigError(f"report language {lang!r} is not known: expected one of {', '.join(LANGUAGES)}")
    source = files("stom_ray.reports").joinpath("words", f"{lang}.yaml").read_text(encoding="utf-8")
    return {key: " ".join(str(text).split()) for key, text in yaml.safe_load(source).items()}


class Phrases:
    """Texts and number formats of one language. None, NaN and ±inf are written as a dash."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.texts = texts(lang)

    def say(self, key: str, **values: Any) -> str:
        """The text for `key` with {names} filled in. KeyError: a key or a value the text needs is missing (a bug)."""
        return self.texts[key].format(**values)

    def number(self, value: float | None, digits: int = 0, sign: bool = False) -> str:
        """1,234.50; a true minus sign; with `sign` a plus in front of gains."""
        if value is None or not math.isfinite(value):
            return NONE
        text = f"{abs(value):,.{digits}f}"
        zero = not any(digit in text for digit in "123456789")
        if value < 0 and not zero:
            return _MINUS + text
        return f"+{text}" if sign and not zero else text

    def plain(self, value: float | None) -> str:
        """A parameter value as it was written: 60, 0.25, -1.5; no thousands."""
        if value is None or not math.isfinite(value):
            return NONE
        text = f"{value:.10g}"
        return text.replace("-", _MINUS) if text.startswith("-") else text

    def percent(self, value: float | None, digits: int = 2, sign: bool = False) -> str:
        """12.30 % of a value that is in percent already."""
        text = self.number(value, digits, sign)
        return text if text == NONE else f"{text}%"

    def won(self, value: float | None, sign: bool = False) -> str:
        """KRW in full."""
        text = self.number(value, 0, sign)
        return text if text == NONE else self.say("won", amount=text)

    def compact(self, value: float | None, sign: bool = False) -> str:
        """Short for axes: 1.2M, 340k; in Korean 120만, 3.4억."""
        if value is None or not math.isfinite(value):
            return NONE
        for unit, name in _UNITS[self.lang]:
            if abs(value) >= unit:
                scaled = value / unit
                return self.number(scaled, 0 if abs(scaled) >= 100 or scaled == round(scaled) else 1, sign) + name
        return self.number(value, 0 if value == round(value) or abs(value) >= 100 else 2, sign)

    def day(self, day: float | None) -> str:
        """20230118 -> 2023-01-18."""
        if day is None or not math.isfinite(day):
            return NONE
        text = f"{int(day):08d}"
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"

    def time(self, clock: int) -> str:
        """yyyymmddhhmmss or hhmmss -> 09:03:17."""
        text = f"{int(clock) % 1_000_000:06d}"
        return f"{text[:2]}:{text[2:4]}:{text[4:]}"

    def held(self, seconds: float | None) -> str:
        """Seconds, as 4 m 05 s from a minute on."""
        if seconds is None or not math.isfinite(seconds):
            return NONE
        whole = round(seconds)
        if whole < 60:
            return self.say("seconds", seconds=whole)
        return self.say("minutes", minutes=f"{whole // 60:,}", seconds=f"{whole % 60:02d}")
