"""Script files by name: the compiler, which knows texts only, speaks of "buy text"; who read it from a file says the file."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stom_ray.errors import ConditionError, RangeError

ROLE = re.compile(r"^(buy text|sell text|ranges)(?=, line \d|: )", re.MULTILINE)


@dataclass(frozen=True)
class ScriptFiles:
    """Where the texts came from; None for one that came from no file."""

    buy: str | Path | None = None
    sell: str | Path | None = None
    ranges: str | Path | None = None

    def name(self, message: str) -> str:
        """The message with files for roles: "buy text, line 3, column 12: ..." becomes "buy.txt, line 3, column 12: ..."."""
        files = {"buy text": self.buy, "sell text": self.sell, "ranges": self.ranges}
        return ROLE.sub(lambda role: str(files[role[1]] or role[1]), message)

    def name_all(self, messages: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.name(message) for message in messages)

    @contextlib.contextmanager
    def in_errors(self) -> Iterator[None]:
        """Inside, a ConditionError or RangeError names the file."""
        try:
            yield
        except (ConditionError, RangeError) as error:
            error.args = (self.name(str(error)), *error.args[1:])
            raise
