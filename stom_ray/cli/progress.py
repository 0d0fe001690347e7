"""One line of progress on standard error: rewritten on a terminal, a line every ten seconds in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class ProgressLine:
    """Called with a text whenever there is news; prints at a readable pace and leaves the cursor on a fresh line."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every_s = 0.2 if self._terminal else 10.0
        self._last = -1e9
        self._width = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last < self._every_s:
            return
        self._last = now
        if self._terminal:
            sys.stderr.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._terminal and self._width:
            sys.stderr.write("\n")
