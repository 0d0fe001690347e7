"""The sentences of the verdict card in the languages that there are, from `words/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from stom_ray.errors import ConfigError

MISSING = "missing"
HEADLINE = "headline"
HIT_RATE = "hit_rate"
LANGUAGES = ("en", "ko")


@lru_cache
def card_words(lang: str) -> dict[str, dict[str, str]]:
    """Check, or `HEADLINE` -> standing -> sentence. Raises ConfigError for a language there is none for."""
    if lang not in LANGUAGES:
        raise ConfigError(f"language {lang!r} of a card is not known: expected one of {', '.join(LANGUAGES)}")
    source = files("stom_ray.validation").joinpath("words", f"{lang}.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = yaml.safe_load(source)
    return found


def sentence(name: str, standing: str, values: Mapping[str, Any], lang: str = "en") -> str:
    """values: what the sentence may name."""
    return card_words(lang)[name][standing].format(**values)
